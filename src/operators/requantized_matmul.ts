// RequantizedMatMul: matrix product, bias and requantisation in one. Only passes make it.

import { z } from "zod";
import { defineOperator } from "./operator.ts";
import {
  addBroadcast,
  checkBias,
  multiplyMatrices,
  productInterval,
  productMacs,
  productSizes,
} from "./matrix_product.ts";
import { allocate, integerOperand, integerType, parameter, sumRange } from "./ranges.ts";
import {
  requantConstants,
  requantFields,
  requantizeAll,
  requantRange,
  requantValues,
} from "./requant_shift.ts";

/**
 * Attributes of {@link requantizedMatMul}. Inputs: a, b, bias (int32, may be absent, broadcasts to the result),
 * mul, add and, if shift is -1, shift.
 */
export const requantizedMatMulAttributes = z.strictObject({
  ...requantFields,
  transA: z.boolean().default(false),
  transB: z.boolean().default(false),
});

/** requantise(a · b + bias). */
export const requantizedMatMul = defineOperator({
  name: "RequantizedMatMul",
  summary: "y = clip(((a · b + bias)·mul + add + 2^(shift-1)) >> shift)",
  attributes: requantizedMatMulAttributes,
  inputs: { min: 5, max: 6 },
  optional: [2],
  infer(inputs, attributes) {
    const a = integerOperand(inputs, 0);
    const b = integerOperand(inputs, 1);
    const { shape } = productSizes(a.shape, b.shape, attributes);
    let range = integerType(shape, productInterval(a, b, attributes)).range;
    if (inputs[2]) {
      parameter(inputs[2], "bias");
      checkBias(inputs[2].shape, shape);
      range = integerType(shape, sumRange(range, inputs[2].range)).range;
    }
    const constants = requantConstants(attributes, shape, inputs.slice(3));
    return [integerType(shape, requantRange(range, constants))];
  },
  evaluate(inputs, attributes, [output]) {
    const [a, b, bias] = inputs;
    const accumulators = multiplyMatrices(a!, b!, attributes);
    if (bias) addBroadcast(accumulators, output.shape, bias);
    const result = allocate(output.dtype, accumulators.length);
    const constants = requantValues(attributes, inputs.slice(3));
    requantizeAll(result, accumulators, output.shape, attributes.axis, constants);
    return [result];
  },
  macs: (inputs, attributes) => productMacs(inputs, attributes),
});
