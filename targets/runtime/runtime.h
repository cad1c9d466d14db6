/* SPDX-License-Identifier: Apache-2.0
 *
 * What generated code needs of the runtime, and what the runtime needs of the target.
 *
 * All harts run the same program. Workers (harts 0 … SOC_WORKERS-1) run kernels together; the DMA hart, where there
 * is one, moves data. The work of a layer is a list of phases. What stands in a phase happens at the same time
 * and does not depend on the rest of it; all harts meet at a barrier behind each.
 */
#ifndef ATTOFLOW_RUNTIME_H
#define ATTOFLOW_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

/* Memory that nobody loads or clears before boot: near to the harts where there is an L1. */
#define IN_L1 __attribute__((section(".bss.l1"), aligned(64)))
/* Memory in L2 for data that is always written before it is read. */
#define IN_ARENA __attribute__((section(".bss.arena"), aligned(64)))

/* `rows` rows of `bytes` bytes; the strides lead from row to row. */
struct transfer {
    const void *source;
    void *destination;
    uint32_t bytes;
    uint32_t rows;
    uint32_t source_stride;
    uint32_t destination_stride;
};

/* Does share `core` of `cores` of the work that `args` describes. */
typedef void kernel_function(const void *args, uint32_t core, uint32_t cores);

/* What happens in one phase. The first phase of a layer only moves data. */
struct phase {
    const struct transfer *transfers;
    uint32_t transfer_count;
    kernel_function *kernel; /* null: the workers have nothing to do */
    const void *args;
    uint32_t args_bytes;
};

/* Number of elements of an array. */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- In the target's runtime.c ---------------------------------------------------------------------- */

/* Takes part in `count` phases, as the hart that it is called on. All harts must call it. */
void run_phases(uint32_t hart, const struct phase *phases, uint32_t count);

/* Waits until all harts are here; what each wrote before is then visible to all. */
void barrier(void);

/* ---- In team.c -------------------------------------------------------------------------------------- */

/* Sends the waiting harts into one inference; hart 0 must then call network_layers(0) and team_finish(). */
void team_start(void);

/* Notes the end of the inference. */
void team_finish(void);

/* Marks the end of layer `index`. All harts call it. Hart 0 notes the time and pauses there if the host asks. */
void layer_done(uint32_t hart, uint32_t index);

/* ---- In builtins.c ---------------------------------------------------------------------------------- */

void *memcpy(void *restrict destination, const void *restrict source, size_t bytes);

/* ---- In console.c ----------------------------------------------------------------------------------- */

/* Ends the program with an exit code, where the SoC can; else waits for ever. */
_Noreturn void end_program(uint32_t code);

/* Called by the trap vector (boot.S): reports the trap to the host and ends the program. */
_Noreturn void report_trap(uint32_t hart, uint32_t cause, uint32_t address);

/* ---- In main.c -------------------------------------------------------------------------------------- */

/* The program, called by boot.S on every hart. */
_Noreturn void attoflow_main(uint32_t hart);

/* ---- Small things ----------------------------------------------------------------------------------- */

static inline uint32_t cycle_count(void)
{
    uint32_t cycles;
    __asm__ volatile("csrr %0, mcycle" : "=r"(cycles)::"memory");
    return cycles;
}

/* The 64-bit counter; reads again if the low half wrapped in between. */
static inline uint64_t cycle_count_wide(void)
{
    uint32_t high, low, again;
    do {
        __asm__ volatile("csrr %0, mcycleh" : "=r"(high)::"memory");
        low = cycle_count();
        __asm__ volatile("csrr %0, mcycleh" : "=r"(again)::"memory");
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

/* Waits until this hart's loads and stores are done. */
static inline void fence(void) { __asm__ volatile("fence" ::: "memory"); }

/* Sleeps until an interrupt that is enabled; none is, so for good. */
static inline _Noreturn void park(void)
{
    for (;;)
        __asm__ volatile("wfi");
}

#endif
