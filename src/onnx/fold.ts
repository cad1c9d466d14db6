// Folds nodes whose inputs are all constant: the shape arithmetic that exporters leave in a graph, and constants
// that are only brought into another form. Numbers are doubles: exact for all integers that matter here.

import { AttoflowError } from "../../targets/errors.ts";
import { elementCount } from "../model/types.ts";
import {
  broadcastShape,
  broadcastStrides,
  forEachRow,
  normalAxis,
  shapeText,
  stridesOf,
} from "../operators/shapes.ts";
import { checkShape, type Constant } from "./constant.ts";
import type { SourceNode } from "./graph.ts";
import { axesOf, reshapedShape, sliceOf } from "./shape_rules.ts";

type Fold = (node: SourceNode, inputs: readonly Constant[]) => Constant;

/** Most elements that all folded constants of a model may have together (128 MiB of doubles). */
export const mostFolded = 2 ** 24;

/**
 * The constant that a node makes of constants.
 *
 * @param inputs the node's constant inputs; absent optional ones are undefined
 * @returns undefined if this kind of node is not folded here
 * @throws {AttoflowError} if the node does not fit its inputs
 */
export function foldNode(node: SourceNode, inputs: readonly (Constant | undefined)[]): Constant | undefined {
  const found = foldsByName.get(node.operator);
  if (!found) return undefined;
  const [, needed, fold] = found;
  for (let i = 0; i < needed; i++) if (!inputs[i]) throw new AttoflowError(`its input ${i} is missing`);
  return fold(node, inputs as readonly Constant[]);
}

/** A constant of integers. */
export function integers(values: readonly number[], shape: readonly number[] = [values.length]): Constant {
  return { shape, values: Float64Array.from(values), floating: false };
}

function checkSize(shape: readonly number[]): void {
  checkShape(shape, "its result");
  if (elementCount(shape) > mostFolded) {
    throw new AttoflowError(`a constant of shape ${shapeText(shape)} is too large`);
  }
}

function elementwise(f: (...values: number[]) => number, floating?: boolean): Fold {
  return (_node, inputs) => {
    const shape = inputs.map((input) => input.shape).reduce(broadcastShape);
    checkSize(shape);
    const parts = inputs.map((input) => broadcastTo(input, shape));
    const values = new Float64Array(elementCount(shape));
    const real = inputs.some((input) => input.floating);
    for (let i = 0; i < values.length; i++) {
      const value = f(...parts.map((part) => part[i]));
      values[i] = real ? Math.fround(value) : value;
    }
    return { shape, values, floating: floating ?? real };
  };
}

function broadcastTo(constant: Constant, shape: readonly number[]): Float64Array {
  return strided(constant.values, shape, broadcastStrides(constant.shape, shape), 0);
}

function strided(values: Float64Array, shape: readonly number[], strides: readonly number[], offset: number) {
  const result = new Float64Array(elementCount(shape));
  const length = shape.at(-1) ?? 1;
  const step = strides.at(-1) ?? 0;
  let to = 0;
  forEachRow(shape, [strides], ([start]) => {
    for (let i = 0; i < length; i++) result[to++] = values[offset + start + i * step];
  });
  return result;
}

const reshaped = (constant: Constant, shape: readonly number[]): Constant => {
  if (elementCount(shape) !== constant.values.length) {
    throw new AttoflowError(`${shapeText(constant.shape)} cannot take the shape ${shapeText(shape)}`);
  }
  return { ...constant, shape };
};

const divide: Fold = (node, inputs) =>
  elementwise(inputs.some((input) => input.floating) ? (a, b) => a / b : (a, b) => Math.trunc(a / b))(
    node,
    inputs,
  );

