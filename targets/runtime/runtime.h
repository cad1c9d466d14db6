/* SPDX-License-Identifier: Apache-2.0
 *
 * What generated code needs of the runtime, and what the runtime needs of the target.
 *
 * All harts run the same program. Workers (harts 0 … SOC_WORKERS-1) run kernels together. One hart is the conductor
 * (the DMA hart, where there is one): it moves data, feeds the accelerator and tells the workers when a task is
 * ready. The engines run side by side; each does its own steps in order, and a step begins when those of the other
 * engines that it needs are finished.
 */
#ifndef ATTOFLOW_RUNTIME_H
#define ATTOFLOW_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "soc.h"

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

enum step_kind { STEP_MOVE, STEP_TASK, STEP_JOBS };

/* What a step may have; what it has not is not looked at. */
#define STEP_AFTER_TRANSFERS 1u
#define STEP_AFTER_TASKS 2u
#define STEP_AFTER_JOBS 4u
#define STEP_BRINGS_ARGS 8u

/* One word, since every load from L2 takes its time: kind, what it has, number of transfers or jobs. */
#define STEP(kind, has, count) ((uint32_t)(kind) | (uint32_t)(has) << 8 | (uint32_t)(count) << 16)
#define STEP_KIND(head) ((enum step_kind)((head) & 0xff))
#define STEP_HAS(head, what) ((head) >> 8 & (what))
#define STEP_COUNT(head) ((head) >> 16)

/*
 * What the conductor does next: start the next transfers of the layer, publish a task to the workers, or queue the
 * next jobs of the accelerator.
 */
struct step {
    uint32_t head;
    /* Counted from the start of the inference: what must be finished before. */
    uint32_t after_transfers;
    uint32_t after_tasks;
    uint32_t after_jobs;
    union {
        kernel_function *kernel;              /* a task */
        const struct ita_sequence *sequence;  /* jobs */
        const void *args;                     /* a move that brings the args of a task that is yet to come */
    };
    uint32_t args_bytes;
    uint32_t task; /* its number */
};

/* The steps of a layer with what they take in turn. */
struct steps {
    const struct step *steps;
    uint32_t count;
    const struct transfer *transfers;
    const struct ita_job *jobs;
    /* Tasks among the steps, and the number of the first. */
    uint32_t tasks;
    uint32_t first_task;
};

/* Args of tasks in L1, in turn; the planner knows this number (src/schedule/dependencies.ts). */
#define TASK_SLOTS 2

/* Number of elements of an array. */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#ifdef SOC_DMA_HART
#define CONDUCTOR SOC_DMA_HART
#else
#define CONDUCTOR 0u
#endif

/* ---- In the target's runtime.c ---------------------------------------------------------------------- */

/* Takes part in a layer, as the hart that it is called on: the conductor issues its steps, the workers do its tasks. */
void run_steps(uint32_t hart, const struct steps *layer);

/* Waits until everything that was issued is finished. The conductor only. */
void drain(void);

/* Makes ready once, before anything else. The conductor only. */
void start_engines(void);

/* Makes ready for the next inference. Behind a barrier, in front of which everything was finished; the conductor only. */
void rewind_engines(void);

/* Waits until all harts are here; what each wrote before is then visible to all. */
void barrier(void);

/* ---- In team.c -------------------------------------------------------------------------------------- */

/* Sends the waiting harts into one inference; hart 0 must then call network_layers(0) and team_finish(). */
void team_start(void);

/* Notes the end of the inference. */
void team_finish(void);

/* Marks the end of layer `index`. All harts call it. The conductor notes the time, and pauses if the host asks. */
void layer_done(uint32_t hart, uint32_t index);

/* Marks the end of the last layer: all engines come to rest. All harts call it. */
void layers_done(uint32_t hart);

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
