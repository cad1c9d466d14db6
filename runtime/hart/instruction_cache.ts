// Instruction caches: a small L0 for each hart with a prefetcher, and the L1 that all share
// (snitch-cluster.md, sections 4 and 8, rules 2 and 5 to 8). Only time is modelled; words come from memory.

import { lowestBit, nextPointer, winner } from "../soc/arbiter.ts";

/** Answer of {@link InstructionCache.fetch}: ask again in the cycle for which you asked. */
export const askAgain = -1;

const none = -1;
/** Cycles from a lookup in the L1 to the line in the L0: on a hit, and with a refill from the ideal memory. */
const hitCycles = 2, refillCycles = 10;
/** Refills under way at a time. */
const refillSlots = 2;

/** Sizes of the caches. */
export interface CacheShape {
  readonly l0Lines: number;
  readonly lineBytes: number;
  readonly l1Bytes: number;
  readonly l1Ways: number;
}

/** The caches of all harts. Lines are named by address / line length. */
export class InstructionCache {
  readonly lineBits: number;
  /** Line that each hart last fetched from: it is in the L0. */
  readonly current: Int32Array;
  /** Line that the prefetcher last asked for and found in the L0. */
  readonly predicted: Int32Array;
  /** Harts that ask for a lookup in the L1, as a mask. */
  requests = 0;
  /** When a hart wanted to prefetch but its one fill was taken: the cycle when that is over, if it is known. */
  readonly retry: Float64Array;
  readonly misses: Float64Array;
  readonly prefetches: Float64Array;
  /** Lines that the L1 has fetched from memory. */
  refills = 0;
  prefetching = true;

  readonly #l0: Int32Array;
  readonly #lines: number;
  readonly #victim: Uint8Array;
  readonly #fillLine: Int32Array;
  readonly #fillPlace: Uint8Array;
  readonly #fillReady: Float64Array;
  readonly #lookupAt: Float64Array;

  readonly #l1: Int32Array;
  readonly #nextWay: Uint8Array;
  readonly #ways: number;
  readonly sets: number;
  readonly #refillLine = new Int32Array(refillSlots).fill(none);
  readonly #refillReady = new Float64Array(refillSlots);
  #pointer = 0;
  readonly #levels: number;
  readonly #latency: number;

  /** Is told when it is known that a hart's line is in the L0 from cycle `ready` on. */
  onFill: (hart: number, ready: number) => void = () => {};

  /** @param latency cycles of the memory behind the caches beyond the ideal one */
  constructor(harts: number, shape: CacheShape, latency: number) {
    this.lineBits = Math.log2(shape.lineBytes);
    this.#lines = shape.l0Lines;
    this.#ways = shape.l1Ways;
    this.sets = Math.max(1, Math.floor(shape.l1Bytes / shape.lineBytes / shape.l1Ways));
    this.#latency = latency;
    this.#levels = Math.max(4, Math.ceil(Math.log2(harts)));
    this.current = new Int32Array(harts).fill(none);
    this.predicted = new Int32Array(harts).fill(none);
    this.retry = new Float64Array(harts).fill(Infinity);
    this.misses = new Float64Array(harts);
    this.prefetches = new Float64Array(harts);
    this.#l0 = new Int32Array(harts * this.#lines).fill(none);
    this.#victim = new Uint8Array(harts);
    this.#fillLine = new Int32Array(harts).fill(none);
    this.#fillPlace = new Uint8Array(harts);
    this.#fillReady = new Float64Array(harts);
    this.#lookupAt = new Float64Array(harts);
    this.#l1 = new Int32Array(this.sets * this.#ways).fill(none);
    this.#nextWay = new Uint8Array(this.sets);
  }

