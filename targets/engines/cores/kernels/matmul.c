/* SPDX-License-Identifier: Apache-2.0
 *
 * Matrix products of 8-bit operands on the worker cores.
 */
#include "matmul_kernel.h"

#define DOT_A int8_t
#define DOT_B int8_t
#define DOT_NAME(x) x##_s8_s8
#include "dot.h"

#define DOT_A int8_t
#define DOT_B uint8_t
#define DOT_NAME(x) x##_s8_u8
#include "dot.h"

#define DOT_A uint8_t
#define DOT_B int8_t
#define DOT_NAME(x) x##_u8_s8
#include "dot.h"

#define DOT_A uint8_t
#define DOT_B uint8_t
#define DOT_NAME(x) x##_u8_u8
#include "dot.h"

MATMUL_DEFINE(s8_s8)
MATMUL_DEFINE(s8_u8)
MATMUL_DEFINE(u8_s8)
MATMUL_DEFINE(u8_u8)
