/* SPDX-License-Identifier: Apache-2.0
 *
 * y = a * b, element by element, wrapping to 32 bit.
 */
#ifndef MULTIPLY_H
#define MULTIPLY_H

#include "binary.h"

/* Every kernel NAME takes a `struct NAME_args`. */
#define multiply_elements_args binary_args

void multiply_elements(const struct binary_args *args, uint32_t core, uint32_t cores);

#endif
