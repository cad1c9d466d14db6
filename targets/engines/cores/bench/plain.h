/* SPDX-License-Identifier: Apache-2.0
 *
 * The operators that the worker cores are asked for most, written as anybody would: one element after the other, by the
 * formula, each core its share. What the kernels are compared with.
 */
#ifndef PLAIN_H
#define PLAIN_H

#include "attoflow_kernel.h"

/** iGELU and RequantShift: d = min(|x|, -b) + b, g = x * floor((one + sign(x) * (one - d * d)) / 2). */
struct plain_gelu_args {
    const int8_t *x;
    int8_t *y;
    int32_t count;
    int32_t b, one;
    int32_t mul, add, shift;
};

void plain_gelu(const struct plain_gelu_args *args, uint32_t core, uint32_t cores);

/** y = clip((x * mul + add + rounding) >> shift) of int32 x; constants for each of `channels`, innermost. */
struct plain_requant_args {
    const int32_t *x;
    const int32_t *mul;
    const int32_t *add;
    int8_t *y;
    int32_t count, channels;
    int32_t shift;
};

void plain_requant(const struct plain_requant_args *args, uint32_t core, uint32_t cores);

/** Add and RequantShift: y = clip(((a + b) * mul + add + rounding) >> shift). */
struct plain_add_args {
    const int8_t *a;
    const int8_t *b;
    int8_t *y;
    int32_t count;
    int32_t mul, add, shift;
};

void plain_add(const struct plain_add_args *args, uint32_t core, uint32_t cores);

/** iLayerNorm: a division for each element. */
struct plain_layer_norm_args {
    const int8_t *x;
    const int32_t *weight;
    const int32_t *bias;
    int8_t *y;
    int32_t rows, columns, shift;
};

void plain_layer_norm(const struct plain_layer_norm_args *args, uint32_t core, uint32_t cores);

/** iNoNorm, with weight and bias for each column. */
struct plain_no_norm_args {
    const int8_t *x;
    const int32_t *weight;
    const int32_t *bias;
    int8_t *y;
    int32_t rows, columns, mul, shift;
};

void plain_no_norm(const struct plain_no_norm_args *args, uint32_t core, uint32_t cores);

/** Transpose of [outer, rows, columns, inner] bytes to [outer, columns, rows, inner]. */
struct plain_transpose_args {
    const int8_t *x;
    int8_t *y;
    int32_t outer, rows, columns, inner;
};

void plain_transpose(const struct plain_transpose_args *args, uint32_t core, uint32_t cores);

/** ITAMax: softmax of base 2. */
struct plain_softmax_args {
    const int8_t *x;
    uint8_t *y;
    int32_t rows, columns;
    int32_t shift, full_scale;
};

void plain_softmax(const struct plain_softmax_args *args, uint32_t core, uint32_t cores);

#endif
