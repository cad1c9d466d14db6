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

/**
 * y[i] = table[A + B - first] with A = table_a[byte a[i]], B = table_b[byte b[i]], bytes without sign all. sum_plain has
 * neither table_a nor table_b, sum_table_plain no table_b: there int8 elements are terms themselves.
 */
struct sum_tables_args {
    const uint8_t *a;
    const uint8_t *b;
    const uint8_t *table_a;
    const uint8_t *table_b;
    const uint8_t *table;
    uint8_t *y;
    int32_t count, first;
};

#define sum_plain_args sum_tables_args
#define sum_table_plain_args sum_tables_args

void sum_plain(const struct sum_tables_args *args, uint32_t core, uint32_t cores);
void sum_table_plain(const struct sum_tables_args *args, uint32_t core, uint32_t cores);
void sum_tables(const struct sum_tables_args *args, uint32_t core, uint32_t cores);

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
