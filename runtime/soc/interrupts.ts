// Interrupt lines on their way to the harts: who raises one says in which cycle the hart sees it.

import type { Control } from "../hart/control.ts";
import type { Pipeline } from "../hart/pipeline.ts";

interface Change {
  readonly cycle: number;
  readonly hart: number;
  readonly line: number;
  readonly high: boolean;
}

/** Changes of interrupt lines that are still to come, in order of time. */
export class InterruptLines {
  /** Cycle of the next change; Infinity if there is none. */
  next = Infinity;
  readonly #changes: Change[] = [];
  readonly #control: Control;
  readonly #pipeline: () => Pick<Pipeline, "interruptChanged">;

  constructor(control: Control, pipeline: () => Pick<Pipeline, "interruptChanged">) {
    this.#control = control;
    this.#pipeline = pipeline;
  }

  /** Lets a hart see its line `line` (a bit of mip) change in `cycle`. */
  schedule(hart: number, line: number, high: boolean, cycle: number): void {
    let at = this.#changes.length;
    while (at > 0 && this.#changes[at - 1].cycle > cycle) at--;
    this.#changes.splice(at, 0, { cycle, hart, line, high });
    this.next = this.#changes[0].cycle;
  }

  /** Makes the changes that are due. */
  apply(cycle: number): void {
    while (this.#changes.length > 0 && this.#changes[0].cycle <= cycle) {
      const { hart, line, high } = this.#changes.shift()!;
      this.#control.setLine(hart, line, high);
      this.#pipeline().interruptChanged(hart, cycle);
    }
    this.next = this.#changes.length > 0 ? this.#changes[0].cycle : Infinity;
  }
}
