// iLayerNorm, iRMSNorm and iNoNorm: integer normalisations, requantised to 8 bit (dialect, section 4).
// Sums and products wrap to 32 bit; sums of squares are unsigned.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount, type Range } from "../model/types.ts";
import { defineOperator, type Operand, type Value } from "./operator.ts";
import { allocate, asInt32, clamp, integerOperand, integerType, parameter } from "./ranges.ts";
import { largestShift, requantLimits } from "./requant_shift.ts";
import { broadcastShape, broadcastStrides, gatherStrided, sameShape, shapeText } from "./shapes.ts";

const fields = {
  /** log2 of the divisor D. */
  shift: z.number().int().min(0).max(largestShift),
  /** Levels of the result, which is signed. */
  levels: z.number().int().min(2).max(2 ** 32),
} as const;

/** Attributes of {@link iLayerNorm} (inputs x, weight, bias) and {@link iRMSNorm} (inputs x, weight). */
export const normAttributes = z.strictObject(fields);

/** Attributes of {@link iNoNorm}. Inputs x, weight, bias: int32, broadcast to x. */
export const iNoNormAttributes = z.strictObject({
  ...fields,
  mul: z.number().int().min(-(2 ** 31)).max(2 ** 31 - 1),
});

const limitsOf = (levels: number): Range => requantLimits({ signed: true, levels });

/** Largest r with r² <= v, for v up to 2^32. */
function integerRoot(v: number): number {
  let root = Math.floor(Math.sqrt(v));
  while (root * root > v) root--;
  while ((root + 1) * (root + 1) <= v) root++;
  return root;
}

function rowLength(x: Operand, parameters: readonly [string, Operand | undefined][]): number {
  const length = x.shape.at(-1);
  if (length === undefined) throw new AttoflowError("a normalisation needs rows; its input is a scalar");
  for (const [what, operand] of parameters) {
    if (parameter(operand, what).length !== length) {
      throw new AttoflowError(
        `${what} of shape ${shapeText(operand!.shape)} does not fit rows of ${length} elements`,
      );
    }
  }
  return length;
}

/** floor(trunc(c·weight / r) + bias) >> shift, clipped; int32 throughout. */
function scale(c: number, weight: number, root: number, bias: number, shift: number, limits: Range): number {
  return clamp(((Math.trunc(Math.imul(c, weight) / root) + bias) | 0) >> shift, limits);
}

/**
 * Over the last axis of C elements: mean = trunc(Σx / C), c = x - mean, r = floor(sqrt(floor(Σc² / C) + 1)),
 * y = clip((trunc(c·weight / r) + bias) >> shift).
 */
export const iLayerNorm = defineOperator({
  name: "iLayerNorm",
  summary: "y = integer layer normalisation over the last axis",
  attributes: normAttributes,
  inputs: { min: 3, max: 3 },
  infer(inputs, { levels }) {
    const x = integerOperand(inputs, 0);
    rowLength(x, [["weight", inputs[1]], ["bias", inputs[2]]]);
    return [integerType(x.shape, limitsOf(levels))];
  },
  evaluate([x, weight, bias], { shift, levels }, [output]) {
    const limits = limitsOf(levels);
    const length = x!.shape[x!.shape.length - 1];
    const data = x!.data;
    const result = allocate(output.dtype, data.length);
    const centred = new Int32Array(length);
    for (let start = 0; start < data.length; start += length) {
      let sum = 0;
      for (let i = 0; i < length; i++) sum = (sum + data[start + i]) | 0;
      const mean = Math.trunc(sum / length);
      let squares = 0;
      for (let i = 0; i < length; i++) {
        centred[i] = data[start + i] - mean;
        squares = (squares + Math.imul(centred[i], centred[i])) >>> 0;
      }
      const root = integerRoot(Math.floor(squares / length) + 1);
      for (let i = 0; i < length; i++) {
        result[start + i] = scale(centred[i], weight!.data[i], root, bias!.data[i], shift, limits);
      }
    }
    return [result];
  },
});

/** Over the last axis of C elements: r = floor(sqrt(floor(Σx² / C) + 1)), y = clip(trunc(x·weight / r) >> shift). */
export const iRMSNorm = defineOperator({
  name: "iRMSNorm",
  summary: "y = integer root-mean-square normalisation over the last axis",
  attributes: normAttributes,
  inputs: { min: 2, max: 2 },
  infer(inputs, { levels }) {
    const x = integerOperand(inputs, 0);
    rowLength(x, [["weight", inputs[1]]]);
    return [integerType(x.shape, limitsOf(levels))];
  },
  evaluate([x, weight], { shift, levels }, [output]) {
    const limits = limitsOf(levels);
    const length = x!.shape[x!.shape.length - 1];
    const data = x!.data;
    const result = allocate(output.dtype, data.length);
    for (let start = 0; start < data.length; start += length) {
      let squares = 0;
      for (let i = start; i < start + length; i++) squares = (squares + Math.imul(data[i], data[i])) >>> 0;
      const root = integerRoot(Math.floor(squares / length) + 1);
      for (let i = 0; i < length; i++) {
        result[start + i] = scale(data[start + i], weight!.data[i], root, 0, shift, limits);
      }
    }
    return [result];
  },
});

/** y = clip(((x·weight + bias)·mul) >> shift), no rounding; x·weight + bias wraps, the product with mul is exact. */
export const iNoNorm = defineOperator({
  name: "iNoNorm",
  summary: "y = clip(((x·weight + bias)·mul) >> shift)",
  attributes: iNoNormAttributes,
  inputs: { min: 3, max: 3 },
  infer(inputs, { levels }) {
    const x = integerOperand(inputs, 0);
    for (const [index, what] of [[1, "weight"], [2, "bias"]] as const) {
      parameter(inputs[index], what);
      if (!sameShape(broadcastShape(x.shape, inputs[index]!.shape), x.shape)) {
        throw new AttoflowError(
          `${what} of shape ${shapeText(inputs[index]!.shape)} does not fit ${shapeText(x.shape)}`,
        );
      }
    }
    return [integerType(x.shape, limitsOf(levels))];
  },
  evaluate([x, weight, bias], { mul, shift, levels }, [output]) {
    const limits = limitsOf(levels);
    const [w, b] = [weight!, bias!].map((value) => expanded(value, x!.shape));
    const result = allocate(output.dtype, x!.data.length);
    for (let i = 0; i < result.length; i++) {
      const t = (Math.imul(x!.data[i], w[i]) + b[i]) | 0;
      const product = t * mul;
      const y = Math.abs(product) <= 2 ** 52
        ? Math.floor(product / 2 ** shift)
        : Number((BigInt(t) * BigInt(mul)) >> BigInt(shift));
      result[i] = clamp(y, limits);
    }
    return [result];
  },
});

function expanded(value: Value, shape: readonly number[]): Int32Array {
  const result = new Int32Array(elementCount(shape));
  gatherStrided(result, shape, asInt32(value.data), broadcastStrides(value.shape, shape));
  return result;
}
