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
 *
 * Time. A job takes 264 cycles or more; submitting one takes less, so that the engine never waits. Everything is read
 * before the first register is written, because a load behind a store to a register waits until that has arrived.
 * The ACQUIRE register, which shares the engine between harts, is not needed: there is one owner, who counts.
 */
#include "ita.h"

/* Enable bit of the cluster's interrupt in mie. */
#define MIE_CLUSTER (1u << 19)

#define ALL_CONTEXTS ((1u << ITA_CONTEXTS) - 1)

/* Keeps what is seldom run out of the way of what runs for every job. */
#define SELDOM __attribute__((noinline))

static inline uint32_t read_register(uint32_t offset)
{
    return *(const volatile uint32_t *)(SOC_ITA_BASE + offset);
}

static void soft_clear(uint32_t what)
{
    ita_write(ITA_SOFT_CLEAR, what);
    ita_fence();
    for (uint32_t i = 0; i < ITA_SOFT_CLEAR_CYCLES; i++)
        __asm__ volatile("nop");
}

/* Writes the constants of the current sequence to the context that is programmed next, TILES first. */
SELDOM void ita_load_constants(struct ita *ita, uint32_t context)
{
    const struct ita_sequence *sequence = &ita->sequence;
    const uint32_t tiles = sequence->tiles;
    const uint32_t multipliers0 = sequence->multipliers[0], multipliers1 = sequence->multipliers[1];
    const uint32_t shifts0 = sequence->shifts[0], shifts1 = sequence->shifts[1];
    const uint32_t offsets0 = sequence->offsets[0], offsets1 = sequence->offsets[1];
    const uint32_t gelu = sequence->gelu, activation_requant = sequence->activation_requant;
    ita->tiles[context] = tiles;
    ita->stale &= ~(1u << context);
    ita_write(ITA_TILES, tiles);
    ita_write(ITA_EPS_MULT0, multipliers0);
    ita_write(ITA_EPS_MULT1, multipliers1);
    ita_write(ITA_RIGHT_SHIFT0, shifts0);
    ita_write(ITA_RIGHT_SHIFT1, shifts1);
    ita_write(ITA_ADD0, offsets0);
    ita_write(ITA_ADD1, offsets1);
    ita_write(ITA_GELU_B_C, gelu);
    ita_write(ITA_ACTIVATION_REQUANT, activation_requant);
}

/* Field by field: a call of memcpy would cost more than the copy. */
static void copy_sequence(struct ita_sequence *to, const struct ita_sequence *from)
{
    const uint32_t tiles = from->tiles, gelu = from->gelu, activation_requant = from->activation_requant;
    const uint32_t multipliers0 = from->multipliers[0], multipliers1 = from->multipliers[1];
    const uint32_t shifts0 = from->shifts[0], shifts1 = from->shifts[1];
    const uint32_t offsets0 = from->offsets[0], offsets1 = from->offsets[1];
    const enum ita_layer layer = from->layer;
    *to = (struct ita_sequence){tiles, {multipliers0, multipliers1}, {shifts0, shifts1}, {offsets0, offsets1},
                                gelu,  activation_requant,           layer};
}

void ita_init(struct ita *ita, const struct ita_sequence *sequence)
{
    uint32_t hart;
    __asm__ volatile("csrr %0, mhartid" : "=r"(hart));
    copy_sequence(&ita->sequence, sequence);
    ita->prefetched = 0;
    ita->submitted = 0;
    ita->done = 0;
    ita->interrupt = 1u << hart;

    /* Commit without trigger walks through the contexts; the second clear takes the commits back, but leaves the
     * registers as they are. Nothing may be triggered in between. */
    soft_clear(ITA_SOFT_CLEAR_ALL);
    for (uint32_t context = 0; context < ITA_CONTEXTS; context++) {
        ita_load_constants(ita, context);
        ita_write(ITA_TRIGGER, ITA_TRIGGER_COMMIT);
    }
    soft_clear(ITA_SOFT_CLEAR_QUEUE);
    ita->stale = 0;
}

void ita_configure(struct ita *ita, const struct ita_sequence *sequence)
{
    copy_sequence(&ita->sequence, sequence);
    ita->stale = ALL_CONTEXTS;
}

/* Waits until the queue has room for so many jobs beyond those that `submitted` counts. */
SELDOM void ita_wait_for_places(struct ita *ita, uint32_t places)
{
    if (ita->submitted + places - ita_done(ita) > ITA_CONTEXTS)
        ita_wait(ita, ita->submitted + places - ITA_CONTEXTS);
}

/* Triggers the job that was counted last, which accumulates; the context behind it then holds the sequence's TILES
 * before the job ends. */
SELDOM void ita_trigger_accumulation(struct ita *ita)
{
    const uint32_t next = ita_context(ita->submitted);
    const int hazard = ita->tiles[next] != ita->sequence.tiles;
    if (hazard)
        ita_wait_for_places(ita, 1);
    ita_write(ITA_TRIGGER, ITA_TRIGGER_RUN);
    if (hazard)
        ita_load_constants(ita, next);
}

uint32_t ita_done(struct ita *ita)
{
    /* The register has eight bits, and at most four jobs can be under way. */
    const uint32_t before = ita->done;
    const uint32_t now = before + ((read_register(ITA_RUNNING_JOB) - before) & 0xff);
    ita->done = now;
    return now;
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
        ita_fence();
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
