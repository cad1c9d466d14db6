/* SPDX-License-Identifier: Apache-2.0
 *
 * The cluster's DMA (iDMA behind the Xdma instructions), which only the DMA hart can speak to. Transfers are done
 * one behind the other, in the order of their start, while the hart goes on. Strides are not negative: the
 * hardware does not sign-extend them.
 */
#ifndef ATTOFLOW_DMA_H
#define ATTOFLOW_DMA_H

#include <stdint.h>

/* Selectors of dmstati. */
#define DMA_STATUS_COMPLETED 0
#define DMA_STATUS_BUSY 2
/* Configuration bits of dmcpyi. */
#define DMA_CONFIG_1D 0
#define DMA_CONFIG_2D 2

/* dmsrc, dmdst: addresses; their upper 16 bits are 0. */
static inline void dma_addresses(const void *source, void *destination)
{
    __asm__ volatile(".insn r 0x2b, 0, 0x00, x0, %0, x0" ::"r"(source));
    __asm__ volatile(".insn r 0x2b, 0, 0x01, x0, %0, x0" ::"r"(destination));
}

/* Starts a copy of `bytes` bytes. Waits while eight transfers are queued. */
static inline void dma_copy(void *destination, const void *source, uint32_t bytes)
{
    uint32_t id;
    dma_addresses(source, destination);
    __asm__ volatile(".insn r 0x2b, 0, 0x02, %0, %1, x%2" : "=r"(id) : "r"(bytes), "i"(DMA_CONFIG_1D) : "memory");
    (void)id;
}

/* Starts a copy of `rows` rows of `bytes` bytes each. Waits while eight transfers are queued. */
static inline void dma_copy_2d(void *destination, uint32_t destination_stride, const void *source,
                               uint32_t source_stride, uint32_t bytes, uint32_t rows)
{
    uint32_t id;
    dma_addresses(source, destination);
    __asm__ volatile(".insn r 0x2b, 0, 0x06, x0, %0, %1" ::"r"(source_stride), "r"(destination_stride));
    __asm__ volatile(".insn r 0x2b, 0, 0x07, x0, %0, x0" ::"r"(rows));
    __asm__ volatile(".insn r 0x2b, 0, 0x02, %0, %1, x%2" : "=r"(id) : "r"(bytes), "i"(DMA_CONFIG_2D) : "memory");
    (void)id;
}

/* A number that grows by one with each transfer that is done, whatever its size. */
static inline uint32_t dma_completed(void)
{
    uint32_t id;
    __asm__ volatile(".insn r 0x2b, 0, 0x04, %0, x0, x%1" : "=r"(id) : "i"(DMA_STATUS_COMPLETED) : "memory");
    return id;
}

/* Waits until every transfer is done and its writes are where they belong. */
static inline void dma_wait(void)
{
    uint32_t busy;
    do {
        __asm__ volatile(".insn r 0x2b, 0, 0x04, %0, x0, x%1" : "=r"(busy) : "i"(DMA_STATUS_BUSY) : "memory");
    } while (busy);
}

#endif
