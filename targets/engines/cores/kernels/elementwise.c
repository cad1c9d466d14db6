/* SPDX-License-Identifier: Apache-2.0
 *
 * Element by element operators. Each core takes a run of the result and walks it along axis 0, the innermost;
 * a run whose operands are both dense goes four elements at a time, to hide the latency of the loads.
 */
#include "elementwise.h"

/** `count` elements of y = a OP b from operands with strides. */
typedef void binary_run(const void *a, int32_t a_stride, const void *b, int32_t b_stride, void *y, int32_t count);

#define DEFINE_BINARY(name, operation, a_type, b_type, y_type)                                                 \
    static void name(const void *from_a, int32_t a_stride, const void *from_b, int32_t b_stride, void *to,     \
                     int32_t count)                                                                            \
    {                                                                                                          \
        const a_type *a = from_a;                                                                              \
        const b_type *b = from_b;                                                                              \
        y_type *y = to;                                                                                        \
        if (a_stride == 1 && b_stride == 1) {                                                                  \
            for (; count >= 4; count -= 4) {                                                                   \
                int32_t a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];                                            \
                int32_t b0 = b[0], b1 = b[1], b2 = b[2], b3 = b[3];                                            \
                y[0] = (y_type)operation(a0, b0);                                                              \
                y[1] = (y_type)operation(a1, b1);                                                              \
                y[2] = (y_type)operation(a2, b2);                                                              \
                y[3] = (y_type)operation(a3, b3);                                                              \
                a += 4;                                                                                        \
                b += 4;                                                                                        \
                y += 4;                                                                                        \
            }                                                                                                  \
        }                                                                                                      \
        for (; count > 0; count--) {                                                                           \
            *y++ = (y_type)operation(*a, *b);                                                                  \
            a += a_stride;                                                                                     \
            b += b_stride;                                                                                     \
        }                                                                                                      \
    }

