/* SPDX-License-Identifier: Apache-2.0
 *
 * IntegerDiv and TrueIntegerDiv: exact division with 64-bit operands.
 */
#ifndef DIVIDE_H
#define DIVIDE_H

#include "attoflow_kernel.h"

/**
 * IntegerDiv: n = numerator * a, d = eta * b + eps, y = trunc((n + sign(n) * floor(d / 2)) / d), 0 where d is 0.
 * y is dense over the extents, axis 0 innermost; strides are 0 where an operand is broadcast.
 */
struct integer_div_args {
    const void *a;
    const void *b;
    void *y;
    int32_t a_type, b_type, y_type;
    int32_t extent0, extent1, extent2, extent3, extent4, extent5;
    int32_t a_stride0, a_stride1, a_stride2, a_stride3, a_stride4, a_stride5;
    int32_t b_stride0, b_stride1, b_stride2, b_stride3, b_stride4, b_stride5;
    int32_t numerator_low, numerator_high; /* words of a 64-bit number */
    int32_t eta, eps;
};

void integer_div(const struct integer_div_args *args, uint32_t core, uint32_t cores);

/** TrueIntegerDiv: y = floor(x * numerator / denominator). `count` elements. */
struct true_integer_div_args {
    const void *x;
    void *y;
    int32_t count;
    int32_t x_type, y_type;
    int32_t numerator_low, numerator_high;
    int32_t denominator_low, denominator_high;
};

void true_integer_div(const struct true_integer_div_args *args, uint32_t core, uint32_t cores);

#endif
