/* SPDX-License-Identifier: Apache-2.0
 *
 * iLayerNorm and iRMSNorm with one weight and one bias for all columns. Then a row's result depends on an element's
 * distance c from the mean and on the root alone: each core makes a table of it, by additions, and looks the row's
 * elements up while it adds up the next row. The one multiplier of the cores is asked for one product an element, the
 * square.
 *
 * The table is exact. With F = 24 fraction bits, M = floor(weight * 2^(F - shift) / root) + 1 and c from -255 to 255 let
 *     t(c) = bias * 2^(F - shift) + c * M                             for c >= 0
 *     t(c) = (bias + 1) * 2^(F - shift) + c * M                       for c < 0
 * Then floor(t / 2^F) is (trunc(c * weight / root) + bias) >> shift. Proof, in units before the shift, u = |c| * weight /
 * root being a multiple of 1 / root, d = 2^(shift - F): M * d exceeds weight / root by more than 0 and at most d.
 *   c >= 0: t * d lies above bias + u by at most c * d <= 255 d. No integer is reached by that, for from one with a
 *     fraction to the next integer there is at least 1 / root > 255 d, since root * 2^shift * 255 < 2^24: the root of
 *     8-bit elements is at most 255, because floor(sum of c^2 / columns) + 1 <= 255^2 + 1 < 256^2, and shift <= 8.
 *     And floor((floor(v) + bias) / 2^shift) = floor((v + bias) / 2^shift).
 *   c < 0: trunc is -floor(u). t * d = bias + 1 - u - e, where 0 < e <= |c| d < 1 / root. So
 *     -floor(u) < 1 - u - e < -floor(u) + 1: the left one because 1 - (u - floor(u)) >= 1 / root, the right one because
 *     e > 0. Its floor is -floor(u).
 * Sums wrap, which leaves the eight bits above the fraction right wherever the result lies within 8 bits; those that
 * are clipped are counted beforehand and filled in.
 */
#include "norm_uniform.h"
#include "norm_row.h"

/** What does not change from row to row. */
struct uniform_norm {
    const struct layer_norm_uniform_args *args;
    struct reciprocal of_columns;
    struct reciprocal of_weight;
    uint32_t columns;
    uint32_t scaled;   /* weight * 2^(F - shift) */
    uint32_t above;    /* bias * 2^(F - shift), t(0) */
    uint32_t below;    /* t(c) + |c| M for c < 0 */
    uint32_t to_high;  /* high * 2^shift - bias, if positive: the sum that is clipped first */
    uint32_t to_low;   /* bias - (low + 1) * 2^shift + 1, if positive: from here on all is clipped */
};

/** A table and what is known of it. */
struct norm_table {
    uint8_t *centre;    /* entry of distance 0 */
    uint8_t *high_from; /* from here on all entries are `high` */
    uint8_t *low_end;   /* below this all entries are `low` */
    uint32_t root;      /* that it is made for; 0: for none */
};

static struct norm_table empty_table(uint8_t *bytes)
{
    struct norm_table table = {bytes + NORM_TABLE_BYTES / 2, bytes + NORM_TABLE_BYTES, bytes, 0};
    return table;
}

/** n / divisor; a divisor of 1 has the factor 0. */
static inline uint32_t divide_by(uint32_t n, struct reciprocal r)
{
    return r.factor == 0 ? n : divide(n, r);
}

/** How many distances from `first` on have a product with the weight below `bound` roots, up to 255. */
static uint32_t entries_below(const struct uniform_norm *norm, uint32_t root, uint32_t bound)
{
    if (bound == 0)
        return 0;
    uint32_t last = divide_by(bound * root - 1, norm->of_weight);
    return last < 255 ? last : 255;
}

/** One entry and the sum for the next. */
#define ENTRY(at, next)                                                                                        \
    do {                                                                                                       \
        entry[at] = (uint8_t)(t >> NORM_FRACTION);                                                             \
        t next step;                                                                                           \
    } while (0)

static void fill(uint8_t *from, const uint8_t *end, uint8_t value)
{
    uint32_t word = value * 0x01010101u;
    for (; from < end && ((uintptr_t)from & 3) != 0; from++)
        *from = value;
    for (; end - from >= 16; from += 16) {
        uint32_t *words = (void *)from;
        words[0] = words[1] = words[2] = words[3] = word;
    }
    for (; from < end; from++)
        *from = value;
}

