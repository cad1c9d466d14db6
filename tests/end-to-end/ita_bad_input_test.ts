// What ITA cannot do, as the user of `analyze` meets it: the network still gets a program, and the layer that stays on
// the cores says why in one line, with the number that is in the way; or the command says what does not fit.

import assert from "node:assert/strict";
import { analysisText, analyze } from "../../src/analyze.ts";
import { ModelBuilder } from "../../src/model/builder.ts";
import { elementCount, integerLimits, type Model, type Tensor } from "../../src/model/types.ts";
import { exportModel } from "../../src/onnx/export.ts";
import { loadTarget } from "../../targets/load.ts";
import { Random } from "../cores_harness.ts";
import { attentionModel, itaSoftmax, randomForm } from "../ita_attention_models.ts";

const target = await loadTarget("snitch-ita");

function analysisOf(model: Model, l1Bytes?: number) {
  const analysis = analyze({
    bytes: exportModel(model),
    import: { name: model.name, softmaxShift: 0 },
    target,
    l1Bytes,
  });
  return { ...analysis, text: analysisText(analysis) };
}

/** A model under construction. */
class Sketch {
  readonly builder = new ModelBuilder();
  readonly inputs: string[] = [];
  readonly random = new Random(3);

  input(shape: number[]): Tensor {
    const name = `x${this.inputs.length}`;
    this.inputs.push(name);
    return this.builder.add({ name, dtype: "int8", shape, range: integerLimits.int8 });
  }

  apply(operator: string, inputs: Tensor[], attributes: Record<string, unknown> = {}): Tensor {
    return this.builder.append({ operator, inputs, attributes, name: operator });
  }

  product(x: Tensor, columns: number): Tensor {
    const shape = [x.shape.at(-1)!, columns];
    const data = Int8Array.from({ length: elementCount(shape) }, () => this.random.integer(-128, 127));
    return this.apply("MatMul", [x, this.builder.constant("w", shape, data)]);
  }

  requant(x: Tensor, mul: number[] = [77], add = 0, more: { axis?: number; levels?: number } = {}): Tensor {
    const constants = [
      this.builder.parameter("mul", [mul.length], mul),
      this.builder.parameter("add", [mul.length], mul.map(() => add)),
    ];
    const attributes = { axis: -1, shift: 16, signed: true, levels: 256, ...more };
    return this.builder.append({
      operator: "RequantShift",
      inputs: [x, ...constants],
      attributes,
      name: "requant",
    });
  }

  finish(...outputs: Tensor[]): Model {
    return this.builder.finish("sketch", this.inputs, outputs.map(({ name }) => name));
  }
}

/** Engine of each layer of an operator, and why it is not ITA. */
function layersOf({ program }: ReturnType<typeof analysisOf>, operator: string) {
  assert.ok(program);
  return program.layers.filter((layer) => layer.operator === operator).map(({ engine, rejections }) => ({
    engine,
    why: rejections.find(({ engine }) => engine === "ita")?.reason ?? "",
  }));
}

