// What harts do to each other under fast timing: queues in front of what they share, as rates and not cycle by cycle.
// When all have run a quantum, what each has used tells how much longer it has taken for the others' sake.

/** What a hart has used in a quantum. */
export interface Usage {
  readonly hart: number;
  /** First cycle that it ran in the quantum, and the end of its run if it were alone. */
  readonly from: number;
  readonly to: number;
  /** Accesses to the TCDM, cycles of the multiplier and divider, accesses to the outside memory. */
  readonly accesses: number;
  readonly offloads: number;
  readonly outside: number;
}

/** The narrow way out serves an access in so many cycles: two reads in 9, two writes in 10 (snitch-cluster.md, 8.9). */
const outsideCycles = 4.6;
/**
 * Cycles that an access to the TCDM waits on average, for each access in a cycle that other harts make; and when DMA
 * or accelerator are there in every cycle. Calibrated on the RTL's figures in sections 3.3 and 6.
 */
const waitForHarts = 0.03, waitForDma = 0.1, waitForAccelerator = 0.45;

/** Shared resources. Each is a server with the time up to which it has work. */
export class Contention {
  #offload = 0;
  #outside = 0;
  readonly #sharedOffload: boolean;

  /** @param sharedOffload whether all harts share one multiplier and divider */
  constructor(sharedOffload: boolean) {
    this.#sharedOffload = sharedOffload;
  }

  /**
   * When the harts have really come to the end of their runs, in the order of `usages`.
   *
   * @param dma part of the quantum's cycles in which the DMA moved a beat, and the accelerator worked
   */
  settle(usages: readonly Usage[], dma: number, accelerator: number): number[] {
    const accesses = usages.reduce((sum, usage) => sum + usage.accesses, 0);
    const ends = usages.map(({ from, to, accesses: own }) => {
      const others = (accesses - own) / Math.max(1, to - from);
      const wait = waitForHarts * others + waitForDma * dma + waitForAccelerator * accelerator;
      return to + Math.floor(own * wait);
    });
    if (this.#sharedOffload) this.#offload = serve(usages, ({ offloads }) => offloads, this.#offload, ends);
    this.#outside = serve(usages, ({ outside }) => outside * outsideCycles, this.#outside, ends);
    return ends;
  }
}

/**
 * Serves all in turn, a cycle each: one that wants little is done when the others have had as much.
 *
 * @param busy time up to which the server has work
 * @param ends moved on to when each has been served
 * @returns time up to which the server has work then
 */
function serve(
  usages: readonly Usage[],
  demandOf: (usage: Usage) => number,
  busy: number,
  ends: number[],
): number {
  const demands = usages.map(demandOf);
  const all = demands.reduce((sum, demand) => sum + demand, 0);
  if (all === 0) return busy;
  const starts = usages.filter((_, i) => demands[i] > 0).map(({ from }) => from);
  const begin = Math.max(busy, Math.min(...starts));
  for (const [i, demand] of demands.entries()) {
    if (demand === 0) continue;
    const before = demands.reduce((sum, other) => sum + Math.min(other, demand), 0);
    ends[i] = Math.max(ends[i], Math.floor(begin + before));
  }
  return begin + all;
}
