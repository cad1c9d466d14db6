// Translated regions between runs: what is kept of one, when it may be used again, and its form as bytes.

import type { BranchHint, FinishedFunction } from "../../wasm/function.ts";

/** A stretch of code: address, and bytes. */
export type Span = readonly [start: number, bytes: number];

/** A translated region and what it was translated from. */
export interface KeptRegion {
  /** Address of its root. */
  readonly root: number;
  readonly made: FinishedFunction;
  /** The code that it holds, in ascending order. */
  readonly spans: readonly Span[];
  /** Hash of that code. */
  readonly code: string;
  /** For each window, the address from which on no line was guarded when its stores were bounded. */
  readonly free: readonly number[];
  readonly instructions: number;
}

/** What is written of a region in front of the module that holds all. */
interface Entry extends Omit<KeptRegion, "made"> {
  readonly hints: readonly BranchHint[];
  readonly bytes: number;
}

/** Joins the spans of a region's code: sorted, without overlaps. */
export function joinSpans(spans: readonly Span[]): Span[] {
  const joined: [number, number][] = [];
  for (const [start, bytes] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = joined[joined.length - 1];
    if (last && start <= last[0] + last[1]) last[1] = Math.max(last[1], start + bytes - last[0]);
    else joined.push([start, bytes]);
  }
  return joined;
}

/** Whether a span of memory touches any of the spans. */
export function touches(spans: readonly Span[], address: number, bytes: number): boolean {
  return spans.some(([start, length]) => start < address + bytes && address < start + length);
}

/** Regions that were kept together: each of them, and the module that holds all, exported as `f0`, `f1` … */
export interface KeptRegions {
  readonly regions: readonly KeptRegion[];
  readonly module: Uint8Array;
}

/** Regions as bytes: the length of a JSON list, the list, the module. */
export function packRegions({ regions, module }: KeptRegions): Uint8Array {
  const entries: Entry[] = regions.map(({ made, ...rest }) => ({
    ...rest,
    hints: made.hints,
    bytes: made.body.length,
  }));
  const head = new TextEncoder().encode(JSON.stringify(entries));
  const bytes = new Uint8Array(4 + head.length + module.length);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 4);
  bytes.set(module, 4 + head.length);
  return bytes;
}

/** The regions in such bytes, which have been found undamaged. */
export function unpackRegions(bytes: Uint8Array): KeptRegions {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  const entries: Entry[] = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const module = bytes.subarray(4 + length);
  // The bodies end the module, each behind its length.
  let end = module.length;
  const regions = entries.toReversed().map(({ hints, bytes: size, ...rest }) => {
    const start = end - size, body = module.subarray(start, end);
    end = start - lengthOfUnsigned(size);
    return { ...rest, made: { body, hints } };
  });
  return { regions: regions.reverse(), module };
}

/** Bytes of an unsigned LEB128 number. */
function lengthOfUnsigned(value: number): number {
  return Math.max(1, Math.ceil((32 - Math.clz32(value)) / 7));
}
