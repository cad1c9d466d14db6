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

/*
 * A step is one word, since every load from L2 takes its time: what the conductor does next, or what must be finished
 * before it goes on; and a number above it.
 */
enum step_kind {
    STEP_END,
    STEP_MOVE,            /* start the next so many transfers */
    STEP_JOBS,            /* queue the accelerator's next so many jobs */
    STEP_AFTER_TRANSFERS, /* wait until so many are finished, from the start of the inference on */
    STEP_AFTER_JOBS,
    STEP_AFTER_TASKS,
    STEP_TASK,            /* let the workers run kernel number so and so; its args lie in the task's slot */
    STEP_SEQUENCE,        /* the jobs that follow belong to this sequence of the layer */
};

typedef uint32_t step;

#define STEP(kind, number) ((uint32_t)(kind) | (uint32_t)(number) << 4)
#define STEP_KIND(step) ((enum step_kind)((step) & 0xf))
#define STEP_NUMBER(step) ((step) >> 4)

/* Entries of a table of steps. */
#define END STEP(STEP_END, 0)
#define MOVE(count) STEP(STEP_MOVE, count)
#define JOBS(count) STEP(STEP_JOBS, count)
#define AFTER_TRANSFERS(count) STEP(STEP_AFTER_TRANSFERS, count)
#define AFTER_JOBS(count) STEP(STEP_AFTER_JOBS, count)
#define AFTER_TASKS(count) STEP(STEP_AFTER_TASKS, count)
#define TASK(kernel) STEP(STEP_TASK, kernel)
#define SEQUENCE(index) STEP(STEP_SEQUENCE, index)

/*
 * A job of the accelerator with its operands' places in network_l1, in units of 8 bytes; a place that is not used is
 * JOB_NOTHING. A half word each, for the same reason.
 */
struct job {
    uint16_t input, weights;
    uint16_t next_weights, output;
    uint16_t bias, flags;
} __attribute__((aligned(4)));

#define JOB_NOTHING 0xffffu
#define JOB_BIAS_BY_ROW 1u
#define JOB_ACTIVATION(activation) ((uint16_t)((activation) << 1))

/* The steps of a layer, up to END, with what they take in turn. */
struct steps {
    const step *steps;
    const struct transfer *transfers;
    const struct job *jobs;
    const struct ita_sequence *sequences;
    /* Tasks among the steps, and the number of the first. */
    uint32_t tasks;
    uint32_t first_task;
};

/* The tiles of all layers, and all kernels. In network.c. */
extern uint8_t network_l1[];
extern kernel_function *const network_kernels[];

/* Args of tasks in L1, in turn; the planner knows this number (src/schedule/dependencies.ts). */
#define TASK_SLOTS 2

/* The args of task n are moved to slot n modulo TASK_SLOTS. In network.c; a slot has NETWORK_TASK_BYTES. */
extern uint8_t network_task_args[];
#define TASK_ARGS(task) (network_task_args + (task) % TASK_SLOTS * NETWORK_TASK_BYTES)

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
