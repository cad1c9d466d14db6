// The clock of a SoC whose harts run cycle by cycle: who takes a turn in each cycle, and in which order.

import type { Dma } from "../../targets/engines/dma/device.ts";
import type { InstructionCache } from "../hart/instruction_cache.ts";
import type { LoadStoreUnits } from "../hart/load_store.ts";
import type { OffloadUnits } from "../hart/offload.ts";
import type { Pipeline } from "../hart/pipeline.ts";
import type { HartState } from "../hart/state.ts";
import type { Accelerator } from "./device.ts";
import type { InterruptLines } from "./interrupts.ts";
import type { NarrowPath } from "./narrow_path.ts";
import { type SocObserver, takeObservedTurn } from "./observer.ts";
import type { Clint } from "./peripherals.ts";
import type { Tcdm } from "./tcdm.ts";
import type { TestBench } from "./test_bench.ts";

/** Who takes turns. */
export interface ClockParts {
  readonly state: HartState;
  readonly loadStore: LoadStoreUnits;
  readonly offload: OffloadUnits;
  readonly cache: InstructionCache | undefined;
  readonly pipeline: Pipeline;
  readonly tcdm: Tcdm | undefined;
  readonly narrow: NarrowPath;
  readonly lines: InterruptLines;
  readonly clint: Clint | undefined;
  readonly dma: Dma | undefined;
  readonly accelerator: Accelerator | undefined;
  readonly bench: TestBench | undefined;
  readonly observer: SocObserver | undefined;
  /** Whether the run is over: the program has ended, or somebody has stopped it. */
  ended(): boolean;
  /** Ends the simulation: nothing can ever happen again. */
  deadlock(): never;
}

/** The clock. */
export class CycleClock {
  /** Cycles since reset. */
  cycle = 0;
  readonly #parts: ClockParts;

  constructor(parts: ClockParts) {
    this.#parts = parts;
  }

  /**
   * One turn a cycle, up to `end` or until the run is over; cycles in which nobody does anything are skipped.
   *
   * @param devicesFrom cycle up to which devices have been moved on already
   */
  run(end: number, devicesFrom = 0): void {
    this.#parts.pipeline.limit = end;
    const { state: { wake, count }, loadStore, offload, cache, pipeline, tcdm, narrow, lines } = this.#parts;
    const { clint, dma, accelerator, bench, observer, ended } = this.#parts;
    let cycle = this.cycle;
    while (cycle < end && !ended()) {
      this.cycle = cycle;
      if (clint !== undefined && clint.next <= cycle) clint.update(cycle);
      if (lines.next <= cycle) lines.apply(cycle);
      if (cycle >= devicesFrom) {
        if (dma !== undefined && dma.active) dma.tick(cycle);
        if (accelerator !== undefined && accelerator.busy) accelerator.tick(cycle);
        if (bench !== undefined && bench.busy) bench.tick(cycle);
      }

      if (observer === undefined) pipeline.advance(cycle);
      else takeObservedTurn(observer, pipeline, cycle);
      if (loadStore.tcdmRequests !== 0) tcdm!.arbitrate(cycle);
      if (loadStore.outsideRequests !== 0) narrow.arbitrate(cycle);
      loadStore.fresh = 0;
      if (offload.requests !== 0) offload.arbitrate(cycle);
      if (cache !== undefined && cache.requests !== 0) cache.arbitrate(cycle);

      const busy = (loadStore.tcdmRequests | loadStore.outsideRequests | offload.requests) !== 0 ||
        (cache !== undefined && cache.requests !== 0) || (dma !== undefined && dma.active) ||
        (accelerator !== undefined && accelerator.busy) || (bench !== undefined && bench.busy);
      cycle++;
      if (busy || ended()) continue;
      let next = Infinity;
      for (let hart = 0; hart < count; hart++) if (wake[hart] < next) next = wake[hart];
      if (lines.next < next) next = lines.next;
      if (clint !== undefined && clint.next < next) next = clint.next;
      if (next > cycle) {
        if (next === Infinity) this.#parts.deadlock();
        cycle = Math.min(next, end);
      }
    }
    this.cycle = cycle;
  }
}
