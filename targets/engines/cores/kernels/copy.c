/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators that move elements. Each core takes a run of the result and copies it piece by piece; pieces that
 * lie along memory go word by word where both ends are aligned alike.
 */
#include "copy.h"

static void copy_bytes(uint8_t *to, const uint8_t *from, int32_t count)
{
    if ((((uintptr_t)to ^ (uintptr_t)from) & 3) == 0) {
        for (; count > 0 && ((uintptr_t)to & 3) != 0; count--)
            *to++ = *from++;
        for (; count >= 16; count -= 16, to += 16, from += 16) {
            const uint32_t *source = (const void *)from;
            uint32_t *target = (void *)to;
            uint32_t w0 = source[0], w1 = source[1], w2 = source[2], w3 = source[3];
            target[0] = w0;
            target[1] = w1;
            target[2] = w2;
            target[3] = w3;
        }
    }
    for (; count >= 4; count -= 4, to += 4, from += 4) {
        uint8_t b0 = from[0], b1 = from[1], b2 = from[2], b3 = from[3];
        to[0] = b0;
        to[1] = b1;
        to[2] = b2;
        to[3] = b3;
    }
    for (; count > 0; count--)
        *to++ = *from++;
}

#define DEFINE_COPY(name, x_type, y_type)                                                                      \
    static void name(const void *from, int32_t stride, void *to, int32_t count)                                \
    {                                                                                                          \
        const x_type *x = from;                                                                                \
        y_type *y = to;                                                                                        \
        for (; count >= 4; count -= 4, y += 4) {                                                               \
            x_type x0 = *x, x1, x2, x3;                                                                        \
            x += stride;                                                                                       \
            x1 = *x;                                                                                           \
            x += stride;                                                                                       \
            x2 = *x;                                                                                           \
            x += stride;                                                                                       \
            x3 = *x;                                                                                           \
            x += stride;                                                                                       \
            y[0] = (y_type)x0;                                                                                 \
            y[1] = (y_type)x1;                                                                                 \
            y[2] = (y_type)x2;                                                                                 \
            y[3] = (y_type)x3;                                                                                 \
        }                                                                                                      \
        for (; count > 0; count--, x += stride)                                                                \
            *y++ = (y_type)*x;                                                                                 \
    }

DEFINE_COPY(copy_8_8, uint8_t, uint8_t)
DEFINE_COPY(copy_s8_32, int8_t, int32_t)
DEFINE_COPY(copy_u8_32, uint8_t, int32_t)
DEFINE_COPY(copy_32_8, int32_t, uint8_t)
DEFINE_COPY(copy_32_32, int32_t, int32_t)

/** Copies `count` elements, `stride` apart in x and neighbours in y. */
static void copy_run(const void *x, int32_t x_type, int32_t stride, void *y, int32_t y_type, int32_t count)
{
    if (y_type == ATTOFLOW_S32) {
        if (x_type == ATTOFLOW_S8)
            copy_s8_32(x, stride, y, count);
        else if (x_type == ATTOFLOW_U8)
            copy_u8_32(x, stride, y, count);
        else
            copy_32_32(x, stride, y, count);
    } else if (x_type == ATTOFLOW_S32) {
        copy_32_8(x, stride, y, count);
    } else if (stride == 1) {
        copy_bytes(y, x, count);
    } else {
        copy_8_8(x, stride, y, count);
    }
}

static inline void *target_address(void *array, int32_t index, int32_t type)
{
    return (uint8_t *)array + ((ptrdiff_t)index << type_shift(type));
}

void copy_strided(const struct copy_strided_args *args, uint32_t core, uint32_t cores)
{
    struct walk walk = {
        .extent = {args->extent0, args->extent1, args->extent2, args->extent3, args->extent4, args->extent5},
        .stride_a = {args->stride0, args->stride1, args->stride2, args->stride3, args->stride4, args->stride5},
    };
    struct span mine = share(walk_count(&walk), core, cores);
    if (mine.first == mine.end)
        return;
    walk_to(&walk, mine.first);
    for (int32_t at = mine.first; at < mine.end;) {
        int32_t count = min_s32(walk.extent[0] - walk.index[0], mine.end - at);
        copy_run(element_address(args->x, args->offset + walk.a, args->x_type), args->x_type, walk.stride_a[0],
                 target_address(args->y, at, args->y_type), args->y_type, count);
        walk_on(&walk, count);
        at += count;
    }
}

