/* SPDX-License-Identifier: Apache-2.0
 *
 * Driver of ITA. What makes it more than register writes:
 *
 * Constants. Registers keep their values from job to job, but there is a copy for each of the four contexts, and
 * only the context that is programmed next can be written. So a sequence's constants are written when the first job
 * lands in each context: four times, not once a job.
 *
 * The TILES hazard. Between jobs the engine compares its count of inner jobs with the TILES register of whatever
 * context comes next. If that still holds another sequence's value, it may end an accumulation that is not complete.
 * So whenever a job without output is submitted, the context behind it must hold the right TILES: if it does not,
 * the driver leaves a place in the queue free and writes it right behind the trigger, while that job runs.
 *
 * Weight prefetch. A job fetches the first block of its weights itself (preload) exactly if the job before did not
 * do so (nextload); anything else shifts all weights by a block or hangs the engine.
 */
#include "ita.h"

#include "soc.h"

/* Enable bit of the cluster's interrupt in mie. */
#define MIE_CLUSTER (1u << 19)

static inline uint32_t read_register(uint32_t offset)
{
    return *(const volatile uint32_t *)(SOC_ITA_BASE + offset);
}

static inline void write_register(uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(SOC_ITA_BASE + offset) = value;
}

static inline void write_pointer(uint32_t offset, const void *pointer)
{
    write_register(offset, (uint32_t)(uintptr_t)pointer);
}

/* Waits until this hart's stores have arrived, and keeps the compiler from moving any over it. */
static inline void fence(void)
{
    __asm__ volatile("fence" ::: "memory");
}

static void soft_clear(uint32_t what)
{
    write_register(ITA_SOFT_CLEAR, what);
    fence();
    for (uint32_t i = 0; i < ITA_SOFT_CLEAR_CYCLES; i++)
        __asm__ volatile("nop");
}

/* Writes the constants of the current sequence to the context that is programmed next, TILES first. */
static void load_constants(struct ita *ita, uint32_t context)
{
    const struct ita_sequence *sequence = ita->sequence;
    write_register(ITA_TILES, sequence->tiles);
    write_register(ITA_EPS_MULT0, sequence->multipliers[0]);
    write_register(ITA_EPS_MULT1, sequence->multipliers[1]);
    write_register(ITA_RIGHT_SHIFT0, sequence->shifts[0]);
    write_register(ITA_RIGHT_SHIFT1, sequence->shifts[1]);
    write_register(ITA_ADD0, sequence->offsets[0]);
    write_register(ITA_ADD1, sequence->offsets[1]);
    write_register(ITA_GELU_B_C, sequence->gelu);
    write_register(ITA_ACTIVATION_REQUANT, sequence->activation_requant);
    ita->loaded[context] = sequence;
}

void ita_init(struct ita *ita, const struct ita_sequence *sequence)
{
    uint32_t hart;
    __asm__ volatile("csrr %0, mhartid" : "=r"(hart));
    ita->sequence = sequence;
    ita->prefetched = 0;
    ita->submitted = 0;
    ita->done = 0;
    ita->interrupt = 1u << hart;

    /* Commit without trigger walks through the contexts; the second clear takes the commits back, but leaves the
     * registers as they are. Nothing may be triggered in between. */
    soft_clear(ITA_SOFT_CLEAR_ALL);
    for (uint32_t context = 0; context < ITA_CONTEXTS; context++) {
        load_constants(ita, context);
        ita->engine[context] = 0;
        write_register(ITA_TRIGGER, ITA_TRIGGER_COMMIT);
    }
    soft_clear(ITA_SOFT_CLEAR_QUEUE);
}

void ita_configure(struct ita *ita, const struct ita_sequence *sequence)
{
    ita->sequence = sequence;
}

int ita_submit(struct ita *ita, const struct ita_job *job)
{
    if (ita->prefetched && ita->prefetched != job->weights)
        return ITA_ERROR_PREFETCH;

    /* Rather sleep for a place than ask for it again and again. A negative answer means that there is none. */
    if (ita->submitted - ita->done >= ITA_CONTEXTS)
        ita_wait(ita, ita->submitted + 1 - ITA_CONTEXTS);
    while ((int32_t)read_register(ITA_ACQUIRE) < 0)
        ;
    /* The engine takes its contexts in the order of the commits. */
    const uint32_t context = ita->submitted % ITA_CONTEXTS;
    if (ita->loaded[context] != ita->sequence)
        load_constants(ita, context);

    uint32_t stream = 0;
    write_pointer(ITA_INPUT_PTR, job->input);
    write_pointer(ITA_WEIGHT_PTR0, job->weights);
    if (!ita->prefetched)
        stream |= ITA_STREAM_PRELOAD;
    if (job->next_weights) {
        write_pointer(ITA_WEIGHT_PTR1, job->next_weights);
        stream |= ITA_STREAM_NEXTLOAD;
    }
    if (job->output)
        write_pointer(ITA_OUTPUT_PTR, job->output);
    else
        stream |= ITA_STREAM_OUTPUT_DISABLE;
    /* The bias is added with the output; fetching it earlier would only cost time. */
    if (job->bias && job->output) {
        write_pointer(ITA_BIAS_PTR, job->bias);
        if (job->bias_by_row)
            stream |= ITA_STREAM_BIAS_BY_ROW;
    } else {
        stream |= ITA_STREAM_BIAS_DISABLE;
    }
    write_register(ITA_CTRL_STREAM, stream);
    const uint32_t engine = (uint32_t)ita->sequence->layer | (uint32_t)job->activation << ITA_ENGINE_ACTIVATION_SHIFT;
    if (ita->engine[context] != engine) {
        write_register(ITA_CTRL_ENGINE, engine);
        ita->engine[context] = engine;
    }

    const uint32_t next = (context + 1) % ITA_CONTEXTS;
    const int hazard = !job->output && ita->loaded[next]->tiles != ita->sequence->tiles;
    if (hazard)
        ita_wait(ita, ita->submitted + 2 - ITA_CONTEXTS);
    fence();
    write_register(ITA_TRIGGER, ITA_TRIGGER_RUN);
    if (hazard)
        load_constants(ita, next);

    ita->prefetched = job->next_weights;
    ita->submitted++;
    return 0;
}

uint32_t ita_done(struct ita *ita)
{
    /* The register has eight bits, and at most four jobs can be under way. */
    ita->done += (read_register(ITA_RUNNING_JOB) - ita->done) & 0xff;
    return ita->done;
}

void ita_wait(struct ita *ita, uint32_t count)
{
    const uint32_t enable = MIE_CLUSTER;
    uint32_t before;
    /* Interrupts wake the hart, but are not taken: mstatus.MIE is off. */
    __asm__ volatile("csrrs %0, mie, %1" : "=r"(before) : "r"(enable));
    for (;;) {
        /* In this order no event is lost: one that comes behind the clear keeps wfi from sleeping. */
        *(volatile uint32_t *)(SOC_CLUSTER_BASE + CLUSTER_CL_CLINT_CLEAR) = ita->interrupt;
        fence();
        if ((int32_t)(ita_done(ita) - count) >= 0)
            break;
        __asm__ volatile("wfi");
    }
    __asm__ volatile("csrw mie, %0" ::"r"(before));
}

void ita_wait_all(struct ita *ita)
{
    ita_wait(ita, ita->submitted);
}
