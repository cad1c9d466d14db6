/* SPDX-License-Identifier: Apache-2.0
 *
 * Integer normalisations. Each core takes a run of the rows. The cores share one divider, so a row's divisions
 * by its root are multiplications by a reciprocal that is exact for them.
 */
#include "norm.h"

/** floor(sqrt(value)), bit by bit. */
static uint32_t square_root(uint32_t value)
{
    uint32_t root = 0;
    for (uint32_t bit = 1u << 30; bit != 0; bit >>= 2) {
        uint32_t trial = root + bit;
        root >>= 1;
        if (value >= trial) {
            value -= trial;
            root += bit;
        }
    }
    return root;
}

/**
 * Division of magnitudes up to 2^31 by a divisor from 2 to 65535: n / divisor = (n * factor) >> (32 + shift).
 * With 2^(l-1) < divisor <= 2^l and factor = floor(2^(31+l) / divisor) + 1 this is exact (Granlund and
 * Montgomery, PLDI 1994), and shift = l - 1.
 */
struct reciprocal {
    uint32_t factor;
    uint32_t shift;
};

static struct reciprocal reciprocal_of(uint32_t divisor)
{
    struct reciprocal r = {0, 0};
    uint32_t quotient, dividend = 1u << 16; /* 2^(15+l), the dividend's upper part */
    while (2u << r.shift < divisor) {
        r.shift++;
        dividend <<= 1;
    }
    quotient = dividend / divisor;
    r.factor = (quotient << 16) + ((dividend - quotient * divisor) << 16) / divisor + 1u;
    return r;
}

/** What a row's elements are scaled with. */
struct row_scale {
    int32_t mean;
    bool divides; /* false: the root is 1 */
    struct reciprocal root;
    int32_t shift;
    int32_t low;
    int32_t high;
};

static inline int32_t scale(int32_t x, int32_t weight, int32_t bias, const struct row_scale *s)
{
    int32_t product = wrap_mul(wrap_sub(x, s->mean), weight);
    if (s->divides) {
        uint32_t sign = (uint32_t)(product >> 31);
        uint32_t magnitude = ((uint32_t)product ^ sign) - sign;
        uint32_t quotient = (uint32_t)(((uint64_t)magnitude * s->root.factor) >> 32) >> s->root.shift;
        product = (int32_t)((quotient ^ sign) - sign);
    }
    return clip(wrap_add(product, bias) >> s->shift, s->low, s->high);
}

#define DEFINE_ROW(name, type)                                                                                 \
    static void name(const struct layer_norm_args *args, int32_t row)                                          \
    {                                                                                                          \
        int32_t columns = args->columns;                                                                       \
        const type *x = (const type *)args->x + row * columns;                                                 \
        const int32_t *weight = args->weight, *bias = args->bias;                                              \
        uint32_t sum = 0, squares = 0, root;                                                                   \
        struct row_scale s = {0, true, {0, 0}, args->shift, args->low, args->high};                            \
        int32_t at = row * columns;                                                                            \
        int32_t i = 0;                                                                                         \
        for (; i + 4 <= columns; i += 4) {                                                                     \
            uint32_t x0 = (uint32_t)x[i], x1 = (uint32_t)x[i + 1], x2 = (uint32_t)x[i + 2];                    \
            uint32_t x3 = (uint32_t)x[i + 3];                                                                  \
            sum += x0 + x1 + x2 + x3;                                                                          \
            squares += x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3;                                                  \
        }                                                                                                      \
        for (; i < columns; i++) {                                                                             \
            sum += (uint32_t)x[i];                                                                             \
            squares += (uint32_t)x[i] * (uint32_t)x[i];                                                        \
        }                                                                                                      \
        if (bias) { /* sum of (x - mean)^2, modulo 2^32 as all sums are */                                     \
            uint32_t mean;                                                                                     \
            s.mean = (int32_t)sum / columns;                                                                   \
            mean = (uint32_t)s.mean;                                                                           \
            squares += mean * (mean * (uint32_t)columns - 2u * sum);                                           \
        }                                                                                                      \
        root = square_root(squares / (uint32_t)columns + 1u);                                                  \
        if (root == 1)                                                                                         \
            s.divides = false;                                                                                 \
        else                                                                                                   \
            s.root = reciprocal_of(root);                                                                      \
        for (i = 0; i + 2 <= columns; i += 2) {                                                                \
            int32_t x0 = x[i], x1 = x[i + 1], w0 = weight[i], w1 = weight[i + 1];                              \
            int32_t b0 = bias ? bias[i] : 0, b1 = bias ? bias[i + 1] : 0;                                      \
            int32_t y0 = scale(x0, w0, b0, &s), y1 = scale(x1, w1, b1, &s);                                    \
            store_element(args->y, at + i, args->y_type, y0);                                                  \
            store_element(args->y, at + i + 1, args->y_type, y1);                                              \
        }                                                                                                      \
        if (i < columns)                                                                                       \
            store_element(args->y, at + i, args->y_type, scale(x[i], weight[i], bias ? bias[i] : 0, &s));      \
    }

DEFINE_ROW(row_s8, int8_t)
DEFINE_ROW(row_u8, uint8_t)
DEFINE_ROW(row_s32, int32_t)

static void normalise_rows(const struct layer_norm_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->rows, core, cores);
    if (args->columns == 0)
        return;
    for (int32_t row = mine.first; row < mine.end; row++) {
        if (args->x_type == ATTOFLOW_S8)
            row_s8(args, row);
        else if (args->x_type == ATTOFLOW_U8)
            row_u8(args, row);
        else
            row_s32(args, row);
    }
}

void layer_norm(const struct layer_norm_args *args, uint32_t core, uint32_t cores)
{
    normalise_rows(args, core, cores);
}

void rms_norm(const struct layer_norm_args *args, uint32_t core, uint32_t cores)
{
    normalise_rows(args, core, cores);
}

void no_norm(const struct no_norm_args *args, uint32_t core, uint32_t cores)
{
    struct walk walk = {
        .extent = {args->extent0, args->extent1, args->extent2, args->extent3, args->extent4, args->extent5},
        .stride_a = {args->weight_stride0, args->weight_stride1, args->weight_stride2, args->weight_stride3,
                     args->weight_stride4, args->weight_stride5},
        .stride_b = {args->bias_stride0, args->bias_stride1, args->bias_stride2, args->bias_stride3,
                     args->bias_stride4, args->bias_stride5},
    };
    struct requantiser r = {args->mul, 0, 0, args->shift, args->low, args->high};
    struct span mine = share(walk_count(&walk), core, cores);
    if (mine.first == mine.end)
        return;
    walk_to(&walk, mine.first);
    for (int32_t at = mine.first; at < mine.end;) {
        int32_t count = min_s32(walk.extent[0] - walk.index[0], mine.end - at);
        const int32_t *weight = args->weight + walk.a, *bias = args->bias + walk.b;
        for (int32_t i = 0; i < count; i++) {
            int32_t sum = wrap_add(wrap_mul(load_element(args->x, at + i, args->x_type), *weight), *bias);
            store_element(args->y, at + i, args->y_type, requantise_wide(sum, &r));
            weight += walk.stride_a[0];
            bias += walk.stride_b[0];
        }
        walk_on(&walk, count);
        at += count;
    }
}
