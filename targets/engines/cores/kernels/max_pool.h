/* SPDX-License-Identifier: Apache-2.0
 *
 * MaxPool over two spatial axes (one-dimensional ones have height 1). Padding never wins.
 */
#ifndef MAX_POOL_H
#define MAX_POOL_H

#include "attoflow_kernel.h"

/** x [planes, height, width], y [planes, rows, columns]; every window meets at least one element of x. */
struct max_pool_args {
    const void *x;
    void *y;
    int32_t planes, height, width, rows, columns;
    int32_t kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x;
    int32_t x_type, y_type;
};

void max_pool(const struct max_pool_args *args, uint32_t core, uint32_t cores);

#endif
