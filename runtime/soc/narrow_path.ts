// The harts' way out of the cluster: peripheral registers and the outside memory behind one narrow port that
// takes one request a cycle (snitch-cluster.md, sections 2.4 and 8, rules 2 and 9).

import { instructions } from "../hart/instructions.ts";
import type { LoadStoreUnits } from "../hart/load_store.ts";
import type { MemoryAccess, Reservations } from "./access.ts";
import { lowestBit, nextPointer, winner } from "./arbiter.ts";

/** From a grant to the answer at the hart. */
const memoryCycles = { read: 9, write: 10, atomic: 15 } as const;
const registerCycles = { read: 6, write: 7 } as const;
/** Cycles that an access keeps one of the memory's places. */
const placeCycles = { read: 9, write: 10 } as const;
/** A load behind a store is granted this long before the store's acknowledge at the earliest. */
const loadBeforeAcknowledge = 1;
/** Reads, and writes, that the memory holds at a time. */
const places = 2;

const isStore = instructions.map(({ latency }) => latency === "store");
const isRead = instructions.map(({ meaning }) => meaning.kind === "load" || meaning.kind === "reserve");

/** Reservations in the outside memory: one a hart, of a word of eight bytes. */
class OutsideReservations implements Reservations {
  readonly #row: Int32Array;
  #held = 0;

  constructor(harts: number) {
    this.#row = new Int32Array(harts).fill(-1);
  }

  reserve(hart: number, offset: number): void {
    if (this.#row[hart] === -1) this.#held++;
    this.#row[hart] = offset >>> 3;
  }

  claim(hart: number, offset: number): boolean {
    const holds = this.#row[hart] === offset >>> 3;
    if (this.#row[hart] !== -1) this.#held--;
    this.#row[hart] = -1;
    return holds;
  }

  held(): [hart: number, offset: number][] {
    return [...this.#row].flatMap((row, hart): [number, number][] => row === -1 ? [] : [[hart, row << 3]]);
  }

  written(hart: number, offset: number, bytes: number): void {
    if (this.#held === 0) return;
    const first = offset >>> 3, last = (offset + bytes - 1) >>> 3;
    for (let other = 0; other < this.#row.length; other++) {
      if (other !== hart && this.#row[other] >= first && this.#row[other] <= last) {
        this.#row[other] = -1;
        this.#held--;
      }
    }
  }
}

/** The path and its arbiter. */
export class NarrowPath {
  readonly reservations: Reservations;
  /** Accesses to the outside memory that were granted. */
  accesses = 0;
  readonly #reads = new Float64Array(places);
  readonly #writes = new Float64Array(places);
  readonly #levels: number;
  #pointer = 0;
  readonly #loadStore: LoadStoreUnits;
  readonly #access: MemoryAccess;
  readonly #granted: (hart: number, cycle: number, ready: number) => void;

  constructor(
    harts: number,
    loadStore: LoadStoreUnits,
    access: MemoryAccess,
    granted: (hart: number, cycle: number, ready: number) => void,
  ) {
    this.reservations = new OutsideReservations(harts);
    this.#levels = Math.max(4, Math.ceil(Math.log2(harts)));
    this.#loadStore = loadStore;
    this.#access = access;
    this.#granted = granted;
  }

  /** Grants one request of a cycle. */
  arbitrate(cycle: number): void {
    const loadStore = this.#loadStore, { instruction, loadsFrom } = loadStore;
    let requests = 0;
    for (let rest = loadStore.outsideRequests & ~loadStore.fresh; rest !== 0; rest &= rest - 1) {
      const hart = lowestBit(rest), place = this.#loadStore.oldest(hart);
      if (
        (loadStore.holding >>> hart & 1) === 1 && loadsFrom[hart] > cycle && !isStore[instruction[place]]
      ) continue;
      requests |= 1 << hart;
    }
    if (requests === 0) return;
    const hart = winner(requests, this.#pointer, this.#levels);
    const place = this.#loadStore.oldest(hart);
    const index = instruction[place], { outside, latency } = loadStore.oldestRegion(hart);
    const read = isRead[index], store = isStore[index];
    let ready = cycle + (read ? registerCycles.read : registerCycles.write);
    if (outside) {
      const held = read ? this.#reads : this.#writes;
      const free = held[0] <= held[1] ? 0 : 1;
      if (held[free] > cycle) return;
      const answer = read ? memoryCycles.read : store ? memoryCycles.write : memoryCycles.atomic;
      held[free] = cycle + latency +
        (read ? placeCycles.read : store ? placeCycles.write : memoryCycles.atomic);
      ready = cycle + answer + latency;
      this.accesses++;
    }
    if (store) loadStore.holdLoads(hart, ready - loadBeforeAcknowledge);
    this.#pointer = nextPointer(requests, this.#pointer);
    this.#access.perform(hart, cycle, this.reservations);
    this.#loadStore.grant(hart, ready);
    this.#granted(hart, cycle, ready);
  }
}
