// Packs intervals into memory: each block needs its bytes from its first to its last layer, and blocks that are
// alive at once must not share a byte.

import { aligned } from "./budget.ts";

/** Something that needs a place for a while. */
export interface Block {
  readonly name: string;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Where the blocks lie. */
export interface Packing {
  /** Offset of each block, by name. */
  readonly offsets: ReadonlyMap<string, number>;
  /** End of the highest block. */
  readonly bytes: number;
  /** Most bytes alive at once: no packing can be smaller. */
  readonly lowerBound: number;
}

/**
 * Packs blocks by best fit, in several orders, and keeps the smallest result. Deterministic: ties go by name.
 * Sizes count in whole beats (see `aligned`), for the lower bound too.
 */
export function pack(blocks: readonly Block[]): Packing {
  const lowerBound = mostAlive(blocks);
  let best: { offsets: Map<string, number>; bytes: number } | undefined;
  for (const order of orders) {
    const sorted = [...blocks].sort((a, b) =>
      order(b) - order(a) || a.first - b.first || compare(a.name, b.name)
    );
    const result = packInOrder(sorted);
    if (!best || result.bytes < best.bytes) best = result;
    if (best.bytes === lowerBound) break;
  }
  return { ...best!, lowerBound };
}

const duration = (block: Block) => block.last - block.first + 1;
const orders: readonly ((block: Block) => number)[] = [
  (block) => block.bytes,
  (block) => block.bytes * duration(block),
  (block) => duration(block),
  (block) => -block.first,
  (block) => block.last,
];

function packInOrder(blocks: readonly Block[]): { offsets: Map<string, number>; bytes: number } {
  const placed: { block: Block; offset: number; end: number }[] = []; // by offset
  const offsets = new Map<string, number>();
  let bytes = 0;
  for (const block of blocks) {
    const size = aligned(block.bytes);
    let best = { offset: -1, gap: Infinity };
    let end = 0;
    for (const other of placed) {
      if (other.block.last < block.first || block.last < other.block.first) continue;
      const gap = other.offset - end;
      if (gap >= size && gap < best.gap) best = { offset: end, gap };
      end = Math.max(end, other.end);
    }
    const offset = best.offset >= 0 ? best.offset : end;
    offsets.set(block.name, offset);
    const at = placed.findIndex((other) => other.offset > offset);
    placed.splice(at < 0 ? placed.length : at, 0, { block, offset, end: offset + size });
    bytes = Math.max(bytes, offset + size);
  }
  return { offsets, bytes };
}

function mostAlive(blocks: readonly Block[]): number {
  const changes = new Map<number, number>();
  for (const block of blocks) {
    changes.set(block.first, (changes.get(block.first) ?? 0) + aligned(block.bytes));
    changes.set(block.last + 1, (changes.get(block.last + 1) ?? 0) - aligned(block.bytes));
  }
  let alive = 0;
  let most = 0;
  for (const [, change] of [...changes].sort(([a], [b]) => a - b)) {
    alive += change;
    most = Math.max(most, alive);
  }
  return most;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
