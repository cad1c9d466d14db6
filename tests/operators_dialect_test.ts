// The dialect's own operators. Expected values come from its formulas (sections 4 and 5), written down again in
// another language, and from hand where the case is small.

import assert from "node:assert/strict";
import { apply, float, input, parameter } from "./operators.ts";

const int8 = { min: -128, max: 127 };
const int32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };

Deno.test("iSoftmax: polynomial, shift and normalisation", () => {
  const attributes = { coeffA: 1, coeffB: 345, coeffC: 62395, log2: 255, levels: 256 };
  const row = input([6], [-128, -20, 0, 5, 127, 126], int8);
  const { values, dtype, range } = apply("iSoftmax", [row], attributes);
  assert.deepEqual(values, [29, 33, 36, 36, 59, 59]);
  assert.deepEqual([dtype, range], ["uint8", { min: 0, max: 255 }]);
});

Deno.test("iSoftmax works row by row, along the last axis", () => {
  const attributes = { coeffA: 1, coeffB: 68, coeffC: 2418, log2: 50, levels: 256 };
  const { values } = apply("iSoftmax", [input([2, 4], [10, -40, -90, 3, 10, 10, 10, 10], int8)], attributes);
  assert.deepEqual(values, [97, 48, 24, 84, 63, 63, 63, 63]);
});

Deno.test("iSoftmax of values far apart leaves nothing of the small ones", () => {
  const attributes = { coeffA: 1, coeffB: 68, coeffC: 2418, log2: 1, levels: 256 };
  const { values } = apply("iSoftmax", [input([2], [2 ** 31 - 1, -(2 ** 31)], int32)], attributes);
  assert.deepEqual(values, [255, 0]);
});

Deno.test("iSoftmax refuses coefficients that leave 32 bit or make nothing", () => {
  const x = input([2], [0, 0], int8);
  const attributes = { coeffA: 1, coeffB: 70000, coeffC: 0, log2: 50, levels: 256 };
  assert.throws(() => apply("iSoftmax", [x], attributes), /more than 32 bits/);
  assert.throws(() => apply("iSoftmax", [x], { ...attributes, coeffB: 0 }), /largest term 0/);
});

Deno.test("ITAMax: shift 5, full scale 255", () => {
  const attributes = { shift: 5, fullScale: 255, levels: 256, groupWidth: 0 };
  const { values, dtype } = apply(
    "ITAMax",
    [input([8], [127, 126, 111, 110, 95, 0, -128, 64], int8)],
    attributes,
  );
  assert.deepEqual(values, [66, 66, 33, 33, 33, 4, 0, 16]);
  assert.equal(dtype, "uint8");
  assert.deepEqual(apply("ITAMax", [input([3], [-128, -128, -128], int8)], attributes).values, [85, 85, 85]);
});

Deno.test("ITAPartialMax: the running maximum, in all three variants", () => {
  const x = input([16], [-100, 3, -7, 20, 19, 52, -3, 20, 100, 99, 98, 97, 127, -128, 0, 110], int8);
  const softmax = (shift: number, fullScale: number) =>
    apply("ITAPartialMax", [x], { shift, fullScale, levels: 256, groupWidth: 4 });
  assert.deepEqual(softmax(5, 255).values, [0, 4, 4, 8, 8, 16, 4, 8, 32, 32, 32, 32, 64, 0, 4, 32]);
  assert.deepEqual(softmax(5, 127).values, [0, 1, 1, 3, 3, 7, 1, 3, 15, 15, 15, 15, 31, 0, 1, 15]);
  assert.deepEqual(softmax(0, 255).values, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0]);
  assert.equal(softmax(5, 127).dtype, "int8");
});

Deno.test("ITAPartialMax: a row that is no multiple of the group, and a group wider than the row", () => {
  const attributes = { shift: 5, fullScale: 255, levels: 256, groupWidth: 2 };
  // Group (0, 0): denominator 512. Group (32): 512 >> 1, plus 256. 65280 / 512 = 127.
  assert.deepEqual(apply("ITAPartialMax", [input([3], [0, 0, 32], int8)], attributes).values, [63, 63, 127]);
  const wide = { ...attributes, groupWidth: 16 };
  assert.deepEqual(apply("ITAPartialMax", [input([3], [0, 0, 32], int8)], wide).values, [63, 63, 127]);
});

