// How files broadcast the constants of RequantShift, and what else the dialect hides in shapes and attributes
// (sections 3, 5 and 6): each form resolved to one axis or one variant.

import assert from "node:assert/strict";
import type { Node } from "../src/model/types.ts";
import { type FileAttribute, OnnxFile } from "../src/onnx/file.ts";
import { importModel, inspectModel } from "../src/onnx/import.ts";
import { evaluateModel, outputsFrom } from "../src/operators/evaluate.ts";

const options = { name: "test", softmaxShift: 0 } as const;
const count = (length: number, from = 0) => Array.from({ length }, (_, i) => from + i);
const size = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

/** A file with one RequantShift whose mul is 1, 2, 3 … in the given shape. */
function requantFile(x: number[], mul: number[], div: number[] = [1], behind?: "Conv"): Uint8Array {
  const file = new OnnxFile("g");
  let source = file.input("x", x, "INT8");
  if (behind) {
    file.constant("w", { shape: [x[1], 1, 1], values: new Array(x[1]).fill(1) });
    source = file.node("Conv", "conv", ["x", "w"], { group: x[1] });
  }
  file.constant("mul", { shape: mul, values: count(size(mul), 1) });
  file.constant("add", { shape: mul, values: new Array(size(mul)).fill(0) });
  const attributes: Record<string, FileAttribute> = {
    div: { shape: [div.length], values: div },
    n_levels: 256,
    signed: 1,
  };
  file.output(file.node("RequantShift", "rq", [source, "mul", "add"], attributes), x);
  return file.bytes();
}

/** Axis and multipliers that a form is resolved to. */
function resolved(x: number[], mul: number[], behind?: "Conv"): { axis: number; mul: number[] } {
  const model = importModel(requantFile(x, mul, [1], behind), options);
  const node = model.nodes.at(-1)!;
  return { axis: node.attributes.axis as number, mul: [...model.tensors.get(node.inputs[1])!.data!] };
}

Deno.test("one multiplier of any rank is per tensor", () => {
  for (const shape of [[], [1], [1, 1], [1, 1, 1, 1]]) {
    assert.deepEqual(resolved([1, 2, 3, 4], shape), { axis: -1, mul: [1] });
    assert.deepEqual(resolved([4], shape), { axis: -1, mul: [1] });
  }
});

Deno.test("per channel, per row, per column", () => {
  const cases: [number[], number[], number][] = [
    [[1, 3, 5, 7], [3, 1, 1], 1],
    [[1, 3, 5, 7], [1, 3, 1, 1], 1],
    [[1, 3, 5], [1, 3, 1], 1],
    // Beside a tensor of three axes, (C, 1, 1) is the channel and not the batch …
    [[1, 3, 5], [3, 1, 1], 1],
    [[3, 3, 5], [3, 1, 1], 1],
    // … unless only the batch has that size.
    [[3, 4, 5], [3, 1, 1], 0],
    [[3, 5], [3, 1], 0],
    [[3, 5], [5], 1],
    [[3, 5], [1, 5], 1],
    [[2, 3, 5], [5], 2],
    [[2, 3, 5], [3, 1], 1],
    [[2, 3, 5], [1, 1, 5], 2],
    [[6], [6], 0],
    [[1, 3, 4, 5], [1, 4, 1], 2],
  ];
  for (const [x, mul, axis] of cases) {
    const expected = { axis, mul: count(x[axis], 1) };
    assert.deepEqual(resolved(x, mul), expected, `mul [${mul}] beside [${x}]`);
  }
});

Deno.test("a vector of heads: axis 1 of four axes, blocks of columns of three", () => {
  assert.deepEqual(resolved([1, 2, 3, 4], [2]), { axis: 1, mul: [1, 2] });
  // As long as the columns, too: heads come first.
  assert.deepEqual(resolved([1, 4, 3, 4], [4]), { axis: 1, mul: [1, 2, 3, 4] });
  assert.deepEqual(resolved([1, 2, 6], [2]), { axis: 2, mul: [1, 1, 1, 2, 2, 2] });
  assert.deepEqual(resolved([1, 5, 3, 4], [4]), { axis: 3, mul: [1, 2, 3, 4] });
  // Columns that are no whole number of blocks: the vector can only be meant for the channels.
  assert.deepEqual(resolved([1, 3, 5], [3]), { axis: 1, mul: [1, 2, 3] });
});

