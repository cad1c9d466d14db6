// Reservations under fast timing. Stores of the fast tiers go unnoticed; so what a reservation covers is compared, at
// the end of each stretch that its hart has run, with what is there when others have run.

import type { Reservations } from "./access.ts";
import type { Region } from "./memory_map.ts";

/** Bytes that a reservation covers (snitch-cluster.md, section 1.9). */
const rowBytes = 8;

interface Held {
  readonly region: Region;
  readonly row: number;
  low: number;
  high: number;
}

/** Watches over the reservations of one memory. */
export class KeptReservations implements Reservations {
  readonly #inner: Reservations;
  readonly #region: Region;
  readonly #held = new Map<number, Held>();

  constructor(inner: Reservations, region: Region) {
    this.#inner = inner;
    this.#region = region;
  }

  reserve(hart: number, offset: number): void {
    this.#inner.reserve(hart, offset);
    this.#watch(hart, offset - offset % rowBytes);
  }

  #watch(hart: number, row: number): void {
    const held = { region: this.#region, row, low: 0, high: 0 };
    this.#held.set(hart, held);
    this.#look(held);
  }

  claim(hart: number, offset: number): boolean {
    this.#held.delete(hart);
    return this.#inner.claim(hart, offset);
  }

  written(hart: number, offset: number, bytes: number): void {
    this.#inner.written(hart, offset, bytes);
  }

  held(): [hart: number, offset: number][] {
    return this.#inner.held();
  }

  /** Watches from now on over all that is held. */
  adopt(): void {
    this.#held.clear();
    for (const [hart, row] of this.#inner.held()) this.#watch(hart, row);
  }

  /** A hart has run: its own stores do it no harm. */
  leave(hart: number): void {
    const held = this.#held.size > 0 ? this.#held.get(hart) : undefined;
    if (held) this.#look(held);
  }

  /** A hart is about to run: ends the reservations whose memory others have changed. */
  enter(): void {
    if (this.#held.size === 0) return;
    for (const [hart, held] of this.#held) {
      const { low, high, row } = held;
      this.#look(held);
      if (low === held.low && high === held.high) continue;
      this.#inner.written(-1, row, rowBytes);
      this.#held.delete(hart);
    }
  }

  #look(held: Held): void {
    const { words } = held.region;
    held.low = words[held.row >>> 2];
    held.high = words[(held.row >>> 2) + 1];
  }
}
