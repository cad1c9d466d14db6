// Which code is hot: where harts have spent so much time, looked at cycle by cycle, that its cost is known. Fast
// timing runs only such code on its tiers. What is hot depends on the program and on nothing else.

/** Code is told apart in stretches of this many bytes, as a power of two; no block of the tiers crosses one. */
export const stretchBits = 7;

/** Part of the way to being hot on which what code costs is worth knowing. */
const known = 8;

/** Heat of code, in samples: times that a hart was seen there. */
export class HotCode {
  readonly #heat = new Map<number, number>();
  readonly #enough: number;

  /** @param enough samples that make code hot */
  constructor(enough: number) {
    this.#enough = enough;
  }

  /** Whether the code at an address is hot. */
  isHot(pc: number): boolean {
    return (this.#heat.get(pc >>> stretchBits) ?? 0) >= this.#enough;
  }

  /** Whether a hart was seen at an address often enough that it pays to know what the code there costs. */
  isKnown(pc: number): boolean {
    return (this.#heat.get(pc >>> stretchBits) ?? 0) >= this.#enough / known;
  }

  /** A hart was seen at an address so many times. Returns whether what the code there costs is known from now on. */
  add(pc: number, samples: number): boolean {
    const stretch = pc >>> stretchBits, before = this.#heat.get(stretch) ?? 0;
    this.#heat.set(stretch, before + samples);
    return before < this.#enough / known && before + samples >= this.#enough / known;
  }
}
