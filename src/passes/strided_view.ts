// Tensors as strided views of others: what reshapes, transposes and slices make of a tensor without moving anything.
// A pass that finds out how an operand lies in what it comes from can often do without the moves between.

import { elementCount, type Node, type Tensor } from "../model/types.ts";
import { stridesOf, swapLast } from "../operators/shapes.ts";
import type { Graph } from "./pass.ts";

/** Element [i, j, …] of the view is element offset + i·strides[0] + j·strides[1] + … of the source, row major. */
export interface StridedView {
  readonly source: Tensor;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A tensor seen as it is. */
export function wholeView(source: Tensor): StridedView {
  return { source, offset: 0, shape: source.shape, strides: stridesOf(source.shape) };
}

/** Axis `i` of the result is axis `perm[i]` of the view. */
function permuteView(view: StridedView, perm: readonly number[]): StridedView {
  return {
    ...view,
    shape: perm.map((axis) => view.shape[axis]),
    strides: perm.map((axis) => view.strides[axis]),
  };
}

/** The last two axes exchanged. */
export function swapView(view: StridedView): StridedView {
  return { ...view, shape: swapLast(view.shape), strides: swapLast(view.strides) };
}

/** The view under another shape of as many elements; undefined if its strides cannot say that. */
export function reshapeView(view: StridedView, shape: readonly number[]): StridedView | undefined {
  const count = elementCount(shape);
  if (count !== elementCount(view.shape) || count === 0) return undefined;
  const old = view.shape.map((size, axis) => ({ size, stride: view.strides[axis] }))
    .filter(({ size }) => size !== 1);
  const strides = new Array<number>(shape.length).fill(0);
  // From the innermost axis outwards: what is left of the old axis under way, and its next stride.
  let left = 1;
  let stride = 0;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    let wanted = shape[axis];
    if (wanted === 1) continue;
    if (left === 1) ({ size: left, stride } = old.pop()!);
    strides[axis] = stride;
    while (wanted > left) {
      // Joins the next old axis, which must go on where this one ends.
      const next = old.pop();
      if (!next || wanted % left !== 0 || next.stride !== stride * left) return undefined;
      wanted /= left;
      ({ size: left, stride } = next);
    }
    if (left % wanted !== 0) return undefined;
    left /= wanted;
    stride *= wanted;
  }
  return { ...view, shape, strides };
}

/** Whether all axes of more than one element have the strides given. */
export function hasStrides(view: StridedView, strides: readonly number[]): boolean {
  return view.shape.every((size, axis) => size === 1 || view.strides[axis] === strides[axis]);
}

/** What a node makes of a view of its first input, if it only moves elements. */
export function moveView(view: StridedView, node: Node, shape: readonly number[]): StridedView | undefined {
  switch (node.operator) {
    case "Reshape":
      return reshapeView(view, shape);
    case "Transpose":
      return permuteView(view, node.attributes.perm as number[]);
    case "Slice": {
      const { starts, steps } = node.attributes as { starts: number[]; steps: number[] };
      return {
        ...view,
        offset: view.offset + starts.reduce((sum, start, axis) => sum + start * view.strides[axis], 0),
        shape,
        strides: view.strides.map((stride, axis) => stride * steps[axis]),
      };
    }
  }
}

/** How a tensor lies in itself, in what it is moved from, in what that is moved from, and so on. */
export function viewsOf(graph: Graph, tensor: Tensor): StridedView[] {
  const views = [wholeView(tensor)];
  const moves: Node[] = [];
  for (let name = tensor.name;;) {
    const node = graph.producer(name);
    if (!node) return views;
    moves.push(node);
    name = node.inputs[0] ?? "";
    if (name === "") return views;
    let view: StridedView | undefined = wholeView(graph.tensor(name));
    for (const move of moves.toReversed()) {
      view = view && moveView(view, move, graph.tensor(move.outputs[0]).shape);
    }
    if (!view) return views;
    views.push(view);
  }
}
