// How much longer code takes on the exact pipelines than its instructions cost on the tiers: what harts do to each
// other and what the instruction caches do, as a rate that is measured where the program is.

import { stretchBits } from "./hot_code.ts";

/** Estimated cycles that are remembered of a place: what was before counts half as much after these. */
const remembered = 2048;
/** What is so little off the estimate is as estimated: places are measured for a short time only. */
const noise = 0.03;
/** Times that it is worth measuring what is not known; some places are passed too seldom to be known ever. */
const attempts = 4;
/** Estimated cycles without which nothing is known of a place. */
const enough = 256;

/** What is known of one place. */
interface Seen {
  exact: number;
  estimated: number;
  /** Times that it was asked for and not known. */
  asked: number;
}

/** The pace of code: by where it is, by how many harts run beside, and by whether DMA or accelerator do. */
export class Pace {
  /** By stretch of code, then by what runs beside. */
  readonly #places = new Map<number, Seen[]>();
  /** What each hart has done since it met others, wherever it was. */
  readonly #harts: readonly Seen[];

  constructor(harts: number) {
    this.#harts = Array.from({ length: harts }, () => ({ exact: 0, estimated: 0, asked: 0 }));
  }

  /** A hart at `pc` has taken so many cycles where it was estimated at so many; `harts` were running. */
  note(hart: number, pc: number, harts: number, wide: boolean, exact: number, estimated: number): void {
    for (const seen of [this.#at(pc, harts, wide), this.#harts[hart]]) {
      seen.exact += exact;
      seen.estimated += estimated;
      if (seen.estimated <= remembered) continue;
      seen.exact /= 2;
      seen.estimated /= 2;
    }
  }

  /** Whether it is worth measuring a place that is not known; each time that it is asked makes it less. */
  isWanted(pc: number, harts: number, wide: boolean): boolean {
    const seen = this.#at(pc, harts, wide);
    return seen.estimated < enough && seen.asked++ < attempts;
  }

  /** Exact cycles for an estimated one at a place, or wherever the hart was of late; undefined if nothing is known. */
  of(hart: number, pc: number, harts: number, wide: boolean): number | undefined {
    const place = this.#at(pc, harts, wide), seen = place.estimated < enough ? this.#harts[hart] : place;
    if (seen.estimated < enough) return undefined;
    const pace = seen.exact / seen.estimated;
    return Math.abs(pace - 1) < noise ? 1 : pace;
  }

  /** Harts do other things from now on. */
  forgetHarts(): void {
    for (const seen of this.#harts) seen.exact = seen.estimated = 0;
  }

  #at(pc: number, harts: number, wide: boolean): Seen {
    const stretch = pc >>> stretchBits;
    let places = this.#places.get(stretch);
    if (!places) this.#places.set(stretch, places = []);
    return places[harts * 2 + (wide ? 1 : 0)] ??= { exact: 0, estimated: 0, asked: 0 };
  }
}
