// The convolution that Conv and RequantizedConv share, and the windows of MaxPool. NCHW, one or two spatial axes.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount, type Range } from "../model/types.ts";
import type { Operand, TensorType, Value } from "./operator.ts";
import { asInt32, integerOperand, parameter, productRange, repeatRange, sumRange, union } from "./ranges.ts";
import { shapeText } from "./shapes.ts";

const spatial = (least: number) => z.array(z.number().int().min(least)).min(1).max(2);

/** Attributes of a sliding window, one entry a spatial axis; pads: all begins, then all ends. */
export const windowFields = {
  kernel: spatial(1),
  strides: spatial(1),
  pads: z.array(z.number().int().min(0)).min(2).max(4),
} as const;

/** Attributes of a convolution. */
export const convolutionFields = {
  ...windowFields,
  dilations: spatial(1),
  group: z.number().int().min(1),
} as const;

/** Sliding window over the spatial axes. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations?: readonly number[];
}

/** Shape of the positions of a window over an [N, C, …] tensor. Throws {@link AttoflowError}. */
export function windowPositions(shape: readonly number[], window: Window): number[] {
  const axes = shape.length - 2;
  if (axes < 1 || axes > 2) {
    throw new AttoflowError(`a window slides over one or two axes; the input has shape ${shapeText(shape)}`);
  }
  const { kernel, strides, pads, dilations = kernel.map(() => 1) } = window;
  if (
    kernel.length !== axes || strides.length !== axes || dilations.length !== axes || pads.length !== 2 * axes
  ) {
    throw new AttoflowError(
      `kernel, strides, dilations and pads do not fit an input of rank ${shape.length}`,
    );
  }
  return kernel.map((size, axis) => {
    const room = shape[axis + 2] + pads[axis] + pads[axis + axes] - (dilations[axis] * (size - 1) + 1);
    if (room < 0) {
      throw new AttoflowError(
        `a kernel of ${shapeText(kernel)} is larger than its padded input ${shapeText(shape)}`,
      );
    }
    return Math.floor(room / strides[axis]) + 1;
  });
}

/** Parsed attributes of a convolution. */
export interface Convolution extends Window {
  readonly dilations: readonly number[];
  readonly group: number;
}

/** Shape and range of the accumulators (bias included). Throws {@link AttoflowError}. */
export function convolutionType(
  inputs: readonly (Operand | undefined)[],
  attributes: Convolution,
): { shape: number[]; range: Range } {
  const x = integerOperand(inputs, 0);
  const w = integerOperand(inputs, 1);
  const positions = windowPositions(x.shape, attributes);
  const { group, kernel } = attributes;
  const [outputs, depth, ...size] = w.shape;
  if (
    w.shape.length !== x.shape.length || depth * group !== x.shape[1] || outputs % group !== 0 ||
    size.some((dimension, axis) => dimension !== kernel[axis])
  ) {
    throw new AttoflowError(
      `weights of shape ${shapeText(w.shape)} do not fit an input of shape ${
        shapeText(x.shape)
      } with group ${group}`,
    );
  }
  let range = weightedInterval(
    w,
    attributes.pads.some((p) => p > 0) ? union(x.range, { min: 0, max: 0 }) : x.range,
  );
  if (inputs[2]) {
    const bias = parameter(inputs[2], "bias");
    if (bias.length !== outputs) {
      throw new AttoflowError(`a bias of ${bias.length} elements for ${outputs} output channels`);
    }
    range = sumRange(range, inputs[2].range);
  }
  return { shape: [x.shape[0], outputs, ...positions], range };
}

/** Values of one channel's sum of weights times values of x. */
function weightedInterval(w: Operand, x: Range): Range {
  const terms = elementCount(w.shape.slice(1));
  if (!w.data) return repeatRange(productRange(w.range, x), terms);
  let range: Range | undefined;
  for (let start = 0; start < w.data.length; start += terms) {
    let min = 0;
    let max = 0;
    for (let i = start; i < start + terms; i++) {
      const weight = w.data[i];
      min += weight * (weight > 0 ? x.min : x.max);
      max += weight * (weight > 0 ? x.max : x.min);
    }
    range = range ? union(range, { min, max }) : { min, max };
  }
  return range ?? { min: 0, max: 0 };
}

/** Accumulators of a convolution, wrapping to 32 bit. */
export function convolve(
  x: Value,
  w: Value,
  bias: Value | undefined,
  attributes: Convolution,
  shape: readonly number[],
): Int32Array {
  // One spatial axis is two of which the first has one row.
  const pair = (list: readonly number[], fill: number) => list.length === 1 ? [fill, list[0]] : list;
  const half = attributes.pads.length / 2;
  const [padTop, padLeft] = pair(attributes.pads.slice(0, half), 0);
  const [strideY, strideX] = pair(attributes.strides, 1);
  const [dilationY, dilationX] = pair(attributes.dilations, 1);
  const [kernelY, kernelX] = pair(attributes.kernel, 1);
  const [height, width] = pair(x.shape.slice(2), 1);
  const [rows, columns] = pair(shape.slice(2), 1);
  const [batches, outputs] = shape;
  const depth = w.shape[1];
  const outputsInGroup = outputs / attributes.group;

  const source = asInt32(x.data);
  const weights = asInt32(w.data);
  const result = new Int32Array(elementCount(shape));
  for (let batch = 0; batch < batches; batch++) {
    for (let output = 0; output < outputs; output++) {
      const plane = (batch * outputs + output) * rows * columns;
      if (bias) result.fill(bias.data[output], plane, plane + rows * columns);
      const firstChannel = batch * x.shape[1] + Math.floor(output / outputsInGroup) * depth;
      for (let channel = 0; channel < depth; channel++) {
        const image = (firstChannel + channel) * height * width;
        for (let ky = 0; ky < kernelY; ky++) {
          for (let kx = 0; kx < kernelX; kx++) {
            const weight = weights[((output * depth + channel) * kernelY + ky) * kernelX + kx];
            if (weight === 0) continue;
            const shift = kx * dilationX - padLeft;
            // Columns of the output for which this weight meets the image and not its padding.
            const first = Math.max(0, Math.ceil(-shift / strideX));
            const end = Math.min(columns, Math.floor((width - 1 - shift) / strideX) + 1);
            for (let row = 0; row < rows; row++) {
              const y = row * strideY - padTop + ky * dilationY;
              if (y < 0 || y >= height) continue;
              const line = image + y * width + shift;
              const to = plane + row * columns;
              for (let column = first; column < end; column++) {
                result[to + column] += Math.imul(weight, source[line + column * strideX]);
              }
            }
          }
        }
      }
    }
  }
  return result;
}

/** Multiply-accumulates of a convolution, those with padding included. */
export function convolutionMacs(
  inputs: readonly (TensorType | undefined)[],
  shape: readonly number[],
): number {
  return elementCount(shape) * elementCount(inputs[1]!.shape.slice(1));
}
