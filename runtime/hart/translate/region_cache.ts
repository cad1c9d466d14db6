// What is kept of an image between runs: its translated regions, when one may be used again, and all as bytes.

import type { BranchHint, FinishedFunction } from "../../wasm/function.ts";
import type { Span } from "./spans.ts";

/** A translated region and what it was translated from. */
export interface KeptRegion {
  /** Address of its root. */
  readonly root: number;
  readonly made: FinishedFunction;
  /** The code that it holds, in ascending order. */
  readonly spans: readonly Span[];
  /** The code that decides what it does and what it costs: that, and code around it. */
  readonly reads: readonly Span[];
  /** Hash of the latter. */
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

/** Regions that were kept together: each of them, and the module that holds all, exported as `f0`, `f1` … */
export interface KeptRegions {
  readonly regions: readonly KeptRegion[];
  readonly module: Uint8Array;
}

/** What is kept of an image. */
export interface Kept extends KeptRegions {
  /** See kept_blocks.ts. */
  readonly blocks: Int32Array;
}

const headBytes = 8;

/** All as bytes: how long the list of regions and the blocks are, the list as JSON, the blocks, the module. */
export function pack({ regions, blocks, module }: Kept): Uint8Array {
  const entries: Entry[] = regions.map(({ made, ...rest }) => ({
    ...rest,
    hints: made.hints,
    bytes: made.body.length,
  }));
  const json = JSON.stringify(entries);
  const list = new TextEncoder().encode(json + " ".repeat(-json.length & 3));
  const bytes = new Uint8Array(headBytes + list.length + blocks.byteLength + module.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, list.length, true);
  view.setUint32(4, blocks.byteLength, true);
  bytes.set(list, headBytes);
  bytes.set(new Uint8Array(blocks.buffer, blocks.byteOffset, blocks.byteLength), headBytes + list.length);
  bytes.set(module, headBytes + list.length + blocks.byteLength);
  return bytes;
}

/** What is in such bytes, which have been found undamaged and begin at a multiple of 4. */
export function unpack(bytes: Uint8Array): Kept {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const listEnd = headBytes + view.getUint32(0, true), blocksEnd = listEnd + view.getUint32(4, true);
  const entries: Entry[] = JSON.parse(new TextDecoder().decode(bytes.subarray(headBytes, listEnd)));
  const module = bytes.subarray(blocksEnd);
  // The bodies end the module, each behind its length.
  let end = module.length;
  const regions = entries.toReversed().map(({ hints, bytes: size, ...rest }) => {
    const start = end - size, body = module.subarray(start, end);
    end = start - lengthOfUnsigned(size);
    return { ...rest, made: { body, hints } };
  });
  const blocks = new Int32Array(bytes.buffer, bytes.byteOffset + listEnd, (blocksEnd - listEnd) >>> 2);
  return { regions: regions.reverse(), blocks, module };
}

/** Bytes of an unsigned LEB128 number. */
function lengthOfUnsigned(value: number): number {
  return Math.max(1, Math.ceil((32 - Math.clz32(value)) / 7));
}
