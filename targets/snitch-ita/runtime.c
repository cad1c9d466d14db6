/* SPDX-License-Identifier: Apache-2.0
 *
 * The engines of the cluster. The DMA hart conducts: it starts transfers, hands tasks to the eight workers and jobs
 * to ITA, and waits for whatever the next step needs. Whoever waits sleeps until the cluster's CLINT wakes it: the
 * conductor sets the workers' bits when a task is published, the last worker to finish sets the conductor's, and so
 * does ITA at the end of each job. Counters in L1 say what has happened; they only grow during an inference.
 */
#include "runtime.h"
#include "dma.h"
#include "network.h"
#if NETWORK_JOBS > 0
#include "ita.h"
#endif

/* Enable bit of the cluster's interrupt in mie. It wakes a hart; mstatus.MIE is off, so no trap is taken. */
#define MIE_CLUSTER (1u << 19)

/* What the workers do. The args arrive by DMA, the rest is written when the task is published. */
struct slot {
    kernel_function *kernel;
    uint32_t args[(NETWORK_TASK_BYTES + 3) / 4 + 1];
};

static struct slot slots[TASK_SLOTS] IN_L1;

static struct {
    /* Tasks that the workers may begin. */
    volatile uint32_t published;
    /* Workers that have finished their share, added up over the tasks of each slot. */
    volatile uint32_t shares[TASK_SLOTS];
} progress IN_L1;

/* The conductor's own counts. */
static struct {
    uint32_t transfers;       /* started */
    uint32_t first_completed; /* what the DMA said before the first of them */
    uint32_t first_job;       /* what the driver had submitted before the first job */
    const void *sequence;     /* that the driver knows; null: none yet */
} issued IN_L1;

#if NETWORK_JOBS > 0
static struct ita ita IN_L1;

static inline void wait_for_jobs(uint32_t count)
{
    if ((int32_t)(ita.done - issued.first_job - count) < 0)
        ita_wait(&ita, issued.first_job + count);
}

static void submit(const struct ita_sequence *sequence, const struct ita_job *job, uint32_t count)
{
    if (!issued.sequence)
        ita_init(&ita, sequence);
    else if (issued.sequence != sequence)
        ita_configure(&ita, sequence);
    issued.sequence = sequence;
    for (const struct ita_job *end = job + count; job < end; job++) {
        if (ita_submit(&ita, job) != 0)
            end_program(1); /* the planner's chain of weights is broken */
    }
}
#endif

void barrier(void)
{
    /* The barrier does not wait for this hart's own loads and stores. */
    __asm__ volatile("fence\n\tcsrr zero, 0x7c2" ::: "memory");
}

/* ---- Sleeping and waking ----------------------------------------------------------------------------- */

static inline void wake(uint32_t harts)
{
    fence();
    *(volatile uint32_t *)(SOC_CLUSTER_BASE + CLUSTER_CL_CLINT_SET) = harts;
}

/* Takes back this hart's wake-up. Look at the condition again behind it: a later wake-up keeps wfi from sleeping. */
static inline void forget_wake(uint32_t hart)
{
    *(volatile uint32_t *)(SOC_CLUSTER_BASE + CLUSTER_CL_CLINT_CLEAR) = 1u << hart;
    fence();
}

static inline void sleep(void) { __asm__ volatile("wfi" ::: "memory"); }

#define WAIT_FOR(hart, condition)             \
    do {                                      \
        while (!(condition)) {                \
            forget_wake(hart);                \
            if (condition)                    \
                break;                        \
            sleep();                          \
        }                                     \
        __asm__ volatile("" ::: "memory");    \
    } while (0)

/* ---- The workers --------------------------------------------------------------------------------------- */

/* A worker: its share of each task. */
static void work(uint32_t hart, uint32_t first, uint32_t tasks)
{
    for (uint32_t task = first; task < first + tasks; task++) {
        WAIT_FOR(hart, progress.published > task);
        const struct slot *slot = &slots[task % TASK_SLOTS];
        slot->kernel(slot->args, hart, SOC_WORKERS);
        fence();
        const uint32_t before = __atomic_fetch_add(&progress.shares[task % TASK_SLOTS], 1, __ATOMIC_RELAXED);
        if (before + 1 == (task / TASK_SLOTS + 1) * SOC_WORKERS)
            wake(1u << CONDUCTOR);
    }
}

