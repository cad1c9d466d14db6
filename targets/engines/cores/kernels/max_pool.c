/* SPDX-License-Identifier: Apache-2.0
 *
 * MaxPool: each core takes a run of the rows of results.
 */
#include "max_pool.h"

/** A window's part inside of the input: its first element and its size. */
struct window {
    int32_t first;
    int32_t rows;
    int32_t columns;
};

#define DEFINE_MAXIMUM(name, type)                                                                             \
    static int32_t name(const struct max_pool_args *args, const struct window *window)                         \
    {                                                                                                          \
        const type *line = (const type *)args->x + window->first;                                              \
        int32_t maximum = *line;                                                                               \
        for (int32_t row = 0; row < window->rows; row++, line += args->width) {                                \
            const type *x = line;                                                                              \
            int32_t count = window->columns;                                                                   \
            for (; count >= 2; count -= 2, x += 2) {                                                           \
                int32_t x0 = x[0], x1 = x[1];                                                                  \
                if (x0 > maximum)                                                                              \
                    maximum = x0;                                                                              \
                if (x1 > maximum)                                                                              \
                    maximum = x1;                                                                              \
            }                                                                                                  \
            if (count > 0 && *x > maximum)                                                                     \
                maximum = *x;                                                                                  \
        }                                                                                                      \
        return maximum;                                                                                        \
    }

DEFINE_MAXIMUM(maximum_s8, int8_t)
DEFINE_MAXIMUM(maximum_u8, uint8_t)
DEFINE_MAXIMUM(maximum_s32, int32_t)

static int32_t maximum(const struct max_pool_args *args, const struct window *window)
{
    if (args->x_type == ATTOFLOW_S8)
        return maximum_s8(args, window);
    if (args->x_type == ATTOFLOW_U8)
        return maximum_u8(args, window);
    return maximum_s32(args, window);
}

void max_pool(const struct max_pool_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->planes * args->rows, core, cores);
    if (mine.first == mine.end)
        return;
    int32_t plane = (int32_t)((uint32_t)mine.first / (uint32_t)args->rows);
    int32_t row = mine.first - plane * args->rows;
    int32_t index = mine.first * args->columns;
    for (int32_t left = mine.end - mine.first; left > 0; left--) {
        int32_t y = row * args->stride_y - args->pad_y;
        int32_t top = max_s32(y, 0);
        int32_t x = -args->pad_x;
        struct window window;
        window.rows = min_s32(y + args->kernel_y, args->height) - top;
        for (int32_t column = 0; column < args->columns; column++, x += args->stride_x) {
            int32_t first = max_s32(x, 0);
            window.first = (plane * args->height + top) * args->width + first;
            window.columns = min_s32(x + args->kernel_x, args->width) - first;
            store_element(args->y, index++, args->y_type, maximum(args, &window));
        }
        if (++row == args->rows) {
            row = 0;
            plane++;
        }
    }
}