/** `rows` rows of `run` elements, `stride` apart in x. What a row leaves of eight goes by four, two and one. */
#define DEFINE_ROWS(name, type)                                                                                \
    static void name(const uint8_t *from, int32_t stride, uint8_t *to, int32_t run, int32_t rows)              \
    {                                                                                                          \
        type *y = (void *)to;                                                                                  \
        for (; rows > 0; rows--, from += stride) {                                                             \
            const type *x = (const void *)from;                                                                \
            int32_t count = run;                                                                               \
            for (; count >= 8; count -= 8, x += 8, y += 8) {                                                   \
                type x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3], x4 = x[4], x5 = x[5], x6 = x[6], x7 = x[7];   \
                STAGE(x0, x1, x2, x3);                                                                         \
                y[0] = x0;                                                                                     \
                y[1] = x1;                                                                                     \
                y[2] = x2;                                                                                     \
                y[3] = x3;                                                                                     \
                STAGE(x4, x5, x6, x7);                                                                         \
                y[4] = x4;                                                                                     \
                y[5] = x5;                                                                                     \
                y[6] = x6;                                                                                     \
                y[7] = x7;                                                                                     \
            }                                                                                                  \
            if ((count & 4) != 0) {                                                                            \
                type x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];                                               \
                STAGE(x0, x1, x2, x3);                                                                         \
                y[0] = x0;                                                                                     \
                y[1] = x1;                                                                                     \
                y[2] = x2;                                                                                     \
                y[3] = x3;                                                                                     \
                x += 4;                                                                                        \
                y += 4;                                                                                        \
            }                                                                                                  \
            if ((count & 3) == 3) {                                                                            \
                type x0 = x[0], x1 = x[1], x2 = x[2];                                                          \
                y[0] = x0;                                                                                     \
                y[1] = x1;                                                                                     \
                y[2] = x2;                                                                                     \
            } else if ((count & 2) != 0) {                                                                     \
                type x0 = x[0], x1 = x[1];                                                                     \
                y[0] = x0;                                                                                     \
                y[1] = x1;                                                                                     \
            } else if ((count & 1) != 0) {                                                                     \
                y[0] = x[0];                                                                                   \
            }                                                                                                  \
            y += count & 3;                                                                                    \
        }                                                                                                      \
    }

DEFINE_ROWS(rows_8, uint8_t)
DEFINE_ROWS(rows_16, uint16_t)
DEFINE_ROWS(rows_32, uint32_t)

void copy_rows(const struct copy_rows_args *args, uint32_t core, uint32_t cores)
{
    struct walk walk = {
        .extent = {args->extent0, args->extent1, args->extent2, args->extent3, args->extent4, args->extent5},
        .stride_a = {args->stride0, args->stride1, args->stride2, args->stride3, args->stride4, args->stride5},
    };
    const uint8_t *x = args->x + args->offset;
    uint32_t misfit = (uint32_t)(uintptr_t)x | (uint32_t)(uintptr_t)args->y | (uint32_t)args->run;
    for (int axis = 0; axis < WALK_AXES; axis++)
        misfit |= (uint32_t)walk.stride_a[axis];
    struct span mine = share(walk_count(&walk), core, cores);
    if (mine.first == mine.end)
        return;
    walk_to(&walk, mine.first);
    for (int32_t at = mine.first; at < mine.end;) {
        int32_t rows = min_s32(walk.extent[0] - walk.index[0], mine.end - at);
        uint8_t *y = args->y + at * args->run;
        if ((misfit & 3) == 0)
            rows_32(x + walk.a, walk.stride_a[0], y, args->run >> 2, rows);
        else if ((misfit & 1) == 0)
            rows_16(x + walk.a, walk.stride_a[0], y, args->run >> 1, rows);
        else
            rows_8(x + walk.a, walk.stride_a[0], y, args->run, rows);
        walk_on(&walk, rows);
        at += rows;
    }
}

