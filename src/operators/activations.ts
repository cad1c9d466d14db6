// iGELU and iHardswish: integer activations, element by element, not requantised (dialect, section 4).

import { z } from "zod";
import { defineOperator, type Operator } from "./operator.ts";
import { allocate, integerOperand, integerType, mapRange } from "./ranges.ts";
import { integerLimits, type Range } from "../model/types.ts";

const coefficient = z.number().int().min(-(2 ** 31)).max(2 ** 31 - 1);

/** Attributes of {@link iGELU}; bounded so that no intermediate value leaves 32 bit. */
export const iGELUAttributes = z.strictObject({
  b: z.number().int().min(-(2 ** 14)).max(-1),
  one: z.number().int().min(-(2 ** 29)).max(2 ** 29),
});

/** Attributes of {@link iHardswish}: the quantised 1/6, 3 and 6. */
export const iHardswishAttributes = z.strictObject({
  oneOverSix: coefficient,
  three: coefficient,
  six: coefficient.min(0),
});

/** x times an int32 factor that depends on x, wrapping to 32 bit. */
function activation<A extends object>(
  name: string,
  summary: string,
  attributes: z.ZodType<A>,
  factor: (x: number, attributes: A) => number,
): Operator {
  return defineOperator({
    name,
    summary,
    attributes,
    inputs: { min: 1, max: 1 },
    infer(inputs, parsed) {
      const x = integerOperand(inputs, 0);
      const all: Range = integerLimits.int32;
      return [integerType(x.shape, mapRange((value) => value * factor(value, parsed), x.range, all))];
    },
    evaluate([x], parsed, [output]) {
      const result = allocate(output.dtype, x!.data.length);
      for (let i = 0; i < result.length; i++) result[i] = Math.imul(x!.data[i], factor(x!.data[i], parsed));
      return [result];
    },
  });
}

/** What {@link iGELU} multiplies an element by. */
export function geluFactor(x: number, { b, one }: z.output<typeof iGELUAttributes>): number {
  const d = Math.min(Math.abs(x), -b) + b;
  return Math.floor((one + Math.sign(x) * (one - d * d)) / 2);
}

/** With d = min(|x|, -b) + b and l = sign(x)·(one - d²): y = x · floor((one + l) / 2). */
export const iGELU = activation(
  "iGELU",
  "y = x · floor((one + sign(x)·(one - (min(|x|, -b) + b)²)) / 2)",
  iGELUAttributes,
  geluFactor,
);

/** y = x · (clip(x + three, 0, six) · oneOverSix), every step wrapping to 32 bit. */
export const iHardswish = activation(
  "iHardswish",
  "y = x · clip(x + three, 0, six) · oneOverSix",
  iHardswishAttributes,
  (x, { oneOverSix, three, six }) => Math.imul(Math.min(Math.max((x + three) | 0, 0), six), oneOverSix),
);
