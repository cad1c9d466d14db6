// Boxes as strided rows: every box of small tensors is copied byte by byte both ways.

import assert from "node:assert/strict";
import { type Rows, rowsOfBox } from "../src/schedule/boxes.ts";
import type { Box } from "../targets/engines/engine.ts";

/** Bytes of the box, copied element by element. */
function plainCopy(shape: readonly number[], element: number, box: Box, tensor: Uint8Array): Uint8Array {
  const result: number[] = [];
  const visit = (axis: number, index: number) => {
    if (axis === shape.length) {
      for (let byte = 0; byte < element; byte++) result.push(tensor[index * element + byte]);
      return;
    }
    for (let i = 0; i < box.shape[axis]; i++) visit(axis + 1, index * shape[axis] + box.start[axis] + i);
  };
  visit(0, 0);
  return new Uint8Array(result);
}

/** Bytes of the box, copied by its rows. */
function rowCopy(groups: readonly Rows[], bytes: number, tensor: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes);
  for (const group of groups) {
    for (let row = 0; row < group.rows; row++) {
      const from = group.offset + row * group.stride;
      result.set(tensor.subarray(from, from + group.bytes), group.packedOffset + row * group.packedStride);
    }
  }
  return result;
}

/** All boxes of a tensor. */
function* boxesOf(shape: readonly number[]): Generator<{ start: number[]; shape: number[] }> {
  if (shape.length === 0) {
    yield { start: [], shape: [] };
    return;
  }
  const [size, ...rest] = shape;
  for (const inner of boxesOf(rest)) {
    for (let start = 0; start < size; start++) {
      for (let count = 1; count <= size - start; count++) {
        yield { start: [start, ...inner.start], shape: [count, ...inner.shape] };
      }
    }
  }
}

Deno.test("rows of every box copy the box", () => {
  let checked = 0;
  for (const shape of [[], [5], [3, 4], [2, 3, 3], [1, 4, 1, 3], [2, 1, 3, 2], [2, 4, 3, 3]]) {
    for (const element of [1, 4]) {
      const tensor = new Uint8Array(shape.reduce((a, b) => a * b, element)).map((_, i) => i * 7 + 1);
      for (const box of boxesOf(shape)) {
        const expected = plainCopy(shape, element, box, tensor);
        assert.deepEqual(rowCopy(rowsOfBox(shape, element, box), expected.length, tensor), expected);
        checked++;
      }
    }
  }
  assert.equal(checked > 2000, true);
});

Deno.test("contiguous axes are merged, the longest of the others becomes the rows", () => {
  assert.deepEqual(rowsOfBox([4, 8, 16], 1, { start: [1, 0, 0], shape: [2, 8, 16] }), [
    { offset: 128, packedOffset: 0, bytes: 256, rows: 1, stride: 256, packedStride: 256 },
  ]);
  assert.deepEqual(rowsOfBox([4, 8, 16], 4, { start: [0, 2, 0], shape: [4, 3, 16] }), [
    { offset: 128, packedOffset: 0, bytes: 192, rows: 4, stride: 512, packedStride: 192 },
  ]);
  const walked = rowsOfBox([2, 8, 16], 1, { start: [0, 0, 4], shape: [2, 5, 8] });
  assert.deepEqual(walked.map(({ offset, rows, bytes }) => [offset, rows, bytes]), [[4, 5, 8], [132, 5, 8]]);
});

Deno.test("a box without elements has no rows, one outside the tensor is refused", () => {
  assert.deepEqual(rowsOfBox([4, 8], 1, { start: [0, 0], shape: [0, 8] }), []);
  assert.throws(() => rowsOfBox([4, 8], 1, { start: [3, 0], shape: [2, 8] }), RangeError);
  assert.throws(() => rowsOfBox([4, 8], 1, { start: [0], shape: [4] }), RangeError);
});
