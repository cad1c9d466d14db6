// What a SoC is given, what a run is asked for and what it answers.

import type { Target } from "../../targets/schema.ts";
import type { Accelerator, AcceleratorContext } from "./device.ts";
import type { HartEngine } from "./engine.ts";
import type { SocObserver } from "./observer.ts";

/** What a SoC can be given beside its target. */
export interface SocOptions {
  /** Adds the registers of the cluster's test bench at 0xf000_0000. */
  readonly testbench?: boolean;
  /** Takes what programs print, in pieces. By default it is dropped. */
  readonly console?: (text: Uint8Array) => void;
  /** Runs the harts in another way than cycle by cycle: fast timing. */
  readonly engine?: HartEngine;
  /** Looks on while the program runs; not together with `engine`. */
  readonly observer?: SocObserver;
  /** Is told of each finished transfer; unlike an observer it costs nothing, and goes with every engine. */
  readonly transfer?: SocObserver["transfer"];
  /** Builds the accelerator behind the target's peripheral of that kind. */
  readonly accelerator?: (target: Target, context: AcceleratorContext) => Accelerator;
}

/** How long to run. */
export interface RunOptions {
  /** Cycles to run at most. Default: no limit. */
  readonly maxCycles?: number;
  /** Addresses of words: a write to one ends the run behind the cycle of the write. */
  readonly stopOnWrite?: readonly number[];
  /** Whether the end of `maxCycles` is a {@link GuestFault}. Default: the run just ends, and can go on. */
  readonly limitIsFault?: boolean;
}

/** Why a run has ended. */
export interface RunResult {
  readonly reason: "exit" | "write" | "limit";
  /** The program's exit status, if it has ended. */
  readonly exitCode?: number;
  /** Word that was written, of `stopOnWrite`. */
  readonly address?: number;
  /** Cycles since reset. */
  readonly cycle: number;
}
