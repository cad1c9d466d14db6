// Interrupt lines on their way to the harts: who raises one says in which cycle the hart sees it.

import { type Control, interrupts } from "../hart/control.ts";
import type { Pipeline } from "../hart/pipeline.ts";

/** From the grant of a store to an interrupt register to the first instruction after a wfi (section 8, rule 10). */
const interruptCycles = 6;
/** From the accelerator's event to the hart: no bus is in between. */
const eventCycles = 1;

interface Change {
  readonly cycle: number;
  readonly hart: number;
  readonly line: number;
  readonly high: boolean;
}

/** Who must know of changes: the harts. `reached` is a hart's time where harts are not all at the same. */
type HartsOfLines = Pick<Pipeline, "interruptChanged"> & { reached?(hart: number): number };

/** Changes of interrupt lines that are still to come, in order of time. */
export class InterruptLines {
  /** Cycle of the next change; Infinity if there is none. */
  next = Infinity;
  readonly #changes: Change[] = [];
  readonly #control: Control;
  readonly #pipeline: () => HartsOfLines;
  /** Cycle in which each line was last asked to go low. */
  readonly #lowered = new Map<number, number>();

  constructor(control: Control, pipeline: () => HartsOfLines) {
    this.#control = control;
    this.#pipeline = pipeline;
  }

  /** A store granted in a cycle changes the cluster interrupt of the harts in a mask. */
  cluster(mask: number, high: boolean, cycle: number): void {
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      this.schedule(31 - Math.clz32(rest & -rest), interrupts.cluster, high, cycle + interruptCycles);
    }
  }

  /** The accelerator wakes a hart. */
  event(hart: number, cycle: number): void {
    this.schedule(hart, interrupts.cluster, true, cycle + eventCycles);
  }

  /** A store granted in a cycle changes the software interrupt of a hart, or the CLINT's clock its timer interrupt. */
  clint(hart: number, line: "software" | "timer", high: boolean, cycle: number): void {
    const isTimer = line === "timer";
    const bit = isTimer ? interrupts.machineTimer : interrupts.machineSoftware;
    if (isTimer && (this.#control.pending(hart) >>> bit & 1) === Number(high)) return;
    this.schedule(hart, bit, high, isTimer ? cycle : cycle + interruptCycles);
  }

  /** Lets a hart see its line `line` (a bit of mip) change in `cycle`. */
  schedule(hart: number, line: number, high: boolean, wanted: number): void {
    const reached = this.#pipeline().reached?.(hart);
    const cycle = reached === undefined ? wanted : this.#seen(hart, line, high, wanted, reached);
    let at = this.#changes.length;
    while (at > 0 && this.#changes[at - 1].cycle > cycle) at--;
    this.#changes.splice(at, 0, { cycle, hart, line, high });
    this.next = this.#changes[0].cycle;
  }

  /**
   * When a hart sees a change where harts are not all at the same time: it has no past that could change, and what it
   * has done away with (or asked to be) is not what comes behind.
   */
  #seen(hart: number, line: number, high: boolean, wanted: number, reached: number): number {
    const key = hart << 5 | line;
    if (!high) {
      this.#lowered.set(key, wanted);
      return wanted;
    }
    return Math.max(wanted, reached, this.#lowered.get(key) ?? 0);
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