Deno.test("a vector behind a convolution is per channel", () => {
  assert.deepEqual(resolved([1, 3, 6], [3], "Conv"), { axis: 1, mul: [1, 2, 3] });
});

Deno.test("a constant written out over several axes is reduced to the one along which it varies", () => {
  const file = new OnnxFile("g");
  file.input("x", [2, 3], "INT8");
  file.constant("mul", { shape: [2, 3], values: [4, 4, 4, 5, 5, 5] });
  file.constant("add", { shape: [1], values: [1] });
  file.output(file.node("RequantShift", "rq", ["x", "mul", "add"], { div: 1, n_levels: 256, signed: 1 }), [
    2,
    3,
  ]);
  const model = importModel(file.bytes(), options);
  const [node] = model.nodes;
  assert.equal(node.attributes.axis, 0);
  assert.deepEqual([...model.tensors.get(node.inputs[1])!.data!], [4, 5]);
  assert.deepEqual([...model.tensors.get(node.inputs[2])!.data!], [1, 1]);
});

Deno.test("divisors of heads: equal ones are one shift, others a vector of shifts", () => {
  const one = importModel(requantFile([1, 2, 3, 4], [2], [8, 8]), options);
  assert.equal(one.nodes[0].attributes.shift, 3);
  assert.equal(one.nodes[0].inputs.length, 3);
  const two = importModel(requantFile([1, 2, 1, 1], [2], [2, 16]), options);
  const [node] = two.nodes;
  assert.equal(node.attributes.shift, -1);
  assert.deepEqual([...two.tensors.get(node.inputs[3])!.data!], [1, 4]);
  // 100·1 / 2 and 100·2 / 16, rounded half up.
  assert.deepEqual([...outputsFrom(two, evaluateModel(two, [[100, 100]]))[0]], [50, 13]);
});

Deno.test("what cannot be resolved is refused with both shapes", () => {
  const problem = (bytes: Uint8Array) =>
    inspectModel(bytes, options).problems.map((p) => p.message).join("\n");
  assert.match(
    problem(requantFile([2, 5], [3])),
    /mul of shape \[3\] fits no axis of its input of shape \[2, 5\]/,
  );
  assert.match(problem(requantFile([2, 2], [2, 2])), /fits no axis/);
  assert.match(problem(requantFile([2, 2], [2], [3])), /div is 3, which is not a power of two/);
});

/** The nodes of a file with one softmax. */
function softmax(
  operator: string,
  attributes: Record<string, FileAttribute>,
  softmaxShift: 0 | 5,
): readonly Node[] {
  const file = new OnnxFile("g");
  file.input("x", [1, 16], "INT8");
  file.output(file.node(operator, "s", ["x"], { n_levels: { shape: [1], values: [256] }, ...attributes }), [
    1,
    16,
  ]);
  return importModel(file.bytes(), { name: "test", softmaxShift }).nodes;
}

Deno.test("the three softmaxes of ITA are told apart", () => {
  const variant = (nodes: readonly Node[]) => {
    const { shift, fullScale, groupWidth } = nodes[0].attributes;
    return { shift, fullScale, groupWidth };
  };
  for (const softmaxShift of [0, 5] as const) {
    assert.deepEqual(variant(softmax("ITAMax", {}, softmaxShift)), {
      shift: 5,
      fullScale: 255,
      groupWidth: 0,
    });
    assert.deepEqual(variant(softmax("ITAPartialMax", { group_width: 16 }, softmaxShift)), {
      shift: 5,
      fullScale: 127,
      groupWidth: 16,
    });
    assert.deepEqual(variant(softmax("ITAPartialMax", { group_width: 16, groups: 4 }, softmaxShift)), {
      shift: softmaxShift,
      fullScale: 255,
      groupWidth: 16,
    });
  }
});