Deno.test("attention over more than 960 keys: softmax and second product stay on the cores, with the number", () => {
  const form = randomForm(new Random(1), {
    arrangement: "batched",
    projection: "apart",
    batch: 1,
    heads: 1,
    queries: 4,
    keys: 1000,
    width: 8,
  });
  const analysis = analysisOf(attentionModel(new Random(1), form));
  const [softmax] = layersOf(analysis, "ITAPartialMax");
  assert.equal(softmax.engine, "cores");
  assert.match(softmax.why, /it has 1000 keys, ITA's softmax takes at most 960/);
  assert.match(analysis.text, /1000 keys, ITA's softmax takes at most 960/);
  const products = layersOf(analysis, "RequantizedMatMul");
  assert.ok(products.some(({ engine }) => engine === "ita"), "products of fewer keys are ITA's");
  assert.ok(
    products.some(({ engine, why }) =>
      engine === "cores" && /inner dimension is 1000, .* at most 960/.test(why)
    ),
  );
});

Deno.test("heads that are not equal: each is ITA's; keys and values of different widths are not, and that is said", () => {
  const heads = (widths: [key: number, value: number][]) => {
    const s = new Sketch();
    const x = s.input([1, 64, 32]);
    const attended = widths.map(([width, valueWidth]) => {
      const [q, k] = [0, 1].map(() => s.requant(s.product(x, width)));
      const v = s.requant(s.product(x, valueWidth));
      const logits = s.requant(s.apply("MatMul", [q, s.apply("Transpose", [k], { perm: [0, 2, 1] })]), [9]);
      return s.requant(s.apply("MatMul", [s.apply("ITAPartialMax", [logits], itaSoftmax), v]), [255]);
    });
    return analysisOf(s.finish(...attended));
  };
  const engines = layersOf(heads([[32, 32], [64, 64], [96, 96]]), "RequantizedAttention");
  assert.deepEqual(engines.map(({ engine }) => engine), ["ita", "ita", "ita"]);
  const unequal = heads([[64, 128]]);
  const [softmax] = layersOf(unequal, "ITAPartialMax");
  assert.match(softmax.why, /keys have 64 elements and values 128, which take different numbers of tiles/);
  assert.ok(unequal.text.includes("keys have 64 elements and values 128"));
});

Deno.test("requantisations out of ITA's range stay on the cores, with the constants", () => {
  const why = (mul: number[], add = 0, more: { axis?: number; levels?: number } = {}) => {
    const s = new Sketch();
    const analysis = analysisOf(s.finish(s.requant(s.product(s.input([64, 64]), 64), mul, add, more)));
    const [layer] = layersOf(analysis, "RequantizedMatMul");
    assert.equal(layer.engine, "cores");
    assert.ok(analysis.text.includes(layer.why), "the text says it, too");
    return layer.why;
  };
  assert.match(why([257]), /no 8-bit multiplier and offset of ITA equal \(x·257 \+ 0\) \/ 2\^16/);
  assert.match(why([-5]), /multiplier -5 is negative/);
  assert.match(why([77], 0, { levels: 16 }), /clips to -8 … 7, ITA to -128 … 127 or 0 … 127/);
  assert.match(
    why(Array.from({ length: 64 }, (_, i) => 60 + i), 0, { axis: 1 }),
    /changes at column 1, inside a tile of 64/,
  );
});

Deno.test("an inner dimension above 960 stays on the cores, as a product and in a sum", () => {
  const s = new Sketch();
  const [x, h] = [s.input([8, 70]), s.input([8, 1024])];
  const sum = s.apply("Add", [s.product(h, 70), x]);
  const analysis = analysisOf(s.finish(s.requant(s.product(h, 70)), s.requant(sum)));
  const [product] = layersOf(analysis, "RequantizedMatMul");
  assert.match(product.why, /its inner dimension is 1024, ITA accumulates over at most 960/);
  const [part] = layersOf(analysis, "MatMul");
  assert.match(part.why, /a tile of its result is the sum of 17 products of tiles, ITA accumulates 15/);
});

Deno.test("an L1 too small for ITA's tiles: the cores take over, and the bytes are told", () => {
  const model = () => {
    const s = new Sketch();
    const x = s.input([64, 64]);
    const sum = s.apply("Add", [s.product(x, 64), x]);
    return s.finish(s.requant(s.product(x, 64)), s.requant(sum));
  };
  const form = randomForm(new Random(1), { arrangement: "batched", projection: "apart", batch: 1, width: 8 });
  const roomy = analysisOf(model());
  assert.deepEqual(layersOf(roomy, "RequantizedProductSum").map(({ engine }) => engine), ["ita"]);
  const tight = analysisOf(model(), 18 * 1024);
  for (const operator of ["RequantizedMatMul", "RequantShift"]) {
    const [{ engine, why }] = layersOf(tight, operator);
    assert.equal(engine, "cores");
    assert.match(why, /.*needs \d+ bytes of L1, there are \d+/);
  }
  const attention = analysisOf(attentionModel(new Random(1), form), 18 * 1024);
  assert.match(layersOf(attention, "ITAPartialMax")[0].why, /as one piece .*bytes of L1/);
  // What not even the cores can cut small enough is named.
  const none = analysisOf(model(), 10 * 1024);
  assert.ok(!none.program);
  assert.match(none.misfit!.paragraph, /bytes/);
});
