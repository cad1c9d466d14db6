// The packer: nothing that is alive at once overlaps, and the result is near its lower bound.

import assert from "node:assert/strict";
import { type Block, pack } from "../src/schedule/memory.ts";

/** Deterministic pseudo-random integers below `limit`. */
function randomIntegers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
}

function overlapping(blocks: readonly Block[], offsets: ReadonlyMap<string, number>): string[] {
  return blocks.flatMap((a, i) =>
    blocks.slice(i + 1).filter((b) => {
      const sameTime = a.first <= b.last && b.first <= a.last;
      const [from, other] = [offsets.get(a.name)!, offsets.get(b.name)!];
      return sameTime && from < other + b.bytes && other < from + a.bytes;
    }).map((b) => `${a.name} and ${b.name}`)
  );
}

Deno.test("random blocks never overlap and stay near the lower bound", () => {
  const ratios: number[] = [];
  for (let seed = 1; seed <= 60; seed++) {
    const random = randomIntegers(seed);
    const blocks = Array.from({ length: 5 + random(40) }, (_, i): Block => {
      const first = random(30);
      return { name: `b${i}`, bytes: 1 + random(5000), first, last: first + random(6) };
    });
    const { offsets, bytes, lowerBound } = pack(blocks);
    assert.deepEqual(overlapping(blocks, offsets), []);
    assert.equal(Math.max(...blocks.map((b) => offsets.get(b.name)! + b.bytes)) <= bytes, true);
    assert.equal(lowerBound <= bytes, true);
    ratios.push(bytes / lowerBound);
  }
  const mean = ratios.reduce((a, b) => a + b) / ratios.length;
  assert.equal(mean < 1.05, true, `mean ${mean} of the lower bound`);
});

Deno.test("a chain of layers is packed at the lower bound", () => {
  const blocks = Array.from({ length: 20 }, (_, i): Block => ({
    name: `t${i}`,
    bytes: i % 2 ? 4096 : 1000,
    first: i,
    last: i + 1,
  }));
  const { bytes, lowerBound } = pack(blocks);
  assert.equal(lowerBound, 4096 + 1024);
  assert.equal(bytes, lowerBound);
});

Deno.test("no blocks take no bytes, blocks without bytes have a place", () => {
  assert.equal(pack([]).bytes, 0);
  const { bytes, offsets } = pack([{ name: "empty", bytes: 0, first: 0, last: 3 }]);
  assert.equal(bytes, 0);
  assert.equal(offsets.get("empty"), 0);
});
