// What a session needs of the machine that runs the image: memory to read and write, and a way to wait.
// The emulator is one such machine; a debugger's remote protocol or a serial monitor on a board fit the same page.

import type { Image } from "../image/types.ts";
import type { Counters } from "../soc/counters.ts";
import type { Activity } from "../trace/engine_activity.ts";

/** Why {@link Transport.wait} came back. */
export interface Wake {
  /**
   * `write`: the word may have been written; look at it (a transport that polls may wake without cause).
   * `exit`: the program has ended, with `exitCode`. `limit`: the time is over; the machine is halted or left alone.
   */
  readonly reason: "write" | "exit" | "limit";
  readonly exitCode?: number;
  /** Cycles of the cluster's clock that have passed; 0 where the transport cannot know. */
  readonly cycles: number;
}

/** A machine with an image in it. Addresses are the SoC's; all methods may throw `AttoflowError`. */
export interface Transport {
  /** What it is, for messages: `emulator`, `gdb localhost:3333` … */
  readonly name: string;
  /** Puts the image's segments into memory and the harts at its entry, ready to start. */
  load(image: Image): Promise<void>;
  /** Lets the harts go. They may begin at once or in the first {@link wait}. */
  start(): Promise<void>;
  /** Copy of a part of memory. */
  read(address: number, bytes: number): Promise<Uint8Array>;
  /** Writes memory; takes effect before the harts go on. */
  write(address: number, data: Uint8Array): Promise<void>;
  /**
   * Lets the machine run until a hart writes the word at `address`, the program ends or `cycles` have passed.
   * A board turns `cycles` into time by the target's clock and may poll the word.
   */
  wait(address: number, cycles: number): Promise<Wake>;
  /** What the harts are doing, a short phrase for the message when the time is over; "" where nobody can say. */
  describe(): Promise<string>;
  /** What the machine has done since reset, where it counts. */
  counters?(): Counters;
  /** When the engines worked since this was asked before, where it is known. */
  activity?(): Activity;
  /** Stops the machine and lets go of it. Nothing else is called afterwards. */
  close(): Promise<void>;
}
