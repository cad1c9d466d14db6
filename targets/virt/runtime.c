/* SPDX-License-Identifier: Apache-2.0
 *
 * The engines of a SoC with one hart that does everything itself: each step when its turn comes. The steps stand in
 * an order in which that is right.
 */
#include "network.h"
#include "runtime.h"

/* Tasks done, in this inference. */
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
    for (const step *step = layer->steps; STEP_KIND(*step) != STEP_END; step++) {
        if (STEP_KIND(*step) == STEP_TASK) {
            network_kernels[STEP_NUMBER(*step)](TASK_ARGS(done), hart, SOC_WORKERS);
            done++;
        } else if (STEP_KIND(*step) == STEP_MOVE) {
            for (uint32_t i = 0; i < STEP_NUMBER(*step); i++)
                move(transfer++);
        }
    }
}

void drain(void) {}

void start_engines(void) {}

void rewind_engines(void)
{
    done = 0;
}
