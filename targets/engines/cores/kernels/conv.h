/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutions, NCHW, over two spatial axes (one-dimensional ones have height 1), with bias and
 * requantisation: Conv, RequantizedConv.
 *
 *     y[n, o, r, c] = requantise(bias[o] + sum over i, ky, kx of w[o, i, ky, kx] *
 *                     x[n, i, r * stride_y + ky * dilation_y - pad_y, c * stride_x + kx * dilation_x - pad_x])
 *
 * where x is 0 outside of its part in L1, which holds all that the result needs.
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
    void *patches;         /* conv_patches: working memory, `scratch_per_core` bytes for each core */
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

/* Every kernel NAME takes a `struct NAME_args`; these take the same one. */
#define conv_patches_s8_s8_args conv_args
#define conv_patches_u8_s8_args conv_args
#define conv_patches_s32_s8_args conv_args
#define conv_direct_s8_s8_args conv_args
#define conv_direct_u8_s8_args conv_args
#define conv_direct_any_args conv_args

/*
 * conv_patches_X_W: each core copies the patches of two pixels into its working memory and multiplies them with
 * all outputs. For many outputs. Working memory of a core: two patches of depth * kernel_y * kernel_x elements
 * of x, rounded up to 4 bytes, then one int32 for each output (rounded up to even).
 */
void conv_patches_s8_s8(const struct conv_args *args, uint32_t core, uint32_t cores);
void conv_patches_u8_s8(const struct conv_args *args, uint32_t core, uint32_t cores);
void conv_patches_s32_s8(const struct conv_args *args, uint32_t core, uint32_t cores);

/* conv_direct_X_W: each output from where its operands lie. For few outputs a group, depthwise above all. */
void conv_direct_s8_s8(const struct conv_args *args, uint32_t core, uint32_t cores);
void conv_direct_u8_s8(const struct conv_args *args, uint32_t core, uint32_t cores);

/** Any types; slow. */
void conv_direct_any(const struct conv_args *args, uint32_t core, uint32_t cores);

#endif
