/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax over rows: ITA's base-2 softmax in its variants, and the polynomial softmax of I-BERT.
 */
#ifndef SOFTMAX_H
#define SOFTMAX_H

#include "attoflow_kernel.h"

/**
 * ITAMax and ITAPartialMax. With e(d) = (d + half of 2^shift) >> shift, the exponent of a distance d from the
 * maximum: den = sum of 256 >> e, inv = full_scale * 256 / den, y = inv >> e. The maximum runs over groups of
 * `group` columns; when it rises by d, den is shifted right by e(d).
 */
struct softmax_ita_args {
    const void *x;
    uint8_t *y; /* 0 … full_scale, so int8 and uint8 alike */
    int32_t rows, columns, group;
    int32_t x_type;
    int32_t shift;      /* 5 or 0 */
    int32_t full_scale; /* 255 or 127 */
};

void softmax_ita(const struct softmax_ita_args *args, uint32_t core, uint32_t cores);

/**
 * iSoftmax where the distances d = max - x are less than `entries`: `table` holds their terms,
 * (A * (p + B)^2 + C) >> z with z = d / log2, p = z * log2 - d. y = floor(term * top / sum of terms).
 */
struct softmax_table_args {
    const void *x;
    const uint32_t *table;
    uint8_t *y; /* 0 … top */
    int32_t rows, columns;
    int32_t x_type;
    int32_t top;
};

void softmax_table(const struct softmax_table_args *args, uint32_t core, uint32_t cores);

/** iSoftmax of any distances, each term computed. */
struct softmax_polynomial_args {
    const void *x;
    uint8_t *y;
    int32_t rows, columns;
    int32_t x_type;
    int32_t top;
    int32_t coefficient_a, coefficient_b, coefficient_c, log2;
};

void softmax_polynomial(const struct softmax_polynomial_args *args, uint32_t core, uint32_t cores);

#endif
