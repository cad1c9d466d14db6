/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutions, NCHW, over two spatial axes (one-dimensional ones have height 1), with bias and
 * requantisation: Conv, RequantizedConv.
 *
 *     y[n, o, r, c] = requantise(bias[o] + sum over i, ky, kx of w[o, i, ky, kx] *
 *                     x[n, i, r * stride_y + ky * dilation_y - pad_y, c * stride_x + kx * dilation_x - pad_x])
 *
 * where x is 0 outside of its part in L1, which holds all that the result needs. Results that meet nothing but
 * padding have a part of height 0 and width 0.
 */
#ifndef CONV_H
#define CONV_H

#include "attoflow_kernel.h"

/** What becomes of a sum before it is stored. */
enum conv_finish {
    CONV_PLAIN = 0,
    CONV_REQUANTISE = 1,      /* x * mul + add + rounding fits in 32 bits */
    CONV_REQUANTISE_WIDE = 2, /* needs 64 bits */
};

/** `bias`, `mul`, `add`, `shifts` may be null. */
struct conv_args {
    const void *x;       /* [batches, groups * depth, height, width] */
    const void *w;       /* [groups * outputs, depth, kernel_y, kernel_x] */
    const int32_t *bias; /* [groups * outputs] */
    const int32_t *mul;
    const int32_t *add;
    const int32_t *shifts; /* null: `shift` for all */
    void *y;               /* [batches, groups * outputs, rows, columns] */
    void *patches;         /* conv_patches.h: working memory, `scratch_per_core` bytes for each core */
    int32_t batches, groups, depth, outputs;
    int32_t height, width, rows, columns;
    int32_t kernel_y, kernel_x, stride_y, stride_x, dilation_y, dilation_x, pad_y, pad_x;
    int32_t x_type, w_type, y_type;
    int32_t finish;
    int32_t scale_stride; /* of mul, add, shifts from output to output: 0 or 1 */
    int32_t shift, low, high;
    int32_t output_groups; /* groups of cores that share pixels and divide the outputs */
    int32_t scratch_per_core;
};

/** Requantisation constants of an output channel. */
static inline struct requantiser requantiser_of(const struct conv_args *args, int32_t output)
{
    int32_t at = output * args->scale_stride;
    if (!args->mul)
        return make_requantiser(0, 0, 0, 0, 0);
    return make_requantiser(args->mul[at], args->add[at], args->shifts ? args->shifts[at] : args->shift, args->low,
                            args->high);
}

/** Requantises a sum (bias included) and stores it. */
static inline void finish(const struct conv_args *args, const struct requantiser *r, int32_t index, int32_t sum)
{
    if (args->finish == CONV_REQUANTISE)
        sum = requantise_narrow(sum, r);
    else if (args->finish == CONV_REQUANTISE_WIDE)
        sum = requantise_wide(sum, r);
    store_element(args->y, index, args->y_type, sum);
}

static inline int32_t bias_of(const struct conv_args *args, int32_t output)
{
    return args->bias ? args->bias[output] : 0;
}

#endif
