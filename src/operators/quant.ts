// Quant and Dequant: the borders between float32 and integers. The importer makes them of float patterns.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { defineOperator } from "./operator.ts";
import { allocate, anyFloat, clamp, integerOperand, integerType } from "./ranges.ts";

const float32 = z.number().refine(
  (value) => Object.is(Math.fround(value), value),
  "must be a float32 number",
);
const int32 = z.number().int().min(-(2 ** 31)).max(2 ** 31 - 1);

/** Attributes of {@link quant}. */
export const quantAttributes = z.strictObject({
  scale: float32.positive(),
  zeroPoint: float32,
  min: int32,
  max: int32,
});

/** Attributes of {@link dequant}. */
export const dequantAttributes = z.strictObject({ scale: float32, zeroPoint: int32 });

/**
 * y = clip(round(x / scale + zeroPoint)), in float32 (each operation rounded to nearest even, as IEEE 754 and
 * ONNX have it), `round` half to even. Not-a-number gives min.
 */
export const quant = defineOperator({
  name: "Quant",
  summary: "y = clip(round(x / scale + zeroPoint)), float32 to integers",
  attributes: quantAttributes,
  inputs: { min: 1, max: 1 },
  infer([x], { min, max }) {
    if (x!.dtype !== "float32") throw new AttoflowError("Quant takes float32 numbers, not integers");
    if (min > max) throw new AttoflowError(`Quant's min ${min} is above its max ${max}`);
    return [integerType(x!.shape, { min, max })];
  },
  evaluate([x], { scale, zeroPoint, min, max }, [output]) {
    const result = allocate(output.dtype, x!.data.length);
    for (let i = 0; i < result.length; i++) {
      // Quotient and sum of two float32 numbers, rounded to double and then to float32, equal the float32 ones.
      const value = Math.fround(Math.fround(x!.data[i] / scale) + zeroPoint);
      result[i] = Number.isNaN(value) ? min : clamp(roundHalfEven(value), { min, max });
    }
    return [result];
  },
});

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** y = (x - zeroPoint) · scale; x - zeroPoint wraps to 32 bit, is rounded to float32, and so is the product. */
export const dequant = defineOperator({
  name: "Dequant",
  summary: "y = (x - zeroPoint) · scale, integers to float32",
  attributes: dequantAttributes,
  inputs: { min: 1, max: 1 },
  infer(inputs) {
    return [{ dtype: "float32", shape: integerOperand(inputs, 0).shape, range: anyFloat }];
  },
  evaluate([x], { scale, zeroPoint }) {
    const result = new Float32Array(x!.data.length);
    for (let i = 0; i < result.length; i++) {
      result[i] = Math.fround((x!.data[i] - zeroPoint) | 0) * scale;
    }
    return [result];
  },
});
