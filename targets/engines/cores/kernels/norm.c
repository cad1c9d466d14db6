/* SPDX-License-Identifier: Apache-2.0
 *
 * Integer normalisations. Each core takes a run of the rows. The cores share one divider, so a row's divisions
 * by its root are multiplications by a reciprocal that is exact for them.
 */
#include "norm.h"
#include "norm_row.h"

/** What a row's elements are scaled with. */
struct row_scale {
    int32_t mean;
    uint32_t root;
    struct reciprocal reciprocal; /* of the root, if that is not 1 */
    int32_t shift;
    int32_t low;
    int32_t high;
};

/** From sum and sum of squares (both modulo 2^32, as all sums are) of a row. */
static struct row_scale make_row_scale(const struct layer_norm_args *args, uint32_t sum, uint32_t squares)
{
    struct row_scale s = {0, 0, {0, 0}, args->shift, args->low, args->high};
    uint32_t columns = (uint32_t)args->columns;
    if (args->bias) { /* sum of (x - mean)^2 */
        uint32_t mean = (uint32_t)((int32_t)sum / args->columns);
        squares += mean * (mean * columns - 2u * sum);
        s.mean = (int32_t)mean;
    }
    s.root = square_root(squares / columns + 1u, 1u << 30);
    if (s.root > 1)
        s.reciprocal = reciprocal_of(s.root);
    return s;
}

/** Any element of any row. */
static void scale_any(const struct layer_norm_args *args, const struct row_scale *s, int32_t at, int32_t column,
                      int32_t end)
{
    for (; column < end; column++) {
        int32_t x = load_element(args->x, at + column, args->x_type);
        int32_t product = wrap_mul(wrap_sub(x, s->mean), args->weight[column]);
        int32_t bias = args->bias ? args->bias[column] : 0;
        if (s->root > 1) {
            uint32_t sign = (uint32_t)(product >> 31);
            uint32_t magnitude = ((uint32_t)product ^ sign) - sign;
            uint32_t quotient = divide(magnitude, s->reciprocal);
            product = (int32_t)((quotient ^ sign) - sign);
        }
        store_element(args->y, at + column, args->y_type,
                      clip(wrap_add(product, bias) >> s->shift, s->low, s->high));
    }
}

/** Elements of p by the reciprocal, rounded towards 0: magnitude and sign apart. */
#define DIVIDE_FOUR(p0, p1, p2, p3)                                                                            \
    do {                                                                                                       \
        uint32_t s0 = (uint32_t)(p0 >> 31), s1 = (uint32_t)(p1 >> 31);                                         \
        uint32_t s2 = (uint32_t)(p2 >> 31), s3 = (uint32_t)(p3 >> 31);                                         \
        uint32_t m0 = ((uint32_t)p0 ^ s0) - s0, m1 = ((uint32_t)p1 ^ s1) - s1;                                 \
        uint32_t m2 = ((uint32_t)p2 ^ s2) - s2, m3 = ((uint32_t)p3 ^ s3) - s3;                                 \
        STAGE(m0, m1, m2, m3);                                                                                 \
        m0 = (uint32_t)(((uint64_t)m0 * factor) >> 32);                                                        \
        m1 = (uint32_t)(((uint64_t)m1 * factor) >> 32);                                                        \
        m2 = (uint32_t)(((uint64_t)m2 * factor) >> 32);                                                        \
        m3 = (uint32_t)(((uint64_t)m3 * factor) >> 32);                                                        \
        STAGE(m0, m1, m2, m3);                                                                                 \
        p0 = (int32_t)(((m0 >> shift) ^ s0) - s0);                                                             \
        p1 = (int32_t)(((m1 >> shift) ^ s1) - s1);                                                             \
        p2 = (int32_t)(((m2 >> shift) ^ s2) - s2);                                                             \
        p3 = (int32_t)(((m3 >> shift) ^ s3) - s3);                                                             \
    } while (0)

