/* SPDX-License-Identifier: Apache-2.0
 *
 * Driver of ITA, the integer transformer accelerator. One job multiplies a 64x64 input tile by a 64x64 weight tile;
 * larger work is a sequence of jobs. The engine counts them: jobs that follow one another accumulate over the inner
 * dimension until the number in `tiles` is reached, and only the last of them has an output.
 *
 *     struct ita ita;
 *     ita_init(&ita, &sequence);                  once, on the hart that will submit and wait
 *     for each job in order:
 *         ita_submit(&ita, &job);                 returns as soon as one of four places in the queue is free
 *     ita_wait_all(&ita);                         sleeps until the results are in memory
 *     ita_configure(&ita, &other_sequence);       the next sequence, whenever the last one is submitted
 *
 * All data is in L1. Pointers are 8-byte aligned. A job's input and weights hold still, and its output is touched by
 * no one, from submission until the job is done. Only one hart uses a `struct ita`.
 */
#ifndef ATTOFLOW_ITA_H
#define ATTOFLOW_ITA_H

#include <stdint.h>

#include "soc.h"

/* ---- Sizes ------------------------------------------------------------------------------------------ */

#define ITA_TILE 64
#define ITA_TILE_BYTES (ITA_TILE * ITA_TILE)
/* Output columns that are computed at a time, and bytes of their weights: what is fetched ahead of a job. */
#define ITA_LANES 16
#define ITA_WEIGHT_BLOCK_BYTES (ITA_LANES * ITA_TILE)
/* A bias has 24 bits; the hardware reads a little beyond the last one. */
#define ITA_BIAS_BYTES (3 * ITA_TILE)
#define ITA_BIAS_READ_BYTES 224
#define ITA_CONTEXTS 4
/* Most tiles along a dimension. */
#define ITA_TILES_MAX 15

/* ---- Registers, bytes from SOC_ITA_BASE --------------------------------------------------------------- */

#define ITA_TRIGGER 0x00
#define ITA_ACQUIRE 0x04
#define ITA_FINISHED 0x08
#define ITA_STATUS 0x0c
#define ITA_RUNNING_JOB 0x10
#define ITA_SOFT_CLEAR 0x14
/* From here on there is one copy for each job in the queue; values stay when a job is done. */
#define ITA_INPUT_PTR 0x20
#define ITA_WEIGHT_PTR0 0x24
#define ITA_WEIGHT_PTR1 0x28
#define ITA_BIAS_PTR 0x2c
#define ITA_OUTPUT_PTR 0x30
#define ITA_SEQ_LENGTH 0x34
#define ITA_TILES 0x38
#define ITA_EPS_MULT0 0x3c
#define ITA_EPS_MULT1 0x40
#define ITA_RIGHT_SHIFT0 0x44
#define ITA_RIGHT_SHIFT1 0x48
#define ITA_ADD0 0x4c
#define ITA_ADD1 0x50
#define ITA_CTRL_ENGINE 0x54
#define ITA_CTRL_STREAM 0x58
#define ITA_GELU_B_C 0x5c
#define ITA_ACTIVATION_REQUANT 0x60

/* TRIGGER: commit the job and let the queue run, or commit only (which holds back nothing once the queue runs). */
#define ITA_TRIGGER_RUN 0
#define ITA_TRIGGER_COMMIT 1
/* SOFT_CLEAR: empty the queue and set all registers to 0, or keep the registers. Then wait before the next access. */
#define ITA_SOFT_CLEAR_ALL 0
#define ITA_SOFT_CLEAR_QUEUE 1
#define ITA_SOFT_CLEAR_CYCLES 5

/* CTRL_STREAM */
#define ITA_STREAM_PRELOAD 0x01
#define ITA_STREAM_NEXTLOAD 0x02
#define ITA_STREAM_BIAS_DISABLE 0x04
#define ITA_STREAM_BIAS_BY_ROW 0x08
#define ITA_STREAM_OUTPUT_DISABLE 0x10