/* Whether the first `count` tasks are finished: the shares of each slot's tasks among them are complete. */
static inline int tasks_finished(uint32_t count)
{
    for (uint32_t slot = 0; slot < TASK_SLOTS; slot++) {
        if (progress.shares[slot] < (count + TASK_SLOTS - 1 - slot) / TASK_SLOTS * SOC_WORKERS)
            return 0;
    }
    return 1;
}

/* ---- The conductor ------------------------------------------------------------------------------------- */

/* Transfers complete in the order of their start, and each counts once. */
static inline int transfers_finished(uint32_t count)
{
    return (int32_t)(dma_completed() - issued.first_completed - count) >= 0;
}

static void start_transfers(const struct transfer *transfer, uint32_t count)
{
    for (const struct transfer *end = transfer + count; transfer < end; transfer++) {
        if (transfer->rows == 1)
            dma_copy(transfer->destination, transfer->source, transfer->bytes);
        else
            dma_copy_2d(transfer->destination, transfer->destination_stride, transfer->source,
                        transfer->source_stride, transfer->bytes, transfer->rows);
    }
    issued.transfers += count;
}

static void publish(kernel_function *kernel)
{
    const uint32_t task = progress.published;
    slots[task % TASK_SLOTS].kernel = kernel;
    fence();
    progress.published = task + 1;
    wake((1u << SOC_WORKERS) - 1);
}

static void conduct(const struct steps *layer)
{
    const struct transfer *transfers = layer->transfers;
#if NETWORK_JOBS > 0
    const struct ita_job *jobs = layer->jobs;
#endif
    for (const struct step *step = layer->steps, *end = step + layer->count; step < end; step++) {
        const uint32_t head = step->head;
        if (STEP_HAS(head, STEP_AFTER_TASKS))
            WAIT_FOR(CONDUCTOR, tasks_finished(step->after_tasks));
#if NETWORK_JOBS > 0
        if (STEP_HAS(head, STEP_AFTER_JOBS))
            wait_for_jobs(step->after_jobs);
#endif
        if (STEP_HAS(head, STEP_AFTER_TRANSFERS)) {
            const uint32_t count = step->after_transfers;
            while (!transfers_finished(count))
                ;
        }
        const uint32_t count = STEP_COUNT(head);
        switch (STEP_KIND(head)) {
        case STEP_MOVE:
            start_transfers(transfers, count);
            transfers += count;
            if (STEP_HAS(head, STEP_BRINGS_ARGS)) {
                dma_copy(slots[step->task % TASK_SLOTS].args, step->args, step->args_bytes);
                issued.transfers++;
            }
            break;
        case STEP_TASK:
            publish(step->kernel);
            break;
        case STEP_JOBS:
#if NETWORK_JOBS > 0
            submit(step->sequence, jobs, count);
            jobs += count;
#endif
            break;
        }
    }
}

void drain(void)
{
    WAIT_FOR(CONDUCTOR, tasks_finished(progress.published));
#if NETWORK_JOBS > 0
    ita_wait_all(&ita);
#endif
    /* Not until the DMA is no longer busy: its count of transfers is a few cycles behind. */
    while (!transfers_finished(issued.transfers))
        ;
}

void rewind_engines(void)
{
    progress.published = 0;
    for (uint32_t slot = 0; slot < TASK_SLOTS; slot++)
        progress.shares[slot] = 0;
    issued.transfers = 0;
    issued.first_completed = dma_completed();
#if NETWORK_JOBS > 0
    issued.first_job = ita.submitted;
#endif
}

void start_engines(void)
{
#if NETWORK_JOBS > 0
    issued.sequence = 0;
    ita.submitted = 0;
    ita.done = 0;
#endif
    rewind_engines();
}

/* ---- Both ---------------------------------------------------------------------------------------------- */

void run_steps(uint32_t hart, const struct steps *layer)
{
    __asm__ volatile("csrs mie, %0" ::"r"(MIE_CLUSTER));
    if (hart == CONDUCTOR)
        conduct(layer);
    else
        work(hart, layer->first_task, layer->tasks);
}
