/* SPDX-License-Identifier: Apache-2.0
 *
 * y = a * b on the worker cores.
 */
#include "multiply.h"

#define BINARY_KERNEL multiply_elements
#define BINARY_OPERATION wrap_mul
#include "binary_kernel.h"