/** Four elements at a time of a row whose root is above 1 and whose results are bytes; returns how many are done. */
#define DEFINE_FOURS(name, type, with_mean_and_bias)                                                           \
    static int32_t name(const struct layer_norm_args *args, const struct row_scale *s, int32_t at)             \
    {                                                                                                          \
        const type *x = (const type *)args->x + at;                                                            \
        const int32_t *weight = args->weight, *bias = args->bias;                                              \
        uint8_t *y = (uint8_t *)args->y + at;                                                                  \
        uint32_t factor = s->reciprocal.factor, shift = s->reciprocal.shift;                                   \
        int32_t mean = s->mean, down = s->shift, low = s->low, high = s->high;                                 \
        int32_t columns = args->columns, i = 0;                                                                \
        for (; i + 4 <= columns; i += 4, x += 4, weight += 4, y += 4) {                                        \
            int32_t p0 = x[0], p1 = x[1], p2 = x[2], p3 = x[3];                                                \
            int32_t w0 = weight[0], w1 = weight[1], w2 = weight[2], w3 = weight[3];                            \
            STAGE(w0, w1, w2, w3);                                                                             \
            p0 = wrap_mul(with_mean_and_bias ? wrap_sub(p0, mean) : p0, w0);                                   \
            p1 = wrap_mul(with_mean_and_bias ? wrap_sub(p1, mean) : p1, w1);                                   \
            p2 = wrap_mul(with_mean_and_bias ? wrap_sub(p2, mean) : p2, w2);                                   \
            p3 = wrap_mul(with_mean_and_bias ? wrap_sub(p3, mean) : p3, w3);                                   \
            STAGE(p0, p1, p2, p3);                                                                             \
            DIVIDE_FOUR(p0, p1, p2, p3);                                                                       \
            if (with_mean_and_bias) {                                                                          \
                int32_t b0 = bias[0], b1 = bias[1], b2 = bias[2], b3 = bias[3];                                \
                bias += 4;                                                                                     \
                p0 = wrap_add(p0, b0);                                                                         \
                p1 = wrap_add(p1, b1);                                                                         \
                p2 = wrap_add(p2, b2);                                                                         \
                p3 = wrap_add(p3, b3);                                                                         \
            }                                                                                                  \
            y[0] = (uint8_t)clip(p0 >> down, low, high);                                                       \
            y[1] = (uint8_t)clip(p1 >> down, low, high);                                                       \
            y[2] = (uint8_t)clip(p2 >> down, low, high);                                                       \
            y[3] = (uint8_t)clip(p3 >> down, low, high);                                                       \
        }                                                                                                      \
        return i;                                                                                              \
    }

#define DEFINE_ROW(name, type)                                                                                 \
    DEFINE_FOURS(name##_layer, type, true)                                                                     \
    DEFINE_FOURS(name##_rms, type, false)                                                                      \
    static void name(const struct layer_norm_args *args, int32_t row)                                          \
    {                                                                                                          \
        int32_t columns = args->columns, at = row * columns, i = 0;                                            \
        const type *x = (const type *)args->x + at;                                                            \
        uint32_t sum = 0, squares = 0;                                                                         \
        for (; i + 4 <= columns; i += 4) {                                                                     \
            uint32_t x0 = (uint32_t)x[i], x1 = (uint32_t)x[i + 1], x2 = (uint32_t)x[i + 2];                    \
            uint32_t x3 = (uint32_t)x[i + 3], q0, q1, q2, q3;                                                  \
            STAGE(x0, x1, x2, x3);                                                                             \
            q0 = x0 * x0;                                                                                      \
            q1 = x1 * x1;                                                                                      \
            q2 = x2 * x2;                                                                                      \
            q3 = x3 * x3;                                                                                      \
            STAGE(q0, q1, q2, q3);                                                                             \
            sum += x0 + x1 + x2 + x3;                                                                          \
            squares += q0 + q1 + q2 + q3;                                                                      \
        }                                                                                                      \
        for (; i < columns; i++) {                                                                             \
            sum += (uint32_t)x[i];                                                                             \
            squares += (uint32_t)x[i] * (uint32_t)x[i];                                                        \
        }                                                                                                      \
        struct row_scale s = make_row_scale(args, sum, squares);                                               \
        i = 0;                                                                                                 \
        if (s.root > 1 && args->y_type != ATTOFLOW_S32)                                                        \
            i = args->bias ? name##_layer(args, &s, at) : name##_rms(args, &s, at);                            \
        scale_any(args, &s, at, i, columns);                                                                   \
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
