/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutions with many outputs: each core copies the patches of two pixels, what the weights meet there, into
 * its working memory and multiplies them with all outputs.
 */
#ifndef CONV_PATCHES_H
#define CONV_PATCHES_H

#include "conv.h"

/* Every kernel NAME takes a `struct NAME_args`; these take the same one. */
#define conv_patches_s8_s8_args conv_args
#define conv_patches_u8_s8_args conv_args
#define conv_patches_s32_s8_args conv_args

/*
 * By the types of x and w. Working memory of a core: two patches of depth * kernel_y * kernel_x elements of x,
 * each rounded up to 4 bytes, then one int32 for each of its outputs.
 */
void conv_patches_s8_s8(const struct conv_args *args, uint32_t core, uint32_t cores);
void conv_patches_u8_s8(const struct conv_args *args, uint32_t core, uint32_t cores);
void conv_patches_s32_s8(const struct conv_args *args, uint32_t core, uint32_t cores);

#endif
