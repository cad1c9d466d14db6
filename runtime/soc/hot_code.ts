// Which code is hot: where harts have spent so much time, looked at cycle by cycle, that its cost is known. Fast
// timing runs only such code on its tiers. What is hot depends on the program and on nothing else.

/** Code is told apart in stretches of this many bytes, as a power of two; no block of the tiers crosses one. */
export const stretchBits = 7;

/** Samples after which what code costs is worth knowing; an eighth of what makes code hot at first, if that is less. */
const worthKnowing = 32;

/** Heat of code, in samples: times that a hart was seen there. */
export class HotCode {
  readonly #heat = new Map<number, number>();
  readonly #known: number;

  /** @param enough samples that make code hot; may be set anew */
  constructor(public enough: number) {
    this.#known = Math.min(worthKnowing, enough / 8);
  }

  /** Whether the code at an address is hot. */
  isHot(pc: number): boolean {
    return (this.#heat.get(pc >>> stretchBits) ?? 0) >= this.enough;
  }

  /** Whether a hart was seen at an address often enough that it pays to know what the code there costs. */
  isKnown(pc: number): boolean {
    return (this.#heat.get(pc >>> stretchBits) ?? 0) >= this.#known;
  }

  /** A hart was seen at an address so many times. Returns whether what the code there costs is known from now on. */
  add(pc: number, samples: number): boolean {
    const stretch = pc >>> stretchBits, before = this.#heat.get(stretch) ?? 0;
    this.#heat.set(stretch, before + samples);
    return before < this.#known && before + samples >= this.#known;
  }
}
