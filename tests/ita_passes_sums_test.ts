// The passes that bring sums of products, and GELU behind products, into ITA's form: what they find, what they leave alone
// and why; and that all results stay.

import assert from "node:assert/strict";
import { ModelBuilder } from "../src/model/builder.ts";
import { elementCount, integerLimits, type Model, type Tensor } from "../src/model/types.ts";
import { evaluateModel, outputsFrom } from "../src/operators/evaluate.ts";
import { fuseSum } from "../src/passes/fuse_sum.ts";
import { passesFor, rewrite, standardPasses } from "../src/passes/pipeline.ts";
import { Random } from "./cores_harness.ts";
import { targetWith } from "./ita_pieces.ts";

/** A model under construction whose requantisation ITA can do. */
class Sketch {
  readonly builder = new ModelBuilder();
  readonly inputs: string[] = [];
  readonly random = new Random(2);

  input(shape: number[], dtype: "int8" | "uint8" = "int8"): Tensor {
    const name = `x${this.inputs.length}`;
    this.inputs.push(name);
    return this.builder.add({ name, dtype, shape, range: integerLimits[dtype] });
  }

  apply(operator: string, ...inputs: Tensor[]): Tensor {
    return this.builder.append({ operator, inputs, name: operator });
  }

  constant(shape: number[]): Tensor {
    const values = Int8Array.from({ length: elementCount(shape) }, () => this.random.integer(-128, 127));
    return this.builder.constant("w", shape, values);
  }

  layer(x: Tensor, columns = 40): Tensor {
    return this.apply("MatMul", x, this.constant([x.shape.at(-1)!, columns]));
  }

  requant(x: Tensor): Tensor {
    const [mul, add] = [this.builder.parameter("m", [1], [77]), this.builder.parameter("a", [1], [0])];
    const attributes = { axis: -1, shift: 14, signed: true, levels: 256 };
    return this.builder.append({
      operator: "RequantShift",
      inputs: [x, mul, add],
      attributes,
      name: "requant",
    });
  }

  finish(...outputs: Tensor[]): Model {
    return this.builder.finish("sketch", this.inputs, outputs.map(({ name }) => name));
  }
}

/** Runs the passes of the target; results must stay. Gives the operators left, and what the passes said. */
async function rewritten(model: Model): Promise<{ operators: string[]; notes: string[] }> {
  const notes: string[] = [];
  const after = rewrite(
    model,
    passesFor(await targetWith(), { note: (_node, reason) => notes.push(reason) }),
  );
  const random = new Random(5);
  const inputs = model.inputs.map((name) => {
    const { shape, range } = model.tensors.get(name)!;
    return Int32Array.from({ length: elementCount(shape) }, () => random.integer(range.min, range.max));
  });
  const [expected, actual] = [model, after].map((m) => outputsFrom(m, evaluateModel(m, inputs)));
  assert.deepEqual(actual, expected);
  return { operators: after.nodes.map(({ operator }) => operator), notes };
}

Deno.test("fuse-sum: residuals, scales, cut inner dimensions and biases, however they are added", async () => {
  const fused = async (build: (s: Sketch) => Tensor, rest: string[] = []) => {
    const s = new Sketch();
    const { operators, notes } = await rewritten(s.finish(s.requant(build(s))));
    assert.deepEqual([operators, notes], [[...rest, "RequantizedProductSum"], []]);
  };
  await fused((s) => s.apply("Add", s.layer(s.input([30, 20])), s.input([30, 40])));
  await fused((s) =>
    s.apply("Add", s.input([30, 40]), s.apply("Add", s.constant([40]), s.layer(s.input([30, 9]))))
  );
  await fused((s) =>
    s.apply("Add", s.layer(s.input([1, 30, 7])), s.apply("Mul", s.constant([1, 40]), s.input([1, 30, 40])))
  );
  await fused((s) =>
    s.apply(
      "Add",
      s.apply("Add", s.layer(s.input([30, 7])), s.layer(s.input([30, 8]))),
      s.layer(s.input([30, 9])),
    )
  );
  // A normalisation without statistics; the sum of two tensors; a constant that is no bias, such as positions.
  await fused((s) => s.apply("Add", s.apply("Mul", s.input([30, 40]), s.constant([40])), s.constant([40])));
  await fused((s) => s.apply("Add", s.input([30, 40]), s.input([30, 40])));
  await fused((s) => s.apply("Add", s.layer(s.input([30, 8])), s.constant([30, 40])));
  // The same tensor twice, ranks that differ, ReLU behind it.
  await fused((s) => {
    const x = s.input([30, 40]);
    return s.apply("Add", s.apply("Add", x, x), s.layer(s.input([30, 8])));
  });
  await fused((s) => s.apply("Add", s.layer(s.input([1, 30, 8])), s.input([30, 40])), ["Reshape"]);
  const s = new Sketch();
  const sum = s.apply("Add", s.layer(s.input([30, 20])), s.input([30, 40]));
  const relu = await rewritten(s.finish(s.apply("Relu", s.requant(sum))));
  assert.deepEqual(relu.operators, ["RequantizedProductSum"]);
});

