// The passes around linear layers: ReLU into the requantisation, unsigned results made signed, operands transposed.

import assert from "node:assert/strict";
import { ModelBuilder } from "../src/model/builder.ts";
import { elementCount, integerLimits, type Model, type Tensor } from "../src/model/types.ts";
import { verifyModel } from "../src/model/verify.ts";
import { evaluateModel, outputsFrom } from "../src/operators/evaluate.ts";
import { fuseRelu } from "../src/passes/fuse_relu.ts";
import type { Pass } from "../src/passes/pass.ts";
import { rewrite, standardPasses } from "../src/passes/pipeline.ts";
import { recentreUnsigned } from "../src/passes/recentre_unsigned.ts";
import { transposeOperands } from "../src/passes/transpose_operands.ts";
import { itaMapping } from "../targets/engines/ita/mapping.ts";
import { Random } from "./cores_harness.ts";
import { targetWith } from "./ita_pieces.ts";

/** A model under construction. */
class Sketch {
  readonly builder = new ModelBuilder();
  readonly inputs: string[] = [];

  constructor(readonly random = new Random(1)) {}

  input(shape: number[], dtype: "int8" | "uint8" = "int8"): Tensor {
    const name = `x${this.inputs.length}`;
    this.inputs.push(name);
    return this.builder.add({ name, dtype, shape, range: integerLimits[dtype] });
  }

  apply(operator: string, inputs: (Tensor | undefined)[], attributes: Record<string, unknown> = {}): Tensor {
    return this.builder.append({ operator, inputs, attributes, name: operator });
  }

  constant(shape: number[]): Tensor {
    const values = Int8Array.from({ length: elementCount(shape) }, () => this.random.integer(-128, 127));
    return this.builder.constant("w", shape, values);
  }

  parameter(values: number[]): Tensor {
    return this.builder.parameter("p", [values.length], values);
  }

  requant(
    x: Tensor,
    more: { signed?: boolean; levels?: number; mul?: number[]; axis?: number; add?: number } = {},
  ) {
    const { signed = true, levels = 256, mul = [77], axis = -1, add = 0 } = more;
    const constants = [this.parameter(mul), this.parameter(mul.map(() => add))];
    return this.apply("RequantShift", [x, ...constants], { axis, shift: 14, signed, levels });
  }

  /** x · weights + bias, requantised. */
  layer(
    x: Tensor,
    columns: number,
    more: Parameters<Sketch["requant"]>[1] & { bias?: number[] } = {},
  ): Tensor {
    const product = this.apply("MatMul", [x, this.constant([x.shape.at(-1)!, columns])]);
    const bias = Int32Array.from({ length: columns }, () => this.random.integer(-9999, 9999));
    const summed = more.bias
      ? this.apply("Add", [product, this.builder.parameter("bias", [columns], bias)])
      : product;
    return this.requant(summed, more);
  }

  finish(...outputs: Tensor[]): Model {
    return this.builder.finish("sketch", this.inputs, outputs.map(({ name }) => name));
  }
}

/** Runs the standard passes, then a pass; compares results and all values under names that are still there. */
function run(pass: Pass, model: Model): Model {
  const before = rewrite(model, standardPasses);
  const after = pass.run(before);
  verifyModel(after);
  const random = new Random(5);
  const inputs = model.inputs.map((name) => {
    const { shape, range } = model.tensors.get(name)!;
    return Int32Array.from({ length: elementCount(shape) }, () => random.integer(range.min, range.max));
  });
  const [expected, actual] = [before, after].map((m) => evaluateModel(m, inputs));
  assert.deepEqual(outputsFrom(after, actual), outputsFrom(before, expected));
  for (const [name, data] of actual) if (expected.has(name)) assert.deepEqual(data, expected.get(name), name);
  return after;
}

const operatorsOf = (model: Model) => model.nodes.map((node) => node.operator);

Deno.test("fuse-relu: a clip at 0, for products, convolutions and plain requantisations", () => {
  const bare = (build: (s: Sketch) => Tensor) => {
    const s = new Sketch();
    const model = rewrite(
      s.finish(s.apply("Relu", [build(s)])),
      standardPasses.filter((p) => p !== fuseRelu),
    );
    return run(fuseRelu, model);
  };
  const product = bare((s) => s.layer(s.input([3, 6]), 5));
  assert.deepEqual(operatorsOf(product), ["RequantizedMatMul"]);
  assert.deepEqual([product.nodes[0].attributes.signed, product.nodes[0].attributes.levels], [false, 128]);
  assert.deepEqual(operatorsOf(bare((s) => s.requant(s.input([4])))), ["RequantShift"]);
  const unsigned = bare((s) => s.requant(s.input([4]), { signed: false, levels: 16 }));
  assert.equal(unsigned.nodes[0].attributes.levels, 16);
  const s = new Sketch();
  const shared = s.requant(s.input([4]));
  const kept = run(fuseRelu, s.finish(s.apply("Relu", [shared]), shared));
  assert.deepEqual(operatorsOf(kept), ["RequantShift", "Relu"]);
});

