/* SPDX-License-Identifier: Apache-2.0
 *
 * Phases on the cluster: eight workers, a DMA hart, the hardware barrier. The DMA hart reads the tables in L2; the
 * workers find their task in L1, where the DMA hart put it one phase before.
 */
#include "runtime.h"
#include "dma.h"
#include "network.h"
#include "soc.h"

/* What the workers do in a phase; phases take the two slots in turn. */
struct slot {
    kernel_function *kernel; /* null: nothing */
    uint32_t args[(NETWORK_TASK_BYTES + 3) / 4 + 1];
};

static struct slot slots[2] IN_L1;

void barrier(void)
{
    /* The barrier does not wait for this hart's own loads and stores. */
    __asm__ volatile("fence\n\tcsrr zero, 0x7c2" ::: "memory");
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
}

/* The DMA hart: moves this phase's data and brings the next phase's task to L1. */
static void move(const struct phase *phases, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        start_transfers(phases[i].transfers, phases[i].transfer_count);
        if (i + 1 < count) {
            const struct phase *next = &phases[i + 1];
            struct slot *slot = &slots[(i + 1) & 1];
            slot->kernel = next->kernel;
            if (next->kernel)
                dma_copy(slot->args, next->args, next->args_bytes);
        }
        dma_wait();
        barrier();
    }
}

/* A worker: its share of every phase's task. */
static void work(uint32_t hart, uint32_t count)
{
    barrier(); /* the first phase only moves data */
    for (uint32_t i = 1; i < count; i++) {
        const volatile struct slot *slot = &slots[i & 1];
        kernel_function *kernel = slot->kernel;
        if (kernel)
            kernel((const void *)slots[i & 1].args, hart, SOC_WORKERS);
        barrier();
    }
}

void run_phases(uint32_t hart, const struct phase *phases, uint32_t count)
{
    if (hart == SOC_DMA_HART)
        move(phases, count);
    else
        work(hart, count);
}