Deno.test("ITA's softmaxes take differences beyond 8 bit", () => {
  const attributes = { shift: 5, fullScale: 255, levels: 256, groupWidth: 0 };
  const x = input([2, 2], [-5000, -5000, 2 ** 31 - 1, -(2 ** 31)], int32);
  assert.deepEqual(apply("ITAMax", [x], attributes).values, [127, 127, 255, 0]);
});

Deno.test("iGELU", () => {
  const x = [-128, -40, -39, -10, -1, 0, 1, 10, 39, 40, 127];
  const { values, dtype, range } = apply("iGELU", [input([11], x, int8)], { b: -40, one: 1743 });
  assert.deepEqual(values, [0, 0, 0, -4500, -760, 0, 982, 12930, 67938, 69720, 221361]);
  assert.equal(dtype, "int32");
  assert.equal(range.max, 221361);
});

Deno.test("iHardswish", () => {
  const attributes = { oneOverSix: 33, three: 76, six: 153 };
  const { values } = apply("iHardswish", [input([7], [-128, -50, -1, 0, 1, 50, 127], int8)], attributes);
  assert.deepEqual(values, [0, -42900, -2475, 0, 2541, 207900, 641223]);
});

Deno.test("iLayerNorm: truncating mean and quotient, flooring shift, clip", () => {
  const { values, dtype } = apply("iLayerNorm", [
    input([6], [-128, 5, 77, -3, 20, -61], int8),
    parameter([268515, 240975, 268515, -259335, 252450, 252450]),
    parameter([-9180, 9180, -4590, -6885, -918000, -6885]),
  ], { shift: 14, levels: 256 });
  assert.deepEqual(values, [-30, 5, 23, -4, -48, -12]);
  assert.equal(dtype, "int8");
  // Sum -26, mean -8 (towards 0), squares 2, root 1: -1000 >> 2 is clipped.
  const small = [input([1, 3], [-9, -9, -8], int8), parameter([1000, 1000, 1000]), parameter([0, 0, 0])];
  assert.deepEqual(apply("iLayerNorm", small, { shift: 2, levels: 256 }).values, [-128, -128, 0]);
  const single = [input([1], [7], int8), parameter([500]), parameter([33])];
  assert.deepEqual(apply("iLayerNorm", single, { shift: 1, levels: 256 }).values, [16]);
});

Deno.test("iRMSNorm", () => {
  const weights = parameter(new Array(6).fill(3957066));
  const row = input([1, 6], [-128, 5, 77, -3, 0, 127], int8);
  assert.deepEqual(apply("iRMSNorm", [row, weights], { shift: 16, levels: 256 }).values, [
    -97,
    3,
    58,
    -3,
    0,
    95,
  ]);
  // Squares 2, mean 1, root of 2 is 1: -3 >> 1 and 3 >> 1.
  const two = [input([2], [-1, 1], int8), parameter([3, 3])];
  assert.deepEqual(apply("iRMSNorm", two, { shift: 1, levels: 256 }).values, [-2, 1]);
});

Deno.test("normalisations refuse parameters of another length", () => {
  const x = input([2, 3], [1, 2, 3, 4, 5, 6], int8);
  assert.throws(
    () => apply("iRMSNorm", [x, parameter([1, 2])], { shift: 1, levels: 256 }),
    /rows of 3 elements/,
  );
});

Deno.test("iNoNorm does not round, and broadcasts weight and bias", () => {
  const operands = [
    input([4], [-128, 127, 3, 0], int8),
    parameter([30, 127, -8, 5]),
    parameter([897, -5284, 19, -1]),
  ];
  const attributes = { shift: 16, levels: 256, mul: 425 };
  assert.deepEqual(apply("iNoNorm", operands, attributes).values, [-20, 70, -1, -1]);
  const grid = [input([1, 2, 2], [1, 2, 3, 4], int8), parameter([1, 2, 3, 4], [2, 2]), parameter([10, 20])];
  assert.deepEqual(apply("iNoNorm", grid, { shift: 0, levels: 256, mul: 1 }).values, [11, 24, 19, 36]);
});

