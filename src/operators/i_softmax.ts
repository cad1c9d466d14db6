// iSoftmax: the integer softmax of I-BERT, a second-degree polynomial for 2^-p and shifts for the rest.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { defineOperator } from "./operator.ts";
import { allocate, integerOperand, integerType } from "./ranges.ts";

const coefficient = z.number().int().min(0).max(2 ** 31 - 1);

/** Attributes of {@link iSoftmax}. `log2` is the quantised ln 2. */
export const iSoftmaxAttributes = z.strictObject({
  coeffA: coefficient,
  coeffB: coefficient,
  coeffC: coefficient,
  log2: coefficient.min(1),
  levels: z.number().int().min(2).max(256),
});

/**
 * With t = x - max, z = floor(-t / log2), p = t + z·log2: e = (coeffA·(p + coeffB)² + coeffC) >> z and
 * y = floor(e·(levels - 1) / Σe), over the last axis.
 */
export const iSoftmax = defineOperator({
  name: "iSoftmax",
  summary: "y = integer softmax (polynomial) over the last axis",
  attributes: iSoftmaxAttributes,
  inputs: { min: 1, max: 1 },
  infer(inputs, { coeffA, coeffB, coeffC, log2, levels }) {
    const x = integerOperand(inputs, 0);
    const length = x.shape.at(-1);
    if (length === undefined) throw new AttoflowError("iSoftmax needs rows; its input is a scalar");
    // p lies in (-log2, 0]; the largest element of a row has p = 0.
    const largest = coeffA * Math.max(coeffB, log2 - 1 - coeffB) ** 2 + coeffC;
    const atMaximum = coeffA * coeffB ** 2 + coeffC;
    if (atMaximum < 1) throw new AttoflowError("iSoftmax's coefficients make its largest term 0");
    if (largest * Math.max(length, levels - 1) >= 2 ** 32) {
      throw new AttoflowError(
        `iSoftmax's coefficients need more than 32 bits for rows of ${length} elements`,
      );
    }
    return [integerType(x.shape, { min: 0, max: levels - 1 })];
  },
  evaluate([x], { coeffA, coeffB, coeffC, log2, levels }, [output]) {
    const { shape, data } = x!;
    const length = shape[shape.length - 1];
    const result = allocate(output.dtype, data.length);
    const terms = new Float64Array(length);
    for (let start = 0; start < data.length; start += length) {
      let maximum = data[start];
      for (let i = 1; i < length; i++) maximum = Math.max(maximum, data[start + i]);
      let sum = 0;
      for (let i = 0; i < length; i++) {
        const t = data[start + i] - maximum;
        const z = Math.floor(-t / log2);
        const p = t + z * log2;
        terms[i] = Math.floor((coeffA * (p + coeffB) ** 2 + coeffC) / 2 ** z);
        sum += terms[i];
      }
      for (let i = 0; i < length; i++) result[start + i] = Math.floor(terms[i] * (levels - 1) / sum);
    }
    return [result];
  },
});
