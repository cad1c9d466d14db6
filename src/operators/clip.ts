// Relu and Clip: element by element, on integers.

import { z } from "zod";
import { integerLimits, type Range } from "../model/types.ts";
import { AttoflowError } from "../../targets/errors.ts";
import { defineOperator } from "./operator.ts";
import { allocate, clamp, integerOperand, integerType } from "./ranges.ts";

/** Attributes of {@link relu}: none. */
export const reluAttributes = z.strictObject({});

/** Attributes of {@link clip}: the interval that values are brought into. */
export const clipAttributes = z.strictObject({
  min: z.number().int().default(integerLimits.int32.min),
  max: z.number().int().default(integerLimits.int32.max),
});

/** max(x, 0). */
export const relu = defineOperator({
  name: "Relu",
  summary: "y = max(x, 0)",
  attributes: reluAttributes,
  inputs: { min: 1, max: 1 },
  infer(inputs) {
    return [clippedType(inputs, { min: 0, max: Infinity })];
  },
  evaluate([x], _attributes, [output]) {
    return [allocate(output.dtype, x!.data.length).map((_, i) => Math.max(x!.data[i], 0))];
  },
});

/** min(max(x, min), max). */
export const clip = defineOperator({
  name: "Clip",
  summary: "y = min(max(x, min), max)",
  attributes: clipAttributes,
  inputs: { min: 1, max: 1 },
  infer(inputs, attributes) {
    if (attributes.min > attributes.max) {
      throw new AttoflowError(`Clip's min ${attributes.min} is above its max ${attributes.max}`);
    }
    return [clippedType(inputs, attributes)];
  },
  evaluate([x], attributes, [output]) {
    return [allocate(output.dtype, x!.data.length).map((_, i) => clamp(x!.data[i], attributes))];
  },
});

function clippedType(inputs: Parameters<typeof integerOperand>[0], to: Range) {
  const x = integerOperand(inputs, 0);
  return integerType(x.shape, { min: clamp(x.range.min, to), max: clamp(x.range.max, to) });
}
