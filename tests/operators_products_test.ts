// Matrix products, convolutions and pooling against the textbook's loops.

import assert from "node:assert/strict";
import { apply, constant, input, parameter, randomIntegers } from "./operators.ts";

const int8 = { min: -128, max: 127 };

/** a [m, k] · b [k, n], one triple loop, in exact integers. */
function product(a: number[], b: number[], m: number, k: number, n: number): number[] {
  return Array.from({ length: m * n }, (_, at) => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += a[Math.floor(at / n) * k + i] * b[i * n + at % n];
    return sum;
  });
}

function transposed(a: number[], rows: number, columns: number): number[] {
  return Array.from({ length: a.length }, (_, at) => a[(at % rows) * columns + Math.floor(at / rows)]);
}

Deno.test("MatMul of matrices", () => {
  const [a, b] = [randomIntegers(1, 3 * 5, -128, 127), randomIntegers(2, 5 * 4, -128, 127)];
  const { values, shape } = apply("MatMul", [input([3, 5], a), input([5, 4], b)]);
  assert.deepEqual(shape, [3, 4]);
  assert.deepEqual(values, product(a, b, 3, 5, 4));
});

Deno.test("MatMul broadcasts its batch axes", () => {
  const [a, b] = [randomIntegers(3, 2 * 2 * 3, -9, 9), randomIntegers(4, 3 * 3 * 2, -9, 9)];
  const { values, shape } = apply("MatMul", [input([2, 1, 2, 3], a), input([3, 3, 2], b)]);
  assert.deepEqual(shape, [2, 3, 2, 2]);
  const expected = [0, 1].flatMap((i) =>
    [0, 1, 2].flatMap((j) => product(a.slice(6 * i, 6 * i + 6), b.slice(6 * j, 6 * j + 6), 2, 3, 2))
  );
  assert.deepEqual(values, expected);
});

Deno.test("MatMul is exact where sums are longest, short or wide", () => {
  const sizes = [[4, 130, 4], [5, 7, 6], [1, 1027, 3], [9, 2047, 2]];
  for (const [m, k, n] of sizes) {
    // All products of one sign, then a mixture: neighbouring columns must not disturb each other.
    const columns = Array.from({ length: k * n }, (_, i) => i % n % 2 === 0 ? -128 : 127);
    for (const a of [new Array(m * k).fill(-128), randomIntegers(5, m * k, -128, 127)]) {
      const { values } = apply("MatMul", [input([m, k], a), input([k, n], columns)]);
      assert.deepEqual(values, product(a, columns, m, k, n));
    }
    const unsigned = randomIntegers(6, m * k, 250, 255);
    const { values } = apply("MatMul", [input([m, k], unsigned), input([k, n], columns)]);
    assert.deepEqual(values, product(unsigned, columns, m, k, n));
  }
  const wide = apply("MatMul", [input([1, 3], [2 ** 30, 2 ** 30, 5]), input([3, 1], [2, 2, 2 ** 29])]);
  assert.deepEqual(wide.values, [(2 ** 31 + 2 ** 31 + 5 * 2 ** 29) | 0]);
});

Deno.test("MatMul's range comes of the columns of constant weights", () => {
  const x = input([1, 2], [0, 0], { min: -10, max: 20 });
  // Columns (3, -1) and (2, 2): 3·[-10, 20] - [-10, 20] = [-50, 70]; [-40, 80].
  const { range, dtype } = apply("MatMul", [x, constant([2, 2], [3, 2, -1, 2])]);
  assert.deepEqual([range, dtype], [{ min: -50, max: 80 }, "int8"]);
  // Rows of a constant on the left: (3, 2) and (-1, 2).
  const left = apply("MatMul", [
    constant([2, 2], [3, 2, -1, 2]),
    input([2, 1], [0, 0], { min: -10, max: 20 }),
  ]);
  assert.deepEqual(left.range, { min: -50, max: 100 });
  const both = apply("MatMul", [input([1, 4], [0, 0, 0, 0], int8), input([4, 1], [0, 0, 0, 0], int8)]);
  assert.deepEqual(both.range, { min: -65024, max: 65536 });
});

