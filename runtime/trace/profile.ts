// Counts where the harts' cycles go: by instruction, by function, by layer and by cause. Every cycle of every hart is
// counted once: an instruction has its own cycle, and those in front of it in which its hart had to wait for it; what
// a hart waits at the barrier or for an interrupt belongs to the instruction that made it wait.

import { atBarrier, stallCauses } from "../hart/state.ts";
import type { ObservedParts } from "../soc/observer.ts";
import type { FunctionTable } from "./functions.ts";
import type { LayerListener } from "./layers.ts";
import type { HartListener } from "./watch.ts";

/** What a cycle was spent on: an instruction, or waiting. `other`: traps, and what the end of the run cut off. */
export const costs = ["instruction", ...stallCauses, "other"] as const;
export type Cost = (typeof costs)[number];

export const costCount = costs.length;
const issue = 0, firstStall = 1, other = costCount - 1;
const barrierCost = costs.indexOf("barrier"), wfiCost = costs.indexOf("wfi");
const pageWords = 1024;

/** Counters of some functions: `costCount` numbers for each, by number of the function. */
class FunctionCounters {
  counts = new Float64Array(0);

  add(place: number, cost: number, cycles: number): void {
    const index = place * costCount + cost;
    if (index >= this.counts.length) {
      const larger = new Float64Array((place + 64) * costCount);
      larger.set(this.counts);
      this.counts = larger;
    }
    this.counts[index] += cycles;
  }
}

/** A stretch of time that belongs to one layer, or to none (-1); it begins behind the cycle of a write. */
interface Stretch {
  readonly layer: number;
  readonly start: number;
}

/** The counts. */
export class Profile implements HartListener, LayerListener {
  readonly table: FunctionTable;
  /** Cycles of the clock that each layer took, over all inferences, by layer. */
  readonly layerCycles: number[] = [];
  /** Cycles of the run, once it is over. */
  cycles = 0;

  #parts!: ObservedParts;
  readonly #slots = new Uint16Array(2 ** 20);
  readonly #pages: { readonly number: number; readonly counts: Float64Array }[] = [];
  /** By layer; index 0 is what belongs to none. */
  readonly #byLayer: FunctionCounters[] = [new FunctionCounters()];
  /** By hart: address of its last instruction; the first cycle that is not counted, and the stretch that is in. */
  readonly #last: number[] = [];
  #since = new Float64Array(0);
  #stretch = new Uint32Array(0);
  /** The instruction that has made it wait, if one has. */
  #waitingAt: (number | undefined)[] = [];
  #waitCost = new Uint8Array(0);
  /** When it goes on, as far as that is known. */
  #resumes = new Float64Array(0);
  #stalls = new Float64Array(0);
  #stretches: Stretch[] = [{ layer: -1, start: 0 }];
  #layerStart = 0;

  constructor(table: FunctionTable) {
    this.table = table;
  }

  begin(parts: ObservedParts): void {
    const { count } = parts.state;
    this.#parts = parts;
    this.#since = new Float64Array(count);
    this.#stretch = new Uint32Array(count);
    this.#waitCost = new Uint8Array(count);
    this.#resumes = new Float64Array(count);
    this.#stalls = new Float64Array(count * stallCauses.length);
    this.#waitingAt = Array.from({ length: count }, () => undefined);
  }

  issued(hart: number, pc: number, cycle: number): void {
    this.#countWait(hart, cycle);
    if (cycle > this.#since[hart]) this.#countStalls(hart, pc, cycle);
    this.#count(hart, pc, issue, cycle + 1);
    this.#last[hart] = pc;
  }

  trapped(hart: number, pc: number, cycle: number): void {
    this.#countWait(hart, cycle);
    this.#count(hart, pc, other, cycle + 1);
  }

  waits(hart: number, _cycle: number): void {
    const { activity } = this.#parts.state;
    this.#waitingAt[hart] = this.#last[hart];
    this.#waitCost[hart] = activity[hart] === atBarrier ? barrierCost : wfiCost;
    this.#resumes[hart] = Infinity;
  }

  resumes(hart: number, cycle: number): void {
    this.#resumes[hart] = cycle;
  }

  #countWait(hart: number, cycle: number): void {
    const at = this.#waitingAt[hart];
    this.#waitingAt[hart] = undefined;
    if (at !== undefined) this.#count(hart, at, this.#waitCost[hart], Math.min(cycle, this.#resumes[hart]));
  }

