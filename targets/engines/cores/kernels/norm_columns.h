/* SPDX-License-Identifier: Apache-2.0
 *
 * iLayerNorm and iRMSNorm of 8-bit rows with constant weights and biases by column.
 */
#ifndef NORM_COLUMNS_H
#define NORM_COLUMNS_H

#include "attoflow_kernel.h"

/** A column's constants. */
struct norm_column {
    int32_t weight;
    int32_t bias;
};

/** y = clip((trunc(c * weight / root) + bias) >> shift) as in norm.h; x and y have 8 bits. */
struct layer_norm_columns_args {
    const uint8_t *x;
    const struct norm_column *constants;
    const uint16_t *squares; /* of the elements, from the least of their type on */
    uint8_t *y;
    int32_t rows, columns;
    int32_t x_type;
    int32_t centred; /* 1: iLayerNorm; 0: iRMSNorm, which takes no mean away */
    uint32_t most; /* |c * weight| is at most that, and that is below 2^31 */
    int32_t shift, low, high;
};

void layer_norm_columns(const struct layer_norm_columns_args *args, uint32_t core, uint32_t cores);

#endif
