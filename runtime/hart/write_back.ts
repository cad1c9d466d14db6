// The way of results into the registers: a scoreboard of what is pending and one write port, which an instruction
// that issues takes before loads, and loads before offloaded results (snitch-cluster.md, section 2.1).

import { type LoadStoreUnits, noRegister } from "./load_store.ts";
import type { OffloadUnits } from "./offload.ts";
import type { HartState } from "./state.ts";

/** Scoreboards and write ports of all harts, by hart. Times are cycles. */
export class WriteBack {
  /** Registers with a result pending, as a mask. */
  readonly scoreboard: Int32Array;
  /** First cycle in which the port is not known to be taken. */
  readonly portFrom: Float64Array;
  /** Cycle before which no result is ready and no access answered; Infinity if none is known of. */
  readonly due: Float64Array;
  readonly #state: HartState;
  readonly #loadStore: LoadStoreUnits;
  readonly #offload: OffloadUnits;

  constructor(state: HartState, loadStore: LoadStoreUnits, offload: OffloadUnits) {
    this.scoreboard = new Int32Array(state.count);
    this.portFrom = new Float64Array(state.count);
    this.due = new Float64Array(state.count).fill(Infinity);
    this.#state = state;
    this.#loadStore = loadStore;
    this.#offload = offload;
  }

  /** A result or an answer will be there in cycle `ready`. */
  expect(hart: number, ready: number): void {
    if (this.due[hart] > ready) this.due[hart] = ready;
  }

  /** Writes back, one result a cycle, in the cycles before `cycle` in which the port was free. */
  settle(hart: number, cycle: number): void {
    const loadStore = this.#loadStore, offload = this.#offload;
    let free = this.portFrom[hart], answer: number, result: number;
    for (;;) {
      answer = loadStore.nextReady(hart);
      result = offload.pending[hart] === 0 ? Infinity : offload.nextReady(hart);
      // The acknowledge of a store needs no port.
      if (answer < cycle && loadStore.nextRegister(hart) === noRegister) {
        loadStore.finish(hart, answer);
        continue;
      }
      const loaded = answer > free ? answer : free;
      const offloaded = result > free ? result : free;
      if (loaded <= offloaded && answer !== Infinity) {
        if (loaded >= cycle) break;
        this.scoreboard[hart] &= ~(1 << loadStore.nextRegister(hart));
        loadStore.finish(hart, loaded);
        this.#state.retiredLoads[hart]++;
        free = loaded + 1;
      } else {
        if (result === Infinity || offloaded >= cycle) break;
        this.scoreboard[hart] &= ~(1 << offload.take(hart));
        this.#state.retiredOffloads[hart]++;
        free = offloaded + 1;
      }
    }
    this.portFrom[hart] = free;
    this.due[hart] = Math.min(answer, result);
  }

  /**
   * The cycle after the next write-back or acknowledge of a hart that issues nothing from `cycle` on; Infinity if
   * none is known of.
   */
  next(hart: number, cycle: number): number {
    const free = this.portFrom[hart];
    let next = this.#loadStore.nextReady(hart);
    if (next < free && this.#loadStore.nextRegister(hart) !== noRegister) next = free;
    if (this.#offload.pending[hart] !== 0) {
      next = Math.min(next, Math.max(free, this.#offload.nextReady(hart)));
    }
    return Math.max(next, cycle) + 1;
  }
}
