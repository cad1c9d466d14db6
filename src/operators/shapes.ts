// Shapes and strides: broadcasting, and walking a tensor in another order than its own.

import { AttoflowError } from "../../targets/errors.ts";
import { elementCount, type TensorData } from "../model/types.ts";

/** A shape as people write it, such as `[1, 64, 128]`. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** Whether two shapes are equal. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

/** The shape with axes of size 1 in front, so that the rank is at least `rank`. */
export function padFront(shape: readonly number[], rank: number): number[] {
  return [...new Array<number>(Math.max(0, rank - shape.length)).fill(1), ...shape];
}

/** What a transposition of matrices makes of a list with an entry for each axis: the last two are exchanged. */
export function swapLast(list: readonly number[]): number[] {
  return [...list.slice(0, -2), list[list.length - 1], list[list.length - 2]];
}

/** Elements from one step on each axis to the next, row major. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** Common shape under numpy's rule (trailing axes aligned, 1 stretches). Throws {@link AttoflowError}. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let axis = 0; axis < rank; axis++) {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new AttoflowError(`shapes ${shapeText(a)} and ${shapeText(b)} do not fit together`);
    }
    shape[axis] = x === 1 ? y : x;
  }
  return shape;
}

/** Strides with which a tensor of `shape` is read as if it had the shape `to` (0 on stretched axes). */
export function broadcastStrides(shape: readonly number[], to: readonly number[]): number[] {
  const own = stridesOf(shape);
  const shift = to.length - shape.length;
  return to.map((_, axis) => axis < shift || shape[axis - shift] === 1 ? 0 : own[axis - shift]);
}

/** Axis counted from the front. Throws {@link AttoflowError} if the rank has no such axis. */
export function normalAxis(axis: number, rank: number, what = "axis"): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normal < 0 || normal >= rank) {
    throw new AttoflowError(`${what} ${axis} does not exist in a tensor of rank ${rank}`);
  }
  return normal;
}

/**
 * Calls `row` for each run along the last axis of a walk over `shape`.
 *
 * @param shape the walk's shape; all axes but the last are counted through
 * @param strides one list of strides for each operand, as long as `shape`
 * @param row called with the offsets of the operands at the run's first element
 */
export function forEachRow(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  row: (offsets: readonly number[]) => void,
): void {
  if (elementCount(shape) === 0) return;
  const outer = shape.length - 1;
  const index = new Array<number>(Math.max(outer, 0)).fill(0);
  const offsets = new Array<number>(strides.length).fill(0);
  while (true) {
    row(offsets);
    let axis = outer - 1;
    for (; axis >= 0; axis--) {
      index[axis]++;
      for (let i = 0; i < strides.length; i++) offsets[i] += strides[i][axis];
      if (index[axis] < shape[axis]) break;
      for (let i = 0; i < strides.length; i++) offsets[i] -= strides[i][axis] * shape[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** Copies `source`, read with `strides` from `offset`, into `target` (row major in `shape`). */
export function gatherStrided(
  target: TensorData,
  shape: readonly number[],
  source: TensorData,
  strides: readonly number[],
  offset = 0,
): void {
  const length = shape.length === 0 ? 1 : shape[shape.length - 1];
  const step = shape.length === 0 ? 0 : strides[shape.length - 1];
  let to = 0;
  forEachRow(shape, [strides], ([start]) => {
    let from = offset + start;
    for (let i = 0; i < length; i++, from += step) target[to++] = source[from];
  });
}

/** Copies row-major `source` of `shape` into `target`, written with `strides` from `offset`. */
export function scatterStrided(
  target: TensorData,
  strides: readonly number[],
  offset: number,
  source: TensorData,
  shape: readonly number[],
): void {
  const length = shape.length === 0 ? 1 : shape[shape.length - 1];
  const step = shape.length === 0 ? 0 : strides[shape.length - 1];
  let from = 0;
  forEachRow(shape, [strides], ([start]) => {
    let to = offset + start;
    for (let i = 0; i < length; i++, to += step) target[to] = source[from++];
  });
}