/** For each pair of input types, with words and with bytes (int8 or uint8, the same bits) as result. */
#define DEFINE_BINARIES(operator, operation)                                                                   \
    DEFINE_BINARY(operator##_s8_s8_32, operation, int8_t, int8_t, int32_t)                                     \
    DEFINE_BINARY(operator##_s8_u8_32, operation, int8_t, uint8_t, int32_t)                                    \
    DEFINE_BINARY(operator##_s8_s32_32, operation, int8_t, int32_t, int32_t)                                   \
    DEFINE_BINARY(operator##_u8_s8_32, operation, uint8_t, int8_t, int32_t)                                    \
    DEFINE_BINARY(operator##_u8_u8_32, operation, uint8_t, uint8_t, int32_t)                                   \
    DEFINE_BINARY(operator##_u8_s32_32, operation, uint8_t, int32_t, int32_t)                                  \
    DEFINE_BINARY(operator##_s32_s8_32, operation, int32_t, int8_t, int32_t)                                   \
    DEFINE_BINARY(operator##_s32_u8_32, operation, int32_t, uint8_t, int32_t)                                  \
    DEFINE_BINARY(operator##_s32_s32_32, operation, int32_t, int32_t, int32_t)                                 \
    DEFINE_BINARY(operator##_s8_s8_8, operation, int8_t, int8_t, uint8_t)                                      \
    DEFINE_BINARY(operator##_s8_u8_8, operation, int8_t, uint8_t, uint8_t)                                     \
    DEFINE_BINARY(operator##_s8_s32_8, operation, int8_t, int32_t, uint8_t)                                    \
    DEFINE_BINARY(operator##_u8_s8_8, operation, uint8_t, int8_t, uint8_t)                                     \
    DEFINE_BINARY(operator##_u8_u8_8, operation, uint8_t, uint8_t, uint8_t)                                    \
    DEFINE_BINARY(operator##_u8_s32_8, operation, uint8_t, int32_t, uint8_t)                                   \
    DEFINE_BINARY(operator##_s32_s8_8, operation, int32_t, int8_t, uint8_t)                                    \
    DEFINE_BINARY(operator##_s32_u8_8, operation, int32_t, uint8_t, uint8_t)                                   \
    DEFINE_BINARY(operator##_s32_s32_8, operation, int32_t, int32_t, uint8_t)

/** The run for the types of the operands; types count as in enum attoflow_type. */
#define SELECT_BINARY(operator, args, width)                                                                   \
    switch (3 * (args)->a_type + (args)->b_type) {                                                             \
    case 0:                                                                                                    \
        return operator##_s8_s8_##width;                                                                       \
    case 1:                                                                                                    \
        return operator##_s8_u8_##width;                                                                       \
    case 2:                                                                                                    \
        return operator##_s8_s32_##width;                                                                      \
    case 3:                                                                                                    \
        return operator##_u8_s8_##width;                                                                       \
    case 4:                                                                                                    \
        return operator##_u8_u8_##width;                                                                       \
    case 5:                                                                                                    \
        return operator##_u8_s32_##width;                                                                      \
    case 6:                                                                                                    \
        return operator##_s32_s8_##width;                                                                      \
    case 7:                                                                                                    \
        return operator##_s32_u8_##width;                                                                      \
    default:                                                                                                   \
        return operator##_s32_s32_##width;                                                                     \
    }

static void run_binary(const struct elementwise_args *args, uint32_t core, uint32_t cores, binary_run *run)
{
    struct walk walk = {
        .extent = {args->extent0, args->extent1, args->extent2, args->extent3, args->extent4, args->extent5},
        .stride_a = {args->a_stride0, args->a_stride1, args->a_stride2, args->a_stride3, args->a_stride4,
                     args->a_stride5},
        .stride_b = {args->b_stride0, args->b_stride1, args->b_stride2, args->b_stride3, args->b_stride4,
                     args->b_stride5},
    };
    struct span mine = share(walk_count(&walk), core, cores);
    if (mine.first == mine.end)
        return;
    walk_to(&walk, mine.first);
    for (int32_t at = mine.first; at < mine.end;) {
        int32_t count = min_s32(walk.extent[0] - walk.index[0], mine.end - at);
        run(element_address(args->a, walk.a, args->a_type), walk.stride_a[0],
            element_address(args->b, walk.b, args->b_type), walk.stride_b[0],
            (uint8_t *)args->y + (at << type_shift(args->y_type)), count);
        walk_on(&walk, count);
        at += count;
    }
}

#define DEFINE_OPERATOR(kernel, operator, operation)                                                           \
    DEFINE_BINARIES(operator, operation)                                                                       \
    static binary_run *select_##operator(const struct elementwise_args *args)                                  \
    {                                                                                                          \
        if (args->y_type == ATTOFLOW_S32) {                                                                    \
            SELECT_BINARY(operator, args, 32)                                                                  \
        }                                                                                                      \
        SELECT_BINARY(operator, args, 8)                                                                       \
    }                                                                                                          \
    void kernel(const struct elementwise_args *args, uint32_t core, uint32_t cores)                            \
    {                                                                                                          \
        run_binary(args, core, cores, select_##operator(args));                                                \
    }

DEFINE_OPERATOR(add_elements, add, wrap_add)
DEFINE_OPERATOR(subtract_elements, sub, wrap_sub)
DEFINE_OPERATOR(multiply_elements, mul, wrap_mul)

typedef void clip_run(const void *x, void *y, int32_t count, int32_t low, int32_t high);

#define DEFINE_CLIP(name, x_type, y_type)                                                                      \
    static void name(const void *from, void *to, int32_t count, int32_t low, int32_t high)                     \
    {                                                                                                          \
        const x_type *x = from;                                                                                \
        y_type *y = to;                                                                                        \
        for (; count >= 4; count -= 4) {                                                                       \
            int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];                                                \
            y[0] = (y_type)clip(x0, low, high);                                                                \
            y[1] = (y_type)clip(x1, low, high);                                                                \
            y[2] = (y_type)clip(x2, low, high);                                                                \
            y[3] = (y_type)clip(x3, low, high);                                                                \
            x += 4;                                                                                            \
            y += 4;                                                                                            \
        }                                                                                                      \
        for (; count > 0; count--)                                                                             \
            *y++ = (y_type)clip(*x++, low, high);                                                              \
    }

DEFINE_CLIP(clip_s8_8, int8_t, uint8_t)
DEFINE_CLIP(clip_u8_8, uint8_t, uint8_t)
DEFINE_CLIP(clip_s32_8, int32_t, uint8_t)
DEFINE_CLIP(clip_s8_32, int8_t, int32_t)
DEFINE_CLIP(clip_u8_32, uint8_t, int32_t)
DEFINE_CLIP(clip_s32_32, int32_t, int32_t)

static clip_run *select_clip(int32_t x_type, bool word)
{
    if (x_type == ATTOFLOW_S8)
        return word ? clip_s8_32 : clip_s8_8;
    if (x_type == ATTOFLOW_U8)
        return word ? clip_u8_32 : clip_u8_8;
    return word ? clip_s32_32 : clip_s32_8;
}

void clip_elements(const struct clip_elements_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->count, core, cores);
    clip_run *run = select_clip(args->x_type, args->y_type == ATTOFLOW_S32);
    run(element_address(args->x, mine.first, args->x_type),
        (uint8_t *)args->y + (mine.first << type_shift(args->y_type)), mine.end - mine.first, args->low, args->high);
}
