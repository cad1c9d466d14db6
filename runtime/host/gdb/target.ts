// What the GDB server needs of a machine. It knows harts, registers, memory and stops, and no chip.

/** Signals by GDB's numbers (gdb/signals.def). */
export const signals = { int: 2, illegal: 4, trap: 5, abort: 6, bus: 10, segv: 11, sys: 12 } as const;

/** Kinds of breakpoints and watchpoints, by the digit behind Z. */
export const breakKinds = { software: 0, hardware: 1, write: 2, read: 3, access: 4 } as const;

/** What a hart is to do when the machine goes on. */
export interface HartAction {
  /** `hold`: nothing. `step`: one instruction, then stop all. `range`: steps until it leaves a span of addresses. */
  readonly kind: "hold" | "continue" | "step" | "range";
  readonly start?: number;
  readonly end?: number;
  /** Whether a trap at which the hart was stopped shall now be taken. */
  readonly takeTrap?: boolean;
}

/** Why the machine stands still. */
export type Stop =
  | {
    readonly kind: "stop";
    readonly hart: number;
    readonly signal: number;
    readonly reason?: "software" | "hardware" | "write" | "read" | "access";
    /** Address of the data that a watchpoint watches. */
    readonly address?: number;
    /** What a person should know: the cause of a fault. */
    readonly text?: string;
  }
  | { readonly kind: "exit"; readonly code: number };

/** The machine that is debugged. It stands still, but between {@link DebugTarget.resume} and its answer. */
export interface DebugTarget {
  /** Number of harts; they are threads 1, 2, … */
  readonly harts: number;
  /** Such as `hart 8 dma`. */
  nameOf(hart: number): string;
  /** What it is doing, a short phrase. */
  activityOf(hart: number): string;
  /** Names of the registers behind x0 … x31 and pc. */
  readonly csrs: readonly string[];
  /** Value of register `number`: 0 … 31, 32 the pc, then the CSRs; undefined if it cannot be read. */
  readRegister(hart: number, number: number): number | undefined;
  /** Returns whether the register has been written. */
  writeRegister(hart: number, number: number, value: number): boolean;
  /** Bytes from an address on; fewer than asked for, or none, where memory ends. */
  readMemory(address: number, length: number): Uint8Array;
  /** Returns whether all bytes have been written. */
  writeMemory(address: number, bytes: Uint8Array): boolean;
  /** Spans of addresses that can be read. */
  readonly memories: readonly {
    readonly start: number;
    readonly length: number;
    readonly writable: boolean;
  }[];
  /** Sets a breakpoint or watchpoint; returns whether it is set. */
  insert(kind: number, address: number, length: number): boolean;
  remove(kind: number, address: number, length: number): boolean;
  /** Lets harts go on until something stops them. */
  resume(actions: readonly HartAction[]): Promise<Stop>;
  /** Stops the machine soon, if it runs. */
  interrupt(): void;
  /** Answers a command that the protocol does not know. */
  monitor(command: string): Promise<string>;
}
