// RequantShift: rounding, clipping, axes, wide arithmetic. And Add, Sub, Mul, Relu, Clip beside it.

import assert from "node:assert/strict";
import { AttoflowError } from "../targets/errors.ts";
import { apply, input, parameter, randomIntegers } from "./operators.ts";

const int32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const tensorwise = (shift: number, signed = true, levels = 256) => ({ axis: -1, shift, signed, levels });

Deno.test("RequantShift rounds half towards +infinity", () => {
  // x / 4: -1.5 -> -1, -1.25 -> -1, -0.5 -> 0, 0.5 -> 1, 0.75 -> 1, 1.5 -> 2
  const { values, dtype } = apply("RequantShift", [
    input([6], [-6, -5, -2, 2, 3, 6]),
    parameter([1]),
    parameter([0]),
  ], tensorwise(2));
  assert.deepEqual(values, [-1, -1, 0, 1, 1, 2]);
  assert.equal(dtype, "int8");
});

Deno.test("RequantShift by 2^0 adds no rounding term", () => {
  const { values } = apply(
    "RequantShift",
    [input([3], [-7, 0, 9]), parameter([3]), parameter([1])],
    tensorwise(0),
  );
  assert.deepEqual(values, [-20, 1, 28]);
});

Deno.test("RequantShift clips signed and unsigned, and takes the dtype of what is left", () => {
  const x = input([4], [-1000, -3, 3, 1000]);
  const one = [parameter([1]), parameter([0])] as const;
  assert.deepEqual(apply("RequantShift", [x, ...one], tensorwise(0)).values, [-128, -3, 3, 127]);
  const unsigned = apply("RequantShift", [x, ...one], tensorwise(0, false));
  assert.deepEqual(unsigned.values, [0, 0, 3, 255]);
  assert.equal(unsigned.dtype, "uint8");
  assert.deepEqual(apply("RequantShift", [x, ...one], tensorwise(0, true, 16)).values, [-8, -3, 3, 7]);
});

Deno.test("RequantShift varies along its axis", () => {
  const { values } = apply("RequantShift", [
    input([1, 2, 3], [10, 20, 30, 10, 20, 30]),
    parameter([1, -2]),
    parameter([0, 4]),
  ], { axis: 1, shift: 1, signed: true, levels: 256 });
  // Row 0: 5, 10, 15. Row 1: (-20+4+1)>>1, (-40+4+1)>>1, (-60+4+1)>>1.
  assert.deepEqual(values, [5, 10, 15, -8, -18, -28]);
});

Deno.test("RequantShift with a shift for each head", () => {
  const { values } = apply("RequantShift", [
    input([1, 2, 2], [8, -8, 8, -8]),
    parameter([1, 1]),
    parameter([0, 0]),
    parameter([1, 3]),
  ], { axis: 1, shift: -1, signed: true, levels: 256 });
  assert.deepEqual(values, [4, -4, 1, -1]);
});

Deno.test("RequantShift is exact where the product leaves 53 bits", () => {
  const x = [-(2 ** 31), 2 ** 31 - 1, 123456789, -987654321];
  const mul = 2 ** 31 - 1;
  const add = -(2 ** 31);
  const { values, dtype } = apply(
    "RequantShift",
    [input([4], x, int32), parameter([mul]), parameter([add])],
    {
      axis: -1,
      shift: 31,
      signed: true,
      levels: 2 ** 32,
    },
  );
  const exact = x.map((value) => (BigInt(value) * BigInt(mul) + BigInt(add) + 2n ** 30n) >> 31n);
  const clipped = exact.map((v) =>
    Number(v < -(2n ** 31n) ? -(2n ** 31n) : v > 2n ** 31n - 1n ? 2n ** 31n - 1n : v)
  );
  assert.deepEqual(values, clipped);
  assert.equal(dtype, "int32");
});

Deno.test("RequantShift agrees with integer arithmetic on random constants", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const x = randomIntegers(seed, 50, -(2 ** 30), 2 ** 30);
    const [mul, add, shift] = randomIntegers(seed + 100, 3, 0, 31).map((v, i) =>
      i === 2 ? v : (v - 16) * 54321 * (i + 1)
    );
    const { values } = apply(
      "RequantShift",
      [input([50], x), parameter([mul]), parameter([add])],
      tensorwise(shift),
    );
    const half = shift > 0 ? 1n << BigInt(shift - 1) : 0n;
    const expected = x.map((v) => {
      const y = (BigInt(v) * BigInt(mul) + BigInt(add) + half) >> BigInt(shift);
      return Number(y < -128n ? -128n : y > 127n ? 127n : y);
    });
    assert.deepEqual(values, expected, `mul ${mul} add ${add} shift ${shift}`);
  }
});

