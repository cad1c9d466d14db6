// What can run the harts of a SoC in place of its cycle-exact pipelines: an engine for fast timing.

import type { Dma } from "../../targets/engines/dma/device.ts";
import type { Pipeline } from "../hart/pipeline.ts";
import type { Image } from "../image/types.ts";
import type { InterruptLines } from "./interrupts.ts";
import type { Region } from "./memory_map.ts";
import type { Clint } from "./peripherals.ts";
import type { SlowPathParts } from "./slow_path.ts";

/** A device that moves on cycle by cycle while it has work. */
export interface Ticking {
  /** Whether it has work. */
  busy(): boolean;
  tick(cycle: number): void;
}

/** The pipelines that an engine stands in for, cycle by cycle. */
export interface ExactHarts extends Pick<Pipeline, "resume" | "interruptChanged"> {
  /**
   * Runs everything from one cycle to another, or until the run is over.
   *
   * @param devicesFrom cycle up to which devices have been moved on already
   * @returns the cycle reached
   */
  run(cycle: number, end: number, devicesFrom: number): number;
}

/** The parts of a SoC that an engine works with. */
export interface EngineParts extends SlowPathParts {
  readonly exact: ExactHarts;
  /** The memories that reservations are in. */
  readonly nearRegion: Region | undefined;
  readonly farRegion: Region;
  readonly lines: InterruptLines;
  readonly clint: Clint | undefined;
  readonly dma: Dma | undefined;
  /** Devices in the order in which they take their turn in a cycle. */
  readonly devices: readonly Ticking[];
  /** Tells the SoC what time it is. */
  setCycle(cycle: number): void;
  /** Whether the run is over: the program has ended, or somebody has stopped it. */
  ended(): boolean;
  /** Ends the simulation: nothing can ever happen again. */
  deadlock(): never;
}

/** Runs harts. One engine serves one SoC. */
export interface HartEngine {
  /** Where the SoC's memories lie: the index is the address. */
  readonly space: ArrayBuffer;
  /** Registers of the harts, 64 words for each. */
  registers(harts: number): Int32Array;
  /** Called once, when the SoC is built. */
  attach(parts: EngineParts): void;
  /** An image has been loaded. */
  loaded(image: Image): void;
  /** Memory has been written by somebody else than a hart in the fast path. */
  invalidate(address: number, bytes: number): void;
  /** Somebody wants to know of each write to the word at an address. */
  guard(address: number): void;
  /** The word at an address has been decoded for the pipelines. */
  decoded(address: number): void;
  /** Cycle that a hart has come to, ahead of others. */
  reached(hart: number): number;
  /** An interrupt line of a hart has changed. */
  interruptChanged(hart: number, cycle: number): void;
  /** Runs from one cycle to another or a little beyond, or until the run is over. Returns the cycle reached. */
  run(cycle: number, end: number): number;
  /** The program has ended, or nobody will run it any more: keeps for later runs what is worth it. */
  close(): void;
}
