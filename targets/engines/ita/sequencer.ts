// ITA's sequencer (ita.md, section 7): counts jobs and says of each what it is in its sequence.

import type { Layer, Tiles } from "./registers.ts";

/** Where a sequence stands. `idle` between sequences. */
export type Step = "idle" | "Q" | "K" | "V" | "QK" | "AV" | "OW" | "F1" | "F2" | "MM";

interface StepRule {
  /** Jobs that accumulate one output tile. */
  readonly inner: (tiles: Tiles) => number;
  /** Output tiles of the step (of one row block, in QK and AV). */
  readonly outputs: (tiles: Tiles) => number;
  readonly next: Step;
  /** Index of the step's requantisation constants. */
  readonly constants: number;
}

const rules: Readonly<Record<Exclude<Step, "idle">, StepRule>> = {
  Q: { inner: (t) => t.e, outputs: (t) => t.s * t.p, next: "K", constants: 0 },
  K: { inner: (t) => t.e, outputs: (t) => t.s * t.p, next: "V", constants: 1 },
  V: { inner: (t) => t.e, outputs: (t) => t.s * t.p, next: "QK", constants: 2 },
  QK: { inner: (t) => t.p, outputs: (t) => t.s, next: "AV", constants: 3 },
  // Behind AV comes the next row block; `endJob` decides.
  AV: { inner: (t) => t.s, outputs: (t) => t.p, next: "QK", constants: 4 },
  OW: { inner: (t) => t.p, outputs: (t) => t.s * t.e, next: "idle", constants: 5 },
  F1: { inner: (t) => t.e, outputs: (t) => t.s * t.f, next: "F2", constants: 6 },
  F2: { inner: (t) => t.f, outputs: (t) => t.s * t.e, next: "idle", constants: 7 },
  MM: { inner: (t) => t.e, outputs: (t) => t.s * t.p, next: "idle", constants: 0 },
};

const firstStep: Readonly<Record<Layer, Exclude<Step, "idle">>> = {
  attention: "Q",
  feedforward: "F1",
  linear: "MM",
  singleAttention: "QK",
};

/** A job's place in its sequence. */
export interface Place {
  readonly step: Exclude<Step, "idle">;
  readonly constants: number;
  /** First and last of an accumulation. */
  readonly first: boolean;
  readonly last: boolean;
  /** First and last output tile of the step (in QK: of the rows whose softmax is gathered). */
  readonly firstTile: boolean;
  readonly lastTile: boolean;
}

/** The counters that live from job to job; only a hardware reset clears them. */
export class Sequencer {
  #step: Step = "idle";
  #inner = 0;
  #tile = 0;
  #row = 0;
  /** TILES of the job that began the sequence. */
  #tiles: Tiles = { s: 1, e: 1, p: 1, f: 1 };

  /** Whether an accumulation is under way: its next job must find the same TILES. */
  get accumulating(): boolean {
    return this.#step !== "idle" && this.#inner !== 0;
  }

  get step(): Step {
    return this.#step;
  }

  get inner(): number {
    return this.#inner;
  }

  /** A job starts. Outside a sequence its layer begins one. */
  startJob(layer: Layer, tiles: Tiles): Place {
    if (this.#step === "idle") {
      this.#step = firstStep[layer];
      this.#inner = this.#tile = this.#row = 0;
      this.#tiles = tiles;
    }
    const rule = rules[this.#step];
    return {
      step: this.#step,
      constants: rule.constants,
      first: this.#inner === 0,
      last: this.#inner === rule.inner(tiles) - 1,
      firstTile: this.#tile === 0,
      lastTile: this.#tile === rule.outputs(tiles) - 1,
    };
  }

  /** The job ends; `tiles` and `layer` are its own. */
  endJob(layer: Layer, tiles: Tiles): void {
    this.#inner++;
    this.#finishAccumulation(layer, tiles);
  }

  /** Whether TILES as they are visible between jobs would end the accumulation at once: the TILES hazard. */
  hazard(visible: Tiles): boolean {
    return this.#step !== "idle" && this.#inner !== 0 && this.#inner === rules[this.#step].inner(visible);
  }

  /** What the hardware makes of the hazard. */
  sufferHazard(layer: Layer, visible: Tiles): void {
    this.#finishAccumulation(layer, visible);
  }

  /** Name of a TILES field that limits the current step and differs from the one that the sequence began with. */
  differingLimit(tiles: Tiles): { what: "inner" | "output"; is: number; was: number } | undefined {
    if (this.#step === "idle") return undefined;
    const rule = rules[this.#step];
    for (const what of ["inner", "outputs"] as const) {
      const [is, was] = [rule[what](tiles), rule[what](this.#tiles)];
      if (is !== was) return { what: what === "inner" ? "inner" : "output", is, was };
    }
    return undefined;
  }

  #finishAccumulation(layer: Layer, tiles: Tiles): void {
    if (this.#step === "idle") return;
    const rule = rules[this.#step];
    if (this.#inner !== rule.inner(tiles)) return;
    this.#inner = 0;
    if (++this.#tile !== rule.outputs(tiles)) return;
    this.#tile = 0;
    if (this.#step !== "AV") this.#step = rule.next;
    else if (++this.#row !== tiles.s) this.#step = "QK";
    else {
      this.#row = 0;
      // Another layer here leaves the sequencer in AV (section 7, read from the RTL's source).
      if (layer === "attention") this.#step = "OW";
      else if (layer === "singleAttention") this.#step = "idle";
    }
  }
}
