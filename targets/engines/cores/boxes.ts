// Geometry that the mappings of the worker cores share: which part of an operand a part of the result needs,
// and how a kernel walks it. Strides and offsets are elements, as in the kernels.

import type { Tensor } from "../../../src/model/types.ts";
import type { Box } from "../engine.ts";

/** Axes that a kernel's walk has (attoflow_kernel.h, WALK_AXES). */
export const walkAxes = 6;

/** Strides of a dense row-major array of the shape. */
export function denseStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

/** The part of an operand that meets `box` of a result to which it broadcasts (trailing axes aligned). */
export function broadcastBox(operand: readonly number[], box: Box): Box {
  const skipped = box.shape.length - operand.length;
  return {
    start: operand.map((dimension, axis) => dimension === 1 ? 0 : box.start[axis + skipped]),
    shape: operand.map((dimension, axis) => dimension === 1 ? 1 : box.shape[axis + skipped]),
  };
}

/** Strides with which the operand's part (a dense array of `part`) is read as if it had the result's rank. */
export function broadcastStrides(operand: readonly number[], part: Box, rank: number): number[] {
  const own = denseStrides(part.shape);
  const skipped = rank - operand.length;
  return Array.from(
    { length: rank },
    (_, axis) => axis < skipped || operand[axis - skipped] === 1 ? 0 : own[axis - skipped],
  );
}

/** The elements `start … start + count - 1` of a tensor that is a vector but for axes of size 1. */
export function vectorBox(vector: Tensor, start: number, count: number): Box {
  const long = vector.shape.findIndex((dimension) => dimension !== 1);
  if (long < 0) return { start: vector.shape.map(() => 0), shape: vector.shape };
  return {
    start: vector.shape.map((_, axis) => axis === long ? start : 0),
    shape: vector.shape.map((_, axis) => axis === long ? count : 1),
  };
}

/** A walk over a shape, innermost axis first, with the strides of its operands. */
export interface Walk {
  readonly extents: readonly number[];
  /** One list for each operand. */
  readonly strides: readonly (readonly number[])[];
}

/** Drops axes of size 1 and joins neighbours that every operand crosses in one stride. */
export function mergeAxes(shape: readonly number[], strides: readonly (readonly number[])[]): Walk {
  const extents: number[] = [];
  const merged: number[][] = strides.map(() => []);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] === 1) continue;
    const last = extents.length - 1;
    const joins = last >= 0 && strides.every((own, i) => own[axis] === merged[i][last] * extents[last]);
    if (joins) {
      extents[last] *= shape[axis];
    } else {
      extents.push(shape[axis]);
      merged.forEach((list, i) => list.push(strides[i][axis]));
    }
  }
  return { extents, strides: merged };
}

/** Fields `NAME0 …` of an args struct; the list is filled up to `count` with `filler`. */
export function numbered(
  name: string,
  values: readonly number[],
  count: number,
  filler: number,
): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}${i}`, values[i] ?? filler]));
}