/** Makes the table for a root. What is clipped has been filled in for the roots before, but for the ends. */
static void make_table(const struct uniform_norm *norm, struct norm_table *table, uint32_t root)
{
    uint32_t step = norm->scaled / root + 1;
    uint32_t t = norm->above;
    uint8_t *entry = table->centre;
    uint8_t *end = entry + (norm->to_high == 0 ? 0 : entries_below(norm, root, norm->to_high) + 1);
    fill(end, table->high_from, (uint8_t)norm->args->high);
    table->high_from = end;
    for (; end - entry >= 8; entry += 8) {
        ENTRY(0, +=);
        ENTRY(1, +=);
        ENTRY(2, +=);
        ENTRY(3, +=);
        ENTRY(4, +=);
        ENTRY(5, +=);
        ENTRY(6, +=);
        ENTRY(7, +=);
    }
    for (; entry < end; entry++)
        ENTRY(0, +=);

    entry = table->centre - 1;
    end = entry - entries_below(norm, root, norm->to_low);
    fill(table->low_end, end + 1, (uint8_t)norm->args->low);
    table->low_end = end + 1;
    t = norm->below - step;
    for (; entry - end >= 8; entry -= 8) {
        ENTRY(0, -=);
        ENTRY(-1, -=);
        ENTRY(-2, -=);
        ENTRY(-3, -=);
        ENTRY(-4, -=);
        ENTRY(-5, -=);
        ENTRY(-6, -=);
        ENTRY(-7, -=);
    }
    for (; entry > end; entry--)
        ENTRY(0, -=);
    table->root = root;
}

/**
 * Centre of a table for a root: one that some core has made, or else one of this core's making. The first core that asks
 * for a slot of the memo fills it for all, for as long as the memo lives; who comes too late has a table of its own.
 */
static const uint8_t *find_table(const struct uniform_norm *norm, struct norm_table *own, uint32_t root)
{
    struct norm_memo *memo = norm->args->memo;
    uint32_t slot = root & (NORM_SLOTS - 1);
    uint32_t ready = __atomic_load_n(&memo->roots[slot], __ATOMIC_RELAXED);
    if (ready == root)
        return memo->tables[slot] + NORM_TABLE_BYTES / 2;
    if (ready == 0 && __atomic_fetch_add(&memo->claims[slot], 1, __ATOMIC_RELAXED) == 0) {
        struct norm_table shared = empty_table(memo->tables[slot]);
        make_table(norm, &shared, root);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        __atomic_store_n(&memo->roots[slot], root, __ATOMIC_RELAXED);
        return shared.centre;
    }
    if (own->root != root)
        make_table(norm, own, root);
    return own->centre;
}

/** From a row's sum and sum of squares: the place in its table of the element 0. */
static const uint8_t *table_for(const struct uniform_norm *norm, struct norm_table *own, int32_t sum, uint32_t squares)
{
    int32_t mean = 0;
    uint32_t root;
    if (norm->args->centred) { /* sum of (x - mean)^2 */
        uint32_t magnitude = divide_by((uint32_t)(sum < 0 ? -sum : sum), norm->of_columns);
        mean = sum < 0 ? -(int32_t)magnitude : (int32_t)magnitude;
        squares += (uint32_t)mean * ((uint32_t)mean * norm->columns - 2u * (uint32_t)sum);
    }
    root = square_root(divide_by(squares, norm->of_columns) + 1, 1u << 14);
    return find_table(norm, own, root) - mean;
}

/** Sum and sum of squares of a row. */
struct moments {
    int32_t sum;
    uint32_t squares;
};

/** An element of either type. */
#define ELEMENT(x, at) (is_signed ? (int32_t)((const int8_t *)(x))[at] : (int32_t)(x)[at])

static inline __attribute__((always_inline)) void add_up(struct moments *m, const uint8_t *x, int32_t count,
                                                         bool is_signed)
{
    int32_t sum = m->sum;
    uint32_t squares = m->squares;
    for (; count >= 4; count -= 4, x += 4) {
        int32_t a0 = ELEMENT(x, 0), a1 = ELEMENT(x, 1), a2 = ELEMENT(x, 2), a3 = ELEMENT(x, 3);
        STAGE(a0, a1, a2, a3);
        int32_t q0 = a0 * a0, q1 = a1 * a1, q2 = a2 * a2, q3 = a3 * a3;
        STAGE(q0, q1, q2, q3);
        sum += a0 + a1 + a2 + a3;
        squares += (uint32_t)(q0 + q1 + q2 + q3);
    }
    for (; count > 0; count--, x++) {
        int32_t a = ELEMENT(x, 0);
        sum += a;
        squares += (uint32_t)(a * a);
    }
    m->sum = sum;
    m->squares = squares;
}

