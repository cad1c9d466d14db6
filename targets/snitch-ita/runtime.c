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

/* The emulator looks on: runtime/trace/engine_activity.ts knows this name and this order. */
static struct {
    /* Tasks that the workers may begin. */
    volatile uint32_t published;
    /* Workers that have finished their share, added up over the tasks of each slot. */
    volatile uint32_t shares[TASK_SLOTS];
    /* What the workers do in the tasks of each slot; the args arrive by DMA. */
    kernel_function *volatile kernels[TASK_SLOTS];
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

static void begin_sequence(const struct ita_sequence *sequence)
{
    if (issued.sequence)
        ita_configure(&ita, sequence);
    else
        ita_init(&ita, sequence);
    issued.sequence = sequence;
}

static inline void *operand(uint32_t place)
{
    return place == JOB_NOTHING ? 0 : network_l1 + 8 * place;
}

static inline void submit(const struct job *jobs, uint32_t count)
{
    for (const struct job *end = jobs + count; jobs < end; jobs++) {
        /* Three loads for six half words. */
        const uint32_t *const words = (const uint32_t *)jobs;
        const uint32_t tiles = words[0], next = words[1], other = words[2];
        const struct ita_job job = {
            .input = network_l1 + 8 * (tiles & 0xffff),
            .weights = network_l1 + 8 * (tiles >> 16),
            .next_weights = operand(next & 0xffff),
            .output = operand(next >> 16),
            .bias = operand(other & 0xffff),
            .bias_by_row = other >> 16 & JOB_BIAS_BY_ROW,
            .activation = (enum ita_activation)(other >> 17),
        };
        if (ita_submit(&ita, &job) != 0)
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
        progress.kernels[task % TASK_SLOTS](TASK_ARGS(task), hart, SOC_WORKERS);
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
    progress.kernels[task % TASK_SLOTS] = kernel;
    fence();
    progress.published = task + 1;
    wake((1u << SOC_WORKERS) - 1);
}

static void conduct(const struct steps *layer)
{
    const step *steps = layer->steps;
    const struct transfer *transfers = layer->transfers;
#if NETWORK_JOBS > 0
    const struct job *jobs = layer->jobs;
#endif
    step ahead = *steps;
    for (;;) {
        /* A load from L2 takes long: each step is fetched while the one before it is done. Comparisons in the order
         * of how frequent the kinds are; a table of addresses would lie in L2, too. */
        const step now = ahead;
        const enum step_kind kind = STEP_KIND(now);
        const uint32_t number = STEP_NUMBER(now);
        if (kind == STEP_END)
            return;
        ahead = *++steps;
        if (kind == STEP_MOVE) {
            start_transfers(transfers, number);
            transfers += number;
#if NETWORK_JOBS > 0
        } else if (kind == STEP_JOBS) {
            submit(jobs, number);
            jobs += number;
        } else if (kind == STEP_AFTER_JOBS) {
            wait_for_jobs(number);
        } else if (kind == STEP_SEQUENCE) {
            begin_sequence(&layer->sequences[number]);
#endif
        } else if (kind == STEP_AFTER_TRANSFERS) {
            while (!transfers_finished(number))
                ;
        } else if (kind == STEP_AFTER_TASKS) {
            WAIT_FOR(CONDUCTOR, tasks_finished(number));
        } else if (kind == STEP_TASK) {
            publish(network_kernels[number]);
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
