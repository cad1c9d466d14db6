/* SPDX-License-Identifier: Apache-2.0
 *
 * iLayerNorm and iRMSNorm by column. Each core takes a run of the rows. Two products an element are left of the
 * multiplier that all cores share: c * weight, and the division by the root as a product with its reciprocal. Squares
 * are looked up.
 *
 * With M = floor(2^(32 + s) / root) + 1 and |p| * root < 2^(32 + s), trunc(p / root) is floor(p * M / 2^(32 + s)) + (p < 0):
 * M = (2^(32 + s) + e) / root, 0 < e <= root, so that |p| * M / 2^(32 + s) lies above |p| / root by more than 0 (if p is
 * not 0) and by less than 1 / root. For p >= 0 that reaches no integer; for p < 0 the floor is one below
 * -floor(|p| / root). Mostly s = 0 will do; else s of `reciprocal`, 2^s < root <= 2^(s + 1), serves all p up to 2^31.
 */
#include "norm_columns.h"
#include "norm_row.h"

/** An element of either type. */
#define ELEMENT(x, at) (is_signed ? (int32_t)((const int8_t *)(x))[at] : (int32_t)(x)[at])

static inline int32_t high_product(int32_t a, uint32_t b) { return (int32_t)(((int64_t)a * (int64_t)b) >> 32); }

