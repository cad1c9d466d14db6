/* SPDX-License-Identifier: Apache-2.0
 *
 * Scaling by column. Each core takes a run of the elements; four at a time, so that loads and the one product of each
 * have come back when they are wanted.
 */
#include "scale_columns.h"

#define DEFINE_RUN(name, type)                                                                                 \
    static void name(const struct scale_columns_args *args, int32_t at, int32_t column, int32_t count)         \
    {                                                                                                          \
        const type *x = (const type *)args->x + at;                                                            \
        const struct scale_column *k = args->constants + column;                                               \
        uint8_t *y = args->y + at;                                                                             \
        int32_t shift = args->shift, low = args->low, high = args->high;                                       \
        for (; count >= 4; count -= 4) {                                                                       \
            int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];                                                \
            int32_t m0 = k[0].mul, m1 = k[1].mul, m2 = k[2].mul, m3 = k[3].mul;                                \
            STAGE(x0, x1, x2, x3);                                                                             \
            STAGE(m0, m1, m2, m3);                                                                             \
            m0 = wrap_mul(x0, m0);                                                                             \
            PIN(m0);                                                                                           \
            x0 = k[0].add;                                                                                     \
            PIN(x0);                                                                                           \
            m1 = wrap_mul(x1, m1);                                                                             \
            PIN(m1);                                                                                           \
            x1 = k[1].add;                                                                                     \
            PIN(x1);                                                                                           \
            m2 = wrap_mul(x2, m2);                                                                             \
            PIN(m2);                                                                                           \
            x2 = k[2].add;                                                                                     \
            PIN(x2);                                                                                           \
            m3 = wrap_mul(x3, m3);                                                                             \
            PIN(m3);                                                                                           \
            x3 = k[3].add;                                                                                     \
            PIN(x3);                                                                                           \
            x += 4;                                                                                            \
            k += 4;                                                                                            \
            y[0] = (uint8_t)clip(wrap_add(m0, x0) >> shift, low, high);                                        \
            y[1] = (uint8_t)clip(wrap_add(m1, x1) >> shift, low, high);                                        \
            y[2] = (uint8_t)clip(wrap_add(m2, x2) >> shift, low, high);                                        \
            y[3] = (uint8_t)clip(wrap_add(m3, x3) >> shift, low, high);                                        \
            y += 4;                                                                                            \
        }                                                                                                      \
        for (; count > 0; count--, x++, k++)                                                                   \
            *y++ = (uint8_t)clip(wrap_add(wrap_mul(*x, k->mul), k->add) >> shift, low, high);                  \
    }

DEFINE_RUN(run_s8, int8_t)
DEFINE_RUN(run_u8, uint8_t)
DEFINE_RUN(run_s32, int32_t)

void scale_columns(const struct scale_columns_args *args, uint32_t core, uint32_t cores)
{
    int32_t columns = args->columns;
    struct span mine = share(args->rows * columns, core, cores);
    if (mine.first == mine.end)
        return;
    int32_t column = (int32_t)((uint32_t)mine.first % (uint32_t)columns);
    for (int32_t at = mine.first; at < mine.end;) {
        int32_t count = min_s32(columns - column, mine.end - at);
        if (args->x_type == ATTOFLOW_S8)
            run_s8(args, at, column, count);
        else if (args->x_type == ATTOFLOW_U8)
            run_u8(args, at, column, count);
        else
            run_s32(args, at, column, count);
        at += count;
        column = 0;
    }
}
