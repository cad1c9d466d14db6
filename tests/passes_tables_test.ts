// fuse-tables: which chains become lookups, which stay, and that every value stays the same.

import assert from "node:assert/strict";
import { ModelBuilder } from "../src/model/builder.ts";
import { elementCount, integerLimits, type Model, type Tensor } from "../src/model/types.ts";
import { verifyModel } from "../src/model/verify.ts";
import { evaluateModel } from "../src/operators/evaluate.ts";
import { fuseTables } from "../src/passes/fuse_tables.ts";
import { passesFor, rewrite } from "../src/passes/pipeline.ts";
import { loadTarget } from "../targets/load.ts";
import { randomIntegers } from "./operators.ts";

type Bytes = "int8" | "uint8" | "int32";

/** A model under construction. */
class Sketch {
  readonly builder = new ModelBuilder();
  readonly #inputs: string[] = [];

  input(shape: number[], dtype: Bytes = "int8"): Tensor {
    const name = `x${this.#inputs.length}`;
    this.#inputs.push(name);
    return this.builder.add({ name, dtype, shape, range: integerLimits[dtype] });
  }

  node(operator: string, inputs: Tensor[], attributes: Record<string, unknown> = {}): Tensor {
    return this.builder.append({ operator, inputs, attributes, name: operator });
  }

  scalar(value: number, shape: number[] = []): Tensor {
    return this.builder.constant("c", shape, new Int32Array(elementCount(shape)).fill(value));
  }

  requant(
    x: Tensor,
    mul = 3,
    shift = 7,
    more: { signed?: boolean; add?: number; axis?: number } = {},
  ): Tensor {
    const { signed = true, add = 40, axis = -1 } = more;
    const length = axis < 0 ? 1 : x.shape[axis];
    const constants = [mul, add].map((value, i) =>
      this.builder.parameter(`p${i}`, [length], new Int32Array(length).fill(value))
    );
    return this.node("RequantShift", [x, ...constants], { axis, shift, signed, levels: 256 });
  }

  gelu(x: Tensor): Tensor {
    return this.node("iGELU", [x], { b: -100, one: 14000 });
  }

