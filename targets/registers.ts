// Registers and bits of the devices that a target may have, by kind of peripheral. soc.h lists them for C; the
// emulator's devices answer at these offsets. Offsets are bytes from the peripheral's base.

/** Cluster peripherals (snitch-cluster.md, section 1.3); counters and scratch registers lie 8 bytes apart. */
export const clusterRegisters = {
  PERF_CNT_EN: 0x000,
  PERF_CNT_SEL: 0x080,
  PERF_CNT: 0x100,
  SCRATCH: 0x180,
  CL_CLINT_SET: 0x1a0,
  CL_CLINT_CLEAR: 0x1a8,
  ICACHE_PREFETCH_ENABLE: 0x1b0,
} as const;

/** ns16550 UART; registers are `stride` bytes apart. */
export const uartRegisters = { TRANSMIT: 0, LINE_STATUS: 5 } as const;

/** Bit of LINE_STATUS: the transmitter takes a byte. */
export const uartLineStatusEmpty = 0x20;

/** Words for the finisher (SiFive's test device): pass, and fail with an exit code in the upper half. */
export const finisherWords = { PASS: 0x5555, FAIL: 0x3333 } as const;
