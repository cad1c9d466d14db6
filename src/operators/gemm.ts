// Gemm: alpha times a matrix product plus beta times an addend, not requantised.

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
import { integerOperand, integerType, productRange, store, sumRange } from "./ranges.ts";

const factor = z.number().int().min(-(2 ** 31)).max(2 ** 31 - 1);

/** Attributes of {@link gemm}. Inputs: a, b and, optionally, c, which broadcasts to the result. */
export const gemmAttributes = z.strictObject({
  alpha: factor.default(1),
  beta: factor.default(1),
  transA: z.boolean().default(false),
  transB: z.boolean().default(false),
});

/** alpha · a · b + beta · c. Ranks above 2 are batched as in MatMul. */
export const gemm = defineOperator({
  name: "Gemm",
  summary: "y = alpha · a · b + beta · c",
  attributes: gemmAttributes,
  inputs: { min: 2, max: 3 },
  infer(inputs, attributes) {
    const a = integerOperand(inputs, 0);
    const b = integerOperand(inputs, 1);
    const { shape } = productSizes(a.shape, b.shape, attributes);
    const { alpha, beta } = attributes;
    let range = productRange(productInterval(a, b, attributes), { min: alpha, max: alpha });
    if (inputs[2]) {
      const c = integerOperand(inputs, 2);
      checkBias(c.shape, shape);
      range = sumRange(range, productRange(c.range, { min: beta, max: beta }));
    }
    return [integerType(shape, range)];
  },
  evaluate([a, b, c], attributes, [output]) {
    const result = multiplyMatrices(a!, b!, attributes);
    const { alpha, beta } = attributes;
    if (alpha !== 1) { for (let i = 0; i < result.length; i++) result[i] = Math.imul(alpha, result[i]); }
    if (c) addBroadcast(result, output.shape, c, beta);
    return [output.dtype === "int32" ? result : store(output.dtype, result)];
  },
  macs: (inputs, attributes) => productMacs(inputs, attributes),
});