  finish(...outputs: Tensor[]): Model {
    const model = this.builder.finish("sketch", this.#inputs, outputs.map(({ name }) => name));
    verifyModel(model);
    return model;
  }
}

/** Runs the pass, compares outputs on values that reach the ends, and gives the operators that are left. */
function operatorsAfter(model: Model): string[] {
  const after = fuseTables.run(model);
  verifyModel(after);
  for (const seed of [1, 2]) {
    const inputs = model.inputs.map((name, i) => {
      const { shape, range } = model.tensors.get(name)!;
      const data = randomIntegers(seed * 10 + i, elementCount(shape), range.min, range.max);
      data[0] = range.min;
      data[data.length - 1] = range.max;
      return data;
    });
    const [expected, actual] = [model, after].map((m) => evaluateModel(m, inputs));
    for (const name of model.outputs) {
      assert.deepEqual([...actual.get(name)!], [...expected.get(name)!], name);
    }
  }
  return after.nodes.map(({ operator }) => operator);
}

Deno.test("a chain from 8 bits to 8 bits is one lookup, whatever is in between", () => {
  for (const dtype of ["int8", "uint8"] as const) {
    const s = new Sketch();
    let x = s.gelu(s.input([2, 300], dtype));
    x = s.node("Add", [s.scalar(-700, [1, 1]), x]);
    x = s.requant(x, 5, 14);
    x = s.node("Relu", [x]);
    x = s.node("Sub", [s.scalar(90), x]);
    x = s.node("iHardswish", [s.node("Clip", [x], { min: -60, max: 80 })], {
      oneOverSix: 43,
      three: 48,
      six: 96,
    });
    x = s.requant(x, 9, 12, { signed: false });
    assert.deepEqual(operatorsAfter(s.finish(x)), ["Lookup"]);
  }
});

Deno.test("constants of one value for every channel are one constant", () => {
  const s = new Sketch();
  const x = s.requant(s.input([2, 7, 5]), 77, 6, { axis: 1 });
  const norm = s.node("iNoNorm", [
    x,
    s.builder.parameter("w", [5], new Int32Array(5).fill(9)),
    s.builder.parameter("b", [5], new Int32Array(5).fill(-30)),
  ], { mul: 5, shift: 5, levels: 256 });
  assert.deepEqual(operatorsAfter(s.finish(norm)), ["Lookup"]);
});

Deno.test("a chain ends at its last 8-bit result; without one it is a table of 32 bits if that saves a layer", () => {
  const s = new Sketch();
  const x = s.requant(s.gelu(s.input([300])));
  assert.deepEqual(operatorsAfter(s.finish(s.node("Mul", [x, s.scalar(999)]))), ["Lookup", "Mul"]);
  const wide = new Sketch();
  const y = wide.node("Mul", [wide.gelu(wide.input([300])), wide.scalar(3)]);
  assert.deepEqual(operatorsAfter(wide.finish(y)), ["Lookup"]);
  const alone = new Sketch();
  assert.deepEqual(operatorsAfter(alone.finish(alone.gelu(alone.input([300])))), ["iGELU"]);
});

Deno.test("what others read, wide arguments, Relu alone and constants that differ stay", () => {
  const shared = new Sketch();
  const middle = shared.gelu(shared.input([40]));
  assert.deepEqual(operatorsAfter(shared.finish(shared.requant(middle), middle)), ["iGELU", "RequantShift"]);
  const wide = new Sketch();
  assert.deepEqual(operatorsAfter(wide.finish(wide.requant(wide.input([40], "int32")))), ["RequantShift"]);
  const relu = new Sketch();
  assert.deepEqual(operatorsAfter(relu.finish(relu.node("Relu", [relu.input([40])]))), ["Relu"]);
  const channels = new Sketch();
  const different = channels.builder.constant("c", [2], [1, 2]);
  const sum = channels.node("Add", [
    channels.node("Clip", [channels.input([3, 2])], { min: -9, max: 9 }),
    different,
  ]);
  assert.deepEqual(operatorsAfter(channels.finish(channels.requant(sum))), ["Lookup", "Add", "Lookup"]);
});

Deno.test("a sum of two branches and its requantisation are one lookup", () => {
  for (const operator of ["Add", "Sub"]) {
    const s = new Sketch();
    const [a, b, c] = [s.input([3, 90]), s.input([3, 90], "uint8"), s.input([3, 90])];
    const left = s.requant(a, 200, 8);
    const right = s.requant(s.gelu(b), 7, 16, { signed: false });
    const inner = s.requant(s.node(operator, [left, right]), 90, 7);
    assert.deepEqual(operatorsAfter(s.finish(s.requant(s.node(operator, [c, inner]), 100, 8))), [
      "LookupSum",
      "LookupSum",
    ]);
  }
});

Deno.test("sums that a table does not hold, or whose terms others read, keep what they need", () => {
  const bare = new Sketch();
  assert.deepEqual(operatorsAfter(bare.finish(bare.node("Add", [bare.input([40]), bare.input([40])]))), [
    "Add",
  ]);
  const spread = new Sketch();
  const row = spread.node("Add", [spread.input([4, 10]), spread.input([10])]);
  assert.deepEqual(operatorsAfter(spread.finish(spread.requant(row))), ["Add", "RequantShift"]);
  const shared = new Sketch();
  const term = shared.requant(shared.input([40]));
  const sum = shared.requant(shared.node("Add", [term, shared.input([40])]));
  assert.deepEqual(operatorsAfter(shared.finish(sum, term)), ["Lookup", "LookupSum"]);
  const twice = new Sketch();
  const x = twice.input([40]);
  assert.deepEqual(operatorsAfter(twice.finish(twice.requant(twice.node("Add", [x, x])))), [
    "Add",
    "RequantShift",
  ]);
});

Deno.test("a requantisation behind a product stays with it", async () => {
  const s = new Sketch();
  const weights = s.builder.constant("w", [8, 8], randomIntegers(3, 64, -128, 127));
  const x = s.node("Relu", [s.requant(s.node("MatMul", [s.input([4, 8]), weights]), 3, 12)]);
  const model = s.finish(s.requant(s.gelu(x)));
  const after = rewrite(model, passesFor(await loadTarget("snitch-ita")));
  assert.deepEqual(after.nodes.map(({ operator }) => operator), ["RequantizedMatMul", "Lookup"]);
});
