/* SPDX-License-Identifier: Apache-2.0
 *
 * Template: the kernel BINARY_KERNEL of y = BINARY_OPERATION(a, b). Each core takes a run of the result and walks
 * it along axis 0, the innermost; a run whose operands are both dense goes four elements at a time, to hide the
 * latency of the loads. Results of 32 bits, the usual ones, have code for each pair of types; bytes share one.
 */

/** `count` elements of y from operands with strides. */
typedef void binary_run(const struct binary_args *args, int32_t a_at, int32_t a_stride, int32_t b_at, int32_t b_stride,
                        int32_t at, int32_t count);

#define DEFINE_RUN(name, a_type, b_type)                                                                       \
    static void name(const struct binary_args *args, int32_t a_at, int32_t a_stride, int32_t b_at,             \
                     int32_t b_stride, int32_t at, int32_t count)                                              \
    {                                                                                                          \
        const a_type *a = (const a_type *)args->a + a_at;                                                      \
        const b_type *b = (const b_type *)args->b + b_at;                                                      \
        int32_t *y = (int32_t *)args->y + at;                                                                  \
        if (a_stride == 1 && b_stride == 1) {                                                                  \
            for (; count >= 4; count -= 4) {                                                                   \
                int32_t a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];                                            \
                int32_t b0 = b[0], b1 = b[1], b2 = b[2], b3 = b[3];                                            \
                y[0] = BINARY_OPERATION(a0, b0);                                                               \
                y[1] = BINARY_OPERATION(a1, b1);                                                               \
                y[2] = BINARY_OPERATION(a2, b2);                                                               \
                y[3] = BINARY_OPERATION(a3, b3);                                                               \
                a += 4;                                                                                        \
                b += 4;                                                                                        \
                y += 4;                                                                                        \
            }                                                                                                  \
        }                                                                                                      \
        for (; count > 0; count--) {                                                                           \
            *y++ = BINARY_OPERATION(*a, *b);                                                                   \
            a += a_stride;                                                                                     \
            b += b_stride;                                                                                     \
        }                                                                                                      \
    }

DEFINE_RUN(run_s8_s8, int8_t, int8_t)
DEFINE_RUN(run_s8_u8, int8_t, uint8_t)
DEFINE_RUN(run_s8_s32, int8_t, int32_t)
DEFINE_RUN(run_u8_s8, uint8_t, int8_t)
DEFINE_RUN(run_u8_u8, uint8_t, uint8_t)
DEFINE_RUN(run_u8_s32, uint8_t, int32_t)
DEFINE_RUN(run_s32_s8, int32_t, int8_t)
DEFINE_RUN(run_s32_u8, int32_t, uint8_t)
DEFINE_RUN(run_s32_s32, int32_t, int32_t)

#undef DEFINE_RUN

static void run_any(const struct binary_args *args, int32_t a_at, int32_t a_stride, int32_t b_at, int32_t b_stride,
                    int32_t at, int32_t count)
{
    for (int32_t end = at + count; at < end; at++, a_at += a_stride, b_at += b_stride) {
        int32_t a = load_element(args->a, a_at, args->a_type);
        int32_t b = load_element(args->b, b_at, args->b_type);
        store_element(args->y, at, args->y_type, BINARY_OPERATION(a, b));
    }
}

/** Types count as in enum attoflow_type. */
static binary_run *select_run(const struct binary_args *args)
{
    if (args->y_type != ATTOFLOW_S32)
        return run_any;
    switch (3 * args->a_type + args->b_type) {
    case 0:
        return run_s8_s8;
    case 1:
        return run_s8_u8;
    case 2:
        return run_s8_s32;
    case 3:
        return run_u8_s8;
    case 4:
        return run_u8_u8;
    case 5:
        return run_u8_s32;
    case 6:
        return run_s32_s8;
    case 7:
        return run_s32_u8;
    default:
        return run_s32_s32;
    }
}

void BINARY_KERNEL(const struct binary_args *args, uint32_t core, uint32_t cores)
{
    struct walk walk = {
        .extent = {args->extent0, args->extent1, args->extent2, args->extent3, args->extent4, args->extent5},
        .stride_a = {args->a_stride0, args->a_stride1, args->a_stride2, args->a_stride3, args->a_stride4,
                     args->a_stride5},
        .stride_b = {args->b_stride0, args->b_stride1, args->b_stride2, args->b_stride3, args->b_stride4,
                     args->b_stride5},
    };
    binary_run *run = select_run(args);
    struct span mine = share(walk_count(&walk), core, cores);
    if (mine.first == mine.end)
        return;
    walk_to(&walk, mine.first);
    for (int32_t at = mine.first; at < mine.end;) {
        int32_t count = min_s32(walk.extent[0] - walk.index[0], mine.end - at);
        run(args, walk.a, walk.stride_a[0], walk.b, walk.stride_b[0], at, count);
        walk_on(&walk, count);
        at += count;
    }
}
