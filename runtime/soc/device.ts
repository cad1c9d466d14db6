// What a device is to the SoC. A peripheral is one class with word-wide registers; an accelerator may also
// reach the TCDM and wants to know the time. Engines in `targets/engines` implement this page.

/** A register block on the peripheral bus. Offsets are bytes from its base, always multiples of 4. */
export interface Peripheral {
  /**
   * Answers a 32-bit read.
   *
   * @param offset register's offset in bytes
   * @param cycle time of the access, cycles since reset
   * @param hart hart that reads, or -1 for the host
   */
  readUint32(offset: number, cycle: number, hart: number): number;
  /** Takes a write; `mask` has 0xff in each byte lane that is written. */
  writeUint32(offset: number, value: number, mask: number, cycle: number, hart: number): void;
}

/** The accelerator's 1024-bit window on the TCDM, as the interconnect offers it. */
export interface WidePort {
  /**
   * Asks for an access in `cycle`; all banks from `address` on are granted together or none is.
   * Returns whether the access is granted in that cycle.
   */
  request(address: number, bytes: number, write: boolean, cycle: number): boolean;
  /** The TCDM's bytes; index 0 is the TCDM's base. For the data of granted accesses. */
  readonly bytes: Uint8Array;
  /** Address of the TCDM's first byte. */
  readonly base: number;
}

/** Jobs of one kind that an accelerator has finished since reset. */
export interface JobCounts {
  readonly jobs: number;
  /** Jobs among them that have written results. */
  readonly outputs: number;
  /** Cycles from the start of each to its end, and how many of them it was held up by the memory. */
  readonly cycles: number;
  readonly stalled: number;
}

/** A device that works on its own as time goes by. */
export interface Accelerator extends Peripheral {
  /** What it has done, by the kinds of jobs that its energy differs in. */
  readonly counts?: Readonly<Record<string, JobCounts>>;
  /** Whether it has work under way; an idle accelerator is not ticked. */
  readonly busy: boolean;
  /** Advances by one cycle, making at most one request on its port. */
  tick(cycle: number): void;
  /** What it is doing at that time, a line for each fact, for people. Changes nothing. */
  describe?(cycle: number): string[];
}

/** What the SoC gives to an accelerator when it is built. */
export interface AcceleratorContext {
  readonly port: WidePort;
  /** Raises the cluster interrupt of a hart, as a write to CL_CLINT_SET would. */
  raise(hart: number): void;
  /** Stops the simulation with an error that names this device. */
  fail(message: string): void;
}

/** Where a DMA beat goes; `zero` and `rom` hang on the wide bus beside the outside memory. */
export type WideTarget = "tcdm" | "outside" | "zero" | "rom";

/** What the SoC gives to a DMA engine when it is built. Addresses have up to 48 bits. */
export interface DmaContext {
  /** What all bytes of a span belong to; undefined where there is nothing. */
  target(address: number, bytes: number): WideTarget | undefined;
  /** Takes the banks of a beat in a cycle, before all others. Only for the TCDM. */
  take(address: number, bytes: number, cycle: number): void;
  /** Copies bytes now; the spans may overlap. */
  copy(destination: number, source: number, bytes: number, cycle: number): void;
  /** Stops the simulation with an error that names the transfer. */
  fail(message: string): void;
}
