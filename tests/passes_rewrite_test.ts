// Each pass: what it makes of a model, what it leaves alone, and that values stay the same.

import assert from "node:assert/strict";
import { ModelBuilder } from "../src/model/builder.ts";
import { printModel } from "../src/model/print.ts";
import { elementCount, integerLimits, type Model, type Tensor } from "../src/model/types.ts";
import { verifyModel } from "../src/model/verify.ts";
import { evaluateModel } from "../src/operators/evaluate.ts";
import { limitConcatOperands } from "../src/passes/concat_operands.ts";
import { dropDeadNodes } from "../src/passes/dead_nodes.ts";
import { foldConstants } from "../src/passes/fold_constants.ts";
import { fuseConv } from "../src/passes/fuse_conv.ts";
import { fuseMatMul } from "../src/passes/fuse_matmul.ts";
import { lowerAliases } from "../src/passes/lower_aliases.ts";
import { lowerGather } from "../src/passes/lower_gather.ts";
import type { Pass } from "../src/passes/pass.ts";
import { rewrite } from "../src/passes/pipeline.ts";
import { dropUnityRequant } from "../src/passes/unity_requant.ts";
import { randomIntegers } from "./operators.ts";

/** A model under construction, with one-word ways to add what the tests need. */
class Sketch {
  readonly builder = new ModelBuilder();
  readonly #inputs: string[] = [];

  input(
    shape: number[],
    dtype: "int8" | "uint8" | "int32" = "int8",
    name = `x${this.#inputs.length}`,
  ): Tensor {
    this.#inputs.push(name);
    return this.builder.add({ name, dtype, shape, range: integerLimits[dtype] });
  }

  constant(shape: number[], seed = 1): Tensor {
    return this.builder.constant("c", shape, randomIntegers(seed, elementCount(shape), -128, 127));
  }

  node(
    operator: string,
    inputs: Tensor[],
    attributes: Record<string, unknown> = {},
    output?: string,
  ): Tensor {
    return this.builder.append({ operator, inputs, attributes, name: operator, output });
  }

  requant(
    x: Tensor,
    more: { axis?: number; mul?: number[]; add?: number[]; shift?: number; signed?: boolean } = {},
  ): Tensor {
    const { axis = -1, shift = 6, signed = true } = more;
    const length = axis < 0 ? 1 : x.shape[axis];
    const mul = more.mul ?? randomIntegers(5, length, -20, 20);
    const add = more.add ?? randomIntegers(6, length, -300, 300);
    const parameters = [
      this.builder.parameter("mul", [length], mul),
      this.builder.parameter("add", [length], add),
    ];
    return this.node("RequantShift", [x, ...parameters], { axis, shift, signed, levels: 256 });
  }