Deno.test("MatMul over no elements gives zeros, and of no rows nothing", () => {
  assert.deepEqual(apply("MatMul", [input([2, 0], []), input([0, 2], [])]).values, [0, 0, 0, 0]);
  assert.deepEqual(
    apply("MatMul", [input([1, 0, 4], []), input([1, 4, 3], randomIntegers(1, 12, 0, 9))]).shape,
    [1, 0, 3],
  );
});

Deno.test("MatMul wraps to 32 bit", () => {
  const big = 2 ** 31 - 1;
  const { values } = apply("MatMul", [input([1, 2], [big, big]), input([2, 1], [big, 2])]);
  assert.deepEqual(values, [Number(BigInt.asIntN(32, BigInt(big) * BigInt(big) + 2n * BigInt(big)))]);
});

Deno.test("MatMul refuses inner dimensions that differ", () => {
  assert.throws(() => apply("MatMul", [input([1, 2], [1, 2]), input([3, 1], [1, 2, 3])]), /2 and 3 differ/);
});

Deno.test("Gemm: transposed operands, alpha, beta, bias of every form", () => {
  const [a, b] = [randomIntegers(5, 3 * 4, -128, 127), randomIntegers(6, 4 * 2, -128, 127)];
  const plain = product(a, b, 3, 4, 2);
  const gemm = (attributes: Record<string, unknown>, c?: Parameters<typeof apply>[1][number]) =>
    apply("Gemm", [
      attributes.transA ? input([4, 3], transposed(a, 3, 4)) : input([3, 4], a),
      attributes.transB ? constant([2, 4], transposed(b, 4, 2)) : constant([4, 2], b),
      ...(c ? [c] : []),
    ], attributes).values;
  assert.deepEqual(gemm({}), plain);
  assert.deepEqual(gemm({ transA: true }), plain);
  assert.deepEqual(gemm({ transB: true }), plain);
  assert.deepEqual(gemm({ transA: true, transB: true }), plain);
  const perColumn = plain.map((v, i) => 2 * v + 3 * [7, -5][i % 2]);
  assert.deepEqual(gemm({ alpha: 2, beta: 3 }, constant([2], [7, -5])), perColumn);
  const perRow = plain.map((v, i) => v + [1, 2, 3][Math.floor(i / 2)]);
  assert.deepEqual(gemm({}, constant([3, 1], [1, 2, 3])), perRow);
  assert.deepEqual(gemm({}, constant([3, 2], plain.map((v) => -v))), plain.map(() => 0));
  assert.throws(() => gemm({}, constant([3], [1, 2, 3])), /do not fit|does not fit/);
});

Deno.test("RequantizedMatMul is MatMul, Add, RequantShift", () => {
  const [a, b] = [randomIntegers(7, 2 * 3 * 8, -128, 127), randomIntegers(8, 8 * 4, -128, 127)];
  const bias = randomIntegers(9, 4, -3000, 3000);
  for (const axis of [-1, 0, 1, 2]) {
    const length = axis < 0 ? 1 : [2, 3, 4][axis];
    const constants = [
      parameter(randomIntegers(10, length, -50, 50)),
      parameter(randomIntegers(11, length, -900, 900)),
    ];
    const attributes = { axis, shift: 9, signed: true, levels: 256 };
    const sum = apply("Add", [
      input([2, 3, 4], apply("MatMul", [input([2, 3, 8], a), constant([8, 4], b)]).values),
      constant([4], bias),
    ]);
    const apart = apply("RequantShift", [input([2, 3, 4], sum.values), ...constants], attributes);
    const fused = apply(
      "RequantizedMatMul",
      [input([2, 3, 8], a), constant([8, 4], b), parameter(bias), ...constants],
      attributes,
    );
    assert.deepEqual(fused.values, apart.values, `axis ${axis}`);
  }
});

