// Converts matrix products, convolutions and pooling.

import { AttoflowError } from "../../../targets/errors.ts";
import type { Tensor } from "../../model/types.ts";
import { shapeText } from "../../operators/shapes.ts";
import type { Conversion, Converter } from "./conversion.ts";

/** MatMul; a vector operand gets an axis of size 1, which the result then loses. */
export const convertMatMul: Converter = (conversion) => {
  const [a, b] = [conversion.tensor(0), conversion.tensor(1)];
  if (a.shape.length === 0 || b.shape.length === 0) throw new AttoflowError("it multiplies a scalar");
  if (a.shape.length > 1 && b.shape.length > 1) return conversion.finish("MatMul", [a, b]);
  const matrix = (x: Tensor, name: string, axis: number) =>
    x.shape.length > 1 ? x : conversion.step(name, "Unsqueeze", [x], { axes: [axis] });
  const product = conversion.step("product", "MatMul", [matrix(a, "a", 0), matrix(b, "b", 1)]);
  const rank = product.shape.length;
  const axes = [...(a.shape.length === 1 ? [rank - 2] : []), ...(b.shape.length === 1 ? [rank - 1] : [])];
  return conversion.finish("Squeeze", [product], { axes });
};

/** Gemm. */
export const convertGemm: Converter = (conversion) => {
  const { attributes } = conversion;
  const inputs = [conversion.tensor(0), conversion.tensor(1)];
  if (conversion.has(2)) inputs.push(conversion.tensor(2));
  return conversion.finish("Gemm", inputs, {
    alpha: attributes.integer("alpha", 1),
    beta: attributes.integer("beta", 1),
    transA: attributes.integer("transA", 0) !== 0,
    transB: attributes.integer("transB", 0) !== 0,
  });
};

/** Conv. */
export const convertConv: Converter = (conversion) => {
  const x = conversion.tensor(0);
  const w = conversion.tensor(1);
  const kernel = conversion.attributes.integers("kernel_shape") ?? w.shape.slice(2);
  const bias = conversion.parameter(2, "bias");
  return conversion.finish("Conv", bias ? [x, w, bias] : [x, w], {
    ...window(conversion, x.shape, kernel),
    dilations: conversion.attributes.integers("dilations") ?? kernel.map(() => 1),
    group: conversion.attributes.integer("group", 1),
  });
};

/** MaxPool without indices. */
export const convertMaxPool: Converter = (conversion) => {
  const { attributes, node } = conversion;
  if (node.outputs.slice(1).some((name) => name !== "")) {
    throw new AttoflowError("its second output, the indices, is not supported");
  }
  if (attributes.integers("dilations")?.some((dilation) => dilation !== 1)) {
    throw new AttoflowError("its dilations are not supported");
  }
  const x = conversion.tensor(0);
  const kernel = attributes.integers("kernel_shape");
  if (!kernel) throw new AttoflowError('attribute "kernel_shape" is missing');
  return conversion.finish("MaxPool", [x], window(conversion, x.shape, kernel));
};

/** Kernel, strides and explicit pads of a window over x, `auto_pad` and `ceil_mode` resolved. */
function window({ attributes }: Conversion, shape: readonly number[], kernel: readonly number[]) {
  const axes = kernel.length;
  const strides = attributes.integers("strides") ?? kernel.map(() => 1);
  const dilations = attributes.integers("dilations") ?? kernel.map(() => 1);
  if (shape.length !== axes + 2 || strides.length !== axes || dilations.length !== axes) {
    throw new AttoflowError(
      `a kernel of ${shapeText(kernel)} does not fit an input of shape ${shapeText(shape)}`,
    );
  }
  const reach = kernel.map((size, axis) => dilations[axis] * (size - 1) + 1);
  const pads = automaticPads(attributes.text("auto_pad") ?? "NOTSET", shape, reach, strides) ??
    attributes.integers("pads") ?? new Array<number>(2 * axes).fill(0);
  if (pads.length !== 2 * axes) throw new AttoflowError(`it has ${pads.length} pads for ${axes} axes`);
  if (attributes.integer("ceil_mode", 0) !== 0) {
    for (const [axis, size] of reach.entries()) {
      const room = shape[axis + 2] + pads[axis] + pads[axis + axes] - size;
      let last = Math.ceil(room / strides[axis]);
      // A last window that would start behind the input and its leading padding is dropped (ONNX, MaxPool).
      if (last * strides[axis] >= shape[axis + 2] + pads[axis]) last--;
      pads[axis + axes] = Math.max(last * strides[axis] + size - shape[axis + 2] - pads[axis], 0);
    }
  }
  return { kernel, strides, pads };
}

/** Pads that ONNX's `auto_pad` asks for; undefined where the node names its own. */
function automaticPads(
  mode: string,
  shape: readonly number[],
  reach: readonly number[],
  strides: readonly number[],
): number[] | undefined {
  if (mode === "NOTSET" || mode === "") return undefined;
  if (mode === "VALID") return new Array<number>(2 * reach.length).fill(0);
  if (mode !== "SAME_UPPER" && mode !== "SAME_LOWER") {
    throw new AttoflowError(`its auto_pad ${JSON.stringify(mode.slice(0, 40))} is not supported`);
  }
  const totals = reach.map((size, axis) => {
    const positions = Math.ceil(shape[axis + 2] / strides[axis]);
    return Math.max((positions - 1) * strides[axis] + size - shape[axis + 2], 0);
  });
  const less = totals.map((total) => Math.floor(total / 2));
  const more = totals.map((total) => Math.ceil(total / 2));
  return mode === "SAME_UPPER" ? [...less, ...more] : [...more, ...less];
}