Deno.test("RequantShift refuses constants that do not fit", () => {
  const x = input([2, 3], [1, 2, 3, 4, 5, 6]);
  const refuses = (
    operands: Parameters<typeof apply>[1],
    attributes: Record<string, unknown>,
    problem: RegExp,
  ) =>
    assert.throws(() => apply("RequantShift", operands, attributes), (error) => {
      assert.ok(error instanceof AttoflowError);
      assert.match(error.message, problem);
      return true;
    });
  refuses(
    [x, parameter([1, 2]), parameter([0, 0])],
    { ...tensorwise(1), axis: 1 },
    /2 elements where .* has 3/,
  );
  refuses([x, parameter([1]), parameter([0])], { ...tensorwise(1), axis: 2 }, /axis 2/);
  refuses([x, parameter([1]), parameter([0])], tensorwise(40), /shift/);
  refuses([x, parameter([1]), parameter([0])], tensorwise(-1), /either one shift or a tensor/);
  refuses([x, input([1], [1]), parameter([0])], tensorwise(1), /mul must be constant/);
});

Deno.test("Add, Sub and Mul broadcast as numpy does", () => {
  const a = input([2, 1], [1, 10]);
  const b = input([3], [1, 2, 3]);
  assert.deepEqual(apply("Add", [a, b]).values, [2, 3, 4, 11, 12, 13]);
  assert.deepEqual(apply("Sub", [a, b]).values, [0, -1, -2, 9, 8, 7]);
  assert.deepEqual(apply("Mul", [a, b]).values, [1, 2, 3, 10, 20, 30]);
  assert.deepEqual(apply("Add", [a, b]).shape, [2, 3]);
  assert.deepEqual(apply("Add", [input([], [5]), input([], [-7])]).values, [-2]);
  assert.deepEqual(apply("Mul", [input([0, 3], []), b]).shape, [0, 3]);
});

Deno.test("Add, Sub and Mul infer the dtype from the range, and wrap to 32 bit beyond it", () => {
  const bytes = input([1], [1], { min: -128, max: 127 });
  const sum = apply("Add", [bytes, bytes]);
  assert.deepEqual([sum.dtype, sum.range], ["int32", { min: -256, max: 254 }]);
  assert.equal(
    apply("Sub", [input([1], [1], { min: 0, max: 50 }), input([1], [2], { min: 0, max: 9 })]).dtype,
    "int8",
  );
  const big = input([2], [2 ** 31 - 1, -(2 ** 31)]);
  assert.deepEqual(apply("Add", [big, input([1], [1])]).values, [-(2 ** 31), -(2 ** 31) + 1]);
  assert.deepEqual(apply("Sub", [big, input([1], [1])]).values, [2 ** 31 - 2, 2 ** 31 - 1]);
  // (2^31 - 1) · 3 = 3·2^31 - 3 = 2^31 - 3 modulo 2^32
  assert.deepEqual(apply("Mul", [big, input([1], [3])]).values, [2 ** 31 - 3, -(2 ** 31)]);
  assert.deepEqual(apply("Mul", [big, input([1], [3])]).range, int32);
});

Deno.test("shapes that do not fit together are refused by name", () => {
  assert.throws(
    () => apply("Add", [input([2], [1, 2]), input([3], [1, 2, 3])]),
    /\[2\] and \[3\] do not fit/,
  );
});

Deno.test("Relu and Clip narrow the range", () => {
  const x = input([3], [-5, 0, 5], { min: -128, max: 127 });
  const relu = apply("Relu", [x]);
  assert.deepEqual([relu.values, relu.range], [[0, 0, 5], { min: 0, max: 127 }]);
  const clip = apply("Clip", [x], { min: -3, max: 4 });
  assert.deepEqual([clip.values, clip.range], [[-3, 0, 4], { min: -3, max: 4 }]);
  assert.throws(() => apply("Clip", [x], { min: 4, max: 3 }), /above its max/);
});