Deno.test("RequantizedMatMul without bias, transposed, with a shift for each column", () => {
  const [a, b] = [randomIntegers(12, 2 * 3, -20, 20), randomIntegers(13, 3 * 2, -20, 20)];
  const { values } = apply("RequantizedMatMul", [
    input([2, 3], a),
    constant([2, 3], transposed(b, 3, 2)),
    undefined,
    parameter([1, 1]),
    parameter([0, 0]),
    parameter([0, 2]),
  ], { axis: 1, shift: -1, signed: true, levels: 2 ** 32, transB: true });
  assert.deepEqual(values, product(a, b, 2, 3, 2).map((v, i) => i % 2 === 0 ? v : (v + 2) >> 2));
});

interface ConvCase {
  x: number[];
  w: number[];
  strides: number[];
  pads: number[];
  dilations?: number[];
  group?: number;
}

/** Convolution by its definition: every output position, every weight, zeros outside. */
function convolution(x: number[], w: number[], c: ConvCase): number[] {
  const [batches, , height, width] = c.x;
  const [outputs, depth, kernelY, kernelX] = c.w;
  const [dilationY, dilationX] = c.dilations ?? [1, 1];
  const rows = Math.floor((height + c.pads[0] + c.pads[2] - dilationY * (kernelY - 1) - 1) / c.strides[0]) +
    1;
  const columns = Math.floor((width + c.pads[1] + c.pads[3] - dilationX * (kernelX - 1) - 1) / c.strides[1]) +
    1;
  const result: number[] = [];
  for (let n = 0; n < batches; n++) {
    for (let o = 0; o < outputs; o++) {
      const first = Math.floor(o / (outputs / (c.group ?? 1))) * depth;
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          let sum = 0;
          for (let i = 0; i < depth; i++) {
            for (let ky = 0; ky < kernelY; ky++) {
              for (let kx = 0; kx < kernelX; kx++) {
                const y = row * c.strides[0] - c.pads[0] + ky * dilationY;
                const z = column * c.strides[1] - c.pads[1] + kx * dilationX;
                if (y < 0 || z < 0 || y >= height || z >= width) continue;
                sum += x[((n * c.x[1] + first + i) * height + y) * width + z] *
                  w[((o * depth + i) * kernelY + ky) * kernelX + kx];
              }
            }
          }
          result.push(sum);
        }
      }
    }
  }
  return result;
}

const size = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

const convCases: ConvCase[] = [
  { x: [1, 3, 7, 6], w: [4, 3, 3, 3], strides: [1, 1], pads: [1, 1, 1, 1] },
  { x: [2, 4, 9, 8], w: [6, 2, 3, 2], strides: [2, 3], pads: [0, 1, 2, 0], group: 2 },
  { x: [1, 3, 8, 8], w: [3, 1, 4, 4], strides: [4, 4], pads: [0, 0, 0, 0], group: 3 },
  { x: [1, 2, 10, 11], w: [2, 2, 3, 3], strides: [1, 2], pads: [2, 3, 2, 3], dilations: [2, 3] },
  { x: [1, 5, 4, 4], w: [7, 5, 1, 1], strides: [1, 1], pads: [0, 0, 0, 0] },
];

