// RequantizedAttention: worked out by hand, and the interval that it promises.

import assert from "node:assert/strict";
import { operatorNamed } from "../src/operators/registry.ts";
import { apply, input, randomIntegers } from "./operators.ts";

const requant = (shift: number, mul = [1], add = [0]) => ({
  mul,
  add,
  shift: [shift],
  signed: true,
  levels: 256,
});
const softmax = { shift: 0, fullScale: 255, levels: 256, groupWidth: 16 };
const together = { query: false, key: false, output: false };
const int8 = { min: -128, max: 127 };

Deno.test("one query, two keys, by hand", () => {
  // Logits 2 and 1: terms 256 and 128, inverse 65280 / 384 = 170, probabilities 170 and 85.
  // 170 · 10 + 85 · -6 = 1190; (1190 + 8) >> 4 = 74.
  const { values, shape } = apply("RequantizedAttention", [
    input([1, 1, 1], [1]),
    input([1, 2, 1], [2, 1]),
    input([1, 1, 1, 2], [10, -6]),
  ], { heads: 1, split: together, softmax, logits: requant(0), output: requant(4) });
  assert.deepEqual([values, shape], [[74], [1, 1, 1]]);
});

Deno.test("heads side by side, apart, and with constants of their own", () => {
  // Head 0 as above. Head 1: logits 2·3 - 1 = 5 and 0 - 1 = -1; terms 256 and 4, inverse 65280 / 260 = 251,
  // probabilities 251 and 3; 251 · 7 + 3 · 100 = 2057; ((2057 · 2) + 8) >> 4 = 257, clipped.
  const attributes = {
    heads: 2,
    softmax,
    logits: requant(0, [1, 1], [0, -1]),
    output: requant(4, [1, 2], [0, 0]),
  };
  const values = input([1, 2, 1, 2], [10, -6, 7, 100]);
  const packed = apply("RequantizedAttention", [
    input([1, 1, 2], [1, 2]),
    input([1, 2, 2], [2, 3, 1, 0]),
    values,
  ], { ...attributes, split: together });
  assert.deepEqual([packed.values, packed.shape], [[74, 127], [1, 1, 2]]);
  const split = apply("RequantizedAttention", [
    input([1, 2, 1, 1], [1, 2]),
    input([1, 2, 2, 1], [2, 1, 3, 0]),
    values,
  ], { ...attributes, split: { query: true, key: true, output: true } });
  assert.deepEqual([split.values, split.shape], [[74, 127], [1, 2, 1, 1]]);
});

Deno.test("probabilities never add up to more than the interval allows", () => {
  for (const [shift, groupWidth] of [[0, 16], [0, 0], [5, 0], [5, 16]]) {
    for (let seed = 1; seed <= 60; seed++) {
      const keys = 1 + (seed * 7) % 90;
      // All values 127: the sum of the probabilities is what is tested. `apply` compares with the interval.
      const { range } = apply("RequantizedAttention", [
        input([1, 3, 2], randomIntegers(seed, 6, -128, 127), int8),
        input([1, keys, 2], randomIntegers(seed + 100, 2 * keys, -128, 127), int8),
        input([1, 1, 1, keys], new Array(keys).fill(127), { min: 127, max: 127 }),
      ], {
        heads: 1,
        split: together,
        softmax: { ...softmax, shift, groupWidth },
        logits: requant(4 + seed % 8),
        output: { ...requant(0), levels: 2 ** 30 },
      });
      if (shift === 0) assert.equal(range.max, 255 * 127);
    }
  }
});

Deno.test("operands that do not fit together are refused", () => {
  const infer = (shapes: number[][], more: Record<string, unknown> = {}) => () =>
    operatorNamed("RequantizedAttention").infer(
      shapes.map((shape) => ({ dtype: "int8", shape, range: int8 })),
      { heads: 2, split: together, softmax, logits: requant(8), output: requant(8), ...more },
    );
  assert.doesNotThrow(infer([[1, 5, 8], [1, 6, 8], [1, 2, 3, 6]]));
  assert.throws(
    infer([[1, 5, 9], [1, 6, 8], [1, 2, 3, 6]]),
    /query of shape \[1, 5, 9\] does not divide into 2 heads/,
  );
  assert.throws(infer([[1, 5, 8], [1, 6, 10], [1, 2, 3, 6]]), /do not fit together/);
  assert.throws(infer([[1, 5, 8], [1, 6, 8], [1, 2, 3, 7]]), /do not fit together/);
  assert.throws(infer([[1, 5, 8], [1, 6, 8], [1, 6, 6]]), /values of shape \[1, 6, 6\] do not divide/);
  const three = { logits: requant(8, [1, 2, 3], [0, 0, 0]) };
  assert.throws(infer([[1, 5, 8], [1, 6, 8], [1, 2, 3, 6]], three), /one for each of 2 heads/);
});