/** As add_up, where nothing else is done at the time: half of the squares are looked up, for the multiplier's sake. */
static inline __attribute__((always_inline)) struct moments add_up_alone(const uint8_t *x, int32_t count,
                                                                         const uint16_t *squares, bool is_signed)
{
    struct moments m = {0, 0};
    const uint16_t *of_element = squares + (is_signed ? 128 : 0);
    for (; count >= 4; count -= 4, x += 4) {
        int32_t a0 = ELEMENT(x, 0), a1 = ELEMENT(x, 1), a2 = ELEMENT(x, 2), a3 = ELEMENT(x, 3);
        STAGE(a0, a1, a2, a3);
        int32_t q0 = a0 * a0, q1 = of_element[a1], q2 = a2 * a2, q3 = of_element[a3];
        m.sum += a0 + a1 + a2 + a3;
        STAGE(q0, q1, q2, q3);
        m.squares += (uint32_t)(q0 + q1 + q2 + q3);
    }
    add_up(&m, x, count, is_signed);
    return m;
}

/** One element is looked up, and one loaded for four elements later. */
#define LOOK_UP(k, at, ahead, store_before)                                                                    \
    do {                                                                                                       \
        place = table + x##k;                                                                                  \
        PIN(place);                                                                                            \
        v##k = *place;                                                                                         \
        PIN(v##k);                                                                                             \
        x##k = ELEMENT(x, (at) + (ahead));                                                                     \
        PIN(x##k);                                                                                             \
        store_before;                                                                                          \
        PIN(x##k);                                                                                             \
    } while (0)

#define FOUR_LOOK_UPS(ahead)                                                                                   \
    do {                                                                                                       \
        LOOK_UP(0, 0, ahead, );                                                                                \
        LOOK_UP(1, 1, ahead, y[0] = (uint8_t)v0);                                                              \
        LOOK_UP(2, 2, ahead, y[1] = (uint8_t)v1);                                                              \
        LOOK_UP(3, 3, ahead, y[2] = (uint8_t)v2);                                                              \
        x += 4;                                                                                                \
        PIN(x);                                                                                                \
        y[3] = (uint8_t)v3;                                                                                    \
        y += 4;                                                                                                \
    } while (0)

static inline __attribute__((always_inline)) void look_up(const uint8_t *x, const uint8_t *table, uint8_t *y, int32_t count,
                                                          bool is_signed)
{
    const uint8_t *end = x + count;
    if (count >= 4) {
        int32_t x0 = ELEMENT(x, 0), x1 = ELEMENT(x, 1), x2 = ELEMENT(x, 2), x3 = ELEMENT(x, 3);
        const uint8_t *place, *last = end - 8;
        uint32_t v0, v1, v2, v3;
        while (x <= last)
            FOUR_LOOK_UPS(4);
        FOUR_LOOK_UPS(0);
    }
    while (x < end)
        *y++ = table[ELEMENT(x++, 0)];
}

/**
 * One element of this row is looked up, one of the next row added up, and one of each loaded for four elements later.
 * Of the eight instructions only the additions hold the register port that loads and products come back by.
 */
#define STEP(k, at, ahead, square_before, store_before)                                                               \
    do {                                                                                                       \
        place = table + x##k;                                                                                  \
        PIN(place);                                                                                            \
        v##k = *place;                                                                                         \
        PIN(v##k);                                                                                             \
        q##k = (uint32_t)(a##k * a##k);                                                                        \
        PIN(q##k);                                                                                             \
        sum += a##k;                                                                                           \
        PIN(sum);                                                                                              \
        a##k = ELEMENT(a, (at) + (ahead));                                                                          \
        PIN(a##k);                                                                                             \
        square_before;                                                                                         \
        PIN(squares);                                                                                          \
        x##k = ELEMENT(x, (at) + (ahead));                                                                          \
        PIN(x##k);                                                                                             \
        store_before;                                                                                          \
        PIN(x##k);                                                                                             \
    } while (0)

/** Eight elements; the last four load what is `ahead` of them, 4 if there is more to do. */
#define EIGHT_STEPS(ahead)                                                                                     \
    do {                                                                                                       \
        STEP(0, 0, 4, , );                                                                                     \
        STEP(1, 1, 4, squares += q0, y[0] = (uint8_t)v0);                                                      \
        STEP(2, 2, 4, squares += q1, y[1] = (uint8_t)v1);                                                      \
        STEP(3, 3, 4, squares += q2, y[2] = (uint8_t)v2);                                                      \
        STEP(0, 4, ahead, squares += q3, y[3] = (uint8_t)v3);                                                  \
        STEP(1, 5, ahead, squares += q0, y[4] = (uint8_t)v0);                                                  \
        STEP(2, 6, ahead, squares += q1, y[5] = (uint8_t)v1);                                                  \
        STEP(3, 7, ahead, squares += q2, y[6] = (uint8_t)v2);                                                  \
        PIN(x);                                                                                                \
        squares += q3;                                                                                         \
        PIN(squares);                                                                                          \
        y[7] = (uint8_t)v3;                                                                                    \
    } while (0)

/** Looks a row up and adds the next one up, which lies behind it. */
static inline __attribute__((always_inline)) struct moments row_and_next(const uint8_t *x, const uint8_t *table, uint8_t *y,
                                                                         int32_t columns, bool is_signed)
{
    const uint8_t *a = x + columns, *end = a;
    struct moments m = {0, 0};
    if (columns >= 8) {
        int32_t x0 = ELEMENT(x, 0), x1 = ELEMENT(x, 1), x2 = ELEMENT(x, 2), x3 = ELEMENT(x, 3);
        int32_t a0 = ELEMENT(a, 0), a1 = ELEMENT(a, 1), a2 = ELEMENT(a, 2), a3 = ELEMENT(a, 3);
        int32_t sum = 0;
        uint32_t squares = 0, q0, q1, q2, q3, v0, v1, v2, v3;
        const uint8_t *place, *last = end - 16;
        for (; x <= last; x += 8, a += 8, y += 8)
            EIGHT_STEPS(4);
        /* What is loaded ahead by the last four is thrown away. */
        EIGHT_STEPS(0);
        x += 8;
        a += 8;
        y += 8;
        m.sum = sum;
        m.squares = squares;
    }
    add_up(&m, a, (int32_t)(end - x), is_signed);
    look_up(x, table, y, (int32_t)(end - x), is_signed);
    return m;
}

static inline __attribute__((always_inline)) void rows(const struct layer_norm_uniform_args *args, uint32_t core,
                                                       uint32_t cores, bool is_signed)
{
    struct span mine = share(args->rows, core, cores);
    int32_t columns = args->columns;
    uint32_t high = (uint32_t)(args->high << args->shift) , low = (uint32_t)((args->low + 1) * (1 << args->shift));
    struct uniform_norm norm = {
        .args = args,
        .of_columns = {args->columns_factor, args->columns_shift},
        .of_weight = {args->weight_factor, args->weight_shift},
        .columns = (uint32_t)columns,
        .scaled = (uint32_t)args->weight << (NORM_FRACTION - args->shift),
        .above = (uint32_t)args->bias << (NORM_FRACTION - args->shift),
        .below = (uint32_t)(args->bias + 1) << (NORM_FRACTION - args->shift),
        .to_high = (uint32_t)max_s32((int32_t)high - args->bias, 0),
        .to_low = (uint32_t)max_s32(args->bias - (int32_t)low + 1, 0),
    };
    uint8_t bytes[NORM_TABLE_BYTES] __attribute__((aligned(4)));
    struct norm_table own = empty_table(bytes);
    if (mine.first == mine.end || columns == 0)
        return;

    const uint8_t *x = args->x + (ptrdiff_t)mine.first * columns;
    uint8_t *y = args->y + (ptrdiff_t)mine.first * columns;
    struct moments m = add_up_alone(x, columns, args->memo->squares, is_signed);
    for (int32_t row = mine.first; row < mine.end; row++) {
        const uint8_t *table = table_for(&norm, &own, m.sum, m.squares);
        if (row + 1 < mine.end)
            m = row_and_next(x, table, y, columns, is_signed);
        else
            look_up(x, table, y, columns, is_signed);
        x += columns;
        y += columns;
    }
}

void layer_norm_uniform(const struct layer_norm_uniform_args *args, uint32_t core, uint32_t cores)
{
    if (args->x_type == ATTOFLOW_S8)
        rows(args, core, cores, true);
    else
        rows(args, core, cores, false);
}
