// ONNX's ways to say a shape, axes or a slice, resolved to plain lists. Lists come as attributes in old opsets
// and as inputs in newer ones; both are accepted in any.

import { AttoflowError } from "../../targets/errors.ts";
import { elementCount } from "../model/types.ts";
import { normalAxis, shapeText } from "../operators/shapes.ts";
import type { Constant } from "./constant.ts";
import type { SourceNode } from "./graph.ts";

/** Integers of a list that is an input or an attribute; undefined where the node has neither. */
export function listOf(
  node: SourceNode,
  input: Constant | undefined,
  attribute: string,
): number[] | undefined {
  if (!input) return node.attributes.integers(attribute);
  if (input.values.some((value) => !Number.isInteger(value))) {
    throw new AttoflowError(`its ${attribute} are not integers`);
  }
  return [...input.values];
}

/** The node's axes, counted from the front, in ascending order; undefined where it names none. */
export function axesOf(node: SourceNode, input: Constant | undefined, rank: number): number[] | undefined {
  const axes = listOf(node, input, "axes")?.map((axis) => normalAxis(axis, rank));
  if (axes && new Set(axes).size !== axes.length) throw new AttoflowError("its axes repeat");
  return axes?.sort((a, b) => a - b);
}

/** Shape that Reshape gives: -1 is what is left over, 0 copies the dimension unless `allowZero`. */
export function reshapedShape(shape: readonly number[], target: Constant, allowZero: number): number[] {
  const wanted = [...target.values].map((dimension, axis) =>
    dimension === 0 && !allowZero ? shape[axis] ?? 0 : dimension
  );
  const open = wanted.flatMap((dimension, axis) => dimension === -1 ? [axis] : []);
  if (open.length > 1 || wanted.some((dimension) => !Number.isInteger(dimension) || dimension < -1)) {
    throw new AttoflowError(`the shape ${shapeText([...target.values])} cannot be resolved`);
  }
  if (open.length === 1) {
    const rest = elementCount(wanted.filter((dimension) => dimension !== -1));
    wanted[open[0]] = rest === 0 ? 0 : elementCount(shape) / rest;
  }
  if (
    elementCount(wanted) !== elementCount(shape) || wanted.some((dimension) => !Number.isInteger(dimension))
  ) {
    throw new AttoflowError(`${shapeText(shape)} cannot take the shape ${shapeText([...target.values])}`);
  }
  return wanted;
}

/** A slice with an entry for every axis: first index, step, number of elements. */
export interface ResolvedSlice {
  readonly starts: number[];
  readonly steps: number[];
  readonly sizes: number[];
}

/** Resolves ONNX's Slice. `lists` are its inputs behind the first: starts, ends, axes, steps. */
export function sliceOf(
  node: SourceNode,
  lists: readonly (Constant | undefined)[],
  shape: readonly number[],
): ResolvedSlice {
  const starts = listOf(node, lists[0], "starts");
  const ends = listOf(node, lists[1], "ends");
  if (!starts || !ends) throw new AttoflowError("its starts or ends are missing");
  const axes = (listOf(node, lists[2], "axes") ?? starts.map((_, i) => i))
    .map((axis) => normalAxis(axis, shape.length));
  const steps = listOf(node, lists[3], "steps") ?? starts.map(() => 1);
  if (
    [ends, axes, steps].some((list) => list.length !== starts.length) || new Set(axes).size !== axes.length
  ) {
    throw new AttoflowError("its starts, ends, axes and steps do not fit each other");
  }
  const result = { starts: shape.map(() => 0), steps: shape.map(() => 1), sizes: [...shape] };
  for (const [i, axis] of axes.entries()) {
    const step = steps[i];
    if (step === 0) throw new AttoflowError("a step is 0");
    const dimension = shape[axis];
    // Counting from the end, then clamping, as ONNX says.
    const place = (value: number, low: number, high: number) =>
      Math.min(Math.max(value < 0 ? value + dimension : value, low), high);
    const start = step > 0 ? place(starts[i], 0, dimension) : place(starts[i], 0, dimension - 1);
    const end = step > 0 ? place(ends[i], 0, dimension) : place(ends[i], -1, dimension - 1);
    const size = Math.max(Math.ceil((end - start) / step), 0);
    result.starts[axis] = size === 0 ? 0 : start;
    result.steps[axis] = size === 0 ? 1 : step;
    result.sizes[axis] = size;
  }
  return result;
}
