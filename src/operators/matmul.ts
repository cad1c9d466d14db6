// MatMul: the matrix product of the last two axes, batched over the others with broadcasting.

import { z } from "zod";
import { defineOperator } from "./operator.ts";
import {
  multiplyMatrices,
  productInterval,
  productMacs,
  productSizes,
  untransposed,
} from "./matrix_product.ts";
import { integerOperand, integerType, store } from "./ranges.ts";

/** Attributes of {@link matMul}: none. */
export const matMulAttributes = z.strictObject({});

/** a · b; both of rank 2 or more. */
export const matMul = defineOperator({
  name: "MatMul",
  summary: "y = a · b, batched",
  attributes: matMulAttributes,
  inputs: { min: 2, max: 2 },
  infer(inputs) {
    const a = integerOperand(inputs, 0);
    const b = integerOperand(inputs, 1);
    const { shape } = productSizes(a.shape, b.shape, untransposed);
    return [integerType(shape, productInterval(a, b, untransposed))];
  },
  evaluate([a, b], _attributes, [output]) {
    const result = multiplyMatrices(a!, b!, untransposed);
    return [output.dtype === "int32" ? result : store(output.dtype, result)];
  },
  macs: (inputs) => productMacs(inputs, untransposed),
});
