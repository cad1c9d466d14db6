// The interpreted form of blocks in memory 1: a header, the steps and one behind them that ends the block, and the
// targets that its indirect jump has had. The interpreter's module (interpreter.ts) reads what is written here.

import { accesses, amountsOf, type Block, isChecked, written } from "./block.ts";
import type { Costs } from "./cost.ts";
import {
  charge,
  chargedCycles,
  type Counting,
  exit,
  header,
  rememberedTargets,
  runOn,
  stepRecord,
} from "./layout.ts";

/** Bytes of a block's header and steps; behind them are its targets. */
export function formBytes(steps: number): number {
  return header.bytes + (steps + 1) * stepRecord.bytes;
}

/** Bytes that a block takes in all. */
export function storedBytes(steps: number): number {
  return formBytes(steps) + rememberedTargets * 4;
}

/** Writes and reads forms. Addresses are those of headers in memory 1. */
export class BlockForms {
  readonly #counting: Counting;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;

  /** @param own memory 1 */
  constructor(counting: Counting, own: WebAssembly.Memory) {
    this.#counting = counting;
    this.#view = new DataView(own.buffer);
    this.#bytes = new Uint8Array(own.buffer);
    this.#words = new Int32Array(own.buffer);
  }

  /** Writes a block. {@link begin} makes it one that can be executed. */
  write(address: number, { steps, target, end }: Block, costs: Costs): void {
    const view = this.#view, first = address + header.bytes;
    const word = (at: number, value: number) => view.setInt32(at, value, true);
    word(address + header.steps, steps.length);
    const last = steps.at(-1);
    const place = (to: number) => to | (last && isChecked(last, to) ? exit.checked : exit.on);
    word(address + header.target, place(target ?? 0));
    word(address + header.end, place(end));
    word(address + header.slow, steps.length === 0 ? 1 : 0);
    let charged = 0n;
    for (const [i, step] of steps.entries()) {
      const { instruction, operands: { rd, rs1, rs2, imm } } = step;
      const at = first + i * stepRecord.bytes;
      const registers = (written(step) === 0 ? 32 : rd) << 10 | rs1 << 18 | rs2 << 26;
      word(at, instruction.index | registers);
      word(at + stepRecord.imm, imm);
      view.setBigInt64(at + stepRecord.prefix, charged, true);
      word(at + stepRecord.pc, step.pc);
      word(at + stepRecord.extra, accesses(step) ? costs.penalty[i] : costs.slack[i]);
      charged += charge(this.#counting, amountsOf(step, costs.cycles[i]));
    }
    view.setBigInt64(address + header.charge, charged, true);
    word(first + steps.length * stepRecord.bytes, runOn);
  }

  /** Makes a block whose header and steps are there one that nobody has executed yet. */
  begin(address: number, patience: number): void {
    const words = this.#words, at = address >>> 2;
    const targets = address + formBytes(this.#steps(address));
    words[at + header.patience / 4] = patience;
    words[at + header.region / 4] = 0;
    words[at + header.targets / 4] = targets;
    words.fill(0, targets >>> 2, (targets >>> 2) + rememberedTargets);
  }

  /** Puts a copy of another run there, to be begun. */
  put(address: number, form: Int32Array): void {
    this.#words.set(form, address >>> 2);
  }

  /** A copy for other runs: without what belongs to this one. */
  copy(address: number): Int32Array {
    const steps = this.#steps(address);
    const form = this.#words.slice(address >>> 2, (address + formBytes(steps)) >>> 2);
    for (const field of [header.patience, header.region, header.targets]) form[field >>> 2] = 0;
    // In front of what has been seen of accesses is what they may cost more.
    for (let i = 0; i < steps; i++) {
      form[(header.bytes + i * stepRecord.bytes + stepRecord.extra) >>> 2] &= 0xff;
    }
    return form;
  }

  /** The costs that a block was written with. */
  costs(address: number, { steps }: Block): Costs {
    const view = this.#view, first = address + header.bytes;
    const end = view.getBigInt64(address + header.charge, true);
    const charged = steps.map((_, i) =>
      view.getBigInt64(first + i * stepRecord.bytes + stepRecord.prefix, true)
    );
    const extra = (i: number) => this.#bytes[first + i * stepRecord.bytes + stepRecord.extra];
    return {
      cycles: charged.map((before, i) => chargedCycles(this.#counting, (charged[i + 1] ?? end) - before)),
      penalty: steps.map((step, i) => accesses(step) ? extra(i) : 0),
      slack: steps.map((step, i) => accesses(step) ? 0 : extra(i)),
    };
  }

  /** Targets that a block's indirect jump has had. */
  targets(address: number): number[] {
    const first = (address + formBytes(this.#steps(address))) >>> 2;
    const all = [...this.#words.subarray(first, first + rememberedTargets)];
    return all.filter((target) => target !== 0).map((target) => target >>> 0);
  }

  #steps(address: number): number {
    return this.#words[(address + header.steps) >>> 2];
  }
}
