/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax: each core takes a run of the rows. Rows are read three times (maximum, sum, result), four elements
 * at a time to hide the latency of loads.
 */
#include "softmax.h"

/* ---- ITA's softmax ----------------------------------------------------------------------------------- */

/** Exponent of a distance; from 31 on (9 would do) nothing is left of any value that is shifted by it. */
static inline uint32_t exponent(uint32_t distance, uint32_t shift, uint32_t half)
{
    uint32_t most = 31u << shift;
    if (distance > most)
        distance = most;
    return (distance + half) >> shift;
}

#define DEFINE_ITA_ROW(name, x_type)                                                                           \
    static x_type maximum_##name(const x_type *x, int32_t count, x_type maximum)                               \
    {                                                                                                          \
        for (; count >= 4; count -= 4, x += 4) {                                                               \
            x_type x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];                                                 \
            if (x0 > maximum)                                                                                  \
                maximum = x0;                                                                                  \
            if (x1 > maximum)                                                                                  \
                maximum = x1;                                                                                  \
            if (x2 > maximum)                                                                                  \
                maximum = x2;                                                                                  \
            if (x3 > maximum)                                                                                  \
                maximum = x3;                                                                                  \
        }                                                                                                      \
        for (; count > 0; count--, x++)                                                                        \
            if (*x > maximum)                                                                                  \
                maximum = *x;                                                                                  \
        return maximum;                                                                                        \
    }                                                                                                          \
    static uint32_t ita_sum_##name(const x_type *x, int32_t count, x_type maximum, uint32_t shift)             \
    {                                                                                                          \
        uint32_t half = (1u << shift) >> 1, top = (uint32_t)maximum, sum = 0;                                  \
        for (; count >= 4; count -= 4, x += 4) {                                                               \
            uint32_t x0 = (uint32_t)x[0], x1 = (uint32_t)x[1], x2 = (uint32_t)x[2], x3 = (uint32_t)x[3];       \
            sum += 256u >> exponent(top - x0, shift, half);                                                    \
            sum += 256u >> exponent(top - x1, shift, half);                                                    \
            sum += 256u >> exponent(top - x2, shift, half);                                                    \
            sum += 256u >> exponent(top - x3, shift, half);                                                    \
        }                                                                                                      \
        for (; count > 0; count--, x++)                                                                        \
            sum += 256u >> exponent(top - (uint32_t)*x, shift, half);                                          \
        return sum;                                                                                            \
    }                                                                                                          \
    static void ita_row_##name(const struct softmax_ita_args *args, int32_t row)                               \
    {                                                                                                          \
        const x_type *x = (const x_type *)args->x + row * args->columns;                                       \
        uint8_t *y = args->y + row * args->columns;                                                            \
        uint32_t shift = (uint32_t)args->shift, half = (1u << shift) >> 1;                                     \
        uint32_t denominator = 0;                                                                              \
        x_type maximum = x[0];                                                                                 \
        for (int32_t at = 0; at < args->columns; at += args->group) {                                          \
            int32_t count = min_s32(args->group, args->columns - at);                                          \
            x_type risen = maximum_##name(x + at, count, maximum);                                             \
            denominator >>= exponent((uint32_t)risen - (uint32_t)maximum, shift, half);                        \
            maximum = risen;                                                                                   \
            denominator += ita_sum_##name(x + at, count, maximum, shift);                                      \
        }                                                                                                      \
        uint32_t inverse = 256u * (uint32_t)args->full_scale / denominator;                                    \
        uint32_t top = (uint32_t)maximum;                                                                      \
        int32_t count = args->columns;                                                                         \
        for (; count >= 4; count -= 4, x += 4, y += 4) {                                                       \
            uint32_t x0 = (uint32_t)x[0], x1 = (uint32_t)x[1], x2 = (uint32_t)x[2], x3 = (uint32_t)x[3];       \
            y[0] = (uint8_t)(inverse >> exponent(top - x0, shift, half));                                      \
            y[1] = (uint8_t)(inverse >> exponent(top - x1, shift, half));                                      \
            y[2] = (uint8_t)(inverse >> exponent(top - x2, shift, half));                                      \
            y[3] = (uint8_t)(inverse >> exponent(top - x3, shift, half));                                      \
        }                                                                                                      \
        for (; count > 0; count--, x++, y++)                                                                   \
            *y = (uint8_t)(inverse >> exponent(top - (uint32_t)*x, shift, half));                              \
    }

DEFINE_ITA_ROW(s8, int8_t)
DEFINE_ITA_ROW(u8, uint8_t)
DEFINE_ITA_ROW(s32, int32_t)

