// Models written as ONNX and read again: the same values, the same names.

import assert from "node:assert/strict";
import { ModelBuilder } from "../src/model/builder.ts";
import type { Model, Tensor } from "../src/model/types.ts";
import { exportModel } from "../src/onnx/export.ts";
import { importModel, inspectModel } from "../src/onnx/import.ts";
import { evaluateModel, outputsFrom } from "../src/operators/evaluate.ts";
import { operators } from "../src/operators/registry.ts";
import { rewrite } from "../src/passes/pipeline.ts";
import { AttoflowError } from "../targets/errors.ts";
import { networkNames, networksPath, readNetwork } from "./networks.ts";
import { randomIntegers } from "./operators.ts";

const options = { name: "model", softmaxShift: 0 } as const;

/** Adds nodes to a builder; returns the last result. */
type Build = (x: Tensor, builder: ModelBuilder) => Tensor;

/** A model with one int8 input of shape [1, 4, 6] (or another), random elements for it, and one output. */
function modelOf(build: Build, shape = [1, 4, 6]): Model {
  const builder = new ModelBuilder();
  const x = builder.add({ name: "x", dtype: "int8", shape, range: { min: -128, max: 127 } });
  return builder.finish("model", ["x"], [build(x, builder).name]);
}

/** A node of one input. */
const unary = (operator: string, attributes: Record<string, unknown>): Build => (x, b) =>
  b.append({ operator, inputs: [x], attributes, name: operator });

/** A node whose other inputs are int32 parameters. */
const withParameters =
  (operator: string, parameters: number[][], attributes: Record<string, unknown>): Build => (x, b) =>
    b.append({
      operator,
      inputs: [x, ...parameters.map((values, i) => b.parameter(`p${i}`, [values.length], values))],
      attributes,
      name: operator,
    });

/** A node with a second input: a constant of int8. */
const withConstant = (operator: string, shape: number[], attributes = {}): Build => (x, b) => {
  const values = randomIntegers(7, shape.reduce((p, d) => p * d, 1), -128, 127);
  return b.append({ operator, inputs: [x, b.constant("w", shape, values)], attributes, name: operator });
};

const requant = (axis: number, more = {}) => ({ axis, shift: 3, signed: true, levels: 256, ...more });
const pool = { kernel: [3], strides: [2], pads: [1, 0] };
const ita = { shift: 5, fullScale: 255, levels: 256, groupWidth: 0 };

/** At least one model for every operator that a file can hold, by the operator's name. */
const cases: [string, Build, number[]?][] = [
  ["Add", withConstant("Add", [6])],
  ["Sub", withConstant("Sub", [4, 1])],
  ["Mul", withConstant("Mul", [4, 6])],
  ["Relu", unary("Relu", {})],
  ["Clip", unary("Clip", { min: -7, max: 9 })],
  ["RequantShift", withParameters("RequantShift", [[3], [-5]], requant(-1))],
  [
    "RequantShift",
    withParameters("RequantShift", [[3, 4, 5, 6], [1, 2, 3, 4]], requant(1, { signed: false })),
  ],
  ["RequantShift", withParameters("RequantShift", [[3, 4, 5], [1, 2, 3]], requant(0)), [3, 3, 2]],
  ["RequantShift", withParameters("RequantShift", [[3, 4], [1, 2]], requant(0)), [2, 3, 2]],
  ["RequantShift", withParameters("RequantShift", [[3, 4], [1, 2], [0, 5]], requant(1, { shift: -1 })), [
    1,
    2,
    2,
    2,
  ]],
  ["MatMul", withConstant("MatMul", [6, 5])],
  ["Gemm", withConstant("Gemm", [5, 6], { alpha: 2, transB: true }), [4, 6]],
  ["Conv", withConstant("Conv", [2, 4, 3], { ...pool, dilations: [1], group: 1 })],
  ["MaxPool", unary("MaxPool", pool)],
  ["Pad", unary("Pad", { pads: [0, 1, 2, 0, 0, 3], value: -9 })],
  ["Transpose", unary("Transpose", { perm: [2, 0, 1] })],
  ["Concat", (x, b) => b.append({ operator: "Concat", inputs: [x, x], attributes: { axis: 1 }, name: "c" })],
  ["Slice", unary("Slice", { starts: [0, 1, 5], steps: [1, 2, -2], sizes: [1, 2, 3] })],
  ["Slice", unary("Slice", { starts: [0, 0, 0], steps: [1, 1, 1], sizes: [1, 0, 6] })],
  ["Gather", (x, b) => {
    const indices = b.parameter("i", [2], [3, 1]);
    return b.append({ operator: "Gather", inputs: [x, indices], attributes: { axis: 1 }, name: "g" });
  }],
  ["Reshape", unary("Reshape", { shape: [3, 8] })],
  ["Reshape", unary("Reshape", { shape: [0, 8] }), [2, 0]],
  ["Identity", unary("Identity", {})],
  ["Flatten", unary("Flatten", { axis: 2 })],
  ["Squeeze", unary("Squeeze", { axes: [0] })],
  ["Unsqueeze", unary("Unsqueeze", { axes: [1, 3] })],
  ["ReduceSum", unary("ReduceSum", { axes: [0, 2], keepdims: true })],
  ["ReduceMean", unary("ReduceMean", { axes: [1], keepdims: false })],
  ["iSoftmax", unary("iSoftmax", { coeffA: 1, coeffB: 68, coeffC: 2418, log2: 50, levels: 256 })],
  ["ITAMax", unary("ITAMax", ita)],
  ["ITAPartialMax", unary("ITAPartialMax", { ...ita, fullScale: 127, groupWidth: 4 })],
  ["ITAPartialMax", unary("ITAPartialMax", { ...ita, shift: 0, groupWidth: 16 })],
  ["iGELU", unary("iGELU", { b: -40, one: 1743 })],
  ["iHardswish", unary("iHardswish", { oneOverSix: 33, three: 70, six: 140 })],
  [
    "iLayerNorm",
    withParameters("iLayerNorm", [[9, 8, 7, 6, 5, 4], [1, 2, 3, 4, 5, 6]], { shift: 1, levels: 256 }),
  ],
  ["iRMSNorm", withParameters("iRMSNorm", [[900, 800, 700, 600, 500, 400]], { shift: 4, levels: 256 })],
  ["iNoNorm", withParameters("iNoNorm", [[9], [1, 2, 3, 4, 5, 6]], { shift: 5, levels: 256, mul: 3 })],
  ["IntegerDiv", withConstant("IntegerDiv", [6], { numerator: 700, eta: 7, eps: 1000 })],
  ["TrueIntegerDiv", unary("TrueIntegerDiv", { numerator: 1000, denominator: 333 })],
  ["Dequant", unary("Dequant", { scale: 0.25, zeroPoint: 7 })],
];