  finish(...outputs: Tensor[]): Model {
    const model = this.builder.finish("sketch", this.#inputs, outputs.map((tensor) => tensor.name));
    verifyModel(model);
    return model;
  }
}

/** Runs a pass, checks the model and that all values under surviving names are the same. */
function run(pass: Pass, model: Model): Model {
  const before = printModel(model);
  const rewritten = pass.run(model);
  assert.equal(printModel(model), before, "the given model is not changed");
  verifyModel(rewritten);
  assert.deepEqual(rewritten.outputs, model.outputs);
  for (let seed = 1; seed <= 3; seed++) {
    const inputs = model.inputs.map((name, i) => {
      const { shape, range } = model.tensors.get(name)!;
      const [min, max] = [Math.max(range.min, -100000), Math.min(range.max, 100000)];
      return randomIntegers(seed * 10 + i, elementCount(shape), min, max);
    });
    const [expected, actual] = [model, rewritten].map((m) => evaluateModel(m, inputs));
    for (const name of model.outputs) assert.ok(actual.has(name));
    for (const [name, data] of actual) {
      const wanted = expected.get(name);
      if (wanted) assert.deepEqual([...data], [...wanted], `${pass.name}: ${name}`);
    }
  }
  return rewritten;
}

const operatorsOf = (model: Model) => model.nodes.map((node) => node.operator);

Deno.test("fold-constants: constants vanish into constants, outputs keep their node", () => {
  const s = new Sketch();
  const turned = s.node("Transpose", [s.constant([3, 4])], { perm: [1, 0] });
  const constantOutput = s.node("Relu", [s.constant([2], 9)]);
  const model = s.finish(s.node("MatMul", [turned, s.input([3, 2])]), constantOutput);
  const folded = run(foldConstants, model);
  assert.deepEqual(operatorsOf(folded), ["Relu", "MatMul"]);
  assert.ok(folded.tensors.get(turned.name)!.data);
  assert.equal(folded.tensors.get(turned.name)!.dtype, "int8");
});

Deno.test("drop-dead-nodes: what no output needs goes, inputs stay", () => {
  const s = new Sketch();
  const x = s.input([2]);
  const unused = s.input([3]);
  s.node("Relu", [s.node("Relu", [unused])]);
  const model = s.finish(s.node("Add", [x, s.constant([2])]));
  const clean = run(dropDeadNodes, model);
  assert.deepEqual(operatorsOf(clean), ["Add"]);
  assert.deepEqual(clean.inputs, model.inputs);
  assert.equal(clean.tensors.size, 4);
});

Deno.test("lower-gather: one index becomes Slice and Reshape, lists stay", () => {
  for (const shape of [[], [1], [1, 1]]) {
    const s = new Sketch();
    const index = s.builder.parameter("i", shape, [2]);
    const model = s.finish(s.node("Gather", [s.input([2, 4, 3]), index], { axis: 1 }));
    const lowered = run(lowerGather, model);
    assert.deepEqual(operatorsOf(lowered), ["Slice", "Reshape"]);
    const { attributes } = lowered.nodes[0];
    assert.deepEqual(attributes, { starts: [0, 2, 0], steps: [1, 1, 1], sizes: [2, 1, 3] });
  }
  const s = new Sketch();
  const list = s.builder.parameter("i", [2], [2, 0]);
  const model = s.finish(s.node("Gather", [s.input([2, 4, 3]), list], { axis: 1 }));
  assert.deepEqual(operatorsOf(run(lowerGather, model)), ["Gather"]);
});

Deno.test("lower-aliases: whatever moves nothing becomes Reshape", () => {
  const still: [string, number[], Record<string, unknown>][] = [
    ["Identity", [2, 3], {}],
    ["Flatten", [2, 3, 4], { axis: 1 }],
    ["Squeeze", [1, 3], { axes: [0] }],
    ["Unsqueeze", [3], { axes: [1] }],
    ["Transpose", [1, 5, 1, 4], { perm: [1, 0, 3, 2] }],
    ["Slice", [2, 3], { starts: [0, 0], steps: [1, 1], sizes: [2, 3] }],
    ["Pad", [2], { pads: [0, 0], value: 7 }],
    ["Concat", [2, 2], { axis: 0 }],
    ["ReduceSum", [2, 1, 3], { axes: [1], keepdims: false }],
    ["ReduceMean", [2, 1], { axes: [1], keepdims: true }],
  ];
  for (const [operator, shape, attributes] of still) {
    const s = new Sketch();
    const lowered = run(lowerAliases, s.finish(s.node(operator, [s.input(shape)], attributes)));
    assert.deepEqual(operatorsOf(lowered), ["Reshape"], operator);
  }
  const moving: [string, number[], Record<string, unknown>][] = [
    ["Transpose", [2, 5], { perm: [1, 0] }],
    ["Slice", [3], { starts: [2], steps: [-1], sizes: [3] }],
    ["Slice", [3], { starts: [1], steps: [1], sizes: [2] }],
    ["Pad", [2], { pads: [0, 1], value: 7 }],
    ["ReduceSum", [2, 2], { axes: [1], keepdims: true }],
  ];
  for (const [operator, shape, attributes] of moving) {
    const s = new Sketch();
    const lowered = run(lowerAliases, s.finish(s.node(operator, [s.input(shape)], attributes)));
    assert.deepEqual(operatorsOf(lowered), [operator]);
  }
});

Deno.test("limit-concat-operands: empty ones go, many become a tree", () => {
  const s = new Sketch();
  const parts = Array.from({ length: 20 }, (_, i) => s.input([2, i % 3 === 2 ? 0 : 1 + i % 2]));
  const wide = run(limitConcatOperands, s.finish(s.node("Concat", parts, { axis: 1 })));
  assert.deepEqual(operatorsOf(wide), ["Concat", "Concat", "Concat"]);
  for (const node of wide.nodes) assert.ok(node.inputs.length <= 8);

  const t = new Sketch();
  const model = t.finish(t.node("Concat", [t.input([0]), t.input([3]), t.input([0])], { axis: 0 }));
  const single = run(limitConcatOperands, model);
  assert.deepEqual(single.nodes.map((node) => node.inputs), [["x1"]]);
  assert.deepEqual(operatorsOf(run(lowerAliases, single)), ["Reshape"]);

  const e = new Sketch();
  const empty = run(
    limitConcatOperands,
    e.finish(e.node("Concat", [e.input([0, 2]), e.input([0, 2])], { axis: 0 })),
  );
  assert.deepEqual(operatorsOf(empty), ["Reshape"]);

  const few = new Sketch();
  const kept = few.finish(few.node("Concat", [few.input([1]), few.input([2])], { axis: 0 }));
  assert.deepEqual(printModel(run(limitConcatOperands, kept)), printModel(kept));
});

Deno.test("drop-unity-requant: only where every value stays", () => {
  const requantised = (mul: number, add: number, signed: boolean, dtype: "int8" | "int32" = "int8") => {
    const s = new Sketch();
    return operatorsOf(
      run(dropUnityRequant, s.finish(s.requant(s.input([5], dtype), { mul: [mul], add: [add], signed }))),
    )[0];
  };
  assert.equal(requantised(64, 0, true), "Reshape");
  assert.equal(requantised(65, 0, true), "RequantShift");
  assert.equal(requantised(64, 1, true), "RequantShift");
  assert.equal(requantised(64, 0, false), "RequantShift");
  assert.equal(requantised(64, 0, true, "int32"), "RequantShift");
  const s = new Sketch();
  const vector = s.requant(s.input([2, 3]), { axis: 1, mul: [64, 64, 64], add: [0, 0, 0] });
  assert.deepEqual(operatorsOf(run(dropUnityRequant, s.finish(vector))), ["Reshape"]);
});

Deno.test("fuse-matmul: product, bias on either side, requantisation along any axis", () => {
  for (const axis of [-1, 0, 1, 2]) {
    for (const biasShape of [undefined, [5], [4, 5], [2, 1, 5], [1]]) {
      for (const first of [true, false]) {
        const s = new Sketch();
        const product = s.node("MatMul", [s.input([2, 4, 6]), s.constant([6, 5])]);
        const bias = biasShape && s.constant(biasShape, 4);
        const sum = bias ? s.node("Add", first ? [bias, product] : [product, bias]) : product;
        const fused = run(fuseMatMul, s.finish(s.requant(sum, { axis })));
        assert.deepEqual(operatorsOf(fused), ["RequantizedMatMul"]);
        const [node] = fused.nodes;
        if (bias) assert.equal(fused.tensors.get(node.inputs[2])!.dtype, "int32");
        else assert.equal(node.inputs[2], "");
      }
    }
  }
});

Deno.test("fuse-matmul: two activations, and a vector of shifts", () => {
  const s = new Sketch();
  const product = s.node("MatMul", [s.input([1, 2, 3, 4]), s.input([1, 2, 4, 3])]);
  const parameters = [[3, 5], [7, -9], [2, 6]].map((values, i) => s.builder.parameter(`p${i}`, [2], values));
  const attributes = { axis: 1, shift: -1, signed: true, levels: 256 };
  const fused = run(fuseMatMul, s.finish(s.node("RequantShift", [product, ...parameters], attributes)));
  assert.deepEqual(operatorsOf(fused), ["RequantizedMatMul"]);
  assert.equal(fused.nodes[0].inputs.length, 6);
});

Deno.test("fuse-matmul: Gemm with its bias and beta, transposed", () => {
  const s = new Sketch();
  const attributes = { beta: 3, transA: true, transB: true };
  const gemm = s.node("Gemm", [s.input([6, 4]), s.constant([5, 6]), s.constant([5], 3)], attributes);
  const fused = run(fuseMatMul, s.finish(s.requant(gemm, { axis: 1 })));
  assert.deepEqual(operatorsOf(fused), ["RequantizedMatMul"]);
  const { transA, transB } = fused.nodes[0].attributes;
  assert.deepEqual([transA, transB], [true, true]);
});

Deno.test("fuse-matmul: leaves alone what others read, what stretches, and what is scaled", () => {
  const unfused = (build: (s: Sketch, product: Tensor) => Tensor[]) => {
    const s = new Sketch();
    const model = s.finish(...build(s, s.node("MatMul", [s.input([1, 1, 6]), s.constant([6, 5])])));
    assert.deepEqual(operatorsOf(run(fuseMatMul, model)), operatorsOf(model));
  };
  unfused((s, product) => [s.requant(product), product]);
  unfused((s, product) => [s.requant(product), s.node("Relu", [product])]);
  unfused((s, product) => {
    const sum = s.node("Add", [product, s.constant([5], 3)]);
    return [s.requant(sum), s.node("Relu", [sum])];
  });
  unfused((s, product) => [s.requant(s.node("Add", [product, s.constant([1, 3, 5], 3)]))]);
  unfused((s, product) => [s.requant(s.node("Add", [product, s.input([5])]))]);
  const s = new Sketch();
  const scaled = s.finish(s.requant(s.node("Gemm", [s.input([2, 6]), s.constant([6, 5])], { alpha: 2 })));
  assert.deepEqual(operatorsOf(run(fuseMatMul, scaled)), ["Gemm", "RequantShift"]);
});

Deno.test("fuse-matmul: a Gemm with a bias of its own takes no second one", () => {
  const s = new Sketch();
  const gemm = s.node("Gemm", [s.input([4, 6]), s.constant([6, 5]), s.constant([5], 3)]);
  const model = s.finish(s.requant(s.node("Add", [gemm, s.constant([5], 4)])));
  assert.deepEqual(operatorsOf(run(fuseMatMul, model)), ["Gemm", "Add", "RequantShift"]);
});

Deno.test("fuse-conv: per tensor and per channel, not along other axes, not what others read", () => {
  const window = { kernel: [3, 3], strides: [1, 2], pads: [1, 1, 1, 1], dilations: [1, 1], group: 1 };
  const fused = (axis: number, shared = false) => {
    const s = new Sketch();
    const conv = s.node("Conv", [s.input([1, 2, 5, 6]), s.constant([3, 2, 3, 3])], window);
    return operatorsOf(
      run(fuseConv, s.finish(s.requant(conv, { axis, signed: false }), ...(shared ? [conv] : []))),
    );
  };
  assert.deepEqual(fused(-1), ["RequantizedConv"]);
  assert.deepEqual(fused(1), ["RequantizedConv"]);
  assert.deepEqual(fused(2), ["Conv", "RequantShift"]);
  assert.deepEqual(fused(1, true), ["Conv", "RequantShift"]);
});

Deno.test("the pipeline runs them all, and names the pass that breaks a model", () => {
  const s = new Sketch();
  const x = s.input([1, 4, 6]);
  const head = s.node("Gather", [x, s.builder.parameter("i", [], [1])], { axis: 1 });
  const product = s.node("MatMul", [head, s.node("Transpose", [s.constant([5, 6])], { perm: [1, 0] })]);
  const model = s.finish(s.requant(s.node("Add", [product, s.constant([5], 2)])));
  const whole: Pass = { name: "all", summary: "", run: (m) => rewrite(m) };
  assert.deepEqual(operatorsOf(run(whole, model)), ["Slice", "Reshape", "RequantizedMatMul"]);
  const breaks: Pass = { name: "breaks", summary: "", run: (m) => ({ ...m, nodes: m.nodes.slice(1) }) };
  assert.throws(() => rewrite(model, [breaks]), /pass breaks broke the model/);
});
