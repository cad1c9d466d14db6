// Interval arithmetic on the values of tensors, and the choice of their storage types.
// Integers that leave int32 wrap to 32 bit everywhere, so an interval that leaves it becomes all of int32.

import { AttoflowError } from "../../targets/errors.ts";
import { type DType, integerLimits, type Range, type Tensor, type TensorData } from "../model/types.ts";
import type { Operand, TensorType } from "./operator.ts";

const int32 = integerLimits.int32;

/** Range of every float32 tensor. */
export const anyFloat: Range = { min: -Infinity, max: Infinity };

/** Type of an integer tensor whose exact values lie in the interval, before they wrap to 32 bit. */
export function integerType(shape: readonly number[], exact: Range): TensorType {
  // Adding 0 makes -0 a plain 0.
  const range = within(exact, int32) ? { min: exact.min + 0, max: exact.max + 0 } : int32;
  return { dtype: smallestDType(range), shape, range };
}

/** Type of a tensor that holds elements of `like`, perhaps fewer, in another shape. */
export function sameElements(like: TensorType, shape: readonly number[], range = like.range): TensorType {
  return like.dtype === "float32" ? { dtype: "float32", shape, range: anyFloat } : integerType(shape, range);
}

/** The smallest of int8, uint8 and int32 that holds the range. */
export function smallestDType(range: Range): DType {
  if (within(range, integerLimits.int8)) return "int8";
  if (within(range, integerLimits.uint8)) return "uint8";
  return "int32";
}

/** Whether all of `inner` lies in `outer`. */
export function within(inner: Range, outer: Range): boolean {
  return inner.min >= outer.min && inner.max <= outer.max;
}

/** The smallest interval that holds both. */
export function union(a: Range, b: Range): Range {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

/** Values of x + y. */
export function sumRange(x: Range, y: Range): Range {
  return { min: x.min + y.min, max: x.max + y.max };
}

/** Values of x · y; exact only below 2^53, which suffices to see that int32 is left. */
export function productRange(x: Range, y: Range): Range {
  const products = [x.min * y.min, x.min * y.max, x.max * y.min, x.max * y.max];
  return { min: Math.min(...products), max: Math.max(...products) };
}

/** Values of a sum of `count` terms that each lie in `x`. */
export function repeatRange(x: Range, count: number): Range {
  return { min: x.min * count, max: x.max * count };
}

/** The nearest value inside the interval. */
export function clamp(value: number, range: Range): number {
  return value < range.min ? range.min : value > range.max ? range.max : value;
}

/** Widest interval of a unary function's arguments that is looked at value by value. */
const enumerable = 2 ** 16;

/**
 * Values of `f` over an interval of integers: all of them where they are few, else `otherwise`.
 * `f` must return exact, unwrapped values.
 */
export function mapRange(f: (x: number) => number, x: Range, otherwise: Range): Range {
  if (x.max - x.min > enumerable) return otherwise;
  let min = Infinity;
  let max = -Infinity;
  for (let value = x.min; value <= x.max; value++) {
    const y = f(value);
    if (y < min) min = y;
    if (y > max) max = y;
  }
  return { min, max };
}

/** Smallest interval that holds all elements; [0, 0] where there are none. */
export function dataRange(data: ArrayLike<number>): Range {
  if (data.length === 0) return { min: 0, max: 0 };
  let min = data[0];
  let max = data[0];
  for (let i = 1; i < data.length; i++) {
    if (data[i] < min) min = data[i];
    if (data[i] > max) max = data[i];
  }
  return { min: min + 0, max: max + 0 };
}

/** A new typed array of the dtype. */
export function allocate(dtype: DType, length: number): TensorData {
  switch (dtype) {
    case "int8":
      return new Int8Array(length);
    case "uint8":
      return new Uint8Array(length);
    case "int32":
      return new Int32Array(length);
    case "float32":
      return new Float32Array(length);
  }
}

/** The elements in a new typed array of the dtype. */
export function store(dtype: DType, values: ArrayLike<number>): TensorData {
  const data = allocate(dtype, values.length);
  data.set(values);
  return data;
}

/** The elements as int32, which every inner loop of a reference works on. */
export function asInt32(data: TensorData): Int32Array {
  return data instanceof Int32Array ? data : Int32Array.from(data);
}

/** The operand at a position, which must be there and hold integers. Throws {@link AttoflowError}. */
export function integerOperand(inputs: readonly (Operand | undefined)[], index: number): Operand {
  const operand = inputs[index];
  if (!operand) throw new AttoflowError(`input ${index} is absent`);
  if (operand.dtype === "float32") {
    throw new AttoflowError(`input ${index} holds float32 numbers, and this operator works on integers`, {
      hint: "Quantise the model first: Attoflow runs networks of the integer dialect.",
    });
  }
  return operand;
}

/** Elements of a parameter that must be a constant of int32. Throws {@link AttoflowError}. */
export function parameter(operand: Operand | undefined, what: string): Int32Array {
  if (!operand?.data) throw new AttoflowError(`${what} must be constant`);
  if (!(operand.data instanceof Int32Array)) throw new AttoflowError(`${what} must be stored as int32`);
  return operand.data;
}

/** A constant integer tensor in the smallest dtype. Values must be integers of int32. */
export function constantTensor(name: string, shape: readonly number[], values: ArrayLike<number>): Tensor {
  const range = dataRange(values);
  const dtype = smallestDType(range);
  return { name, dtype, shape, range, data: store(dtype, values) };
}

/** A constant that parametrises an operator (multipliers, biases …): int32 whatever its values are. */
export function parameterTensor(name: string, shape: readonly number[], values: ArrayLike<number>): Tensor {
  return { name, dtype: "int32", shape, range: dataRange(values), data: store("int32", values) };
}
