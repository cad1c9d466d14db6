/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls one kernel on all worker cores, twice, and takes the time of each call: from the barrier ahead of it to the
 * one behind it. The first call finds a cold instruction cache. The host has put the operands into L1.
 */
#include "rig.h"

enum { WORKERS = 8, CALLS = 2 };

uint32_t rig_selected;
uint32_t rig_cycles[CALLS];

static uint32_t cycle(void)
{
    uint32_t value;
    __asm__ volatile("csrr %0, mcycle" : "=r"(value) : : "memory");
    return value;
}

/** Stores of this core are done, and all cores are here. */
static void barrier(void)
{
    __asm__ volatile("fence\n\tcsrr zero, 0x7c2" : : : "memory");
}

void rig_main(uint32_t hart)
{
    const struct rig_call *call = &rig_calls[rig_selected];
    for (int i = 0; i < CALLS; i++) {
        barrier();
        uint32_t start = cycle();
        if (hart < WORKERS)
            call->kernel(call->args, hart, WORKERS);
        barrier();
        if (hart == 0)
            rig_cycles[i] = cycle() - start;
    }
    if (hart == 0)
        *(volatile uint32_t *)0x00100000 = 0x5555; /* the finisher: the end */
}