/* CTRL_ENGINE: layer in the low bits, activation above them. */
enum ita_layer {
    ITA_LAYER_ATTENTION = 0,
    ITA_LAYER_FEEDFORWARD = 1,
    ITA_LAYER_LINEAR = 2,
    ITA_LAYER_SINGLE_ATTENTION = 3,
};
enum ita_activation {
    ITA_ACTIVATION_IDENTITY = 0,
    ITA_ACTIVATION_GELU = 1, /* gives -GELU: negate the weights behind it */
    ITA_ACTIVATION_RELU = 2,
};
#define ITA_ENGINE_ACTIVATION_SHIFT 2

/* Index of each step's requantisation constants. */
enum ita_step {
    ITA_STEP_Q = 0,
    ITA_STEP_K = 1,
    ITA_STEP_V = 2,
    ITA_STEP_QK = 3,
    ITA_STEP_AV = 4,
    ITA_STEP_OW = 5,
    ITA_STEP_F1 = 6,
    ITA_STEP_F2 = 7,
    ITA_STEP_LINEAR = 0,
};

/* ---- Register values, for tables of constants ------------------------------------------------------- */

/* Four bytes, the first one lowest; negative values too. */
#define ITA_BYTES(b0, b1, b2, b3) \
    ((uint32_t)((b0) & 0xff) | (uint32_t)((b1) & 0xff) << 8 | (uint32_t)((b2) & 0xff) << 16 | \
     (uint32_t)((b3) & 0xff) << 24)
/* Tiles along sequence, embedding, projection and feed-forward dimension, 1 ... ITA_TILES_MAX each. */
#define ITA_TILE_COUNTS(s, e, p, f) \
    ((uint32_t)(s) | (uint32_t)(e) << 4 | (uint32_t)(p) << 8 | (uint32_t)(f) << 12)
/* Constants of the GELU polynomial, 16 bit signed. */
#define ITA_GELU(b, c) ((uint32_t)((b) & 0xffff) | (uint32_t)((c) & 0xffff) << 16)
/* round(y * multiplier / 2^shift) + offset, behind the activation. */
#define ITA_REQUANT(multiplier, shift, offset) ITA_BYTES(multiplier, shift, offset, 0)

/* ---- Jobs ------------------------------------------------------------------------------------------- */

/* What the jobs of a sequence have in common. */
struct ita_sequence {
    uint32_t tiles; /* ITA_TILE_COUNTS */
    /* round(acc * multiplier / 2^shift) + offset, clamped to 8 bits: a byte for each enum ita_step, ITA_BYTES. */
    uint32_t multipliers[2];
    uint32_t shifts[2];
    uint32_t offsets[2];
    uint32_t gelu;               /* ITA_GELU */
    uint32_t activation_requant; /* ITA_REQUANT */
    enum ita_layer layer;
};

struct ita_job {
    const void *input;   /* 64x64 int8, row major */
    const void *weights; /* 64x64 int8, transposed: the 64 weights of output column 0 first */
    /* `weights` of the job that will be submitted next, which must not be this job's output; its first block is
     * fetched while this job runs. Null: that job fetches all of its weights itself. */
    const void *next_weights;
    const void *bias;     /* 64 x int24, little endian, one behind the other; null: none. Only used with output. */
    void *output;         /* 64x64 int8, row major; null: the accumulation goes on with the next job */
    uint32_t bias_by_row; /* not 0: one bias for each output row, not column */
    enum ita_activation activation;
};

/* The driver's memory of what it has written. Keep it in L1. */
struct ita {
    struct ita_sequence sequence;  /* the current one */
    const void *prefetched;        /* weights of which the engine holds the first block */
    uint32_t submitted;            /* jobs, since ita_init */
    uint32_t done;                 /* of them, as far as known */
    uint32_t stale;                /* a bit for each context that does not hold the constants of `sequence` */
    uint32_t tiles[ITA_CONTEXTS];  /* TILES of each context */
    uint32_t interrupt;            /* this hart's bit in the cluster's CLINT */
};

/* The job's weights are not those that the job before named in `next_weights`. */
#define ITA_ERROR_PREFETCH (-1)

/*
 * Empties the engine's queue and writes the constants of `sequence` to all four contexts. No job may be running; a
 * sequence of jobs that was begun before must be complete, with no weights fetched ahead. Call it on the hart that
 * will submit: the engine's events go there.
 */
