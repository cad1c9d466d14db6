/* SPDX-License-Identifier: Apache-2.0
 *
 * Harts in step: hart 0 gives orders, the others wait for them at the barrier and run the layers with it.
 */
#include "mailbox.h"
#include "network.h"
#include "runtime.h"

/* Loaded, not cleared at boot: whatever an earlier run left there is gone before the harts start. */
volatile struct mailbox attoflow_mailbox __attribute__((aligned(64))) = {.version = MAILBOX_VERSION};

_Static_assert(sizeof attoflow_mailbox == MAILBOX_BYTES, "mailbox.ts says so");

enum order { ORDER_RUN, ORDER_STOP };

/* Written by hart 0 in front of a barrier, read by the others behind it. */
static volatile struct {
    uint32_t order;
    uint32_t pausing;
} orders IN_L1;

/* Times of the last inference; written by hart 0. */
static volatile uint64_t started;
static uint64_t finished;

uint32_t network_layer_cycles[NETWORK_LAYERS + 1];

void network_init(uint32_t hart)
{
    if (hart == CONDUCTOR)
        start_engines();
    if (hart == 0) {
        attoflow_mailbox.layer_cycles = (uint32_t)(uintptr_t)network_layer_cycles;
        attoflow_mailbox.layer_count = NETWORK_LAYERS;
    }
    barrier();
}

void network_join(uint32_t hart)
{
    for (;;) {
        barrier();
        if (orders.order == ORDER_STOP)
            return;
        network_layers(hart);
    }
}

void network_stop(void)
{
    orders.order = ORDER_STOP;
    barrier();
}

uint64_t network_cycles(void)
{
    return finished - started;
}

void team_start(void)
{
    orders.order = ORDER_RUN;
    orders.pausing = attoflow_mailbox.options & MAILBOX_OPTION_PAUSE;
    started = cycle_count_wide();
    barrier();
}

void team_finish(void)
{
    finished = cycle_count_wide();
}

void layer_done(uint32_t hart, uint32_t index)
{
    if (hart != CONDUCTOR)
        return;
    network_layer_cycles[index] = cycle_count() - (uint32_t)started;
    attoflow_mailbox.layer = index + 1;
    if (!orders.pausing)
        return;
    drain();
    attoflow_mailbox.resume = 0;
    fence();
    attoflow_mailbox.status = MAILBOX_PAUSED;
    while (attoflow_mailbox.resume == 0)
        ;
    attoflow_mailbox.status = MAILBOX_RUNNING;
}

void layers_done(uint32_t hart)
{
    if (hart == CONDUCTOR)
        drain();
    barrier();
    if (hart == CONDUCTOR)
        rewind_engines();
}
