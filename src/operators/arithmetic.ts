// Add, Sub, Mul: element by element with numpy's broadcasting, on integers, wrapping to 32 bit.

import { z } from "zod";
import { defineOperator, type Operator } from "./operator.ts";
import { elementCount, type Range } from "../model/types.ts";
import { allocate, asInt32, integerOperand, integerType, productRange, sumRange } from "./ranges.ts";
import { broadcastShape, broadcastStrides, forEachRow } from "./shapes.ts";

/** Attributes of {@link add}, {@link sub} and {@link mul}: none. */
export const arithmeticAttributes = z.strictObject({});

function elementwise(
  name: string,
  summary: string,
  combine: (x: number, y: number) => number,
  range: (x: Range, y: Range) => Range,
): Operator {
  return defineOperator({
    name,
    summary,
    attributes: arithmeticAttributes,
    inputs: { min: 2, max: 2 },
    infer(inputs) {
      const x = integerOperand(inputs, 0);
      const y = integerOperand(inputs, 1);
      return [integerType(broadcastShape(x.shape, y.shape), range(x.range, y.range))];
    },
    evaluate([x, y], _attributes, [output]) {
      const a = asInt32(x!.data);
      const b = asInt32(y!.data);
      const result = allocate(output.dtype, elementCount(output.shape));
      const strides = [x!, y!].map((value) => broadcastStrides(value.shape, output.shape));
      const last = output.shape.length - 1;
      const length = last < 0 ? 1 : output.shape[last];
      const [stepA, stepB] = strides.map((stride) => stride[last] ?? 0);
      let to = 0;
      forEachRow(output.shape, strides, ([startA, startB]) => {
        for (let i = 0; i < length; i++) result[to++] = combine(a[startA + i * stepA], b[startB + i * stepB]);
      });
      return [result];
    },
  });
}

/** x + y. */
export const add = elementwise("Add", "y = a + b", (x, y) => (x + y) | 0, sumRange);

/** x - y. */
export const sub = elementwise(
  "Sub",
  "y = a - b",
  (x, y) => (x - y) | 0,
  (x, y) => ({ min: x.min - y.max, max: x.max - y.min }),
);

/** x · y. */
export const mul = elementwise("Mul", "y = a · b", Math.imul, productRange);
