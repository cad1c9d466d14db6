// Blocks between runs: their interpreted form with the code that it was made from. A block is made of its own words and
// of those around it, on which its costs depend (cost.ts); where all are what they were, the form is, too.

import type { Span } from "./spans.ts";

/** The code that was read to make a block: where it is, in ascending order, and its words as they were then. */
export interface Origin {
  readonly reads: readonly Span[];
  readonly words: Int32Array;
}

/** A block as it is kept. */
export interface KeptBlock extends Origin {
  readonly start: number;
  /** Header and steps as memory 1 has them. */
  readonly form: Int32Array;
}

/** Words in front of a block's spans: start, number of spans, words of its form. */
const headWords = 3;
/** Most that is kept of an image, in words: some thousands of blocks. */
const mostWords = 1 << 18;

/** Blocks by start. They are taken from their packed form one by one, when they are asked for. */
export class KeptBlocks {
  readonly #packed: Int32Array;
  /** Where each block begins. */
  readonly #places = new Map<number, number>();

  /** @param packed as `packBlocks` makes it, undamaged */
  constructor(packed: Int32Array) {
    this.#packed = packed;
    for (let at = 0; at < packed.length;) {
      this.#places.set(packed[at] >>> 0, at);
      at += this.#wordsOf(at);
    }
  }

  get(start: number): KeptBlock | undefined {
    const at = this.#places.get(start);
    return at === undefined ? undefined : this.#unpack(at);
  }

  *all(): Generator<KeptBlock> {
    for (const at of this.#places.values()) yield this.#unpack(at);
  }

  #wordsOf(at: number): number {
    const packed = this.#packed, spans = packed[at + 1];
    let words = headWords + 2 * spans + packed[at + 2];
    for (let i = 0; i < spans; i++) words += packed[at + headWords + 2 * i + 1] >>> 2;
    return words;
  }

  #unpack(at: number): KeptBlock {
    const packed = this.#packed, spans = packed[at + 1], form = packed[at + 2], end = at + this.#wordsOf(at);
    const reads = Array.from({ length: spans }, (_, i): Span => {
      const span = at + headWords + 2 * i;
      return [packed[span] >>> 0, packed[span + 1]];
    });
    return {
      start: packed[at] >>> 0,
      reads,
      words: packed.subarray(at + headWords + 2 * spans, end - form),
      form: packed.subarray(end - form, end),
    };
  }
}

/** Blocks one behind the other, as many as are worth it. */
export function packBlocks(blocks: Iterable<KeptBlock>): Int32Array {
  const parts: Int32Array[] = [];
  let length = 0;
  for (const { start, reads, words, form } of blocks) {
    const part = Int32Array.of(start, reads.length, form.length, ...reads.flat(), ...words, ...form);
    if (length + part.length > mostWords) break;
    parts.push(part);
    length += part.length;
  }
  const packed = new Int32Array(length);
  let at = 0;
  for (const part of parts) {
    packed.set(part, at);
    at += part.length;
  }
  return packed;
}
