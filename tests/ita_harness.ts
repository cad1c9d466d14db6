// A bench for the ITA device: flat memory, a clock, and jobs written as register values.

import { Ita, type ItaOptions, type JobRecord } from "../targets/engines/ita/device.ts";
import { registers } from "../targets/engines/ita/registers.ts";
import { recordedHardware } from "../runtime/validate/ita.ts";

/** Registers of a job by name; those left out keep their value. */
export type JobWords = Partial<Record<keyof typeof registers, number>>;

export const base = 0x1000_0000;

/** Where `job()` lets a job work: no two regions overlap. */
export const places = {
  input: base,
  weights: base + 0x1000,
  nextWeights: base + 0x2000,
  bias: base + 0x3000,
  output: base + 0x4000,
};

/** Registers of a plain Linear job of one tile; traffic by flags. */
export function job(
  flags: { preload?: boolean; nextload?: boolean; bias?: boolean; output?: boolean } = {},
  words: JobWords = {},
): JobWords {
  const { preload = true, nextload = false, bias = false, output = true } = flags;
  return {
    INPUT_PTR: places.input,
    WEIGHT_PTR0: places.weights,
    WEIGHT_PTR1: places.weights,
    BIAS_PTR: places.bias,
    OUTPUT_PTR: places.output,
    TILES: 0x1111,
    EPS_MULT0: 0x0101_0101,
    EPS_MULT1: 0x0101_0101,
    RIGHT_SHIFT0: 0x0808_0808,
    RIGHT_SHIFT1: 0x0808_0808,
    ADD0: 0,
    ADD1: 0,
    CTRL_ENGINE: 2,
    CTRL_STREAM: (preload ? 1 : 0) | (nextload ? 2 : 0) | (bias ? 0 : 4) | (output ? 0 : 16),
    ...words,
  };
}

/** A device on a flat memory of 128 KiB. */
export class Bench {
  readonly memory = new Uint8Array(0x2_0000);
  readonly jobs: JobRecord[] = [];
  readonly raised: number[] = [];
  readonly device: Ita;
  /** Every granted access. */
  readonly accesses: { cycle: number; address: number; write: boolean }[] = [];
  problem: string | undefined;
  cycle = 0;

  constructor(
    options: ItaOptions & { granted?: (cycle: number) => boolean } = {},
    parameters = recordedHardware,
  ) {
    const granted = options.granted ?? (() => true);
    this.device = new Ita(
      {
        port: {
          base,
          bytes: this.memory,
          request: (address, _bytes, write, cycle) => {
            if (!granted(cycle)) return false;
            this.accesses.push({ cycle, address, write });
            return true;
          },
        },
        raise: (hart) => this.raised.push(hart),
        fail: (message) => this.problem ??= message,
      },
      parameters,
      { ...options, observe: (record) => this.jobs.push(record) },
    );
  }

  /** Writes a job's registers, one a cycle, and triggers it (or commits only). */
  submit(words: JobWords, trigger = 0): void {
    for (const [name, value] of Object.entries(words)) this.write(name as keyof typeof registers, value);
    this.write("TRIGGER", trigger);
  }

  write(name: keyof typeof registers, value: number, hart = 0): void {
    this.device.writeUint32(registers[name], value, -1, this.cycle, hart);
    this.wait(1);
  }

  read(name: keyof typeof registers): number {
    const value = this.device.readUint32(registers[name], this.cycle, 0);
    this.wait(1);
    return value;
  }

  wait(cycles: number): void {
    for (let i = 0; i < cycles; i++) this.device.tick(this.cycle++);
  }

  /** Runs until the device is idle, stops, or `limit` cycles are over. Returns whether it is idle. */
  drain(limit = 100_000): boolean {
    for (let i = 0; i < limit && this.device.busy; i++) this.device.tick(this.cycle++);
    return !this.device.busy;
  }
}
