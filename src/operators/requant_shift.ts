// RequantShift: multiply, add, shift right with rounding, clip. And the arithmetic of it, which the fused
// operators (RequantizedMatMul, RequantizedConv) share. Dialect sections 3 and 6.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { integerLimits, type Range, type TensorData } from "../model/types.ts";
import { defineOperator, type Operand, type Value } from "./operator.ts";
import { allocate, clamp, integerOperand, integerType, parameter, union } from "./ranges.ts";
import { shapeText } from "./shapes.ts";

/** Largest shift: divisors are powers of two up to 2^31. */
export const largestShift = 31;

/** Attributes of every requantisation. */
export const requantFields = {
  /** Axis of the output along which mul, add (and shift) vary; -1: one of each for the whole tensor. */
  axis: z.number().int().min(-1),
  /** log2 of the divisor; -1: it varies along `axis`, and the last input holds it. */
  shift: z.number().int().min(-1).max(largestShift),
  /** Whether the result is clipped to [-levels/2, levels/2 - 1] or to [0, levels - 1]. */
  signed: z.boolean(),
  levels: z.number().int().min(2).max(2 ** 32),
} as const;

/** Attributes of {@link requantShift}. Inputs: x, mul, add and, if shift is -1, shift. */
export const requantAttributes = z.strictObject(requantFields);

/** Parsed attributes of a requantisation. */
export type RequantAttributes = z.output<typeof requantAttributes>;

/** Interval that a requantisation clips to. */
export function requantLimits({ signed, levels }: Pick<RequantAttributes, "signed" | "levels">): Range {
  const low = signed ? -Math.floor(levels / 2) : 0;
  return { min: low, max: low + levels - 1 };
}

/** Constants of a requantisation, by position along its axis (one entry where it has none). */
export interface RequantConstants {
  readonly mul: ArrayLike<number>;
  readonly add: ArrayLike<number>;
  readonly shift: ArrayLike<number>;
  readonly limits: Range;
}

/** Reads and checks the constants of a requantisation whose output has the given shape. */
export function requantConstants(
  attributes: RequantAttributes,
  shape: readonly number[],
  [mul, add, shift]: readonly (Operand | undefined)[],
): RequantConstants {
  const { axis } = attributes;
  if (axis >= shape.length) {
    throw new AttoflowError(`requantisation along axis ${axis} of a tensor of shape ${shapeText(shape)}`);
  }
  const length = axis < 0 ? 1 : shape[axis];
  const vector = (operand: Operand | undefined, what: string) => {
    const data = parameter(operand, what);
    if (data.length !== length) {
      throw new AttoflowError(`${what} has ${data.length} elements where the output's axis has ${length}`);
    }
    return data;
  };
  if ((attributes.shift < 0) !== (shift !== undefined)) {
    throw new AttoflowError("a requantisation has either one shift or a tensor of shifts");
  }
  const shifts = shift ? vector(shift, "shift") : new Int32Array(length).fill(attributes.shift);
  for (const value of shifts) {
    if (value < 0 || value > largestShift) {
      throw new AttoflowError(`shift ${value} is not 0 to ${largestShift}`);
    }
  }
  const limits = requantLimits(attributes);
  if (limits.min < integerLimits.int32.min || limits.max > integerLimits.int32.max) {
    throw new AttoflowError(`${attributes.levels} unsigned levels do not fit 32 bit`);
  }
  return { mul: vector(mul, "mul"), add: vector(add, "add"), shift: shifts, limits };
}

/** As {@link requantConstants}, when evaluating: the constants have been checked before. */
export function requantValues(
  attributes: RequantAttributes,
  [mul, add, shift]: readonly (Value | undefined)[],
): RequantConstants {
  const length = mul!.data.length;
  const shifts = shift?.data ?? new Int32Array(length).fill(attributes.shift);
  return { mul: mul!.data, add: add!.data, shift: shifts, limits: requantLimits(attributes) };
}

/**
 * clip((x·mul + add + half) >> shift), where half is 2^(shift-1), or 0 if shift is 0. Rounds half towards
 * +infinity. x, mul and add are of int32; the sum is exact (64 bit).
 */
export function requantize(x: number, mul: number, add: number, shift: number, limits: Range): number {
  const divisor = 2 ** shift;
  const half = shift > 0 ? divisor / 2 : 0;
  const product = x * mul;
  const value = product + (add + half);
  // Sums below 2^53 are exact in a double, and so is their division by a power of two.
  if (Math.abs(product) <= 2 ** 52) return clamp(Math.floor(value / divisor), limits) + 0;
  const exact = (BigInt(x) * BigInt(mul) + BigInt(add) + BigInt(half)) >> BigInt(shift);
  return clamp(Number(exact), limits);
}

/** Values of a requantisation over the interval x. */
export function requantRange(x: Range, constants: RequantConstants): Range {
  let range: Range | undefined;
  for (let i = 0; i < constants.mul.length; i++) {
    const ends = [x.min, x.max].map((end) =>
      requantize(end, constants.mul[i], constants.add[i], constants.shift[i], constants.limits)
    );
    const part = { min: Math.min(...ends), max: Math.max(...ends) };
    range = range ? union(range, part) : part;
  }
  return range ?? { min: 0, max: 0 };
}

/** Requantises row-major accumulators of `shape` along `axis` into `target`. */
export function requantizeAll(
  target: TensorData,
  accumulators: TensorData,
  shape: readonly number[],
  axis: number,
  constants: RequantConstants,
): void {
  const length = axis < 0 ? 1 : shape[axis];
  const inner = axis < 0 ? accumulators.length : shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const { mul, add, shift, limits } = constants;
  for (let from = 0; from < accumulators.length;) {
    for (let c = 0; c < length; c++) {
      const m = mul[c];
      const a = add[c];
      const s = shift[c];
      const end = from + inner;
      if (Math.abs(m) < exactMultiplier) requantizeRun(target, accumulators, from, end, m, a, s, limits);
      else for (let i = from; i < end; i++) target[i] = requantize(accumulators[i], m, a, s, limits);
      from = end;
    }
  }
}

/** Multipliers below have products with 32-bit numbers that are exact in a double, anything of 32 bit added. */
const exactMultiplier = 2 ** 20;

/** As {@link requantize}, for elements `start … end - 1`. */
function requantizeRun(
  target: TensorData,
  accumulators: TensorData,
  start: number,
  end: number,
  mul: number,
  add: number,
  shift: number,
  { min, max }: Range,
): void {
  const unit = 2 ** -shift;
  const offset = add + (shift > 0 ? 2 ** (shift - 1) : 0);
  for (let i = start; i < end; i++) {
    const value = Math.floor((accumulators[i] * mul + offset) * unit);
    target[i] = value < min ? min : value > max ? max : value;
  }
}

/** clip((x·mul + add + half) >> shift). */
export const requantShift = defineOperator({
  name: "RequantShift",
  summary: "y = clip((x·mul + add + 2^(shift-1)) >> shift)",
  attributes: requantAttributes,
  inputs: { min: 3, max: 4 },
  infer(inputs, attributes) {
    const x = integerOperand(inputs, 0);
    const constants = requantConstants(attributes, x.shape, inputs.slice(1));
    return [integerType(x.shape, requantRange(x.range, constants))];
  },
  evaluate(inputs, attributes, [output]) {
    const x = inputs[0]!;
    const result = allocate(output.dtype, x.data.length);
    requantizeAll(result, x.data, x.shape, attributes.axis, requantValues(attributes, inputs.slice(1)));
    return [result];
  },
});
