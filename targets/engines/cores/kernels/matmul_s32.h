/* SPDX-License-Identifier: Apache-2.0
 *
 * Matrix products as in matmul.h, with operands of 32 bits or of any types.
 */
#ifndef MATMUL_S32_H
#define MATMUL_S32_H

#include "matmul.h"

/* Every kernel NAME takes a `struct NAME_args`; these take the same one. */
#define matmul_s32_s8_args matmul_args
#define matmul_s32_s8_transposed_args matmul_args
#define matmul_s8_s32_args matmul_args
#define matmul_s8_s32_transposed_args matmul_args
#define matmul_s32_s32_args matmul_args
#define matmul_s32_s32_transposed_args matmul_args
#define matmul_any_args matmul_args

void matmul_s32_s8(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_s32_s8_transposed(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_s8_s32(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_s8_s32_transposed(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_s32_s32(const struct matmul_args *args, uint32_t core, uint32_t cores);
void matmul_s32_s32_transposed(const struct matmul_args *args, uint32_t core, uint32_t cores);

/** Any types, any strides; slow. */
void matmul_any(const struct matmul_args *args, uint32_t core, uint32_t cores);

#endif
