/* SPDX-License-Identifier: Apache-2.0
 *
 * Table lookups and activations: each core takes a run of the elements.
 */
#include "lookup.h"

/**
 * Four lookups, whose indices x0 … x3 have been loaded, and the loads of the next four. Each of the sixteen
 * instructions issues in its cycle: every load comes back in the slot of a load or store.
 */
#define FOUR_LOOKUPS(at)                                                                                       \
    do {                                                                                                       \
        p0 = table + x0;                                                                                       \
        PIN(p0);                                                                                               \
        p0_value = *p0;                                                                                        \
        PIN(p0_value);                                                                                         \
        p1 = table + x1;                                                                                       \
        PIN(p1);                                                                                               \
        p1_value = *p1;                                                                                        \
        PIN(p1_value);                                                                                         \
        p2 = table + x2;                                                                                       \
        PIN(p2);                                                                                               \
        p2_value = *p2;                                                                                        \
        PIN(p2_value);                                                                                         \
        p3 = table + x3;                                                                                       \
        PIN(p3);                                                                                               \
        p3_value = *p3;                                                                                        \
        PIN(p3_value);                                                                                         \
        x0 = x[(at) + 4];                                                                                      \
        PIN(x0);                                                                                               \
        y[(at)] = p0_value;                                                                                    \
        x1 = x[(at) + 5];                                                                                      \
        PIN(x1);                                                                                               \
        y[(at) + 1] = p1_value;                                                                                \
        x2 = x[(at) + 6];                                                                                      \
        PIN(x2);                                                                                               \
        y[(at) + 2] = p2_value;                                                                                \
        x3 = x[(at) + 7];                                                                                      \
        PIN(x3);                                                                                               \
        y[(at) + 3] = p3_value;                                                                                \
    } while (0)

#define DEFINE_LOOKUP(name, y_type)                                                                            \
    void name(const struct name##_args *args, uint32_t core, uint32_t cores)                                   \
    {                                                                                                          \
        struct span mine = share(args->count, core, cores);                                                    \
        const uint8_t *x = args->x + mine.first;                                                               \
        const y_type *table = args->table;                                                                     \
        y_type *y = args->y + mine.first;                                                                      \
        const uint8_t *end = args->x + mine.end;                                                               \
        if (end - x >= 20) {                                                                                   \
            uint32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];                                               \
            const y_type *p0, *p1, *p2, *p3;                                                                   \
            const uint8_t *last = end - 20;                                                                    \
            y_type p0_value, p1_value, p2_value, p3_value;                                                     \
            do {                                                                                               \
                FOUR_LOOKUPS(0);                                                                               \
                FOUR_LOOKUPS(4);                                                                               \
                FOUR_LOOKUPS(8);                                                                               \
                FOUR_LOOKUPS(12);                                                                              \
                x += 16;                                                                                       \
                y += 16;                                                                                       \
            } while (x <= last);                                                                               \
        }                                                                                                      \
        while (x < end)                                                                                        \
            *y++ = table[*x++];                                                                                \
    }

DEFINE_LOOKUP(lookup_bytes, uint8_t)
DEFINE_LOOKUP(lookup_words, uint32_t)

/** An element as a byte or as a term. */
#define TERM(has_table, x, at) ((has_table) ? (int32_t)(x)[at] : (int32_t)((const int8_t *)(x))[at])

/** The term that an element stands for. */
#define LOOK_UP(has_table, table, x)                                                                           \
    do {                                                                                                       \
        if (has_table) {                                                                                       \
            const uint8_t *place = (table) + (x);                                                              \
            PIN(place);                                                                                        \
            (x) = *place;                                                                                      \
            PIN(x);                                                                                            \
        }                                                                                                      \
    } while (0)

/** One sum of the terms a and b is looked up, the next elements of theirs loaded, and the result of `before` stored. */
#define SUM_STEP(k, at, before)                                                                                \
    do {                                                                                                       \
        p = table + a##k;                                                                                      \
        PIN(p);                                                                                                \
        a##k = TERM(has_a, a, (at) + 4);                                                                       \
        PIN(a##k);                                                                                             \
        p += b##k;                                                                                             \
        PIN(p);                                                                                                \
        b##k = TERM(has_b, b, (at) + 4);                                                                       \
        PIN(b##k);                                                                                             \
        v##k = *p;                                                                                             \
        PIN(v##k);                                                                                             \
        before;                                                                                                \
    } while (0)

#define FOUR_SUMS(at)                                                                                          \
    do {                                                                                                       \
        LOOK_UP(has_a, table_a, a0);                                                                           \
        LOOK_UP(has_a, table_a, a1);                                                                           \
        LOOK_UP(has_a, table_a, a2);                                                                           \
        LOOK_UP(has_a, table_a, a3);                                                                           \
        LOOK_UP(has_b, table_b, b0);                                                                           \
        LOOK_UP(has_b, table_b, b1);                                                                           \
        LOOK_UP(has_b, table_b, b2);                                                                           \
        LOOK_UP(has_b, table_b, b3);                                                                           \
        SUM_STEP(0, (at), (void)0);                                                                            \
        SUM_STEP(1, (at) + 1, y[(at)] = v0);                                                                   \
        SUM_STEP(2, (at) + 2, y[(at) + 1] = v1);                                                               \
        SUM_STEP(3, (at) + 3, y[(at) + 2] = v2);                                                               \
        y[(at) + 3] = v3;                                                                                      \
    } while (0)

/** All of LookupSum; the compiler makes one function of it for each pair of constants. */
static inline __attribute__((always_inline)) void sum_run(const struct sum_tables_args *args, struct span mine,
                                                          bool has_a, bool has_b)
{
    const uint8_t *a = args->a + mine.first, *b = args->b + mine.first, *end = args->a + mine.end;
    const uint8_t *table = args->table - args->first, *table_a = args->table_a, *table_b = args->table_b;
    uint8_t *y = args->y + mine.first;
    if (end - a >= 12) {
        int32_t a0 = TERM(has_a, a, 0), a1 = TERM(has_a, a, 1), a2 = TERM(has_a, a, 2), a3 = TERM(has_a, a, 3);
        int32_t b0 = TERM(has_b, b, 0), b1 = TERM(has_b, b, 1), b2 = TERM(has_b, b, 2), b3 = TERM(has_b, b, 3);
        const uint8_t *p, *last = end - 12;
        uint8_t v0, v1, v2, v3;
        do {
            FOUR_SUMS(0);
            FOUR_SUMS(4);
            a += 8;
            b += 8;
            y += 8;
        } while (a <= last);
    }
    for (; a < end; a++, b++) {
        int32_t term_a = TERM(has_a, a, 0), term_b = TERM(has_b, b, 0);
        *y++ = table[(has_a ? table_a[term_a] : term_a) + (has_b ? table_b[term_b] : term_b)];
    }
}

void sum_plain(const struct sum_tables_args *args, uint32_t core, uint32_t cores)
{
    sum_run(args, share(args->count, core, cores), false, false);
}

void sum_table_plain(const struct sum_tables_args *args, uint32_t core, uint32_t cores)
{
    sum_run(args, share(args->count, core, cores), true, false);
}

void sum_tables(const struct sum_tables_args *args, uint32_t core, uint32_t cores)
{
    sum_run(args, share(args->count, core, cores), true, true);
}

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