Deno.test("iNoNorm's product with mul is exact beyond 53 bits", () => {
  const operands = [input([1], [2 ** 31 - 1], int32), parameter([1]), parameter([0])];
  const { values } = apply("iNoNorm", operands, { shift: 31, levels: 2 ** 32, mul: 2 ** 31 - 1 });
  assert.deepEqual(values, [Number((BigInt(2 ** 31 - 1) ** 2n) >> 31n)]);
});

Deno.test("IntegerDiv rounds half away from 0", () => {
  const x = input([7], [-128, -3, -1, 0, 1, 3, 127], int8);
  const y = input([7], [5, 2, 2, 7, 2, 2, 255], { min: 0, max: 255 });
  const { values } = apply("IntegerDiv", [x, y], { numerator: 7000, eta: 7, eps: 1 });
  assert.deepEqual(values, [-24889, -1400, -467, 0, 467, 1400, 498]);
  const halves = [input([2], [5, -5], int8), input([1], [10], { min: 1, max: 20 })];
  assert.deepEqual(apply("IntegerDiv", halves, { numerator: 1, eta: 1, eps: 0 }).values, [1, -1]);
});

Deno.test("IntegerDiv by 0 is 0", () => {
  const operands = [input([2], [5, -5], int8), input([2], [0, 1], { min: 0, max: 1 })];
  assert.deepEqual(apply("IntegerDiv", operands, { numerator: 3, eta: 1, eps: 0 }).values, [0, -15]);
});

Deno.test("TrueIntegerDiv floors", () => {
  const attributes = { numerator: 16384 * 200000, denominator: 2 * 200000 + 1 };
  const { values, range } = apply("TrueIntegerDiv", [input([5], [-128, -1, 0, 1, 127], int8)], attributes);
  assert.deepEqual(values, [-1048574, -8192, 0, 8191, 1040381]);
  assert.deepEqual(range, { min: -1048574, max: 1040381 });
  assert.throws(
    () => apply("TrueIntegerDiv", [input([1], [0], int32)], { numerator: 2 ** 40, denominator: 1 }),
    /64 bit/,
  );
});

Deno.test("Quant rounds half to even and clips, in float32", () => {
  const x = float([9], [0.05, 0.15, 0.25, -0.05, -0.15, 12.75, -13, 1e30, 0.35]);
  const attributes = { scale: Math.fround(0.1), zeroPoint: 0, min: -128, max: 127 };
  const { values, dtype } = apply("Quant", [x], attributes);
  assert.deepEqual(values, [0, 2, 2, 0, -2, 127, -128, 127, 4]);
  assert.equal(dtype, "int8");
  const ties = { scale: 1, zeroPoint: 3, min: 0, max: 255 };
  assert.deepEqual(apply("Quant", [float([4], [0.5, 1.5, -3.5, NaN])], ties).values, [4, 4, 0, 0]);
});

Deno.test("Dequant", () => {
  const { values, dtype } = apply("Dequant", [input([4], [-128, -1, 0, 127], int8)], {
    scale: Math.fround(0.1),
    zeroPoint: 3,
  });
  assert.deepEqual(values, [
    -13.100000381469727,
    -0.4000000059604645,
    -0.30000001192092896,
    12.40000057220459,
  ]);
  assert.equal(dtype, "float32");
});

Deno.test("floating-point numbers are refused where integers are meant, and the other way round", () => {
  assert.throws(() => apply("iGELU", [float([1], [0.5])], { b: -4, one: 8 }), /works on integers/);
  assert.throws(
    () => apply("Quant", [input([1], [1])], { scale: 1, zeroPoint: 0, min: 0, max: 1 }),
    /float32/,
  );
});
