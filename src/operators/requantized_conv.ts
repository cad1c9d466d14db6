// RequantizedConv: convolution, bias and requantisation in one. Only passes make it.

import { z } from "zod";
import { convolutionFields, convolutionMacs, convolutionType, convolve } from "./convolution.ts";
import { defineOperator } from "./operator.ts";
import { allocate, integerType } from "./ranges.ts";
import {
  requantConstants,
  requantFields,
  requantizeAll,
  requantRange,
  requantValues,
} from "./requant_shift.ts";

/**
 * Attributes of {@link requantizedConv}. Inputs: x, w, bias (int32 [O], may be absent), mul, add and, if shift
 * is -1, shift. The requantisation's axis is -1 or 1 (channels).
 */
export const requantizedConvAttributes = z.strictObject({
  ...convolutionFields,
  ...requantFields,
  axis: z.union([z.literal(-1), z.literal(1)]),
});

/** requantise(x ∗ w + bias). */
export const requantizedConv = defineOperator({
  name: "RequantizedConv",
  summary: "y = clip(((x ∗ w + bias)·mul + add + 2^(shift-1)) >> shift)",
  attributes: requantizedConvAttributes,
  inputs: { min: 5, max: 6 },
  optional: [2],
  infer(inputs, attributes) {
    const { shape, range } = convolutionType(inputs.slice(0, 3), attributes);
    const constants = requantConstants(attributes, shape, inputs.slice(3));
    return [integerType(shape, requantRange(integerType(shape, range).range, constants))];
  },
  evaluate(inputs, attributes, [output]) {
    const [x, w, bias] = inputs;
    const accumulators = convolve(x!, w!, bias, attributes, output.shape);
    const result = allocate(output.dtype, accumulators.length);
    const constants = requantValues(attributes, inputs.slice(3));
    requantizeAll(result, accumulators, output.shape, attributes.axis, constants);
    return [result];
  },
  macs: (inputs, _attributes, [output]) => convolutionMacs(inputs, output.shape),
});