Deno.test("a bias per head and column belongs to the heads, even where plain broadcasting fits", () => {
  const [heads, rows, depth, columns] = [2, 2, 1, 3];
  for (const first of [true, false]) {
    const file = new OnnxFile("g");
    file.input("x", [1, heads, rows, depth], "INT8");
    file.constant("w", { shape: [heads, depth, columns], values: new Array(6).fill(1) });
    file.constant("b", { shape: [heads, columns], values: [10, 20, 30, 40, 50, 60] });
    const product = file.node("MatMul", "m", ["x", "w"]);
    file.output(file.node("Add", "a", first ? ["b", product] : [product, "b"]), []);
    const model = importModel(file.bytes(), options);
    const [result] = outputsFrom(model, evaluateModel(model, [[1, 2, 3, 4]]));
    assert.deepEqual([...result], [11, 21, 31, 12, 22, 32, 43, 53, 63, 44, 54, 64]);
  }
});

Deno.test("a bias of two axes elsewhere broadcasts plainly", () => {
  const file = new OnnxFile("g");
  file.input("x", [1, 2, 2, 3], "INT8");
  file.constant("b", { shape: [2, 3], values: [10, 20, 30, 40, 50, 60] });
  file.output(file.node("Add", "a", ["x", "b"]), []);
  const model = importModel(file.bytes(), options);
  const [result] = outputsFrom(model, evaluateModel(model, [new Array(12).fill(0)]));
  assert.deepEqual([...result], [10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60]);
});

Deno.test("the dialect's attributes reach the model under its names", () => {
  const convert = (
    operator: string,
    attributes: Record<string, FileAttribute>,
    constants: number[][] = [],
  ) => {
    const file = new OnnxFile("g");
    file.input("x", [2], "INT8");
    const names = constants.map((values, i) => file.constant(`c${i}`, { shape: [values.length], values }));
    file.output(file.node(operator, "n", ["x", ...names], attributes), [2]);
    const [node] = importModel(file.bytes(), options).nodes;
    return { operator: node.operator, ...node.attributes };
  };
  const tensor = (value: number) => ({ shape: [1], values: [value] });
  assert.deepEqual(
    convert("iLayerNorm", { D: tensor(65536), n_levels: tensor(256) }, [[1, 1], [0, 0]]),
    { operator: "iLayerNorm", shift: 16, levels: 256 },
  );
  assert.deepEqual(convert("iRMSNorm", { D: 4, n_levels: 256 }, [[1, 1]]), {
    operator: "iRMSNorm",
    shift: 2,
    levels: 256,
  });
  assert.deepEqual(
    convert("iNoNorm", { D: tensor(8), mul: tensor(425), n_levels: tensor(256) }, [[1, 1], [1]]),
    { operator: "iNoNorm", shift: 3, mul: 425, levels: 256 },
  );
  assert.deepEqual(convert("iGELU", { b: -40, one: 1743 }), { operator: "iGELU", b: -40, one: 1743 });
  assert.deepEqual(
    convert("iHardswish", { one_over_six: 33, three: 765, six: 1530 }),
    { operator: "iHardswish", oneOverSix: 33, three: 765, six: 1530 },
  );
  assert.deepEqual(
    convert("iSoftmax", {
      coeffA: tensor(1),
      coeffB: tensor(68),
      coeffC: tensor(2418),
      log2: tensor(50),
      n_levels: tensor(256),
    }),
    { operator: "iSoftmax", coeffA: 1, coeffB: 68, coeffC: 2418, log2: 50, levels: 256 },
  );
  assert.deepEqual(
    convert("TrueIntegerDiv", { Delta: 16384, eps: 1, eta: 200000, y: 2 }),
    { operator: "TrueIntegerDiv", numerator: 16384 * 200000, denominator: 400001 },
  );
  assert.deepEqual(
    convert("IntegerDiv", { Delta: 100, eps: 1, eta: 7 }, [[3, 4]]),
    { operator: "IntegerDiv", numerator: 700, eta: 7, eps: 1 },
  );
  assert.throws(
    () => convert("iRMSNorm", { D: 5, n_levels: 256 }, [[1, 1]]),
    /D is 5, which is not a power of two/,
  );
});
