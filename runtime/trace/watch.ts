// From turns of the harts to events: who has issued which instruction, who has begun or ended to wait.

import { running } from "../hart/state.ts";
import type { FinishedJob, ObservedParts, SocObserver } from "../soc/observer.ts";
import type { Transfer } from "../../targets/engines/dma/device.ts";

/** What becomes of the events. Addresses are signed or unsigned words. */
export interface HartListener {
  /** Called once, before anything happens. */
  begin(parts: ObservedParts): void;
  /** A hart has issued the instruction at `pc` in `cycle`. */
  issued(hart: number, pc: number, cycle: number): void;
  /** A hart has left `pc` for its trap handler in `cycle`. */
  trapped(hart: number, pc: number, cycle: number): void;
  /** A hart waits from `cycle` on for the barrier or an interrupt; what it does says `state.activity`. */
  waits(hart: number, cycle: number): void;
  /** A hart goes on in `cycle`. */
  resumes(hart: number, cycle: number): void;
}

/** Observes a SoC and tells listeners. */
export class HartWatch implements SocObserver {
  #parts!: ObservedParts;
  #pc = new Int32Array(0);
  #retired = new Float64Array(0);
  #activity = new Uint8Array(0);
  readonly #listeners: readonly HartListener[];
  readonly #others: Pick<SocObserver, "transfer" | "job">;
  readonly #attached: (parts: ObservedParts) => void;

  /**
   * @param others are told of transfers and jobs
   * @param attached called once, when the SoC is built
   */
  constructor(
    listeners: readonly HartListener[],
    others: Pick<SocObserver, "transfer" | "job">,
    attached: (parts: ObservedParts) => void,
  ) {
    this.#listeners = listeners;
    this.#others = others;
    this.#attached = attached;
  }

  attach(parts: ObservedParts): void {
    const { count } = parts.state;
    this.#parts = parts;
    this.#pc = new Int32Array(count);
    this.#retired = new Float64Array(count);
    this.#activity = new Uint8Array(count);
    for (const listener of this.#listeners) listener.begin(parts);
    this.#attached(parts);
  }

  before(_cycle: number): void {
    const { pc, retired, count } = this.#parts.state;
    for (let hart = 0; hart < count; hart++) {
      this.#pc[hart] = pc[hart];
      this.#retired[hart] = retired[hart];
    }
  }

  after(cycle: number): void {
    const { pc, retired, activity, wake, count } = this.#parts.state;
    const listeners = this.#listeners;
    for (let hart = 0; hart < count; hart++) {
      // Whoever waited is on its way again before it issues.
      const issued = retired[hart] !== this.#retired[hart];
      const waited = this.#activity[hart] !== running;
      if (waited && (issued || activity[hart] === running)) {
        const from = issued ? cycle : Math.max(cycle, wake[hart]);
        for (const listener of listeners) listener.resumes(hart, from);
        this.#activity[hart] = running;
      }
      if (issued) { for (const listener of listeners) listener.issued(hart, this.#pc[hart], cycle); }
      else if (pc[hart] !== this.#pc[hart]) {
        for (const listener of listeners) listener.trapped(hart, this.#pc[hart], cycle);
      }
      if (activity[hart] !== this.#activity[hart]) {
        for (const listener of listeners) listener.waits(hart, cycle + 1);
        this.#activity[hart] = activity[hart];
      }
    }
  }

  transfer(transfer: Transfer, done: number): void {
    this.#others.transfer?.(transfer, done);
  }

  job(job: FinishedJob): void {
    this.#others.job?.(job);
  }
}
