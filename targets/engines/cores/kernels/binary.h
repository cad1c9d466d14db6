/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments of the operators on two operands that broadcast against each other: Add, Sub, Mul.
 */
#ifndef BINARY_H
#define BINARY_H

#include "attoflow_kernel.h"

/**
 * `y` is dense and row major over the extents, axis 0 innermost; unused axes have extent 1. Strides are
 * elements, 0 where an operand is broadcast.
 */
struct binary_args {
    const void *a;
    const void *b;
    void *y;
    int32_t a_type, b_type, y_type;
    int32_t extent0, extent1, extent2, extent3, extent4, extent5;
    int32_t a_stride0, a_stride1, a_stride2, a_stride3, a_stride4, a_stride5;
    int32_t b_stride0, b_stride1, b_stride2, b_stride3, b_stride4, b_stride5;
};

#endif
