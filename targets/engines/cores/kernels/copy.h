/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators that move elements: Transpose, Slice, Concat, Pad, Gather. Elements of 4 bytes may be float32.
 */
#ifndef COPY_H
#define COPY_H

#include "attoflow_kernel.h"

/** y[i0, i1, …] = x[offset + i0 * stride0 + …]; y is dense over the extents, axis 0 innermost. */
struct copy_strided_args {
    const void *x;
    void *y;
    int32_t x_type, y_type;
    int32_t offset;
    int32_t extent0, extent1, extent2, extent3, extent4, extent5;
    int32_t stride0, stride1, stride2, stride3, stride4, stride5;
};

void copy_strided(const struct copy_strided_args *args, uint32_t core, uint32_t cores);

/**
 * Rows of `run` bytes, one behind the other in y and at x + offset + i0 * stride0 + … in x; all in bytes, axis 0 of the
 * rows innermost. For many rows that are not long.
 */
struct copy_rows_args {
    const uint8_t *x;
    uint8_t *y;
    int32_t run, offset;
    int32_t extent0, extent1, extent2, extent3, extent4, extent5;
    int32_t stride0, stride1, stride2, stride3, stride4, stride5;
};

void copy_rows(const struct copy_rows_args *args, uint32_t core, uint32_t cores);

/** y [outer, sum of lengths]: in each row the rows of all inputs, one behind the other. Unused inputs have length 0. */
struct concat_args {
    const void *x0;
    const void *x1;
    const void *x2;
    const void *x3;
    const void *x4;
    const void *x5;
    const void *x6;
    const void *x7;
    void *y;
    int32_t outer;
    int32_t length0, length1, length2, length3, length4, length5, length6, length7;
    int32_t type0, type1, type2, type3, type4, type5, type6, type7;
    int32_t y_type;
};

void concat(const struct concat_args *args, uint32_t core, uint32_t cores);

/**
 * y is dense over the extents, axis 0 innermost; on each axis x fills `inside` elements behind the first
 * `before`, and `value` (the bits of a float32, if it is one) fills the rest.
 */
struct pad_args {
    const void *x;
    void *y;
    int32_t x_type, y_type;
    int32_t value;
    int32_t extent0, extent1, extent2, extent3, extent4, extent5;
    int32_t before0, before1, before2, before3, before4, before5;
    int32_t inside0, inside1, inside2, inside3, inside4, inside5;
};

void pad(const struct pad_args *args, uint32_t core, uint32_t cores);

/** y [outer, count, inner] = x[:, indices - base, :] of x [outer, extent, inner]. */
struct gather_args {
    const void *x;
    const void *indices;
    void *y;
    int32_t outer, count, extent, inner;
    int32_t base;
    int32_t x_type, y_type, index_type;
};

void gather(const struct gather_args *args, uint32_t core, uint32_t cores);

#endif