/** One element added up: its square looked up or multiplied, the element four further on loaded. */
#define ADD_UP(k, at, ahead, make_square, before)                                                                  \
    do {                                                                                                       \
        make_square;                                                                                           \
        PIN(q##k);                                                                                             \
        sum += a##k;                                                                                           \
        PIN(sum);                                                                                              \
        a##k = ELEMENT(x, (at) + (k) + (ahead));                                                                     \
        PIN(a##k);                                                                                             \
        squares += q##before;                                                                                  \
        PIN(squares);                                                                                          \
    } while (0)

#define LOOK_UP(k) q##k = square[a##k]

/** Three of four squares come from the table. The sum is a product behind. */
#define ADD_UP_FOUR(at, ahead)                                                                                     \
    do {                                                                                                       \
        ADD_UP(0, at, ahead, q0 = (uint32_t)(a0 * a0), 3);                                                         \
        ADD_UP(1, at, ahead, LOOK_UP(1), 0);                                                                       \
        ADD_UP(2, at, ahead, LOOK_UP(2), 1);                                                                       \
        ADD_UP(3, at, ahead, LOOK_UP(3), 2);                                                                       \
    } while (0)

/** Sum and sum of squares of a row. */
static inline __attribute__((always_inline)) uint32_t add_up(const uint8_t *x, int32_t columns, const uint16_t *square,
                                                             int32_t *total, bool is_signed)
{
    const uint8_t *end = x + columns;
    int32_t sum = 0;
    uint32_t squares = 0;
    if (columns >= 4) {
        int32_t a0 = ELEMENT(x, 0), a1 = ELEMENT(x, 1), a2 = ELEMENT(x, 2), a3 = ELEMENT(x, 3);
        uint32_t q0, q1, q2, q3 = 0;
        for (const uint8_t *last = end - 12; x <= last; x += 8) {
            ADD_UP_FOUR(0, 4);
            ADD_UP_FOUR(4, 4);
        }
        for (const uint8_t *last = end - 8; x <= last; x += 4)
            ADD_UP_FOUR(0, 4);
        ADD_UP_FOUR(0, 0);
        x += 4;
        squares += q3;
    }
    for (; x < end; x++) {
        sum += ELEMENT(x, 0);
        squares += square[ELEMENT(x, 0)];
    }
    *total = sum;
    return squares;
}

/** A row whose root is 1 or 2. */
static inline __attribute__((always_inline)) void scale_small_root(const struct layer_norm_columns_args *args, const uint8_t *x,
                                                            uint8_t *y, int32_t mean, uint32_t root, bool is_signed)
{
    for (int32_t i = 0; i < args->columns; i++) {
        int32_t quotient = (ELEMENT(x, i) - mean) * args->constants[i].weight / (int32_t)root;
        y[i] = (uint8_t)clip(wrap_add(quotient, args->constants[i].bias) >> args->shift, args->low, args->high);
    }
}

/** p = c * weight. */
#define PRODUCT(k)                                                                                             \
    do {                                                                                                       \
        p##k = w##k * c##k;                                                                                    \
        PIN(p##k);                                                                                             \
    } while (0)

/** The quotient, and the bias where the weight was: products and loads let results take the register port. */
#define QUOTIENT(k, at)                                                                                            \
    do {                                                                                                       \
        q##k = high_product(p##k, factor);                                                                     \
        PIN(q##k);                                                                                             \
        w##k = constants[(at) + (k)].bias;                                                                              \
        PIN(w##k);                                                                                             \
    } while (0)

#define NEXT_ELEMENT(k, at, ahead)                                                                                 \
    do {                                                                                                       \
        c##k = ELEMENT(x, (at) + (k) + (ahead));                                                                     \
        PIN(c##k);                                                                                             \
        p##k = (int32_t)((uint32_t)p##k >> 31);                                                                \
        PIN(p##k);                                                                                             \
    } while (0)

#define RESULT(k, at, ahead)                                                                                       \
    do {                                                                                                       \
        if (more)                                                                                              \
            q##k >>= r.shift;                                                                                  \
        q##k = clip(wrap_add(q##k + p##k, w##k) >> shift, low, high);                                          \
        w##k = constants[(at) + (k) + (ahead)].weight;                                                                \
        PIN(w##k);                                                                                             \
        y[(at) + (k)] = (uint8_t)q##k;                                                                                  \
        c##k -= mean;                                                                                          \
        PIN(c##k);                                                                                             \
    } while (0)

/** Four columns; the next ones, `ahead` of them, are loaded meanwhile. */
#define FOUR_RESULTS(at, ahead)                                                                                    \
    do {                                                                                                       \
        PRODUCT(0);                                                                                            \
        PRODUCT(1);                                                                                            \
        PRODUCT(2);                                                                                            \
        PRODUCT(3);                                                                                            \
        QUOTIENT(0, at);                                                                                           \
        QUOTIENT(1, at);                                                                                           \
        QUOTIENT(2, at);                                                                                           \
        QUOTIENT(3, at);                                                                                           \
        NEXT_ELEMENT(0, at, ahead);                                                                                \
        NEXT_ELEMENT(1, at, ahead);                                                                                \
        NEXT_ELEMENT(2, at, ahead);                                                                                \
        NEXT_ELEMENT(3, at, ahead);                                                                                \
        RESULT(0, at, ahead);                                                                                      \
        RESULT(1, at, ahead);                                                                                      \
        RESULT(2, at, ahead);                                                                                      \
        RESULT(3, at, ahead);                                                                                      \
    } while (0)

/** A row; `more` says that the quotient's shift is not 0. */
static inline __attribute__((always_inline)) void scale_row(const struct layer_norm_columns_args *args, const uint8_t *x,
                                                            uint8_t *y, int32_t mean, struct reciprocal r, bool more,
                                                            bool is_signed)
{
    const struct norm_column *constants = args->constants;
    uint32_t factor = r.factor;
    int32_t shift = args->shift, low = args->low, high = args->high;
    const uint8_t *end = x + args->columns;
    if (args->columns >= 4) {
        int32_t c0 = ELEMENT(x, 0) - mean, c1 = ELEMENT(x, 1) - mean, c2 = ELEMENT(x, 2) - mean;
        int32_t c3 = ELEMENT(x, 3) - mean, w0 = constants[0].weight, w1 = constants[1].weight;
        int32_t w2 = constants[2].weight, w3 = constants[3].weight;
        int32_t p0, p1, p2, p3, q0, q1, q2, q3;
        for (const uint8_t *last = end - 12; x <= last; x += 8, y += 8, constants += 8) {
            FOUR_RESULTS(0, 4);
            FOUR_RESULTS(4, 4);
        }
        for (const uint8_t *last = end - 8; x <= last; x += 4, y += 4, constants += 4)
            FOUR_RESULTS(0, 4);
        FOUR_RESULTS(0, 0);
        x += 4;
        y += 4;
        constants += 4;
    }
    for (; x < end; x++, constants++) {
        int32_t p0 = (ELEMENT(x, 0) - mean) * constants->weight;
        int32_t q0 = (high_product(p0, factor) >> r.shift) + (int32_t)((uint32_t)p0 >> 31);
        *y++ = (uint8_t)clip(wrap_add(q0, constants->bias) >> shift, low, high);
    }
}

static inline __attribute__((always_inline)) void rows(const struct layer_norm_columns_args *args, struct span mine,
                                                       bool is_signed)
{
    const uint16_t *square = args->squares + (is_signed ? 128 : 0);
    uint32_t columns = (uint32_t)args->columns;
    if (mine.first == mine.end || columns == 0)
        return;
    for (int32_t row = mine.first; row < mine.end; row++) {
        const uint8_t *x = args->x + (ptrdiff_t)row * args->columns;
        uint8_t *y = args->y + (ptrdiff_t)row * args->columns;
        int32_t sum, mean = 0;
        uint32_t squares = add_up(x, args->columns, square, &sum, is_signed);
        if (args->centred) { /* sum of (x - mean)^2 */
            mean = sum / args->columns;
            squares += (uint32_t)mean * ((uint32_t)mean * columns - 2u * (uint32_t)sum);
        }
        uint32_t root = square_root(squares / columns + 1u, 1u << 14);
        if (root <= 2) {
            scale_small_root(args, x, y, mean, root, is_signed);
        } else if (args->most <= 0xffffffffu / root) {
            /* floor(2^32 / root) is floor((2^32 - 1) / root) unless the root is a power of two. */
            struct reciprocal plain = {0xffffffffu / root + 1u + ((root & (root - 1u)) == 0), 0};
            scale_row(args, x, y, mean, plain, false, is_signed);
        } else {
            scale_row(args, x, y, mean, reciprocal_of(root), true, is_signed);
        }
    }
}

void layer_norm_columns(const struct layer_norm_columns_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->rows, core, cores);
    if (args->x_type == ATTOFLOW_S8)
        rows(args, mine, true);
    else
        rows(args, mine, false);
}
