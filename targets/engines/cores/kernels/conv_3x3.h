/* SPDX-License-Identifier: Apache-2.0
 *
 * Depthwise convolutions of 3 x 3, not dilated: args->depth is 1.
 */
#ifndef CONV_3X3_H
#define CONV_3X3_H

#include "conv.h"

/* Every kernel NAME takes a `struct NAME_args`; these take the same one. */
#define conv_3x3_s8_s8_args conv_args
#define conv_3x3_u8_s8_args conv_args

/* By the types of x and w. */
void conv_3x3_s8_s8(const struct conv_args *args, uint32_t core, uint32_t cores);
void conv_3x3_u8_s8(const struct conv_args *args, uint32_t core, uint32_t cores);

#endif
