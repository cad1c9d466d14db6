// IntegerDiv and TrueIntegerDiv: division of integers by integers, each with its own rounding (dialect, section 4).

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount, integerLimits, type Range } from "../model/types.ts";
import { defineOperator } from "./operator.ts";
import { allocate, asInt32, integerOperand, integerType } from "./ranges.ts";
import { broadcastShape, broadcastStrides, gatherStrided } from "./shapes.ts";

const factor = z.number().int().min(0).max(2 ** 48);

/** Attributes of {@link integerDiv}. */
export const integerDivAttributes = z.strictObject({
  /** Delta · eta of the file. */
  numerator: factor,
  eta: z.number().int().min(0).max(2 ** 31 - 1),
  eps: z.number().int().min(0).max(2 ** 31 - 1),
});

/** Attributes of {@link trueIntegerDiv}: Delta · eta and y · eta + eps of the file. */
export const trueIntegerDivAttributes = z.strictObject({ numerator: factor, denominator: factor.min(1) });

/**
 * n = numerator·x, d = eta·y + eps: trunc((n + sign(n)·(d >> 1)) / d), which rounds half away from 0. Exact in
 * 64 bit, the result wraps to 32. Where d is 0 the result is 0.
 */
export const integerDiv = defineOperator({
  name: "IntegerDiv",
  summary: "y = round(numerator·a / (eta·b + eps)), half away from 0",
  attributes: integerDivAttributes,
  inputs: { min: 2, max: 2 },
  infer(inputs, { numerator, eta, eps }) {
    const x = integerOperand(inputs, 0);
    const y = integerOperand(inputs, 1);
    checkProduct(x.range, numerator);
    const shape = broadcastShape(x.shape, y.shape);
    const smallest = eta * y.range.min + eps;
    if (smallest < 1) return [integerType(shape, integerLimits.int32)];
    const bound = (end: number) => Number(roundedQuotient(BigInt(numerator) * BigInt(end), BigInt(smallest)));
    return [
      integerType(shape, { min: Math.min(bound(x.range.min), 0), max: Math.max(bound(x.range.max), 0) }),
    ];
  },
  evaluate([x, y], { numerator, eta, eps }, [output]) {
    const [a, b] = [x!, y!].map((value) => {
      const data = new Int32Array(elementCount(output.shape));
      gatherStrided(data, output.shape, asInt32(value.data), broadcastStrides(value.shape, output.shape));
      return data;
    });
    const result = allocate(output.dtype, a.length);
    for (let i = 0; i < a.length; i++) {
      const quotient = roundedQuotient(
        BigInt(numerator) * BigInt(a[i]),
        BigInt(eta) * BigInt(b[i]) + BigInt(eps),
      );
      result[i] = Number(BigInt.asIntN(32, quotient));
    }
    return [result];
  },
});

/** Kernels compute in 64 bit; a product that may need more (and half a divisor to round) is refused. */
function checkProduct(x: Range, numerator: number): void {
  if (Math.max(-x.min, x.max) * numerator >= 2 ** 62) {
    throw new AttoflowError(
      `the factor ${numerator} times values up to ${Math.max(-x.min, x.max)} leaves 64 bit`,
    );
  }
}

function roundedQuotient(n: bigint, d: bigint): bigint {
  if (d === 0n) return 0n;
  const half = d >> 1n;
  return (n + (n > 0n ? half : n < 0n ? -half : 0n)) / d;
}

/** floor(x · numerator / denominator), no rounding; exact in 64 bit, the result wraps to 32. */
export const trueIntegerDiv = defineOperator({
  name: "TrueIntegerDiv",
  summary: "y = floor(x · numerator / denominator)",
  attributes: trueIntegerDivAttributes,
  inputs: { min: 1, max: 1 },
  infer(inputs, { numerator, denominator }) {
    const x = integerOperand(inputs, 0);
    checkProduct(x.range, numerator);
    const at = (end: number) => Number(floorQuotient(BigInt(end) * BigInt(numerator), BigInt(denominator)));
    return [integerType(x.shape, { min: at(x.range.min), max: at(x.range.max) })];
  },
  evaluate([x], { numerator, denominator }, [output]) {
    const result = allocate(output.dtype, x!.data.length);
    for (let i = 0; i < result.length; i++) {
      const quotient = floorQuotient(BigInt(x!.data[i]) * BigInt(numerator), BigInt(denominator));
      result[i] = Number(BigInt.asIntN(32, quotient));
    }
    return [result];
  },
});

function floorQuotient(n: bigint, d: bigint): bigint {
  const quotient = n / d;
  return n % d < 0n ? quotient - 1n : quotient;
}
