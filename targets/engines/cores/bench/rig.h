/* SPDX-License-Identifier: Apache-2.0
 *
 * What the generated list of calls and the bench's main program share.
 */
#ifndef RIG_H
#define RIG_H

#include <stdint.h>

/** A kernel, as every kernel can be called, and its arguments. */
struct rig_call {
    void (*kernel)(const void *args, uint32_t core, uint32_t cores);
    const void *args;
};

extern const struct rig_call rig_calls[];

#endif