  /**
   * A hart fetches from `line` while the prefetcher predicts `target`.
   *
   * @param cycle time of the fetch, which may lie ahead of `now`
   * @param now the simulation's time: what harts asked of the L1 before it has been answered
   * @returns `cycle` on a hit, else the cycle of the next try: Infinity if that is not known yet (onFill will
   *   tell), {@link askAgain} if the answer depends on what others do before `cycle`
   */
  fetch(hart: number, line: number, target: number, cycle: number, now: number): number {
    this.#settle(hart, cycle);
    const pending = this.#fillLine[hart] !== none;
    const unknown = pending && this.#fillReady[hart] === Infinity;
    if (line !== this.current[hart]) {
      if (this.#find(hart, line) === none) {
        if (pending) return unknown ? (cycle > now ? askAgain : Infinity) : this.#fillReady[hart];
        this.misses[hart]++;
        this.current[hart] = none;
        this.#request(hart, line, cycle);
        return Infinity;
      }
      this.current[hart] = line;
    }
    this.retry[hart] = Infinity;
    if (target === this.predicted[hart] || !this.prefetching) return cycle;
    if (this.#find(hart, target) !== none) {
      this.predicted[hart] = target;
    } else if (!pending) {
      this.prefetches[hart]++;
      this.#request(hart, target, cycle + 1);
    } else if (this.#fillLine[hart] !== target) {
      // An unknown fill arrives two cycles after its lookup at the earliest.
      if (unknown && cycle > now && cycle >= this.#lookupAt[hart] + hitCycles) return askAgain;
      this.retry[hart] = this.#fillReady[hart];
    }
    return cycle;
  }

  #find(hart: number, line: number): number {
    const first = hart * this.#lines, l0 = this.#l0;
    for (let place = first; place < first + this.#lines; place++) if (l0[place] === line) return place;
    return none;
  }

  #settle(hart: number, cycle: number): void {
    if (this.#fillLine[hart] === none || this.#fillReady[hart] > cycle) return;
    this.#l0[hart * this.#lines + this.#fillPlace[hart]] = this.#fillLine[hart];
    this.#fillLine[hart] = none;
  }

  /** Gives up a line, never the one that the hart fetches from, and asks the L1 for another in its place. */
  #request(hart: number, line: number, lookup: number): void {
    const first = hart * this.#lines;
    let place = this.#victim[hart];
    if (this.current[hart] !== none && this.#l0[first + place] === this.current[hart]) {
      place = (place + 1) % this.#lines;
    }
    this.#victim[hart] = (place + 1) % this.#lines;
    if (this.#l0[first + place] === this.predicted[hart]) this.predicted[hart] = none;
    this.#l0[first + place] = none;
    this.#fillLine[hart] = line;
    this.#fillPlace[hart] = place;
    this.#fillReady[hart] = Infinity;
    this.#lookupAt[hart] = lookup;
    this.requests |= 1 << hart;
  }

  /** Looks up one line in the L1 for one of the harts that ask. */
  arbitrate(cycle: number): void {
    let requests = 0;
    for (let rest = this.requests; rest !== 0; rest &= rest - 1) {
      const hart = lowestBit(rest);
      if (this.#lookupAt[hart] <= cycle) requests |= 1 << hart;
    }
    if (requests === 0) return;
    const hart = winner(requests, this.#pointer, this.#levels);
    const ready = this.#lookup(this.#fillLine[hart], cycle);
    // With all refills taken the lookup waits, and with it everybody.
    if (ready === Infinity) return;
    this.#pointer = nextPointer(requests, this.#pointer);
    this.requests &= ~(1 << hart);
    this.#fillReady[hart] = ready;
    this.onFill(hart, ready);
  }

  #lookup(line: number, cycle: number): number {
    let slot = none;
    for (let i = 0; i < refillSlots; i++) {
      if (this.#refillReady[i] <= cycle) slot = i;
      else if (this.#refillLine[i] === line) return Math.max(this.#refillReady[i], cycle + hitCycles);
    }
    const set = line % this.sets, first = set * this.#ways;
    for (let way = first; way < first + this.#ways; way++) {
      if (this.#l1[way] === line) return cycle + hitCycles;
    }
    if (slot === none) return Infinity;
    this.refills++;
    this.#l1[first + this.#nextWay[set]] = line;
    this.#nextWay[set] = (this.#nextWay[set] + 1) % this.#ways;
    this.#refillLine[slot] = line;
    this.#refillReady[slot] = cycle + refillCycles + this.#latency;
    return this.#refillReady[slot];
  }

  /** FENCE.I of a hart: its L0 and the L1 are emptied. */
  flush(hart: number): void {
    this.#l0.fill(none, hart * this.#lines, (hart + 1) * this.#lines);
    this.current[hart] = none;
    this.predicted[hart] = none;
    this.#l1.fill(none);
  }
}