  inferenceBegins(): void {}
  inferenceEnds(): void {}

  layerBegins(layer: number, cycle: number): void {
    this.#layerStart = cycle;
    this.#stretches.push({ layer, start: cycle + 1 });
  }

  layerEnds(layer: number, cycle: number): void {
    this.layerCycles[layer] = (this.layerCycles[layer] ?? 0) + cycle - this.#layerStart;
    this.#stretches.push({ layer: -1, start: cycle + 1 });
  }

  /** Counts what is left: the run is over. */
  finish(cycle: number): void {
    const { state } = this.#parts;
    for (let hart = 0; hart < state.count; hart++) {
      this.#countWait(hart, cycle);
      this.#count(hart, state.pc[hart], other, cycle);
    }
    this.cycles = cycle;
  }

  /** Counts the cycles of a hart up to `end` for the instruction at `pc`. */
  #count(hart: number, pc: number, cost: number, end: number): void {
    const start = this.#since[hart];
    if (end <= start) return;
    this.#since[hart] = end;
    this.#wordCounts(pc)[(pc >>> 2 & pageWords - 1) * costCount + cost] += end - start;
    const place = this.table.at(pc), stretches = this.#stretches;
    let at = this.#stretch[hart], from = start;
    while (at + 1 < stretches.length && stretches[at + 1].start < end) {
      const next = stretches[at + 1].start;
      if (next > from) this.#countLayer(stretches[at].layer, place, cost, next - from);
      from = Math.max(from, next);
      at++;
    }
    this.#stretch[hart] = at;
    this.#countLayer(stretches[at].layer, place, cost, end - from);
  }

  #countLayer(layer: number, place: number, cost: number, cycles: number): void {
    (this.#byLayer[layer + 1] ??= new FunctionCounters()).add(place, cost, cycles);
  }

  #wordCounts(pc: number): Float64Array {
    const page = pc >>> 12;
    if (this.#slots[page] === 0) {
      this.#pages.push({ number: page, counts: new Float64Array(pageWords * costCount) });
      this.#slots[page] = this.#pages.length;
    }
    return this.#pages[this.#slots[page] - 1].counts;
  }

  /** Counts what a hart has waited in front of the instruction that it issues in `cycle`, by cause. */
  #countStalls(hart: number, pc: number, cycle: number): void {
    const { stalls } = this.#parts.state, base = hart * stallCauses.length;
    for (let i = 0; i < stallCauses.length; i++) {
      const grown = stalls[base + i] - this.#stalls[base + i], cost = i + firstStall;
      this.#stalls[base + i] = stalls[base + i];
      // What was waited at a barrier or for an interrupt is counted already.
      if (grown <= 0 || cost === barrierCost || cost === wfiCost) continue;
      this.#count(hart, pc, cost, Math.min(cycle, this.#since[hart] + grown));
    }
    this.#count(hart, pc, other, cycle);
  }

  /** Counters of each function in a layer (-1: in none), `costCount` for each; by number of the function. */
  functionCounts(layer: number): Float64Array {
    return this.#byLayer[layer + 1]?.counts ?? new Float64Array(0);
  }

  /** Address and counters of every instruction that has been met. */
  *instructionCounts(): Generator<{ pc: number; counts: Float64Array }> {
    for (const { number, counts } of this.#pages) {
      for (let word = 0; word < pageWords; word++) {
        const own = counts.subarray(word * costCount, (word + 1) * costCount);
        if (own.some((count) => count > 0)) yield { pc: number * 4096 + 4 * word, counts: own };
      }
    }
  }
}
