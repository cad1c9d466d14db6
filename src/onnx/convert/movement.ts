// Converts operators that only move elements, and the reductions.

import { AttoflowError } from "../../../targets/errors.ts";
import { normalAxis } from "../../operators/shapes.ts";
import { axesOf, listOf, reshapedShape, sliceOf } from "../shape_rules.ts";
import { type Conversion, type Converter, integerValues } from "./conversion.ts";

/** Reshape. */
export const convertReshape: Converter = (conversion) => {
  const x = conversion.tensor(0);
  const target = conversion.optionalConstant(1, "shape");
  const listed = target ?? {
    shape: [],
    values: Float64Array.from(conversion.attributes.integers("shape") ?? []),
    floating: false,
  };
  const shape = reshapedShape(x.shape, listed, conversion.attributes.integer("allowzero", 0));
  return conversion.finish("Reshape", [x], { shape });
};

/** Identity, and Dropout, which does nothing when a network is used. */
export const convertIdentity: Converter = (conversion) => {
  if (conversion.node.outputs.slice(1).some((name) => name !== "")) {
    throw new AttoflowError("its second output is not supported");
  }
  return conversion.finish("Identity", [conversion.tensor(0)]);
};

/** Flatten. */
export const convertFlatten: Converter = (conversion) => {
  const x = conversion.tensor(0);
  const axis = conversion.attributes.integer("axis", 1);
  return conversion.finish("Flatten", [x], { axis: axis < 0 ? axis + x.shape.length : axis });
};

/** Squeeze; without axes, all axes of size 1 go. */
export const convertSqueeze: Converter = (conversion) => {
  const x = conversion.tensor(0);
  const axes = axesOf(conversion.node, conversion.optionalConstant(1, "axes"), x.shape.length) ??
    x.shape.flatMap((dimension, axis) => dimension === 1 ? [axis] : []);
  return conversion.finish("Squeeze", [x], { axes });
};

/** Unsqueeze. */
export const convertUnsqueeze: Converter = (conversion) => {
  const x = conversion.tensor(0);
  const list = conversion.optionalConstant(1, "axes");
  const count = (list?.values ?? conversion.attributes.integers("axes") ?? []).length;
  const axes = axesOf(conversion.node, list, x.shape.length + count);
  if (!axes) throw new AttoflowError("its axes are missing");
  return conversion.finish("Unsqueeze", [x], { axes });
};

/** Transpose; without perm, the axes are reversed. */
export const convertTranspose: Converter = (conversion) => {
  const x = conversion.tensor(0);
  const rank = x.shape.length;
  const perm = conversion.attributes.integers("perm") ?? x.shape.map((_, axis) => rank - 1 - axis);
  return conversion.finish("Transpose", [x], { perm: perm.map((axis) => normalAxis(axis, rank)) });
};

/** Concat. */
export const convertConcat: Converter = (conversion) => {
  const inputs = Array.from({ length: conversion.inputCount }, (_, i) => conversion.tensor(i));
  if (inputs.length === 0) throw new AttoflowError("it has no inputs");
  const axis = normalAxis(conversion.attributes.integer("axis"), inputs[0].shape.length);
  return conversion.finish("Concat", inputs, { axis });
};

/** Slice. */
export const convertSlice: Converter = (conversion) => {
  const x = conversion.tensor(0);
  const lists = ["starts", "ends", "axes", "steps"].map((what, i) =>
    conversion.optionalConstant(i + 1, what)
  );
  return conversion.finish("Slice", [x], { ...sliceOf(conversion.node, lists, x.shape) });
};

/** Gather with constant indices. */
export const convertGather: Converter = (conversion) => {
  const x = conversion.tensor(0);
  const axis = normalAxis(conversion.attributes.integer("axis", 0), x.shape.length);
  const indices = conversion.requiredConstant(1, "indices");
  const values = integerValues(indices, "indices").map((index) => normalAxis(index, x.shape[axis], "index"));
  const list = conversion.builder.parameter(conversion.node.inputs[1], indices.shape, values);
  return conversion.finish("Gather", [x, list], { axis });
};

/** Pad with a constant. */
export const convertPad: Converter = (conversion) => {
  const { attributes, node } = conversion;
  const x = conversion.tensor(0);
  const mode = attributes.text("mode") ?? "constant";
  if (mode !== "constant") {
    throw new AttoflowError(`its mode ${JSON.stringify(mode.slice(0, 40))} is not supported`);
  }
  const listed = listOf(node, conversion.optionalConstant(1, "pads"), "pads");
  if (!listed) throw new AttoflowError("its pads are missing");
  const rank = x.shape.length;
  const axes = axesInOrder(conversion, rank);
  if (listed.length !== 2 * axes.length) {
    throw new AttoflowError(`it has ${listed.length} pads for ${axes.length} axes`);
  }
  const pads = new Array<number>(2 * rank).fill(0);
  for (const [i, axis] of axes.entries()) {
    pads[axis] = listed[i];
    pads[axis + rank] = listed[i + axes.length];
  }
  if (pads.some((pad) => pad < 0)) {
    throw new AttoflowError("negative pads are not supported; use Slice to cut");
  }
  const value = conversion.optionalConstant(2, "value");
  return conversion.finish("Pad", [x], { pads, value: value?.values[0] ?? attributes.number("value", 0) });
};

/** Axes that Pad names (opset 18), in its order; all of them where it names none. */
function axesInOrder(conversion: Conversion, rank: number): number[] {
  const constant = conversion.optionalConstant(3, "axes");
  if (!constant) return Array.from({ length: rank }, (_, axis) => axis);
  const axes = [...constant.values].map((axis) => normalAxis(axis, rank));
  if (new Set(axes).size !== axes.length) throw new AttoflowError("its axes repeat");
  return axes;
}

/** ReduceSum, ReduceMean and IntegerMean, with axes as a list, a plain integer, or an input (opset 13 and 18). */
export const convertReduce: Converter = (conversion) => {
  const { attributes, node } = conversion;
  const x = conversion.tensor(0);
  const rank = x.shape.length;
  let axes = axesOf(node, conversion.optionalConstant(1, "axes"), rank) ?? [];
  if (axes.length === 0 && attributes.integer("noop_with_empty_axes", 0) !== 0) {
    return conversion.finish("Identity", [x]);
  }
  if (axes.length === 0) axes = x.shape.map((_, axis) => axis);
  const operator = node.operator === "ReduceSum" ? "ReduceSum" : "ReduceMean";
  return conversion.finish(operator, [x], { axes, keepdims: attributes.integer("keepdims", 1) !== 0 });
};
