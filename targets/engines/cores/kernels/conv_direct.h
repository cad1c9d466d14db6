/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutions with few outputs a group, depthwise above all: each output from where its operands lie.
 */
#ifndef CONV_DIRECT_H
#define CONV_DIRECT_H

#include "conv.h"

/* Every kernel NAME takes a `struct NAME_args`; these take the same one. */
#define conv_direct_s8_s8_args conv_args
#define conv_direct_u8_s8_args conv_args
#define conv_direct_any_args conv_args

/* By the types of x and w. */
void conv_direct_s8_s8(const struct conv_args *args, uint32_t core, uint32_t cores);
void conv_direct_u8_s8(const struct conv_args *args, uint32_t core, uint32_t cores);

/** Any types; slow. */
void conv_direct_any(const struct conv_args *args, uint32_t core, uint32_t cores);

#endif
