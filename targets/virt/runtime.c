/* SPDX-License-Identifier: Apache-2.0
 *
 * The engines of a SoC with one hart that does everything itself: each step when its turn comes. The steps stand in
 * an order in which that is right.
 */
#include "runtime.h"

/* Args of the tasks that come next, where they lie in the program. */
static const void *args[TASK_SLOTS];
static uint32_t done;

void barrier(void)
{
    fence();
}

static void move(const struct transfer *transfer)
{
    const uint8_t *from = transfer->source;
    uint8_t *to = transfer->destination;
    for (uint32_t row = 0; row < transfer->rows; row++) {
        memcpy(to, from, transfer->bytes);
        from += transfer->source_stride;
        to += transfer->destination_stride;
    }
}

void run_steps(uint32_t hart, const struct steps *layer)
{
    const struct transfer *transfer = layer->transfers;
    for (const struct step *step = layer->steps, *end = step + layer->count; step < end; step++) {
        if (STEP_KIND(step->head) == STEP_TASK) {
            step->kernel(args[done++ % TASK_SLOTS], hart, SOC_WORKERS);
            continue;
        }
        for (uint32_t i = 0; i < STEP_COUNT(step->head); i++)
            move(transfer++);
        if (STEP_HAS(step->head, STEP_BRINGS_ARGS))
            args[step->task % TASK_SLOTS] = step->args;
    }
}

void drain(void) {}

void start_engines(void) {}

void rewind_engines(void)
{
    done = 0;
}
