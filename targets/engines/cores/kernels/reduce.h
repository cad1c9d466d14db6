/* SPDX-License-Identifier: Apache-2.0
 *
 * ReduceSum and ReduceMean over any axes.
 */
#ifndef REDUCE_H
#define REDUCE_H

#include "attoflow_kernel.h"

/**
 * For every element of y (dense over the extents, axis 0 innermost): the sum, modulo 2^32, of the elements of x
 * over the reduced axes (`over`, with `over_stride`). reduce_mean: floor(sum / count + 1/2).
 */
struct reduce_args {
    const void *x;
    void *y;
    int32_t x_type, y_type;
    int32_t extent0, extent1, extent2, extent3, extent4, extent5;
    int32_t stride0, stride1, stride2, stride3, stride4, stride5;
    int32_t over0, over1, over2, over3;
    int32_t over_stride0, over_stride1, over_stride2, over_stride3;
};

#define reduce_sum_args reduce_args
#define reduce_mean_args reduce_args

void reduce_sum(const struct reduce_args *args, uint32_t core, uint32_t cores);
void reduce_mean(const struct reduce_args *args, uint32_t core, uint32_t cores);

#endif
