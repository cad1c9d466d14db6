// Operators that move elements, and the reductions.

import assert from "node:assert/strict";
import { apply, constant, float, input, parameter } from "./operators.ts";

const count = (length: number) => Array.from({ length }, (_, i) => i);

Deno.test("Transpose", () => {
  const { values, shape } = apply("Transpose", [input([2, 3, 2], count(12))], { perm: [2, 0, 1] });
  assert.deepEqual(shape, [2, 2, 3]);
  assert.deepEqual(values, [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]);
  assert.throws(() => apply("Transpose", [input([2, 2], count(4))], { perm: [0, 0] }), /no order/);
});

Deno.test("Reshape and its relatives keep the elements", () => {
  const x = input([2, 3], count(6));
  assert.deepEqual(apply("Reshape", [x], { shape: [3, 2] }).shape, [3, 2]);
  assert.deepEqual(apply("Identity", [x]).shape, [2, 3]);
  assert.deepEqual(apply("Flatten", [input([2, 1, 3], count(6))], { axis: 2 }).shape, [2, 3]);
  assert.deepEqual(apply("Flatten", [x], { axis: 0 }).shape, [1, 6]);
  assert.deepEqual(apply("Squeeze", [input([1, 6, 1], count(6))], { axes: [0, 2] }).shape, [6]);
  assert.deepEqual(apply("Unsqueeze", [x], { axes: [0, 3] }).shape, [1, 2, 3, 1]);
  assert.deepEqual(apply("Unsqueeze", [x], { axes: [0, 3] }).values, count(6));
  assert.throws(() => apply("Reshape", [x], { shape: [4, 2] }), /cannot take the shape \[4, 2\]/);
  assert.throws(() => apply("Squeeze", [x], { axes: [0] }), /not of size 1/);
});

Deno.test("moves work on float32 as well", () => {
  const { values, dtype } = apply("Transpose", [float([1, 2], [0.5, -1.5])], { perm: [1, 0] });
  assert.deepEqual([values, dtype], [[0.5, -1.5], "float32"]);
});

Deno.test("Concat joins along its axis; empty operands add nothing, not even to the range", () => {
  const a = input([2, 1], [1, 2]);
  const b = input([2, 2], [3, 4, 5, 6]);
  assert.deepEqual(apply("Concat", [a, b], { axis: 1 }).values, [1, 3, 4, 2, 5, 6]);
  const empty = input([2, 0], [], { min: -(2 ** 31), max: 2 ** 31 - 1 });
  const joined = apply("Concat", [empty, a, b], { axis: 1 });
  assert.deepEqual([joined.shape, joined.range, joined.dtype], [[2, 3], { min: 1, max: 6 }, "int8"]);
  assert.throws(() => apply("Concat", [a, input([3, 1], [1, 2, 3])], { axis: 1 }), /cannot be joined/);
});

Deno.test("Slice with steps, backwards too", () => {
  const x = input([2, 5], count(10));
  assert.deepEqual(apply("Slice", [x], { starts: [1, 1], steps: [1, 2], sizes: [1, 2] }).values, [6, 8]);
  assert.deepEqual(apply("Slice", [x], { starts: [1, 4], steps: [-1, -3], sizes: [2, 2] }).values, [
    9,
    6,
    4,
    1,
  ]);
  assert.deepEqual(apply("Slice", [x], { starts: [0, 0], steps: [1, 1], sizes: [0, 5] }).shape, [0, 5]);
  assert.throws(() => apply("Slice", [x], { starts: [0, 3], steps: [1, 1], sizes: [2, 3] }), /leaves axis 1/);
});

Deno.test("Gather with one index, a list and a matrix of indices", () => {
  const x = input([2, 3, 2], count(12));
  const one = apply("Gather", [x, constant([], [2])], { axis: 1 });
  assert.deepEqual([one.values, one.shape], [[4, 5, 10, 11], [2, 2]]);
  const list = apply("Gather", [x, parameter([2, 0, 2])], { axis: 1 });
  assert.deepEqual(list.values, [4, 5, 0, 1, 4, 5, 10, 11, 6, 7, 10, 11]);
  assert.deepEqual(apply("Gather", [x, parameter([0, 1], [1, 2])], { axis: 0 }).shape, [1, 2, 3, 2]);
  assert.throws(() => apply("Gather", [x, parameter([3])], { axis: 1 }), /outside axis 1/);
});

Deno.test("Pad", () => {
  const { values, shape, range } = apply("Pad", [input([1, 2], [5, 6])], { pads: [1, 0, 0, 2], value: -7 });
  assert.deepEqual(shape, [2, 4]);
  assert.deepEqual(values, [-7, -7, -7, -7, 5, 6, -7, -7]);
  assert.deepEqual(range, { min: -7, max: 6 });
  assert.deepEqual(apply("Pad", [input([0], [])], { pads: [1, 1], value: 3 }).values, [3, 3]);
  assert.throws(() => apply("Pad", [input([1], [0])], { pads: [0, 1], value: 0.5 }), /not an integer/);
});

Deno.test("ReduceSum over several axes, kept or not", () => {
  const x = input([2, 3, 2], count(12));
  assert.deepEqual(apply("ReduceSum", [x], { axes: [1], keepdims: false }).values, [6, 9, 24, 27]);
  assert.deepEqual(apply("ReduceSum", [x], { axes: [0, 2], keepdims: false }).values, [14, 22, 30]);
  assert.deepEqual(apply("ReduceSum", [x], { axes: [0, 2], keepdims: true }).shape, [1, 3, 1]);
  assert.deepEqual(apply("ReduceSum", [x], { axes: [0, 1, 2], keepdims: false }).shape, []);
  assert.deepEqual(
    apply("ReduceSum", [input([2], [2 ** 31 - 1, 1])], { axes: [0], keepdims: false }).values,
    [-(2 ** 31)],
  );
});

Deno.test("ReduceMean rounds half towards +infinity", () => {
  // Sums 3, -3, -5, 7 of two: 1.5, -1.5, -2.5, 3.5.
  const x = input([4, 2], [1, 2, -1, -2, -2, -3, 3, 4]);
  assert.deepEqual(apply("ReduceMean", [x], { axes: [1], keepdims: false }).values, [2, -1, -2, 4]);
  // -1 / 3 and -2 / 3
  assert.deepEqual(
    apply("ReduceMean", [input([2, 3], [-1, 0, 0, -1, -1, 0])], { axes: [1], keepdims: false }).values,
    [0, -1],
  );
  const bytes = input([1, 4], [0, 0, 0, 0], { min: -128, max: 127 });
  assert.deepEqual(apply("ReduceMean", [bytes], { axes: [1], keepdims: true }).range, {
    min: -128,
    max: 127,
  });
  assert.throws(
    () => apply("ReduceMean", [input([0, 2], [])], { axes: [0], keepdims: false }),
    /no elements/,
  );
});