void concat(const struct concat_args *args, uint32_t core, uint32_t cores)
{
    enum { INPUTS = 8 };
    const void *x[INPUTS] = {args->x0, args->x1, args->x2, args->x3, args->x4, args->x5, args->x6, args->x7};
    int32_t length[INPUTS] = {args->length0, args->length1, args->length2, args->length3,
                              args->length4, args->length5, args->length6, args->length7};
    int32_t type[INPUTS] = {args->type0, args->type1, args->type2, args->type3,
                            args->type4, args->type5, args->type6, args->type7};
    int32_t row_length = 0;
    for (int i = 0; i < INPUTS; i++)
        row_length += length[i];
    struct span mine = share(args->outer * row_length, core, cores);
    if (mine.first == mine.end)
        return;
    int32_t row = (int32_t)((uint32_t)mine.first / (uint32_t)row_length);
    for (int32_t start = row * row_length; start < mine.end; row++) {
        for (int i = 0; i < INPUTS; i++) {
            int32_t first = max_s32(start, mine.first);
            int32_t end = min_s32(start + length[i], mine.end);
            if (first < end)
                copy_run(element_address(x[i], row * length[i] + first - start, type[i]), type[i], 1,
                         target_address(args->y, first, args->y_type), args->y_type, end - first);
            start += length[i];
        }
    }
}

void pad(const struct pad_args *args, uint32_t core, uint32_t cores)
{
    struct walk walk = {
        .extent = {args->extent0, args->extent1, args->extent2, args->extent3, args->extent4, args->extent5},
    };
    int32_t before[WALK_AXES] = {args->before0, args->before1, args->before2,
                                 args->before3, args->before4, args->before5};
    int32_t inside[WALK_AXES] = {args->inside0, args->inside1, args->inside2,
                                 args->inside3, args->inside4, args->inside5};
    struct span mine = share(walk_count(&walk), core, cores);
    if (mine.first == mine.end)
        return;
    walk_to(&walk, mine.first);
    for (int32_t at = mine.first; at < mine.end;) {
        int32_t first = walk.index[0];
        int32_t count = min_s32(walk.extent[0] - first, mine.end - at);
        int32_t row = 0;
        bool filled = true;
        for (int axis = WALK_AXES - 1; axis > 0; axis--) {
            int32_t index = walk.index[axis] - before[axis];
            filled = filled && index >= 0 && index < inside[axis];
            row = row * inside[axis] + index;
        }
        int32_t from = clip(before[0], first, first + count);
        int32_t to = filled ? clip(before[0] + inside[0], from, first + count) : from;
        for (int32_t i = first; i < from; i++)
            store_element(args->y, at + i - first, args->y_type, args->value);
        if (from < to)
            copy_run(element_address(args->x, row * inside[0] + from - before[0], args->x_type), args->x_type, 1,
                     target_address(args->y, at + from - first, args->y_type), args->y_type, to - from);
        for (int32_t i = to; i < first + count; i++)
            store_element(args->y, at + i - first, args->y_type, args->value);
        walk_on(&walk, count);
        at += count;
    }
}

void gather(const struct gather_args *args, uint32_t core, uint32_t cores)
{
    int32_t inner = args->inner;
    struct span mine = share(args->outer * args->count * inner, core, cores);
    if (mine.first == mine.end)
        return;
    int32_t row = (int32_t)((uint32_t)mine.first / (uint32_t)inner);
    int32_t outer = (int32_t)((uint32_t)row / (uint32_t)args->count);
    int32_t entry = row - outer * args->count;
    for (int32_t at = mine.first; at < mine.end; row++) {
        int32_t skipped = at - row * inner;
        int32_t count = min_s32(inner - skipped, mine.end - at);
        int32_t index = load_element(args->indices, entry, args->index_type) - args->base;
        copy_run(element_address(args->x, (outer * args->extent + index) * inner + skipped, args->x_type), args->x_type,
                 1, target_address(args->y, at, args->y_type), args->y_type, count);
        at += count;
        if (++entry == args->count) {
            entry = 0;
            outer++;
        }
    }
}
