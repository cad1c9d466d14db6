/* SPDX-License-Identifier: Apache-2.0
 *
 * Clip, of which Relu is a case.
 */
#ifndef CLIP_H
#define CLIP_H

#include "attoflow_kernel.h"

/** y = x limited to low … high. `count` elements. */
struct clip_elements_args {
    const void *x;
    void *y;
    int32_t count;
    int32_t x_type, y_type;
    int32_t low, high;
};

void clip_elements(const struct clip_elements_args *args, uint32_t core, uint32_t cores);

#endif