Deno.test("fuse-sum: what ITA cannot add up stays as it is, and the reason is told", async () => {
  const kept = async (reason: RegExp, build: (s: Sketch) => Tensor) => {
    const s = new Sketch();
    const model = s.finish(s.requant(build(s)));
    const { operators, notes } = await rewritten(model);
    assert.ok(!operators.includes("RequantizedProductSum"));
    for (const note of notes) assert.match(note, reason);
    assert.ok(notes.length > 0);
  };
  const product = (s: Sketch) => s.layer(s.input([30, 20]));
  await kept(
    /operand a of summand 2 is uint8/,
    (s) => s.apply("Add", product(s), s.input([30, 40], "uint8")),
  );
  await kept(/sum of 18 products/, (s) => s.apply("Add", s.layer(s.input([30, 1088])), s.input([30, 40])));
  await kept(
    /summand of shape \[1, 40\] is stretched to \[30, 40\]/,
    (s) => s.apply("Add", product(s), s.input([1, 40])),
  );
  await kept(
    /a summand is int32/,
    (s) => s.apply("Add", product(s), s.apply("Mul", s.input([30, 40]), s.input([30, 40]))),
  );
  await kept(/summand 2 is an activation that is not stored by columns/, (s) => {
    const scores = s.apply("MatMul", s.input([30, 20]), s.input([20, 40]));
    return s.apply("Add", product(s), scores);
  });
  await kept(/3 x 5 would leave ITA's tiles of 64 x 64 mostly empty/, (s) => {
    return s.apply("Add", s.input([2, 3, 5]), s.input([2, 3, 5]));
  });
});

Deno.test("pack-terms: narrow operands side by side, where that saves tiles", async () => {
  const operators = async (...depths: number[]) => {
    const s = new Sketch();
    const products = depths.map((depth) => s.layer(s.input([2, 30, depth])));
    const sum = [...products, s.input([2, 30, 40])].reduce((x, y) => s.apply("Add", x, y));
    return (await rewritten(s.finish(s.requant(sum)))).operators;
  };
  assert.deepEqual(await operators(80, 80, 80), ["Concat", "RequantizedProductSum"]);
  assert.deepEqual(await operators(80, 64, 40), ["Concat", "RequantizedProductSum"]);
  assert.deepEqual(await operators(120, 120), ["RequantizedProductSum"]);
  assert.deepEqual(await operators(20, 20), ["RequantizedProductSum"]);
  // Weights that are stored the other way round.
  const s = new Sketch();
  const [x, y] = [s.input([30, 80]), s.input([30, 40])];
  const gemm = s.builder.append({
    operator: "Gemm",
    inputs: [x, s.constant([50, 80])],
    attributes: { alpha: 1, beta: 1, transA: false, transB: true },
    name: "gemm",
  });
  const { operators: left } = await rewritten(s.finish(s.requant(s.apply("Add", gemm, s.layer(y, 50)))));
  assert.deepEqual(left, ["Concat", "RequantizedProductSum"]);
});