void softmax_ita(const struct softmax_ita_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->rows, core, cores);
    if (args->columns == 0)
        return;
    for (int32_t row = mine.first; row < mine.end; row++) {
        if (args->x_type == ATTOFLOW_S8)
            ita_row_s8(args, row);
        else if (args->x_type == ATTOFLOW_U8)
            ita_row_u8(args, row);
        else
            ita_row_s32(args, row);
    }
}

/* ---- Polynomial softmax ------------------------------------------------------------------------------ */

/** Division by one divisor: exact, by its rounded-down reciprocal and at most two corrections. */
static inline uint32_t divide(uint32_t value, uint32_t divisor, uint32_t reciprocal)
{
    uint32_t quotient = (uint32_t)(((uint64_t)value * reciprocal) >> 32);
    uint32_t rest = value - quotient * divisor;
    while (rest >= divisor) {
        rest -= divisor;
        quotient++;
    }
    return quotient;
}

#define DEFINE_TABLE_ROW(name, x_type)                                                                         \
    static void table_row_##name(const struct softmax_table_args *args, int32_t row)                           \
    {                                                                                                          \
        const x_type *x = (const x_type *)args->x + row * args->columns;                                       \
        uint8_t *y = args->y + row * args->columns;                                                            \
        int32_t columns = args->columns;                                                                       \
        x_type maximum = maximum_##name(x, columns, x[0]);                                                     \
        const uint32_t *term = args->table;                                                                    \
        int32_t highest = maximum;                                                                             \
        uint32_t top = (uint32_t)args->top, sum = 0, reciprocal;                                               \
        int32_t i = 0;                                                                                         \
        for (; i + 4 <= columns; i += 4) {                                                                     \
            int32_t x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];                                    \
            uint32_t t0 = term[highest - x0], t1 = term[highest - x1], t2 = term[highest - x2], t3 = term[highest - x3];\
            sum += t0 + t1 + t2 + t3;                                                                          \
        }                                                                                                      \
        for (; i < columns; i++)                                                                               \
            sum += term[highest - x[i]];                                                                       \
        reciprocal = UINT32_MAX / sum;                                                                         \
        for (i = 0; i + 2 <= columns; i += 2) {                                                                \
            int32_t x0 = x[i], x1 = x[i + 1];                                                                  \
            uint32_t t0 = term[highest - x0], t1 = term[highest - x1];                                         \
            y[i] = (uint8_t)divide(t0 * top, sum, reciprocal);                                                 \
            y[i + 1] = (uint8_t)divide(t1 * top, sum, reciprocal);                                             \
        }                                                                                                      \
        for (; i < columns; i++)                                                                               \
            y[i] = (uint8_t)divide(term[highest - x[i]] * top, sum, reciprocal);                               \
    }

DEFINE_TABLE_ROW(s8, int8_t)
DEFINE_TABLE_ROW(u8, uint8_t)

void softmax_table(const struct softmax_table_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->rows, core, cores);
    if (args->columns == 0)
        return;
    for (int32_t row = mine.first; row < mine.end; row++) {
        if (args->x_type == ATTOFLOW_S8)
            table_row_s8(args, row);
        else
            table_row_u8(args, row);
    }
}

static uint32_t term_of(const struct softmax_polynomial_args *args, uint32_t distance)
{
    uint32_t halvings = distance / (uint32_t)args->log2;
    uint32_t p = halvings * (uint32_t)args->log2 - distance + (uint32_t)args->coefficient_b;
    if (halvings > 31)
        return 0;
    return ((uint32_t)args->coefficient_a * p * p + (uint32_t)args->coefficient_c) >> halvings;
}

void softmax_polynomial(const struct softmax_polynomial_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->rows, core, cores);
    int32_t columns = args->columns;
    if (columns == 0)
        return;
    for (int32_t row = mine.first; row < mine.end; row++) {
        const void *x = element_address(args->x, row * columns, args->x_type);
        int32_t maximum = load_element(x, 0, args->x_type);
        uint32_t sum = 0, reciprocal;
        for (int32_t i = 1; i < columns; i++)
            maximum = max_s32(maximum, load_element(x, i, args->x_type));
        for (int32_t i = 0; i < columns; i++)
            sum += term_of(args, (uint32_t)maximum - (uint32_t)load_element(x, i, args->x_type));
        reciprocal = UINT32_MAX / sum;
        for (int32_t i = 0; i < columns; i++) {
            uint32_t term = term_of(args, (uint32_t)maximum - (uint32_t)load_element(x, i, args->x_type));
            args->y[row * columns + i] = (uint8_t)divide(term * (uint32_t)args->top, sum, reciprocal);
        }
    }
}