Deno.test("Conv agrees with the definition: strides, pads, groups, dilations", () => {
  for (const [i, c] of convCases.entries()) {
    const x = randomIntegers(20 + i, size(c.x), -128, 127);
    const w = randomIntegers(40 + i, size(c.w), -128, 127);
    const attributes = {
      kernel: c.w.slice(2),
      strides: c.strides,
      pads: c.pads,
      dilations: c.dilations ?? [1, 1],
      group: c.group ?? 1,
    };
    const operands = [input(c.x, x), constant(c.w, w)];
    assert.deepEqual(apply("Conv", operands, attributes).values, convolution(x, w, c), `case ${i}`);

    const bias = randomIntegers(60 + i, c.w[0], -5000, 5000);
    const plane = size(apply("Conv", operands, attributes).shape.slice(2) as number[]);
    const biased = convolution(x, w, c).map((v, at) => v + bias[Math.floor(at / plane) % c.w[0]]);
    assert.deepEqual(
      apply("Conv", [...operands, parameter(bias)], attributes).values,
      biased,
      `case ${i}, bias`,
    );

    const requant = { axis: 1, shift: 12, signed: false, levels: 256 };
    const constants = [
      parameter(randomIntegers(80 + i, c.w[0], -99, 99)),
      parameter(randomIntegers(90 + i, c.w[0], -9, 9)),
    ];
    const shape = apply("Conv", operands, attributes).shape;
    assert.deepEqual(
      apply("RequantizedConv", [...operands, parameter(bias), ...constants], { ...attributes, ...requant })
        .values,
      apply("RequantShift", [input(shape, biased), ...constants], requant).values,
      `case ${i}, requantised`,
    );
  }
});

Deno.test("Conv over one axis", () => {
  // [1, 2, 3, 4] with kernel (1, 0, -1), one zero on each side: 0-2, 1-3, 2-4, 3-0.
  const attributes = { kernel: [3], strides: [1], pads: [1, 1], dilations: [1], group: 1 };
  const { values, shape } = apply(
    "Conv",
    [input([1, 1, 4], [1, 2, 3, 4]), constant([1, 1, 3], [1, 0, -1])],
    attributes,
  );
  assert.deepEqual([values, shape], [[-2, -2, -2, 3], [1, 1, 4]]);
});

Deno.test("Conv's range knows the weights, and the zeros of the padding", () => {
  const attributes = { kernel: [2], strides: [1], pads: [0, 0], dilations: [1], group: 1 };
  const x = input([1, 1, 3], [5, 5, 5], { min: 5, max: 9 });
  const w = constant([1, 1, 2], [2, -1]);
  assert.deepEqual(apply("Conv", [x, w], attributes).range, { min: 1, max: 13 });
  assert.deepEqual(apply("Conv", [x, w], { ...attributes, pads: [1, 0] }).range, { min: -9, max: 18 });
});

Deno.test("Conv refuses weights that do not fit", () => {
  const attributes = { kernel: [2], strides: [1], pads: [0, 0], dilations: [1], group: 1 };
  const w = constant([1, 2, 2], [1, 2, 3, 4]);
  assert.throws(() => apply("Conv", [input([1, 3, 4], new Array(12).fill(0)), w], attributes), /do not fit/);
  assert.throws(
    () => apply("Conv", [input([1, 2, 1], [0, 0]), w], attributes),
    /larger than its padded input/,
  );
});

Deno.test("MaxPool: windows, strides, last columns that no window covers", () => {
  const x = [1, 5, 2, 0, 9, 3, 4, 8, -1, -2, -3, 7, 6, 6, 6];
  const attributes = { kernel: [2, 2], strides: [1, 2], pads: [0, 0, 0, 0] };
  const { values, shape } = apply("MaxPool", [input([1, 1, 3, 5], x)], attributes);
  assert.deepEqual([values, shape], [[5, 8, 7, 8], [1, 1, 2, 2]]);
  const row = apply("MaxPool", [input([1, 2, 4], [-9, -8, -7, -6, 1, 0, 3, 2])], {
    kernel: [3],
    strides: [2],
    pads: [0, 1],
  });
  assert.deepEqual([row.values, row.shape], [[-7, -6, 3, 3], [1, 2, 2]]);
});

Deno.test("MaxPool's padding never wins, and must be smaller than the kernel", () => {
  const x = input([1, 1, 2], [-5, -7]);
  assert.deepEqual(apply("MaxPool", [x], { kernel: [2], strides: [1], pads: [1, 1] }).values, [-5, -5, -7]);
  assert.throws(
    () => apply("MaxPool", [x], { kernel: [2], strides: [1], pads: [2, 0] }),
    /as large as its kernel/,
  );
});