Deno.test("fuse-gelu: behind products and sums, where ITA has the function", async () => {
  const left = async (
    build: (s: Sketch) => Tensor,
    mul = -148,
    behind: (s: Sketch, y: Tensor) => Tensor[] = (_, y) => [y],
  ) => {
    const s = new Sketch();
    const gelu = s.builder.append({
      operator: "iGELU",
      inputs: [build(s)],
      attributes: { b: -80, one: 7091 },
      name: "gelu",
    });
    const constants = [s.builder.parameter("gm", [1], [mul]), s.builder.parameter("ga", [1], [0])];
    const attributes = { axis: -1, shift: 20, signed: true, levels: 256 };
    const y = s.builder.append({
      operator: "RequantShift",
      inputs: [gelu, ...constants],
      attributes,
      name: "out",
    });
    return await rewritten(s.finish(...behind(s, y)));
  };
  const product = (s: Sketch) => s.requant(s.layer(s.input([30, 20])));
  const sum = (s: Sketch) => s.requant(s.apply("Add", s.layer(s.input([30, 20])), s.input([30, 40])));
  for (const build of [product, sum]) {
    assert.deepEqual(await left(build), { operators: ["RequantizedProductSum"], notes: [] });
  }
  const positive = await left(product, 148);
  assert.equal(positive.operators[0], "RequantizedMatMul");
  assert.deepEqual(new Set(positive.notes), new Set(["ITA's GELU gives results of the opposite sign"]));
  // Products behind it can take the other sign into their weights, if nobody else looks.
  const layer = (s: Sketch, y: Tensor) => {
    const values = Int8Array.from({ length: 40 * 40 }, () => s.random.integer(-127, 127));
    return s.apply("MatMul", y, s.builder.constant("v", [40, 40], values));
  };
  const turned = await left(product, 148, (s, y) => [
    s.requant(layer(s, y)),
    s.requant(s.apply("Add", layer(s, y), s.input([30, 40]))),
    s.requant(
      s.apply("Add", s.apply("Mul", y, s.builder.constant("d", [1], [-99])), layer(s, s.input([30, 40]))),
    ),
  ]);
  const [first, ...readers] = turned.operators;
  assert.equal(first, "RequantizedProductSum");
  assert.deepEqual(readers.toSorted(), [
    "RequantizedMatMul",
    "RequantizedProductSum",
    "RequantizedProductSum",
  ]);
  assert.deepEqual(turned.notes, []);
  const watched = await left(product, 148, (s, y) => [s.requant(layer(s, y)), y]);
  assert.equal(watched.operators.includes("RequantizedProductSum"), false);
  const lowest = await left(product, 148, (s, y) => [
    s.requant(s.apply("MatMul", y, s.builder.constant("v", [40, 1], new Int8Array(40).fill(-128)))),
  ]);
  assert.equal(lowest.operators.includes("RequantizedProductSum"), false);
  const clipped = await left((s) => s.apply("Relu", product(s)));
  assert.match(clipped.notes[0], /clipped at 0 in front of GELU/);
});

Deno.test("fuse-sum: sums that others look at, and nodes that the caller names, stay", async () => {
  const target = await targetWith();
  const s = new Sketch();
  const sum = s.apply("Add", s.layer(s.input([30, 20])), s.input([30, 40]));
  const shared = rewrite(s.finish(s.requant(sum), sum), standardPasses);
  assert.deepEqual(fuseSum(target).run(shared).nodes, shared.nodes);
  const own = new Sketch();
  const model = rewrite(
    own.finish(own.requant(own.apply("Add", own.layer(own.input([30, 20])), own.input([30, 40])))),
    standardPasses,
  );
  const notes = new Map<string, string>();
  const note = (node: string, reason: string) => notes.set(node, reason);
  const after = fuseSum(target, { unfused: new Map([["requant", "too large"]]), note }).run(model);
  assert.deepEqual(after.nodes, model.nodes);
  assert.deepEqual([...notes], [["requant", "too large"], ["MatMul", "too large"]]);
});