Deno.test("every operator survives a file", () => {
  for (const [operator, build, shape] of cases) {
    const model = modelOf(build, shape);
    const read = importModel(exportModel(model), options);
    assert.deepEqual([read.inputs, read.outputs], [model.inputs, model.outputs]);
    const input = model.tensors.get("x")!;
    const values = [randomIntegers(3, input.shape.reduce((p, d) => p * d, 1), -128, 127)];
    assert.deepEqual(
      outputsFrom(read, evaluateModel(read, values)),
      outputsFrom(model, evaluateModel(model, values)),
      operator,
    );
    assert.deepEqual(read.nodes.map((n) => n.operator), model.nodes.map((n) => n.operator), operator);
  }
});

Deno.test("Quant survives a file", () => {
  const builder = new ModelBuilder();
  const x = builder.add({
    name: "x",
    dtype: "float32",
    shape: [5],
    range: { min: -Infinity, max: Infinity },
  });
  const attributes = { scale: Math.fround(0.1), zeroPoint: 2, min: 0, max: 255 };
  const y = builder.append({ operator: "Quant", inputs: [x], attributes, name: "q" });
  const model = builder.finish("model", ["x"], [y.name]);
  const read = importModel(exportModel(model), options);
  assert.deepEqual(read.nodes, model.nodes);
});

Deno.test("every operator that passes do not make is tried", () => {
  const tried = new Set([
    ...cases.map(([operator]) => operator),
    "Quant",
    "RequantizedMatMul",
    "RequantizedProductSum",
    "RequantizedConv",
    "RequantizedAttention",
    "Lookup",
    "LookupSum",
  ]);
  assert.deepEqual([...operators.keys()].filter((name) => !tried.has(name)), []);
});

Deno.test("the file says the types of the inputs", () => {
  const { inputs } = inspectModel(exportModel(modelOf(unary("Relu", {}))), options);
  assert.deepEqual(inputs.map(({ dtype, evidence }) => [dtype, evidence]), [["int8", "file"]]);
});

Deno.test("a rewritten model has no form in a file, and says so", () => {
  const product = withConstant("MatMul", [6, 5]);
  const model = modelOf((x, b) => withParameters("RequantShift", [[3], [0]], requant(-1))(product(x, b), b));
  assert.throws(() => exportModel(rewrite(model)), (error) => {
    assert.ok(error instanceof AttoflowError);
    assert.match(
      error.paragraph,
      /RequantizedMatMul "RequantShift": this operator has no form.*before any pass/,
    );
    return true;
  });
});

Deno.test("others' networks survive a file", () => {
  if (!networksPath()) return;
  for (
    const name of networkNames().filter((name) => /pyita|EEGFormer|ICCT|Quant|Slice|8_parallel/.test(name))
  ) {
    const network = readNetwork(name);
    const model = importModel(network.bytes, network);
    const read = importModel(exportModel(model), network);
    const [before, after] = [model, read].map((m) => outputsFrom(m, evaluateModel(m, network.inputs)));
    assert.deepEqual(after, before, name);
  }
});
