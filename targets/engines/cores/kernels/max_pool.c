/* SPDX-License-Identifier: Apache-2.0
 *
 * MaxPool: each core takes a run of the rows of results.
 */
#include "max_pool.h"

/** Rows of results share what their windows meet of the input's rows. */
struct pool_row {
    int32_t first; /* index of the first line's first element */
    int32_t lines;
    int32_t index; /* of the first result */
};

#define DEFINE_ROW(name, type)                                                                                 \
    static void name(const struct max_pool_args *args, const struct pool_row *row)                             \
    {                                                                                                          \
        const type *start = (const type *)args->x + row->first;                                                \
        int32_t width = args->width, kernel = args->kernel_x, stride = args->stride_x, lines = row->lines;     \
        int32_t columns = args->columns, y_type = args->y_type, left = -args->pad_x;                           \
        for (int32_t column = 0; column < columns; column++, left += stride) {                                 \
            int32_t first = max_s32(left, 0), end = min_s32(left + kernel, width);                             \
            const type *line = start + first;                                                                  \
            int32_t maximum = *line;                                                                           \
            for (int32_t i = 0; i < lines; i++, line += width) {                                               \
                const type *x = line;                                                                          \
                int32_t count = end - first;                                                                   \
                for (; count >= 2; count -= 2, x += 2) {                                                       \
                    int32_t x0 = x[0], x1 = x[1];                                                              \
                    maximum = max_s32(maximum, x0);                                                            \
                    maximum = max_s32(maximum, x1);                                                            \
                }                                                                                              \
                if (count > 0)                                                                                 \
                    maximum = max_s32(maximum, *x);                                                            \
            }                                                                                                  \
            store_element(args->y, row->index + column, y_type, maximum);                                      \
        }                                                                                                      \
    }

DEFINE_ROW(row_s8, int8_t)
DEFINE_ROW(row_u8, uint8_t)
DEFINE_ROW(row_s32, int32_t)

void max_pool(const struct max_pool_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->planes * args->rows, core, cores);
    if (mine.first == mine.end)
        return;
    int32_t plane = (int32_t)((uint32_t)mine.first / (uint32_t)args->rows);
    int32_t row = mine.first - plane * args->rows;
    for (int32_t at = mine.first; at < mine.end; at++) {
        int32_t y = row * args->stride_y - args->pad_y;
        int32_t top = max_s32(y, 0);
        struct pool_row results;
        results.first = (plane * args->height + top) * args->width;
        results.lines = min_s32(y + args->kernel_y, args->height) - top;
        results.index = at * args->columns;
        if (args->x_type == ATTOFLOW_S8)
            row_s8(args, &results);
        else if (args->x_type == ATTOFLOW_U8)
            row_u8(args, &results);
        else
            row_s32(args, &results);
        if (++row == args->rows) {
            row = 0;
            plane++;
        }
    }
}
