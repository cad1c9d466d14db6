// Attention is found in every form in which files have it, and stays what it means; what ITA cannot do stays as it is.

import assert from "node:assert/strict";
import { importModel } from "../src/onnx/import.ts";
import { ModelBuilder } from "../src/model/builder.ts";
import { elementCount, integerLimits, type Model, type Tensor } from "../src/model/types.ts";
import { verifyModel } from "../src/model/verify.ts";
import { evaluateModel, outputsFrom } from "../src/operators/evaluate.ts";
import { passesFor, rewrite } from "../src/passes/pipeline.ts";
import type { Target } from "../targets/schema.ts";
import { Random } from "./cores_harness.ts";
import { type AttentionForm, attentionModel, itaSoftmax, randomForm } from "./ita_attention_models.ts";
import { targetWith } from "./ita_pieces.ts";
import { networksPath, readNetwork } from "./networks.ts";

/** Rewrites for ITA and compares with the model as it was, and all values under names that are still there. */
function rewriteAndCompare(model: Model, target: Target, inputs: readonly ArrayLike<number>[], text = "") {
  const notes: string[] = [];
  const rewritten = rewrite(
    model,
    passesFor(target, { note: (node, reason) => notes.push(`${node}: ${reason}`) }),
  );
  verifyModel(rewritten);
  const [expected, actual] = [model, rewritten].map((m) => evaluateModel(m, inputs));
  assert.deepEqual(outputsFrom(rewritten, actual), outputsFrom(model, expected), text);
  for (const [name, data] of actual) {
    const wanted = expected.get(name);
    if (wanted) assert.deepEqual([...data], [...wanted], `${text}: ${name}`);
  }
  return { rewritten, notes, operators: rewritten.nodes.map((node) => node.operator) };
}

function randomInputs(random: Random, model: Model): Int8Array[] {
  return model.inputs.map((name) =>
    Int8Array.from({ length: elementCount(model.tensors.get(name)!.shape) }, () => random.integer(-128, 127))
  );
}

const count = (operators: readonly string[], wanted: string) =>
  operators.filter((name) => name === wanted).length;

Deno.test("every form of attention becomes RequantizedAttention, with the same results", async () => {
  const target = await targetWith();
  const random = new Random(17);
  for (const arrangement of ["batched", "summed", "picked", "separate"] as const) {
    for (let trial = 0; trial < 40; trial++) {
      const form = randomForm(random, {
        arrangement,
        // Heads are picked with their batch, which then is one.
        ...(trial % 3 === 0 ? { batch: 1 } : {}),
      });
      const model = attentionModel(random, form);
      const text = JSON.stringify(form);
      const { operators } = rewriteAndCompare(model, target, randomInputs(random, model), text);
      const expected = arrangement === "separate" && form.heads > 1 ? form.heads : 1;
      assert.equal(count(operators, "RequantizedAttention"), expected, text);
      assert.equal(count(operators, "ITAPartialMax"), 0, text);
    }
  }
});

Deno.test("layers whose bias is one number without axes are turned round like others", async () => {
  const target = await targetWith();
  const random = new Random(31);
  for (const projection of ["apart", "joined", "stacked", "heads"] as const) {
    const form = randomForm(random, {
      arrangement: "batched",
      bias: "scalar",
      batch: 1,
      heads: 2,
      projection,
    });
    const model = attentionModel(random, form);
    const { operators } = rewriteAndCompare(model, target, randomInputs(random, model), projection);
    assert.equal(count(operators, "RequantizedAttention"), 1, projection);
  }
});

Deno.test("nothing is moved at run time but what has no weights to be moved in", async () => {
  const target = await targetWith();
  const random = new Random(2);
  const sizes = { batch: 1, heads: 2, queries: 6, keys: 9, width: 8 };
  for (const arrangement of ["batched", "summed", "separate"] as const) {
    for (const projection of ["apart", "joined", "stacked", "heads"] as const) {
      if (arrangement === "separate" && projection === "heads") continue;
      for (const perHead of [false, true]) {
        const form = randomForm(random, { arrangement, projection, perHead, ...sizes });
        const model = attentionModel(random, form);
        const { operators } = rewriteAndCompare(model, target, randomInputs(random, model));
        const text = JSON.stringify({ arrangement, projection, perHead, operators });
        assert.equal(count(operators, "Transpose") + count(operators, "Slice"), 0, text);
        assert.equal(count(operators, "RequantizedMatMul"), arrangement === "separate" ? 8 : 4, text);
      }
    }
  }
});

Deno.test("wide heads stay side by side; narrow ones with constants of their own come apart", async () => {
  const target = await targetWith();
  const random = new Random(3);
  for (const [width, perHead, split] of [[64, true, false], [8, true, true], [8, false, false]] as const) {
    const form = randomForm(random, {
      arrangement: "batched",
      projection: "apart",
      width,
      perHead,
      heads: 2,
      queries: 9,
      batch: 1,
    });
    const { rewritten } = rewriteAndCompare(attentionModel(new Random(1), form), target, [
      new Int8Array(form.queries * form.embedding).fill(3),
      new Int8Array(form.keys * form.embedding).fill(-5),
    ]);
    const node = rewritten.nodes.find(({ operator }) => operator === "RequantizedAttention")!;
    assert.deepEqual(node.attributes.split, { query: split, key: split, output: false });
  }
});

