/* The cluster as its test programs see it: barrier, cluster interrupts, DMA, atomics. */
#pragma once
#include <stdint.h>

#define NOINLINE __attribute__((noinline))
enum { HARTS = 9, DMA_HART = 8 };

#define TCDM 0x10000000u
#define ZERO_MEMORY 0x10030000u
#define CL_CLINT_SET (*(volatile uint32_t *)0x100211a0)
#define CL_CLINT_CLEAR (*(volatile uint32_t *)0x100211a8)

static inline void barrier(void) { __asm__ volatile("fence\n csrr zero, 0x7c2" ::: "memory"); }
static inline void fence(void) { __asm__ volatile("fence" ::: "memory"); }
static inline void wait_for_interrupt(void) { __asm__ volatile("wfi" ::: "memory"); }
static inline void enable_cluster_interrupt(void) { __asm__ volatile("csrw mie, %0" ::"r"(1u << 19)); }

/* Xdma: opcode 0x2b, the function in funct7. */
static inline void dma_source(uint32_t address) { __asm__ volatile(".insn r 0x2b, 0, 0, x0, %0, x0" ::"r"(address)); }
static inline void dma_destination(uint32_t address) {
  __asm__ volatile(".insn r 0x2b, 0, 1, x0, %0, x0" ::"r"(address));
}
static inline void dma_strides(uint32_t source, uint32_t destination) {
  __asm__ volatile(".insn r 0x2b, 0, 6, x0, %0, %1" ::"r"(source), "r"(destination));
}
static inline void dma_repeat(uint32_t rows) { __asm__ volatile(".insn r 0x2b, 0, 7, x0, %0, x0" ::"r"(rows)); }
static inline uint32_t dma_start(uint32_t bytes, uint32_t configuration) {
  uint32_t id;
  __asm__ volatile(".insn r 0x2b, 0, 3, %0, %1, %2" : "=r"(id) : "r"(bytes), "r"(configuration) : "memory");
  return id;
}
static inline uint32_t dma_status(uint32_t selector) {
  uint32_t value;
  __asm__ volatile(".insn r 0x2b, 0, 5, %0, x0, %1" : "=r"(value) : "r"(selector) : "memory");
  return value;
}
enum { DMA_COMPLETED = 0, DMA_NEXT = 1, DMA_BUSY = 2, DMA_2D = 2 };
static inline void dma_wait(void) {
  while (dma_status(DMA_BUSY)) {
  }
}
/* The number of the last finished transfer follows a few cycles behind busy. */
static inline void dma_wait_for(uint32_t id) {
  while (dma_status(DMA_COMPLETED) < id) {
  }
}

/* ns16550 with a register every four bytes. */
static inline void put_char(char c) {
  volatile uint32_t *uart = (volatile uint32_t *)0x03002000;
  while (!(uart[5] & 0x20)) {
  }
  uart[0] = (uint8_t)c;
}
static inline void put_text(const char *text) {
  while (*text) put_char(*text++);
}