Deno.test("recentre-unsigned: a network with ReLU, all of whose layers ITA then runs", async () => {
  const target = await targetWith();
  const pass = recentreUnsigned(target);
  const engines = (model: Model) =>
    model.nodes.filter(({ operator }) => operator === "RequantizedMatMul").map((node) => {
      const tensors = (names: readonly string[]) => names.map((name) => model.tensors.get(name)!);
      const view = { node, inputs: tensors(node.inputs), outputs: tensors(node.outputs) };
      return itaMapping.mappings.get("RequantizedMatMul")!.rejects(view, target) ?? "ita";
    });
  const s = new Sketch();
  let x = s.layer(s.input([1, 7, 20]), 33, { signed: false, bias: [] });
  x = s.layer(x, 12, { signed: false });
  x = s.apply("Reshape", [x], { shape: [7, 12] });
  const mul = Array.from({ length: 9 }, (_, i) => 70 + i);
  x = s.layer(x, 9, { bias: [], mul, axis: 1 });
  const after = run(pass, s.finish(x));
  assert.deepEqual(engines(after).slice(0, 2), ["ita", "ita"]);
  assert.match(engines(after)[2], /changes at column 1/);
  for (const node of after.nodes) assert.equal(after.tensors.get(node.outputs[0])!.dtype, "int8");
});

Deno.test("recentre-unsigned: leaves alone what others read, and what it does not help", async () => {
  const pass = recentreUnsigned(await targetWith());
  const unchanged = (build: (s: Sketch) => Tensor[]) => {
    const s = new Sketch();
    const model = rewrite(s.finish(...build(s)), standardPasses);
    assert.deepEqual(run(pass, model).nodes, model.nodes);
  };
  const unsigned = (s: Sketch) => s.layer(s.input([5, 6]), 8, { signed: false });
  unchanged((s) => [unsigned(s)]);
  unchanged((s) => {
    const x = unsigned(s);
    return [s.layer(x, 4), x];
  });
  unchanged((s) => {
    const x = unsigned(s);
    return [s.layer(x, 4), s.apply("Add", [x, x])];
  });
  // Neither the product that makes it nor the one that reads it has constants of ITA.
  unchanged((
    s,
  ) => [s.layer(s.layer(s.input([5, 60]), 80, { signed: false, mul: [257] }), 4, { mul: [257] })]);
  // Its own weights are an activation.
  unchanged((s) => [s.requant(s.apply("MatMul", [unsigned(s), s.input([8, 3])]))]);
});

Deno.test("recentre-unsigned: through moves, to several layers, with weights of many heads", async () => {
  const pass = recentreUnsigned(await targetWith());
  const s = new Sketch();
  const x = s.requant(s.input([2, 5, 6]), { signed: false, add: 128 << 14, mul: [20000] });
  const turned = s.apply("Transpose", [x], { perm: [1, 0, 2] });
  const heads = s.requant(s.apply("MatMul", [turned, s.constant([5, 6, 3])]));
  const model = run(pass, s.finish(s.layer(x, 7, { bias: [] }), s.layer(turned, 2), heads));
  const names = operatorsOf(model);
  assert.deepEqual(names.filter((name) => name === "RequantizedMatMul").length, 3);
  const requant = model.nodes.find(({ operator }) => operator === "RequantShift")!;
  assert.equal(requant.attributes.signed, true);
});

Deno.test("transpose-operands: activations that ITA takes as weights are stored by columns", async () => {
  const pass = transposeOperands(await targetWith());
  const product = (perm: number[] | undefined, shape: number[], mul = 77) => {
    const s = new Sketch();
    const [a, x] = [s.input([1, 2, 5, 6]), s.input(shape)];
    const b = perm ? s.apply("Transpose", [x], { perm }) : x;
    return run(pass, s.finish(s.requant(s.apply("MatMul", [a, b]), { mul: [mul] })));
  };
  const clean = (model: Model) => rewrite(model, standardPasses);
  const plain = product(undefined, [1, 2, 6, 9]);
  assert.deepEqual(operatorsOf(plain), ["Transpose", "RequantizedMatMul"]);
  assert.equal(plain.nodes[1].attributes.transB, true);
  // A transpose that was there already is another one now, or none.
  assert.deepEqual(operatorsOf(clean(product([0, 2, 3, 1], [1, 9, 2, 6]))), [
    "Transpose",
    "RequantizedMatMul",
  ]);
  assert.deepEqual(operatorsOf(clean(product([0, 1, 3, 2], [1, 2, 9, 6]))), ["RequantizedMatMul"]);
  const refused = product(undefined, [1, 2, 6, 9], 257);
  assert.deepEqual(operatorsOf(refused), ["RequantizedMatMul"]);
  assert.equal(refused.nodes[0].attributes.transB, false);
});