/** Name, number of inputs that must be there, and what is computed. */
const folds: readonly (readonly [string, number, Fold])[] = [
  ["Add", 2, elementwise((a, b) => a + b)],
  ["Sub", 2, elementwise((a, b) => a - b)],
  ["Mul", 2, elementwise((a, b) => a * b)],
  ["Div", 2, divide],
  ["Neg", 1, elementwise((a) => -a)],
  ["Floor", 1, elementwise(Math.floor)],
  ["Ceil", 1, elementwise(Math.ceil)],
  ["Equal", 2, elementwise((a, b) => Number(a === b), false)],
  ["Where", 3, elementwise((condition, a, b) => condition !== 0 ? a : b)],
  ["Identity", 1, (_node, [x]) => x],
  ["Cast", 1, (node, [x]) => {
    const floating = [1, 10, 11].includes(node.attributes.integer("to"));
    return { ...x, floating, values: floating ? x.values : x.values.map(Math.trunc) };
  }],
  [
    "Reshape",
    2,
    (node, [x, target]) =>
      reshaped(x, reshapedShape(x.shape, target, node.attributes.integer("allowzero", 0))),
  ],
  ["Squeeze", 1, (node, [x, list]) => {
    const axes = axesOf(node, list, x.shape.length) ?? x.shape.flatMap((d, axis) => d === 1 ? [axis] : []);
    return reshaped(x, x.shape.filter((_, axis) => !axes.includes(axis)));
  }],
  ["Unsqueeze", 1, (node, [x, list]) => {
    const count = (list?.values ?? node.attributes.integers("axes") ?? []).length;
    const axes = axesOf(node, list, x.shape.length + count) ?? [];
    const old = [...x.shape];
    const rank = x.shape.length + axes.length;
    return reshaped(x, Array.from({ length: rank }, (_, axis) => axes.includes(axis) ? 1 : old.shift() ?? 1));
  }],
  ["Transpose", 1, (node, [x]) => {
    const perm = (node.attributes.integers("perm") ?? x.shape.map((_, i) => x.shape.length - 1 - i))
      .map((axis) => normalAxis(axis, x.shape.length));
    const shape = perm.map((axis) => x.shape[axis]);
    if (new Set(perm).size !== x.shape.length) throw new AttoflowError(`perm is no order of the axes`);
    const own = stridesOf(x.shape);
    return { ...x, shape, values: strided(x.values, shape, perm.map((axis) => own[axis]), 0) };
  }],
  ["Concat", 1, (node, inputs) => {
    if (inputs.some((input) => !input)) throw new AttoflowError("one of its inputs is missing");
    const axis = normalAxis(node.attributes.integer("axis", 0), inputs[0].shape.length);
    const outer = elementCount(inputs[0].shape.slice(0, axis));
    const shape = inputs[0].shape.map((d, i) =>
      i === axis ? inputs.reduce((sum, x) => sum + (x.shape[axis] ?? 0), 0) : d
    );
    checkSize(shape);
    const values = new Float64Array(inputs.reduce((sum, input) => sum + input.values.length, 0));
    let to = 0;
    for (let block = 0; block < outer; block++) {
      for (const { values: all } of inputs) {
        const length = Math.floor(all.length / outer);
        values.set(all.subarray(block * length, (block + 1) * length), to);
        to += length;
      }
    }
    return reshaped({ ...inputs[0], values }, shape);
  }],
  ["Gather", 2, (node, [x, indices]) => {
    const axis = normalAxis(node.attributes.integer("axis", 0), x.shape.length);
    const inner = elementCount(x.shape.slice(axis + 1));
    const outer = elementCount(x.shape.slice(0, axis));
    const picked = [...indices.values].map((index) => normalAxis(index, x.shape[axis], "index"));
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    checkSize(shape);
    const values = new Float64Array(elementCount(shape));
    let to = 0;
    for (let block = 0; block < outer; block++) {
      for (const index of picked) {
        const from = (block * x.shape[axis] + index) * inner;
        for (let i = 0; i < inner; i++) values[to++] = x.values[from + i];
      }
    }
    return { ...x, shape, values };
  }],
  ["Slice", 1, (node, [x, ...lists]) => {
    const { starts, steps, sizes } = sliceOf(node, lists, x.shape);
    const own = stridesOf(x.shape);
    const offset = own.reduce((sum, stride, axis) => sum + stride * starts[axis], 0);
    return {
      ...x,
      shape: sizes,
      values: strided(x.values, sizes, own.map((s, axis) => s * steps[axis]), offset),
    };
  }],
  ["ConstantOfShape", 1, (node, [target]) => {
    const fill = node.attributes.tensor("value");
    const shape = [...target.values];
    checkSize(shape);
    return {
      shape,
      values: new Float64Array(elementCount(shape)).fill(fill?.values[0] ?? 0),
      floating: fill?.floating ?? true,
    };
  }],
  ["Expand", 2, (_node, [x, target]) => {
    const shape = broadcastShape(x.shape, [...target.values]);
    checkSize(shape);
    return { ...x, shape, values: broadcastTo(x, shape) };
  }],
  ["Range", 3, (_node, [start, limit, delta]) => {
    const count = Math.max(Math.ceil((limit.values[0] - start.values[0]) / delta.values[0]), 0);
    checkSize([count]);
    const values = Float64Array.from({ length: count }, (_, i) => start.values[0] + i * delta.values[0]);
    return { shape: [count], values, floating: start.floating };
  }],
];

const foldsByName = new Map(folds.map((fold) => [fold[0], fold]));

/** Whether nodes of this operator vanish when their inputs are constant. */
export function isFoldable(operator: string): boolean {
  return operator === "Shape" || foldsByName.has(operator);
}
