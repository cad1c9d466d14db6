/* SPDX-License-Identifier: Apache-2.0
 *
 * y = a - b on the worker cores.
 */
#include "subtract.h"

#define BINARY_KERNEL subtract_elements
#define BINARY_OPERATION wrap_sub
#include "binary_kernel.h"
