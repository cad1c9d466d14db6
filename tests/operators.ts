// Applies one operator to literal inputs, as the tests of src/operators do.

import assert from "node:assert/strict";
import { elementCount, type Range } from "../src/model/types.ts";
import type { Operand, TensorType, Value } from "../src/operators/operator.ts";
import { constantTensor, dataRange, parameterTensor, within } from "../src/operators/ranges.ts";
import { operatorNamed } from "../src/operators/registry.ts";

/** An operand of a test. */
export interface TestOperand {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
  /** `constant` and `parameter` are known to the type rule; `input` is known by its range alone. */
  readonly kind: "input" | "constant" | "parameter" | "float";
  readonly range?: Range;
}

/** An activation; its range is that of its values unless given. */
export function input(shape: readonly number[], values: ArrayLike<number>, range?: Range): TestOperand {
  return { shape, values, kind: "input", range };
}

/** A constant in the smallest dtype. */
export function constant(shape: readonly number[], values: ArrayLike<number>): TestOperand {
  return { shape, values, kind: "constant" };
}

/** A constant of int32. */
export function parameter(
  values: ArrayLike<number>,
  shape: readonly number[] = [values.length],
): TestOperand {
  return { shape, values, kind: "parameter" };
}

/** A float32 activation. */
export function float(shape: readonly number[], values: ArrayLike<number>): TestOperand {
  return { shape, values, kind: "float" };
}

function operand({ shape, values, kind, range }: TestOperand): Operand & Value {
  assert.equal(values.length, elementCount(shape), "the test's own operand");
  if (kind === "parameter") return parameterTensor("p", shape, values) as Operand & Value;
  if (kind === "float") {
    const data = Float32Array.from(values);
    return { dtype: "float32", shape, range: { min: -Infinity, max: Infinity }, data };
  }
  const tensor = constantTensor("x", shape, values);
  return { ...tensor, range: range ?? tensor.range } as Operand & Value;
}

/**
 * Infers and evaluates.
 *
 * @returns type and elements of the output; elements have been checked to lie within the inferred range
 */
export function apply(
  name: string,
  operands: readonly (TestOperand | undefined)[],
  attributes: Record<string, unknown> = {},
): TensorType & { values: number[] } {
  const operator = operatorNamed(name);
  const values = operands.map((o) => o && operand(o));
  const known = values.map((value, i) => {
    if (!value || operands[i]!.kind === "constant" || operands[i]!.kind === "parameter") return value;
    const { data: _, ...type } = value;
    return type;
  });
  const types = operator.infer(known, attributes);
  const [data] = operator.evaluate(values, attributes, types);
  assert.equal(data.length, elementCount(types[0].shape), "elements of the result");
  assert.ok(
    data.length === 0 || types[0].dtype === "float32" || within(dataRange(data), types[0].range),
    `values ${JSON.stringify(dataRange(data))} outside the inferred range ${JSON.stringify(types[0].range)}`,
  );
  return { ...types[0], values: [...data] };
}

/** Small deterministic random integers. */
export function randomIntegers(seed: number, length: number, min: number, max: number): number[] {
  let state = seed >>> 0 || 1;
  return Array.from({ length }, () => {
    // xorshift32 (Marsaglia 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return min + (state >>> 0) % (max - min + 1);
  });
}