void ita_init(struct ita *ita, const struct ita_sequence *sequence);

/* Jobs submitted from now on belong to `sequence`, which is copied. Not between the jobs of one accumulation. */
void ita_configure(struct ita *ita, const struct ita_sequence *sequence);

/* Number of jobs that are done, since ita_init. Does not wait. */
uint32_t ita_done(struct ita *ita);

/* Sleeps until at least `count` jobs are done, counted since ita_init (ita.submitted is the number of all). */
void ita_wait(struct ita *ita, uint32_t count);

/* Sleeps until all submitted jobs are done. */
void ita_wait_all(struct ita *ita);

/* ---- Submitting ------------------------------------------------------------------------------------- */

static inline void ita_write(uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(SOC_ITA_BASE + offset) = value;
}

static inline void ita_write_pointer(uint32_t offset, const void *pointer)
{
    ita_write(offset, (uint32_t)(uintptr_t)pointer);
}

/* Waits until this hart's stores have arrived, and keeps the compiler from moving any over it. */
static inline void ita_fence(void)
{
    __asm__ volatile("fence" ::: "memory");
}

/* The engine takes its contexts in the order of the commits. */
static inline uint32_t ita_context(uint32_t job)
{
    return job % ITA_CONTEXTS;
}

/* What a submission seldom needs; not to be called from elsewhere. */
void ita_wait_for_places(struct ita *ita, uint32_t places);
void ita_load_constants(struct ita *ita, uint32_t context);
void ita_trigger_accumulation(struct ita *ita);

/*
 * Puts a job in the queue, waiting for a free place. Returns 0, or an ITA_ERROR (and does nothing).
 * Inline, for it is what the submitting hart does all day.
 */
static inline int ita_submit(struct ita *ita, const struct ita_job *job)
{
    const void *const input = job->input, *const weights = job->weights, *const next_weights = job->next_weights;
    const void *const bias = job->bias;
    void *const output = job->output;
    const uint32_t bias_by_row = job->bias_by_row;
    const enum ita_activation activation = job->activation;
    const void *const prefetched = ita->prefetched;
    const uint32_t submitted = ita->submitted, stale = ita->stale;
    if (prefetched && prefetched != weights)
        return ITA_ERROR_PREFETCH;
    uint32_t stream = prefetched ? 0 : ITA_STREAM_PRELOAD;
    if (next_weights)
        stream |= ITA_STREAM_NEXTLOAD;
    /* The bias is added with the output; fetching it earlier would only cost time. */
    if (!output)
        stream |= ITA_STREAM_OUTPUT_DISABLE | ITA_STREAM_BIAS_DISABLE;
    else if (!bias)
        stream |= ITA_STREAM_BIAS_DISABLE;
    else if (bias_by_row)
        stream |= ITA_STREAM_BIAS_BY_ROW;
    ita->prefetched = next_weights;
    ita->submitted = submitted + 1;

    /* What this hart has written of the operands comes before all that follows; registers keep their order anyway. */
    ita_fence();
    if (submitted - ita->done >= ITA_CONTEXTS)
        ita_wait_for_places(ita, 0);
    if (stale & 1u << ita_context(submitted))
        ita_load_constants(ita, ita_context(submitted));
    /* Pointers that the job does not use keep whatever they had. */
    ita_write_pointer(ITA_INPUT_PTR, input);
    ita_write_pointer(ITA_WEIGHT_PTR0, weights);
    if (next_weights)
        ita_write_pointer(ITA_WEIGHT_PTR1, next_weights);
    if (output) {
        ita_write_pointer(ITA_BIAS_PTR, bias);
        ita_write_pointer(ITA_OUTPUT_PTR, output);
    }
    ita_write(ITA_CTRL_STREAM, stream);
    ita_write(ITA_CTRL_ENGINE, (uint32_t)ita->sequence.layer | (uint32_t)activation << ITA_ENGINE_ACTIVATION_SHIFT);
    if (stale && !output)
        ita_trigger_accumulation(ita);
    else
        ita_write(ITA_TRIGGER, ITA_TRIGGER_RUN);
    return 0;
}

#endif
