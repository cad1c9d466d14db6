// What harts do to each other under fast timing: queues in front of what they share, as rates and not cycle by cycle.
// When all have run a quantum, what each has used tells how much longer it has taken for the others' sake. Runs after
// every quantum, so it allocates nothing.

/** The narrow way out serves an access in so many cycles: two reads in 9, two writes in 10 (snitch-cluster.md, 8.9). */
export const outsideCycles = 4.6;
/**
 * Cycles that an access to the TCDM waits on average, for each access in a cycle that other harts make; and when DMA
 * or accelerator are there in every cycle. Calibrated on the RTL's figures in sections 3.3 and 6.
 */
const waitForHarts = 0.03, waitForDma = 0.1, waitForAccelerator = 0.45;

/** What harts have used in the quantum under way, by hart, and what they share. */
export class Contention {
  /** First cycle that a hart ran in the quantum, or -1. */
  readonly #started: Float64Array;
  /** Whether any has. */
  #isUsed = false;
  /** Accesses to the TCDM; cycles of the multiplier and divider; accesses to the outside memory. */
  readonly #accesses: Float64Array;
  readonly #offloads: Float64Array;
  readonly #outside: Float64Array;
  readonly #sharedOffload: boolean;
  /** Times up to which multiplier and divider, and the way out, have work. */
  #offloadBusy = 0;
  #outsideBusy = 0;

  /** @param sharedOffload whether all harts share one multiplier and divider */
  constructor(harts: number, sharedOffload: boolean) {
    this.#sharedOffload = sharedOffload;
    this.#started = new Float64Array(harts).fill(-1);
    this.#accesses = new Float64Array(harts);
    this.#offloads = new Float64Array(harts);
    this.#outside = new Float64Array(harts);
  }

  /** A hart begins to run in this quantum, or goes on. */
  begin(hart: number, cycle: number): void {
    this.#isUsed = true;
    if (this.#started[hart] < 0) this.#started[hart] = cycle;
  }

  /** A hart has run a stretch. */
  add(hart: number, accesses: number, offloads: number, outside: number): void {
    this.#accesses[hart] += accesses;
    if (this.#sharedOffload) this.#offloads[hart] += offloads;
    this.#outside[hart] += outside;
  }

  /** Whether a hart has used in this quantum what makes harts queue. */
  hasUsed(hart: number): boolean {
    return this.#offloads[hart] + this.#outside[hart] > 0;
  }

  /**
   * Ends the quantum.
   *
   * @param clock each hart's time, which is moved on to when it has really come there
   * @param dma part of the quantum's cycles in which the DMA moved a beat; `accelerator`: in which it worked
   */
  settle(clock: Float64Array, dma: number, accelerator: number): void {
    if (!this.#isUsed) return;
    this.#isUsed = false;
    const started = this.#started, accesses = this.#accesses;
    let all = 0;
    for (let hart = 0; hart < clock.length; hart++) all += accesses[hart];
    const wide = waitForDma * dma + waitForAccelerator * accelerator;
    for (let hart = 0; hart < clock.length; hart++) {
      const own = accesses[hart];
      if (own === 0) continue;
      const others = (all - own) / Math.max(1, clock[hart] - started[hart]);
      clock[hart] += Math.floor(own * (waitForHarts * others + wide));
    }
    this.#offloadBusy = this.#serve(this.#offloads, 1, this.#offloadBusy, clock);
    this.#outsideBusy = this.#serve(this.#outside, outsideCycles, this.#outsideBusy, clock);
    for (let hart = 0; hart < clock.length; hart++) {
      started[hart] = -1;
      accesses[hart] = this.#offloads[hart] = this.#outside[hart] = 0;
    }
  }

  /**
   * Serves all in turn: one that wants little is done when the others have had as much.
   *
   * @param cycles for each demand
   * @param busy time up to which the server has work
   * @returns time up to which the server has work then
   */
  #serve(demands: Float64Array, cycles: number, busy: number, clock: Float64Array): number {
    let all = 0, begin = Infinity, soonest = Infinity;
    for (let hart = 0; hart < demands.length; hart++) {
      if (demands[hart] === 0) continue;
      all += demands[hart];
      begin = Math.min(begin, this.#started[hart]);
      soonest = Math.min(soonest, clock[hart]);
    }
    if (all === 0) return busy;
    begin = Math.max(begin, busy);
    const done = begin + all * cycles;
    if (done <= soonest) return done;
    for (let hart = 0; hart < demands.length; hart++) {
      const own = demands[hart];
      if (own === 0) continue;
      let before = 0;
      for (let other = 0; other < demands.length; other++) before += Math.min(demands[other], own);
      clock[hart] = Math.max(clock[hart], Math.floor(begin + before * cycles));
    }
    return done;
  }
}
