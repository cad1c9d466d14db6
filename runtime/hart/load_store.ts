// The load/store units of all harts: a two-entry request register towards the memories and a queue of
// outstanding accesses that are answered in order (snitch-cluster.md, sections 2.1, 2.4 and 8, rules 4 and 9).

import type { Region } from "../soc/memory_map.ts";

/** Places in a hart's queue of outstanding accesses; a power of two, not less than the target's limit. */
const queueSize = 16;

/** Entry of the queue that is a store: it writes no register. */
export const noRegister = 255;

/** Requests and outstanding accesses, by hart. Times are cycles; Infinity where the grant is still to come. */
export class LoadStoreUnits {
  /** Harts whose oldest request goes to the TCDM, and to the outside, as masks. */
  tcdmRequests = 0;
  outsideRequests = 0;
  /** Harts whose oldest request was issued in this cycle, and so cannot be granted in it. */
  fresh = 0;
  /** Harts with a store to the outside that has held up loads; when that ends is in {@link loadsFrom}. */
  holding = 0;
  /** First cycle in which a load may be granted behind a store to the outside. */
  readonly loadsFrom: Float64Array;

  /** Requests in the register, and which of its two places is the older. */
  readonly queued: Uint8Array;
  readonly #oldest: Uint8Array;
  /** The request in place `2 * hart + i`: instruction, register, offset in its region, value, region. */
  readonly instruction: Uint8Array;
  readonly register: Uint8Array;
  readonly offset: Int32Array;
  readonly value: Int32Array;
  readonly region: Uint8Array;

  /** Accesses that are not finished, and loads among them. */
  readonly outstanding: Uint8Array;
  readonly loads: Uint8Array;
  readonly #head: Uint8Array;
  readonly #granted: Uint8Array;
  readonly #ready: Float64Array;
  readonly #target: Uint8Array;
  /** Cycle in which the last access was finished: one a cycle. */
  readonly #finished: Float64Array;
  /** Regions by their index. */
  readonly #regions: readonly Region[];

  /** @param regions all regions, which may become more */
  constructor(harts: number, regions: readonly Region[]) {
    this.#regions = regions;
    this.queued = new Uint8Array(harts);
    this.#oldest = new Uint8Array(harts);
    this.instruction = new Uint8Array(harts * 2);
    this.register = new Uint8Array(harts * 2);
    this.offset = new Int32Array(harts * 2);
    this.value = new Int32Array(harts * 2);
    this.region = new Uint8Array(harts * 2);
    this.outstanding = new Uint8Array(harts);
    this.loads = new Uint8Array(harts);
    this.#head = new Uint8Array(harts);
    this.#granted = new Uint8Array(harts);
    this.#ready = new Float64Array(harts * queueSize);
    this.#target = new Uint8Array(harts * queueSize);
    this.#finished = new Float64Array(harts).fill(-1);
    this.loadsFrom = new Float64Array(harts);
  }

  /** Puts a request into the register; there must be room. `register` is {@link noRegister} for stores. */
  issue(
    hart: number,
    instruction: number,
    register: number,
    address: number,
    value: number,
    region: Region,
  ): void {
    const place = hart * 2 + ((this.#oldest[hart] + this.queued[hart]) & 1);
    this.instruction[place] = instruction;
    this.register[place] = register;
    this.offset[place] = address - region.base;
    this.value[place] = value;
    this.region[place] = region.index;
    if (this.queued[hart]++ === 0) {
      if (region.isTcdm) this.tcdmRequests |= 1 << hart;
      else this.outsideRequests |= 1 << hart;
      this.fresh |= 1 << hart;
    }
    const entry = hart * queueSize + ((this.#head[hart] + this.outstanding[hart]) & (queueSize - 1));
    this.#ready[entry] = Infinity;
    this.#target[entry] = register;
    this.outstanding[hart]++;
    if (register !== noRegister) this.loads[hart]++;
  }

  /** Place of a hart's oldest request. */
  oldest(hart: number): number {
    return hart * 2 + this.#oldest[hart];
  }

  /** Region of a hart's oldest request. */
  oldestRegion(hart: number): Region {
    return this.#regions[this.region[this.oldest(hart)]];
  }

  /** Takes a hart's oldest request out of the register; its answer is there in cycle `ready`. */
  grant(hart: number, ready: number): void {
    const bit = 1 << hart;
    this.tcdmRequests &= ~bit;
    this.outsideRequests &= ~bit;
    this.#oldest[hart] ^= 1;
    if (--this.queued[hart] > 0) {
      if (this.oldestRegion(hart).isTcdm) this.tcdmRequests |= bit;
      else this.outsideRequests |= bit;
    }
    const entry = hart * queueSize + ((this.#head[hart] + this.#granted[hart]) & (queueSize - 1));
    this.#ready[entry] = ready;
    this.#granted[hart]++;
  }

  /** Loads of a hart are not granted before a cycle. */
  holdLoads(hart: number, until: number): void {
    this.holding |= 1 << hart;
    this.loadsFrom[hart] = until;
  }

  /** Cycle from which a hart's oldest access can finish; Infinity if there is none or it is not granted. */
  nextReady(hart: number): number {
    if (this.#granted[hart] === 0) return Infinity;
    const ready = this.#ready[hart * queueSize + this.#head[hart]];
    const free = this.#finished[hart] + 1;
    return ready > free ? ready : free;
  }

  /** Register that the oldest access writes, or {@link noRegister}. */
  nextRegister(hart: number): number {
    return this.#target[hart * queueSize + this.#head[hart]];
  }

  /** Finishes a hart's oldest access. */
  finish(hart: number, cycle: number): void {
    if (this.#target[hart * queueSize + this.#head[hart]] !== noRegister) this.loads[hart]--;
    this.#head[hart] = (this.#head[hart] + 1) & (queueSize - 1);
    this.#granted[hart]--;
    this.outstanding[hart]--;
    this.#finished[hart] = cycle;
  }
}
