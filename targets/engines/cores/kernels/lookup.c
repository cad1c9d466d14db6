/* SPDX-License-Identifier: Apache-2.0
 *
 * Table lookups and activations: each core takes a run of the elements.
 */
#include "lookup.h"

#define DEFINE_LOOKUP(name, y_type)                                                                            \
    void name(const struct name##_args *args, uint32_t core, uint32_t cores)                                   \
    {                                                                                                          \
        struct span mine = share(args->count, core, cores);                                                    \
        const uint8_t *x = args->x + mine.first;                                                               \
        const y_type *table = args->table;                                                                     \
        y_type *y = args->y + mine.first;                                                                      \
        int32_t count = mine.end - mine.first;                                                                 \
        for (; count >= 4; count -= 4, x += 4, y += 4) {                                                       \
            uint8_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];                                                \
            y_type y0 = table[x0], y1 = table[x1], y2 = table[x2], y3 = table[x3];                             \
            y[0] = y0;                                                                                         \
            y[1] = y1;                                                                                         \
            y[2] = y2;                                                                                         \
            y[3] = y3;                                                                                         \
        }                                                                                                      \
        for (; count > 0; count--)                                                                             \
            *y++ = table[*x++];                                                                                \
    }

DEFINE_LOOKUP(lookup_bytes, uint8_t)
DEFINE_LOOKUP(lookup_words, uint32_t)

void gelu(const struct gelu_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->count, core, cores);
    for (int32_t i = mine.first; i < mine.end; i++) {
        int32_t x = args->x[i];
        uint32_t magnitude = x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
        uint32_t bound = (uint32_t)-args->b;
        int32_t d = (int32_t)((magnitude < bound ? magnitude : bound) - bound);
        int32_t l = args->one - d * d;
        int32_t factor = (args->one + (x > 0 ? l : x < 0 ? -l : 0)) >> 1;
        store_element(args->y, i, args->y_type, wrap_mul(x, factor));
    }
}

void hardswish(const struct hardswish_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->count, core, cores);
    for (int32_t i = mine.first; i < mine.end; i++) {
        int32_t x = args->x[i];
        int32_t clipped = clip(wrap_add(x, args->three), 0, args->six);
        store_element(args->y, i, args->y_type, wrap_mul(x, wrap_mul(clipped, args->one_over_six)));
    }
}
