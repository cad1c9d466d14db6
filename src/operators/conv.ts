// Conv: convolution over one or two spatial axes, NCHW, padding with zeros, not requantised.

import { z } from "zod";
import { convolutionFields, convolutionMacs, convolutionType, convolve } from "./convolution.ts";
import { defineOperator } from "./operator.ts";
import { integerType, store } from "./ranges.ts";

/** Attributes of {@link conv}. Inputs: x [N, C, …], w [O, C/group, …] and, optionally, an int32 bias [O]. */
export const convAttributes = z.strictObject(convolutionFields);

/** Convolution. */
export const conv = defineOperator({
  name: "Conv",
  summary: "y = x ∗ w + bias",
  attributes: convAttributes,
  inputs: { min: 2, max: 3 },
  infer(inputs, attributes) {
    const { shape, range } = convolutionType(inputs, attributes);
    return [integerType(shape, range)];
  },
  evaluate([x, w, bias], attributes, [output]) {
    const result = convolve(x!, w!, bias, attributes, output.shape);
    return [output.dtype === "int32" ? result : store(output.dtype, result)];
  },
  macs: (inputs, _attributes, [output]) => convolutionMacs(inputs, output.shape),
});
