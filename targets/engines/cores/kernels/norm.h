/* SPDX-License-Identifier: Apache-2.0
 *
 * Integer normalisations: iLayerNorm, iRMSNorm, iNoNorm.
 */
#ifndef NORM_H
#define NORM_H

#include "attoflow_kernel.h"

/**
 * iLayerNorm over rows: mean = trunc(sum x / columns), c = x - mean, root = floor(sqrt(sum c^2 / columns + 1)),
 * y = clip((trunc(c * weight / root) + bias) >> shift). iRMSNorm is the same without mean and bias.
 */
struct layer_norm_args {
    const void *x;
    const int32_t *weight;
    const int32_t *bias; /* rms_norm: null */
    void *y;
    int32_t rows, columns;
    int32_t x_type, y_type;
    int32_t shift, low, high;
};

#define rms_norm_args layer_norm_args

void layer_norm(const struct layer_norm_args *args, uint32_t core, uint32_t cores);
void rms_norm(const struct layer_norm_args *args, uint32_t core, uint32_t cores);

/**
 * iNoNorm: y = clip(((x * weight + bias) * mul) >> shift), no rounding. x and y are dense over the extents,
 * axis 0 innermost; weight and bias have strides, 0 where they are broadcast.
 */
struct no_norm_args {
    const void *x;
    const int32_t *weight;
    const int32_t *bias;
    void *y;
    int32_t x_type, y_type;
    int32_t extent0, extent1, extent2, extent3, extent4, extent5;
    int32_t weight_stride0, weight_stride1, weight_stride2, weight_stride3, weight_stride4, weight_stride5;
    int32_t bias_stride0, bias_stride1, bias_stride2, bias_stride3, bias_stride4, bias_stride5;
    int32_t mul, shift, low, high;
};

void no_norm(const struct no_norm_args *args, uint32_t core, uint32_t cores);

#endif