Deno.test("attention that ITA cannot do stays for the cores, and the reason is told", async () => {
  const target = await targetWith();
  const random = new Random(8);
  const attempt = (more: Partial<AttentionForm>, on = target) => {
    const form = randomForm(random, {
      arrangement: "batched",
      batch: 1,
      heads: 2,
      queries: 4,
      keys: 8,
      width: 8,
      projection: "apart",
      ...more,
    });
    const model = attentionModel(random, form);
    const { operators, notes } = rewriteAndCompare(model, on, randomInputs(random, model));
    assert.equal(count(operators, "RequantizedAttention"), 0);
    assert.equal(notes.length, 1);
    return notes[0];
  };
  assert.match(attempt({ softmax: { ...itaSoftmax, shift: 5 } }), /^ITAPartialMax: its softmax has shift 5/);
  assert.match(attempt({ keys: 961 }), /961 keys, ITA's softmax takes at most 960/);
  assert.match(
    attempt({ operator: "ITAMax", softmax: { ...itaSoftmax, groupWidth: 0 }, keys: 17 }),
    /takes 17 columns/,
  );
  const older = await targetWith({ softmaxShift: 5 });
  assert.match(attempt({ softmax: { ...itaSoftmax, shift: 5 } }, older), /8 keys are no multiple of 64/);
  // Without ITA there is nothing to be told.
  const model = attentionModel(random, randomForm(random));
  const coresOnly: Target = { ...target, engines: ["cores", "dma"] };
  const { operators } = rewriteAndCompare(model, coresOnly, randomInputs(random, model));
  assert.equal(count(operators, "RequantizedAttention"), 0);
});

Deno.test("what must stay stays: nodes named by the caller, and softmaxes that others look at", async () => {
  const target = await targetWith();
  const random = new Random(6);
  const form = randomForm(random, { arrangement: "batched", batch: 1 });
  const model = attentionModel(random, form);
  const told: string[] = [];
  const unfused = new Map([["ITAPartialMax", "it does not fit L1: 9 bytes"]]);
  const kept = rewrite(
    model,
    passesFor(target, { unfused, note: (node, reason) => told.push(`${node}: ${reason}`) }),
  );
  assert.ok(kept.nodes.some(({ operator }) => operator === "ITAPartialMax"));
  assert.deepEqual(told, ["ITAPartialMax: it does not fit L1: 9 bytes"]);

  const softmax = model.nodes.find(({ operator }) => operator === "ITAPartialMax")!;
  const watched = { ...model, outputs: [...model.outputs, softmax.outputs[0]] };
  const { operators, notes } = rewriteAndCompare(watched, target, randomInputs(random, watched));
  assert.equal(count(operators, "RequantizedAttention"), 0);
  assert.match(notes[0], /result does not go to one requantised product/);
});

Deno.test("heads of unequal width: each is an attention of its own", async () => {
  const target = await targetWith();
  const random = new Random(14);
  const [x, rows] = ["x", 6];
  const builder = new ModelBuilder();
  const input = builder.add({ name: x, dtype: "int8", shape: [1, rows, 10], range: integerLimits.int8 });
  const apply = (operator: string, inputs: Tensor[], attributes: Record<string, unknown> = {}) =>
    builder.append({ operator, inputs, attributes, name: operator });
  const requant = (value: Tensor, shift: number) =>
    apply("RequantShift", [value, builder.parameter("mul", [1], [99]), builder.parameter("add", [1], [0])], {
      axis: -1,
      shift,
      signed: true,
      levels: 256,
    });
  const layer = (value: Tensor, columns: number) => {
    const shape = [value.shape.at(-1)!, columns];
    const data = Int8Array.from({ length: elementCount(shape) }, () => random.integer(-128, 127));
    return requant(apply("MatMul", [value, builder.constant("w", shape, data)]), 14);
  };
  const heads = [8, 5].map((width) => {
    const [q, k, v] = [0, 1, 2].map(() => layer(input, width));
    const logits = requant(apply("MatMul", [q, apply("Transpose", [k], { perm: [0, 2, 1] })]), 12);
    return layer(requant(apply("MatMul", [apply("ITAPartialMax", [logits], itaSoftmax), v]), 13), 10);
  });
  const model = builder.finish("unequal", [x], [apply("Add", heads).name]);
  const { operators } = rewriteAndCompare(model, target, randomInputs(random, model));
  assert.deepEqual([count(operators, "RequantizedAttention"), count(operators, "Transpose")], [2, 0]);
});

Deno.test("PyITA's networks: products and softmax become one node, on the ITA that they are for", async () => {
  if (!networksPath()) return;
  const expected: [name: string, softmaxShift: 0 | 5, fused: boolean][] = [
    ["pyita/S64_E64_P64_H1_shift0", 0, true],
    ["pyita/S128_E64_P64_H2_shift0", 0, true],
    ["pyita/S128_E128_P64_H1", 5, true],
    ["pyita/S64_E64_P64_H2", 5, true],
    ["pyita/S64_E128_P64_H4_B0", 5, true],
    ["pyita/S64_E64_P64_H1_noPS", 5, false],
    ["pyita/S64_E64_P64_H2", 0, false],
    ["deeploy/Models/CCT/Int/ICCT", 5, false],
    ["deeploy/Models/CCT/Int/ICCT_ITA", 0, false],
    ["deeploy/Models/EEGFormer", 0, false],
  ];
  for (const [name, softmaxShift, fused] of expected) {
    const { bytes, inputs, outputs, inputTypes, softmaxShift: own } = readNetwork(name);
    const model = importModel(bytes, { name, softmaxShift: own, inputTypes });
    const { rewritten, operators } = rewriteAndCompare(
      model,
      await targetWith({ softmaxShift }),
      inputs,
      name,
    );
    assert.equal(count(operators, "RequantizedAttention"), fused ? 1 : 0, name);
    const [result] = outputsFrom(rewritten, evaluateModel(rewritten, inputs));
    assert.deepEqual([...result], Array.from(outputs[0], Math.round), name);
    if (fused) assert.equal(count(operators, "Transpose"), 0, name);
  }
});
