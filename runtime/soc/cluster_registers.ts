// The cluster's peripheral registers (snitch-cluster.md, section 1.3): performance counters, scratch registers, the
// cluster-local interrupts and the prefetcher's switch.

import type { Peripheral } from "./device.ts";

// Offsets of 64-bit registers, behind the counters' enable bits at 0; the decoder looks at nine address bits.
const counterSelect = 0x080, counterValue = 0x100, scratch = 0x180;
const interruptSet = 0x1a0, interruptClear = 0x1a8, prefetchEnable = 0x1b0;
const decodedBits = 0x1ff, counters = 16, scratches = 4;

/** Offset of SCRATCH[1], from which the boot ROM takes the entry point. */
export const entryScratch = scratch + 8;

/** Metrics by number, as PERF_CNT_SEL takes them. */
export const metrics = {
  cycle: 0,
  tcdmAccessed: 1,
  tcdmCongested: 2,
  retired: 6,
  retiredLoads: 7,
  retiredInteger: 8,
  retiredOffloads: 9,
  dmaReadBeats: 20,
  dmaWriteBeats: 22,
  dmaTransfers: 24,
  dmaBusy: 25,
  cacheMisses: 26,
  cacheHits: 27,
  cachePrefetches: 28,
  cacheStalls: 30,
} as const;

/** What counters 0 … 6 count after reset; the others count cycles. */
const initialMetrics = [
  metrics.cycle,
  metrics.retired,
  metrics.tcdmAccessed,
  metrics.cacheMisses,
  metrics.cacheHits,
  metrics.cachePrefetches,
  metrics.cacheStalls,
];

/** What the registers act on. */
export interface ClusterContext {
  /** Events of a metric on a hart since reset. */
  metric(metric: number, hart: number, cycle: number): number;
  /** Raises or lowers the cluster interrupt of each hart whose bit is set. */
  interrupt(mask: number, raise: boolean, cycle: number): void;
  setPrefetching(on: boolean): void;
}

interface Counter {
  enabled: boolean;
  select: number;
  /** Count when the counter was last stopped, and the metric's value when it was last started. */
  count: number;
  from: number;
}

/** The register block. */
export class ClusterRegisters implements Peripheral {
  readonly #context: ClusterContext;
  readonly #scratch = new Int32Array(scratches);
  readonly #counters: Counter[];
  #prefetching = true;

  constructor(context: ClusterContext) {
    this.#context = context;
    this.#counters = Array.from({ length: counters }, (_, i) => ({
      enabled: true,
      select: (initialMetrics[i] ?? metrics.cycle) << 16,
      count: 0,
      from: 0,
    }));
  }

  #metricOf(counter: Counter, cycle: number): number {
    return this.#context.metric(counter.select >>> 16, counter.select & 15, cycle);
  }

  #countOf(counter: Counter, cycle: number): number {
    return counter.count + (counter.enabled ? this.#metricOf(counter, cycle) - counter.from : 0);
  }

  readUint32(offset: number, cycle: number): number {
    const register = offset & decodedBits & ~7, high = (offset & 4) !== 0;
    if (register < counterSelect) return high ? 0 : Number(this.#counters[register >>> 3].enabled);
    if (register < counterValue) return high ? 0 : this.#counters[(register - counterSelect) >>> 3].select;
    if (register < scratch) {
      const count = this.#countOf(this.#counters[(register - counterValue) >>> 3], cycle);
      return high ? Math.floor(count / 2 ** 32) & 0xffff : count | 0;
    }
    if (high) return 0;
    if (register < scratch + 8 * scratches) return this.#scratch[(register - scratch) >>> 3];
    return register === prefetchEnable ? Number(this.#prefetching) : 0;
  }

  writeUint32(offset: number, value: number, mask: number, cycle: number): void {
    const register = offset & decodedBits & ~7, high = (offset & 4) !== 0;
    if (register >= counterValue && register < scratch) {
      const counter = this.#counters[(register - counterValue) >>> 3];
      counter.count = 0;
      counter.from = this.#metricOf(counter, cycle);
      return;
    }
    if (high) return;
    const merged = (previous: number) => (previous & ~mask) | (value & mask);
    if (register < counterValue) {
      const counter = this.#counters[(register & 0x7f) >>> 3];
      counter.count = this.#countOf(counter, cycle);
      if (register < counterSelect) counter.enabled = (merged(Number(counter.enabled)) & 1) === 1;
      else counter.select = merged(counter.select);
      counter.from = this.#metricOf(counter, cycle);
    } else if (register < scratch + 8 * scratches) {
      const index = (register - scratch) >>> 3;
      this.#scratch[index] = merged(this.#scratch[index]);
    } else if (register === interruptSet) {
      this.#context.interrupt(value & mask, true, cycle);
    } else if (register === interruptClear) {
      this.#context.interrupt(value & mask, false, cycle);
    } else if (register === prefetchEnable) {
      this.#prefetching = (merged(Number(this.#prefetching)) & 1) === 1;
      this.#context.setPrefetching(this.#prefetching);
    }
  }
}
