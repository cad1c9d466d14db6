/* SPDX-License-Identifier: Apache-2.0
 *
 * Matrix products, batched, with bias and requantisation: MatMul, Gemm, RequantizedMatMul.
 *
 *     y[b, i, j] = requantise(alpha * sum over k of a[b, i, k] * b[b, k, j]  +  beta * bias[b, i, j])
 */
#ifndef MATMUL_H
#define MATMUL_H

#include "attoflow_kernel.h"

/** What becomes of a sum before it is stored. */
enum matmul_finish {
    MATMUL_PLAIN = 0,           /* stored as it is */
    MATMUL_REQUANTISE = 1,      /* x * mul + add + rounding fits in 32 bits */
    MATMUL_REQUANTISE_WIDE = 2, /* needs 64 bits */
};

/**
 * Work of a matrix product. `y` is [batch2, batch1, batch0, rows, columns]; all strides are elements, 0 where
 * an operand is broadcast. `bias`, `mul`, `add`, `shifts` may be null.
 */
struct matmul_args {
    const void *a;
    const void *b;
    const void *bias;
    const int32_t *mul;
    const int32_t *add;
    const int32_t *shifts; /* null: `shift` for all */
    void *y;
    int32_t *row_terms; /* working memory: `row_terms_per_core` for each core */
    int32_t batch0, batch1, batch2;
    int32_t rows, columns, depth;
    int32_t a_type, b_type, bias_type, y_type;
    int32_t a_batch0, a_batch1, a_batch2, a_row, a_depth;
    int32_t b_batch0, b_batch1, b_batch2, b_depth, b_column;
    int32_t bias_batch0, bias_batch1, bias_batch2, bias_row, bias_column;
    int32_t scale_batch0, scale_batch1, scale_batch2, scale_row, scale_column; /* of mul, add, shifts */
    int32_t alpha, beta;
    int32_t finish;
    int32_t shift, low, high;
    int32_t column_groups; /* groups of cores that share rows and divide the columns */
    int32_t row_terms_per_core;
};

/* Every kernel NAME takes a `struct NAME_args`; these take the same one. */
#define matmul_s8_s8_args matmul_args
#define matmul_s8_s8_transposed_args matmul_args
#define matmul_s8_u8_args matmul_args
#define matmul_s8_u8_transposed_args matmul_args
#define matmul_u8_s8_args matmul_args
#define matmul_u8_s8_transposed_args matmul_args
#define matmul_u8_u8_args matmul_args
#define matmul_u8_u8_transposed_args matmul_args

/*
 * By the types of a and b. `a` is row major [rows, depth]; `b` is row major [depth, columns], or
 * [columns, depth] for the kernels `..._transposed`.
 */
void matmul_s8_s8(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_s8_s8_transposed(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_s8_u8(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_s8_u8_transposed(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_u8_s8(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_u8_s8_transposed(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_u8_u8(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_u8_u8_transposed(const struct matmul_args *args, uint32_t core, uint32_t cores);

#endif
