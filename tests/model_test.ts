// The model room: printing, checking, and evaluating with inputs that do not fit.

import assert from "node:assert/strict";
import { AttoflowError } from "../targets/errors.ts";
import { ModelBuilder } from "../src/model/builder.ts";
import { printModel, printName } from "../src/model/print.ts";
import type { Model, Tensor } from "../src/model/types.ts";
import { verifyModel } from "../src/model/verify.ts";
import { evaluateModel, outputsFrom } from "../src/operators/evaluate.ts";

function example(): Model {
  const builder = new ModelBuilder();
  const x = builder.add({ name: "x", dtype: "int8", shape: [1, 2], range: { min: -128, max: 127 } });
  const w = builder.constant("w", [2, 2], [1, -2, 3, 4]);
  const product = builder.append({ operator: "MatMul", inputs: [x, w], name: "product" });
  const [mul, add] = [builder.parameter("mul", [1], [3]), builder.parameter("add", [1], [0])];
  const attributes = { axis: -1, shift: 2, signed: true, levels: 256 };
  const y = builder.append({
    operator: "RequantShift",
    inputs: [product, mul, add],
    attributes,
    name: "rq",
    output: "y",
  });
  return builder.finish("example", ["x"], [y.name]);
}

Deno.test("a model prints as a person reads it", () => {
  assert.equal(
    printModel(example()),
    `model "example"
  input "x": int8[1, 2] in -128 … 127
  constant "w": int8[2, 2] in -2 … 4 = [1, -2, 3, 4]
  constant "mul": int32[1] in 3 = [3]
  constant "add": int32[1] in 0 = [0]
  "product_output": int32[1, 2] in -766 … 764 = MatMul ("x", "w")
  "y": int8[1, 2] in -128 … 127 = RequantShift {axis=-1, levels=256, shift=2, signed=true} ("product_output", "mul", "add")
  output "y"
`,
  );
});

Deno.test("names print harmlessly", () => {
  assert.equal(printName('a"\n\u202e\u0000'), '"a\\"\\n\\u202e\\u0000"');
  assert.ok(printName("x".repeat(4000)).length < 70);
});

Deno.test("the verifier accepts a good model and names what is broken in others", () => {
  const model = example();
  verifyModel(model);
  const [product, requant] = model.nodes;
  const withTensor = (name: string, change: Partial<Tensor>): Model => ({
    ...model,
    tensors: new Map(model.tensors).set(name, { ...model.tensors.get(name)!, ...change }),
  });
  const broken: [Model, RegExp][] = [
    [
      { ...model, nodes: [requant, product] },
      /RequantShift "rq" reads "product_output" before anything makes it/,
    ],
    [{ ...model, nodes: [product, product, requant] }, /two nodes are called "product"/],
    [{ ...model, nodes: [product, { ...requant, operator: "Nothing" }] }, /no operator "Nothing"/],
    [{ ...model, nodes: [product, { ...requant, attributes: { shift: 2 } }] }, /axis/],
    [{ ...model, nodes: [{ ...product, attributes: { extra: 1 } }, requant] }, /extra/],
    [{ ...model, outputs: ["z"] }, /output "z" is made by nothing/],
    [{ ...model, inputs: ["x", "x"] }, /listed twice/],
    [{ ...model, inputs: [] }, /"x" before anything makes it/],
    [withTensor("y", { shape: [2, 1] }), /makes \[1, 2\], recorded is \[2, 1\]/],
    [withTensor("y", { dtype: "int32", range: { min: -1000, max: 1000 } }), /recorded is int32/],
    [withTensor("y", { range: { min: -300, max: 0 } }), /range that its dtype cannot hold/],
    [withTensor("w", { range: { min: 0, max: 4 } }), /data outside its range/],
    [withTensor("w", { data: new Int32Array(4) }), /data of another type/],
    [withTensor("w", { data: new Int8Array(3) }), /3 elements of data/],
    [withTensor("w", { name: "v" }), /another name/],
    [withTensor("x", { shape: [1, 0.5] }), /impossible shape/],
  ];
  for (const [bad, problem] of broken) {
    assert.throws(() => verifyModel(bad), (error) => {
      assert.ok(error instanceof AttoflowError);
      assert.match(error.message, problem);
      return true;
    });
  }
});

Deno.test("a model evaluates with inputs in order or by name, and gives every tensor", () => {
  const model = example();
  // [5, 7]·w = [26, 18]; (26·3 + 2) >> 2 and (18·3 + 2) >> 2.
  for (const inputs of [[[5, 7]], new Map([["x", Int32Array.of(5, 7)]])]) {
    const values = evaluateModel(model, inputs);
    assert.deepEqual([...values.get("product_output")!], [26, 18]);
    assert.deepEqual(outputsFrom(model, values).map((data) => [...data]), [[20, 14]]);
  }
});

Deno.test("inputs that do not fit are refused by name", () => {
  const model = example();
  const refuses = (inputs: number[][], problem: RegExp) =>
    assert.throws(() => evaluateModel(model, inputs), problem);
  refuses([], /1 inputs, and 0 are given/);
  refuses([[1]], /1 elements are given where 2/);
  refuses([[1, 200]], /values 1 to 200 do not fit int8/);
  refuses([[1, 0.5]], /0.5 is given where integers/);
  assert.throws(() => evaluateModel(model, new Map()), /no elements are given/);
});

Deno.test("the builder makes names unique and shares equal parameters", () => {
  const builder = new ModelBuilder();
  const a = builder.parameter("p", [1], [1]);
  assert.equal(builder.parameter("p", [1], [1]), a);
  assert.equal(builder.parameter("p", [1], [2]).name, "p:1");
  assert.notEqual(builder.parameter("p", [], [1]).name, a.name);
  const y = builder.append({ operator: "Relu", inputs: [a], name: "n", output: "p" });
  const z = builder.append({ operator: "Relu", inputs: [a], name: "n", output: "" });
  assert.deepEqual(new Set(builder.nodes.map((node) => node.name)).size, 2);
  assert.equal(new Set([a.name, y.name, z.name]).size, 3);
});
