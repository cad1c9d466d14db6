// Compares two tensors element by element. Integer networks are compared exactly; there is no tolerance here.

import { positionOf } from "../host/tensors.ts";

/** How a tensor compares with what it should be. */
export interface Comparison {
  readonly elements: number;
  readonly mismatches: number;
  /** Greatest absolute difference; Infinity where a number meets NaN. */
  readonly maxDifference: number;
  /** The first element that differs, in row-major order. */
  readonly first?: { readonly index: readonly number[]; readonly actual: number; readonly expected: number };
}

/**
 * Compares elements in row-major order; ranks may differ, numbers of elements may not.
 *
 * @param shape shape in which the index of the first mismatch is told
 */
export function compareElements(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  shape: readonly number[],
): Comparison {
  if (actual.length !== expected.length) {
    throw new RangeError(`cannot compare ${actual.length} elements with ${expected.length}`);
  }
  let mismatches = 0;
  let maxDifference = 0;
  let first = -1;
  for (let i = 0; i < actual.length; i++) {
    // Two NaNs are equal, and so are zeros of either sign.
    if (actual[i] === expected[i] || (Number.isNaN(actual[i]) && Number.isNaN(expected[i]))) continue;
    if (mismatches++ === 0) first = i;
    const difference = Math.abs(actual[i] - expected[i]);
    maxDifference = Math.max(maxDifference, Number.isNaN(difference) ? Infinity : difference);
  }
  return {
    elements: actual.length,
    mismatches,
    maxDifference,
    ...(first < 0
      ? {}
      : { first: { index: positionOf(first, shape), actual: actual[first], expected: expected[first] } }),
  };
}
