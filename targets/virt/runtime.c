/* SPDX-License-Identifier: Apache-2.0
 *
 * Phases on one hart that does everything itself, one thing after the other. What stands in a phase does not depend
 * on the rest of it, so any order will do.
 */
#include "runtime.h"
#include "soc.h"

void barrier(void)
{
    fence();
}

void run_phases(uint32_t hart, const struct phase *phases, uint32_t count)
{
    for (const struct phase *phase = phases, *end = phases + count; phase < end; phase++) {
        for (uint32_t i = 0; i < phase->transfer_count; i++) {
            const struct transfer *transfer = &phase->transfers[i];
            const uint8_t *from = transfer->source;
            uint8_t *to = transfer->destination;
            for (uint32_t row = 0; row < transfer->rows; row++) {
                memcpy(to, from, transfer->bytes);
                from += transfer->source_stride;
                to += transfer->destination_stride;
            }
        }
        if (phase->kernel)
            phase->kernel(phase->args, hart, SOC_WORKERS);
    }
}
