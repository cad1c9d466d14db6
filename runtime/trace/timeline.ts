// A timeline: spans of time on tracks, in cycles, kept in memory in a bounded number.

/** Facts about a span. */
export type Details = Readonly<Record<string, string | number | boolean>>;

/** A track, such as a hart. */
export interface Track {
  readonly name: string;
}

/** A span of time on a track; spans of a track are apart or one in another. */
export interface Span {
  readonly track: number;
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly details?: Details;
}

/** Spans that a timeline holds by default; as a file about 70 MB. */
export const defaultSpanLimit = 1_000_000;

/** Spans and their tracks. */
export class Timeline {
  readonly tracks: Track[] = [];
  /** Cycle from which nothing is recorded any more, since the timeline is full. */
  cutAt: number | undefined;
  /** Is called when the timeline is full: the last chance to record what is under way. */
  onFull: () => void = () => {};

  readonly #limit: number;
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #details = new Map<number, Details>();
  /** Start, end, track and number of the name of each span. */
  #start = new Float64Array(1024);
  #end = new Float64Array(1024);
  #track = new Uint16Array(1024);
  #name = new Uint32Array(1024);
  #count = 0;
  #closed = false;

  /** @param limit spans at most, but for those under way when it is reached */
  constructor(limit: number = defaultSpanLimit) {
    this.#limit = limit;
  }

  /** Number of spans. */
  get count(): number {
    return this.#count;
  }

  /** Adds a track; returns its number. */
  addTrack(name: string): number {
    return this.tracks.push({ name }) - 1;
  }

  /** Number of a name, for {@link add}. */
  nameNumber(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) this.#numbers.set(name, number = this.#names.push(name) - 1);
    return number;
  }

  /**
   * Records a span, unless the timeline is full.
   *
   * @param name number from {@link nameNumber}
   */
  add(track: number, name: number, start: number, end: number, details?: Details): void {
    if (this.#closed) return;
    if (this.#count === this.#start.length) this.#grow();
    const i = this.#count++;
    this.#start[i] = start;
    this.#end[i] = end;
    this.#track[i] = track;
    this.#name[i] = name;
    if (details) this.#details.set(i, details);
    if (this.#count < this.#limit || this.cutAt !== undefined) return;
    this.cutAt = end;
    this.onFull();
    this.#closed = true;
  }

  #grow(): void {
    const size = this.#count * 2;
    const larger = <T extends Float64Array | Uint16Array | Uint32Array>(made: T, old: T): T => {
      made.set(old);
      return made;
    };
    this.#start = larger(new Float64Array(size), this.#start);
    this.#end = larger(new Float64Array(size), this.#end);
    this.#track = larger(new Uint16Array(size), this.#track);
    this.#name = larger(new Uint32Array(size), this.#name);
  }

  /** All spans by track; in each by start, the enclosing one before the enclosed. */
  *spans(): Generator<Span> {
    const order = Uint32Array.from({ length: this.#count }, (_, i) => i).sort((a, b) =>
      this.#track[a] - this.#track[b] || this.#start[a] - this.#start[b] || this.#end[b] - this.#end[a] ||
      b - a
    );
    for (const i of order) {
      const details = this.#details.get(i);
      yield {
        track: this.#track[i],
        name: this.#names[this.#name[i]],
        start: this.#start[i],
        end: this.#end[i],
        ...(details ? { details } : {}),
      };
    }
  }
}
