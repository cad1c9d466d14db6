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

/** What is written of a region in front of the bodies. */
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

/** Regions as bytes: the length of a JSON list, the list, the bodies. */
export function packRegions(regions: readonly KeptRegion[]): Uint8Array {
  const entries: Entry[] = regions.map(({ made, ...rest }) => ({
    ...rest,
    hints: made.hints,
    bytes: made.body.length,
  }));
  const head = new TextEncoder().encode(JSON.stringify(entries));
  const bodies = regions.reduce((sum, { made }) => sum + made.body.length, 0);
  const bytes = new Uint8Array(4 + head.length + bodies);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 4);
  let at = 4 + head.length;
  for (const { made: { body } } of regions) {
    bytes.set(body, at);
    at += body.length;
  }
  return bytes;
}

/** The regions in such bytes, which have been found undamaged. */
export function unpackRegions(bytes: Uint8Array): KeptRegion[] {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  const entries: Entry[] = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let at = 4 + length;
  return entries.map(({ hints, bytes: size, ...rest }) => {
    const body = bytes.subarray(at, at + size);
    at += size;
    return { ...rest, made: { body, hints } };
  });
}
