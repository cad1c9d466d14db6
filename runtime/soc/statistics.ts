// What harts have done: for reports, and for the cluster's performance counters.

import type { Dma } from "../../targets/engines/dma/device.ts";
import {
  atBarrier,
  type HartState,
  type StallCause,
  stallCauses,
  waitingForInterrupt,
} from "../hart/state.ts";
import type { InstructionCache } from "../hart/instruction_cache.ts";
import { metrics } from "./cluster_registers.ts";
import type { Tcdm } from "./tcdm.ts";

/** What one hart has done since reset. */
export interface HartStatistics {
  readonly hart: number;
  readonly cycles: number;
  readonly instructions: number;
  /** Cycles without an instruction, by cause. The wait that is under way is not in it. */
  readonly stalls: Readonly<Record<StallCause, number>>;
  readonly pc: number;
  /** Function and offset of `pc`, `?` if unknown. */
  readonly symbol: string;
  readonly activity: "running" | "wfi" | "barrier";
}

/** Statistics of all harts. */
export function hartStatistics(
  state: HartState,
  cycle: number,
  symbol: (pc: number) => string,
): HartStatistics[] {
  return Array.from({ length: state.count }, (_, hart) => {
    const pc = state.pc[hart] >>> 0;
    const activity = state.activity[hart];
    return {
      hart,
      cycles: cycle,
      instructions: state.retired[hart],
      stalls: Object.fromEntries(
        stallCauses.map((cause, i) => [cause, state.stalls[hart * stallCauses.length + i]]),
      ) as Record<StallCause, number>,
      pc,
      symbol: symbol(pc),
      activity: activity === waitingForInterrupt ? "wfi" : activity === atBarrier ? "barrier" : "running",
    };
  });
}

/** Events of one of the cluster's metrics since reset. Metrics of parts that are not modelled stay 0. */
export function metricOf(
  metric: number,
  hart: number,
  cycle: number,
  state: HartState,
  tcdm: Tcdm | undefined,
  dma: Dma | undefined,
  cache: InstructionCache | undefined,
): number {
  if (metric === metrics.cycle) return cycle;
  if (metric === metrics.tcdmAccessed) return tcdm?.accesses ?? 0;
  if (metric === metrics.tcdmCongested) return tcdm?.conflicts ?? 0;
  if (metric === metrics.dmaReadBeats) return dma?.counts.reads ?? 0;
  if (metric === metrics.dmaWriteBeats) return dma?.counts.writes ?? 0;
  if (metric === metrics.dmaTransfers) return dma?.counts.transfers ?? 0;
  if (metric === metrics.dmaBusy) return dma?.counts.busy ?? 0;
  if (hart >= state.count) return 0;
  switch (metric) {
    case metrics.retired:
    case metrics.cacheHits:
      return state.retired[hart];
    case metrics.retiredLoads:
      return state.retiredLoads[hart];
    case metrics.retiredOffloads:
      return state.retiredOffloads[hart];
    case metrics.retiredInteger:
      return state.retired[hart] - state.retiredLoads[hart] - state.retiredOffloads[hart];
    case metrics.cacheMisses:
      return cache?.misses[hart] ?? 0;
    case metrics.cachePrefetches:
      return cache?.prefetches[hart] ?? 0;
    case metrics.cacheStalls:
      return state.stalls[hart * stallCauses.length + stallCauses.indexOf("fetch")];
    default:
      return 0;
  }
}
