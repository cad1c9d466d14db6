/* SPDX-License-Identifier: Apache-2.0
 *
 * y = a + b on the worker cores.
 */
#include "add.h"

#define BINARY_KERNEL add_elements
#define BINARY_OPERATION wrap_add
#include "binary_kernel.h"
