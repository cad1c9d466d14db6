/* SPDX-License-Identifier: Apache-2.0
 *
 * Add, Sub, Mul with broadcasting, and Clip (of which Relu is a case): element by element, wrapping to 32 bit.
 */
#ifndef ELEMENTWISE_H
#define ELEMENTWISE_H

#include "attoflow_kernel.h"

/**
 * `y` is dense and row major over the extents, axis 0 innermost; unused axes have extent 1. Strides are
 * elements, 0 where an operand is broadcast.
 */
struct elementwise_args {
    const void *a;
    const void *b;
    void *y;
    int32_t a_type, b_type, y_type;
    int32_t extent0, extent1, extent2, extent3, extent4, extent5;
    int32_t a_stride0, a_stride1, a_stride2, a_stride3, a_stride4, a_stride5;
    int32_t b_stride0, b_stride1, b_stride2, b_stride3, b_stride4, b_stride5;
};

/* Every kernel NAME takes a `struct NAME_args`; these take the same one. */
#define add_elements_args elementwise_args
#define subtract_elements_args elementwise_args
#define multiply_elements_args elementwise_args

void add_elements(const struct elementwise_args *args, uint32_t core, uint32_t cores);
void subtract_elements(const struct elementwise_args *args, uint32_t core, uint32_t cores);
void multiply_elements(const struct elementwise_args *args, uint32_t core, uint32_t cores);

/** y = x limited to low … high. `count` elements. */
struct clip_elements_args {
    const void *x;
    void *y;
    int32_t count;
    int32_t x_type, y_type;
    int32_t low, high;
};

void clip_elements(const struct clip_elements_args *args, uint32_t core, uint32_t cores);

#endif
