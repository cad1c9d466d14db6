// What all harts hold, in arrays by hart: registers, program counters, when each goes on, what it has done.

/** What a hart is doing. */
export const running = 0, waitingForInterrupt = 1, atBarrier = 2;

/** Why a hart issues no instruction in a cycle. */
export const stallCauses = [
  "fetch",
  "operand",
  "memory queue",
  "offload queue",
  "fence",
  "barrier",
  "wfi",
  "dma queue",
] as const;

export type StallCause = (typeof stallCauses)[number];

/** State of the harts that more than the pipeline looks at. */
export class HartState {
  /** x0 … x31 of hart h from index 64 h on; 32 takes what is written to x0. */
  readonly registers: Int32Array;
  readonly pc: Int32Array;
  readonly activity: Uint8Array;
  /** Cycle in which a hart goes on; Infinity while it waits for others. */
  readonly wake: Float64Array;
  readonly retired: Float64Array;
  readonly retiredLoads: Float64Array;
  readonly retiredOffloads: Float64Array;
  /** Cycles without an instruction: `stalls[hart * stallCauses.length + cause]`. */
  readonly stalls: Float64Array;

  /** @param registers where to keep the registers; by default in an array of their own */
  constructor(readonly count: number, registers: Int32Array = new Int32Array(count * 64)) {
    this.registers = registers;
    this.pc = new Int32Array(count);
    this.activity = new Uint8Array(count);
    this.wake = new Float64Array(count);
    this.retired = new Float64Array(count);
    this.retiredLoads = new Float64Array(count);
    this.retiredOffloads = new Float64Array(count);
    this.stalls = new Float64Array(count * stallCauses.length);
  }
}
