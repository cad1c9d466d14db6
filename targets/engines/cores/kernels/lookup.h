/* SPDX-License-Identifier: Apache-2.0
 *
 * Any function of an 8-bit element, by a table of its 256 values; and the activations whose elements are wider.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "attoflow_kernel.h"

/** y[i] = table[byte x[i]]; x is int8 or uint8, its bit pattern is the index. `count` elements. */
struct lookup_bytes_args {
    const uint8_t *x;
    const uint8_t *table;
    uint8_t *y;
    int32_t count;
};

void lookup_bytes(const struct lookup_bytes_args *args, uint32_t core, uint32_t cores);

/** The same with results of 32 bits. */
struct lookup_words_args {
    const uint8_t *x;
    const uint32_t *table;
    uint32_t *y;
    int32_t count;
};

void lookup_words(const struct lookup_words_args *args, uint32_t core, uint32_t cores);

/** iGELU: d = min(|x|, -b) + b, y = x * floor((one + sign(x) * (one - d * d)) / 2). */
struct gelu_args {
    const int32_t *x;
    void *y;
    int32_t count;
    int32_t y_type;
    int32_t b, one;
};

void gelu(const struct gelu_args *args, uint32_t core, uint32_t cores);

/** iHardswish: y = x * (clip(x + three, 0, six) * one_over_six). */
struct hardswish_args {
    const int32_t *x;
    void *y;
    int32_t count;
    int32_t y_type;
    int32_t one_over_six, three, six;
};

void hardswish(const struct hardswish_args *args, uint32_t core, uint32_t cores);

#endif
