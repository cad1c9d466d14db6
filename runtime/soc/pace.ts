// How much longer code takes on the exact pipelines than its instructions cost on the tiers: what harts do to each
// other and what the instruction caches do, as a rate that is measured where the program is.

/** Code is told apart in stretches of this many bytes, as a power of two: small loops may be close together. */
export const paceBits = 6;

/** What is so little off the estimate is as estimated: places are measured for a short time only. */
const noise = 0.03;
/** Times that it is worth measuring what is not known; some places are passed too seldom to be known ever. */
const attempts = 4;
/** Cycles for which what was known before a look counts in it. */
const trust = 2048;
/** Cycles of a look that makes all others before it forgotten. */
const long = 8192;
/** No code is held up more than that: who shows it was seen while it did next to nothing. */
const slowest = 64;
/** Cycles without which nothing is known of a place. */
const enough = 256;

/** Cycles, and how many were estimated for the same instructions. */
interface Taken {
  exact: number;
  estimated: number;
}

/** What is known of one place: in the look at hand, and in the one before, which counts until this one has told. */
interface Seen extends Taken {
  readonly before: Taken;
  /** The look to which that belongs. */
  look: number;
  /** Whether it was measured on harts that were in step. */
  firm: boolean;
  /** Times that it was asked for and not known. */
  asked: number;
}

const none: Readonly<Taken> = { exact: 0, estimated: 0 };

const nothing = (): Seen => ({
  exact: 0,
  estimated: 0,
  before: { exact: 0, estimated: 0 },
  look: 0,
  firm: false,
  asked: 0,
});

/** The pace of code: by where it is, by how many harts run beside, and by whether DMA or accelerator do. */
export class Pace {
  /** By stretch of code, then by what runs beside. */
  readonly #places = new Map<number, Seen[]>();
  /** What each hart has done since it met others, wherever it was. */
  readonly #harts: readonly Seen[];
  #look = 0;
  /** Looks before this one count no more. */
  #forgotten = 0;
  /** Sums under way: this runs often, so it allocates nothing. */
  readonly #shown: Taken = { exact: 0, estimated: 0 };
  readonly #before: Taken = { exact: 0, estimated: 0 };

  constructor(harts: number) {
    this.#harts = Array.from({ length: harts }, nothing);
  }

  /**
   * Harts may do something else from now on, or the same at another pace.
   *
   * @param forget it is something else: what was known says nothing any more
   */
  beginLook(forget: boolean): void {
    this.#look++;
    if (forget) this.#forgotten = this.#look;
  }

  /** Harts have met: what each has done wherever it was says nothing of what it does next. */
  forgetHarts(): void {
    for (const seen of this.#harts) Object.assign(seen, none);
  }

  /**
   * A hart at `pc` has taken so many cycles where it was estimated at so many.
   *
   * @param harts how many were running; `wide`: whether a device took banks; `inStep`: whether they were as they met
   */
  note(
    hart: number,
    pc: number,
    harts: number,
    wide: boolean,
    inStep: boolean,
    exact: number,
    estimated: number,
  ): void {
    this.#add(this.#at(pc, harts, wide), inStep, exact, estimated);
    this.#add(this.#harts[hart], inStep, exact, estimated);
  }

  #add(seen: Seen, inStep: boolean, exact: number, estimated: number): void {
    if (seen.look !== this.#look) this.#renew(seen, inStep);
    if (seen.firm && !inStep) return;
    seen.exact += exact;
    seen.estimated += estimated;
  }

  /** A look begins at a place: what the last one has shown joins what was known, or takes its place if it was long. */
  #renew(seen: Seen, inStep: boolean): void {
    const { before, exact } = seen;
    if (this.#forgotten > seen.look) Object.assign(before, none);
    else {
      const kept = exact >= long ? 0 : Math.min(1, long / (before.exact + exact));
      before.exact *= kept;
      before.estimated *= kept;
      add(before, seen);
    }
    Object.assign(seen, none, { look: this.#look, firm: inStep });
  }

  /** Whether it is worth measuring a place that is not known; each time that it is asked makes it less. */
  isWanted(pc: number, harts: number, wide: boolean): boolean {
    const seen = this.#at(pc, harts, wide);
    return seen.exact < enough && seen.before.exact === 0 && seen.asked++ < attempts;
  }

  /** Exact cycles for an estimated one at a place, or wherever the hart was of late; undefined if nothing is known. */
  of(hart: number, pc: number, harts: number, wide: boolean): number | undefined {
    const own = this.#harts[hart], place = this.#at(pc, harts, wide);
    const pace = this.#around(pc, harts, wide) ??
      (own.look === this.#look ? paceOf(own, none) : undefined) ??
      paceOf(place, place.before) ?? paceOf(place.before, none);
    return pace !== undefined && Math.abs(pace - 1) < noise ? 1 : pace;
  }

  /**
   * What this look has shown of a place and those beside it: in a loop that lies across two, those who are seen in one
   * of them are seen at what takes long there, and only both together tell.
   */
  #around(pc: number, harts: number, wide: boolean): number | undefined {
    const shown = this.#shown, before = this.#before;
    Object.assign(shown, none);
    Object.assign(before, none);
    for (let place = -1; place <= 1; place++) {
      const seen = this.#at(pc + place * 2 ** paceBits, harts, wide);
      if (seen.look === this.#look) {
        add(shown, seen);
        add(before, seen.before);
      } else if (place === 0) add(before, seen.exact < enough ? seen.before : seen);
    }
    return paceOf(shown, before);
  }

  #at(pc: number, harts: number, wide: boolean): Seen {
    const stretch = pc >>> paceBits;
    let places = this.#places.get(stretch);
    if (!places) this.#places.set(stretch, places = []);
    return places[harts * 2 + (wide ? 1 : 0)] ??= nothing();
  }
}

function add(sum: Taken, { exact, estimated }: Taken): void {
  sum.exact += exact;
  sum.estimated += estimated;
}

/** What a look has shown; a short one, which may have seen how harts set out, tells less than those before. */
function paceOf(shown: Readonly<Taken>, before: Readonly<Taken>): number | undefined {
  const { exact, estimated } = shown;
  if (exact < enough || estimated === 0) return undefined;
  const pace = before.estimated === 0
    ? exact / estimated
    : (exact + trust) / (estimated + trust * before.estimated / before.exact);
  return Math.min(pace, slowest);
}
