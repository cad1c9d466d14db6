// What can look on while a SoC runs cycle by cycle: tracers, profilers, debuggers. A SoC without one pays nothing.

import type { Dma, Transfer } from "../../targets/engines/dma/device.ts";
import type { Target } from "../../targets/schema.ts";
import type { Control } from "../hart/control.ts";
import type { LoadStoreUnits } from "../hart/load_store.ts";
import type { HartState } from "../hart/state.ts";
import type { MemoryAccess } from "./access.ts";
import type { Accelerator } from "./device.ts";
import type { MemoryMap } from "./memory_map.ts";

/** The parts of a SoC that an observer looks at. */
export interface ObservedParts {
  readonly target: Target;
  readonly map: MemoryMap;
  readonly state: HartState;
  readonly control: Control;
  readonly loadStore: LoadStoreUnits;
  readonly access: MemoryAccess;
  readonly dma: Dma | undefined;
  readonly accelerator: Accelerator | undefined;
  /** Cycles since reset. */
  now(): number;
  /** Ends the run behind the present cycle; `run` then answers `limit`. */
  stop(): void;
}

/** What an accelerator has finished, for people. */
export interface FinishedJob {
  readonly name: string;
  /** First cycle, and the cycle of its end. */
  readonly start: number;
  readonly end: number;
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/**
 * Looks on. While a SoC is observed, no hart is ahead of another: in a cycle each issues one instruction at most. The
 * cycles in which nothing can happen are left out.
 */
export interface SocObserver {
  /** Called once, when the SoC is built. */
  attach(parts: ObservedParts): void;
  /** The devices have had their turn in `cycle`; the harts are next. */
  before(cycle: number): void;
  /** The harts have had their turn; the memories' answers come next. */
  after(cycle: number): void;
  /**
   * A fault has come up in the turn of the harts. If the observer takes it (and keeps the hart from going on: true),
   * the harts behind have their turn; else it ends the run.
   */
  fault?(error: unknown): boolean;
  /** A hart is about to enter its trap handler; may throw what {@link fault} takes. */
  trap?(hart: number, cause: number, pc: number): void;
  /** A DMA transfer has written its last byte in cycle `done`. */
  transfer?(transfer: Transfer, done: number): void;
  /** The accelerator has finished a job. */
  job?(job: FinishedJob): void;
}

/** Lets the harts have their turn in `cycle` under the eyes of an observer. */
export function takeObservedTurn(
  observer: SocObserver,
  harts: { limit: number; advance(cycle: number): void },
  cycle: number,
): void {
  harts.limit = cycle + 1;
  observer.before(cycle);
  for (let done = false; !done;) {
    try {
      harts.advance(cycle);
      done = true;
    } catch (error) {
      if (!observer.fault?.(error)) throw error;
    }
  }
  observer.after(cycle);
}
