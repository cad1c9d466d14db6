// Attention is found in every form in which files have it, and stays what it means; what ITA cannot do stays as it is.

import assert from "node:assert/strict";
import { importModel } from "../src/onnx/import.ts";
import { elementCount, type Model } from "../src/model/types.ts";
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
    for (let trial = 0; trial < 25; trial++) {
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

Deno.test("nothing is moved at run time but what has no weights to be moved in", async () => {
  const target = await targetWith();
  const random = new Random(2);
  for (const arrangement of ["batched", "summed", "separate"] as const) {
    for (const perHead of [false, true]) {
      const form = randomForm(random, {
        arrangement,
        perHead,
        batch: 1,
        heads: 2,
        queries: 6,
        keys: 9,
        width: 8,
      });
      const model = attentionModel(random, form);
      const { operators } = rewriteAndCompare(model, target, randomInputs(random, model));
      const text = JSON.stringify(operators);
      assert.equal(count(operators, "Transpose") + count(operators, "Slice"), 0, text);
      const layers = { batched: 4, summed: 4, separate: 8 }[arrangement];
      assert.equal(count(operators, "RequantizedMatMul"), layers, text);
    }
  }
});

Deno.test("wide heads stay side by side; narrow ones with constants of their own come apart", async () => {
  const target = await targetWith();
  const random = new Random(3);
  for (const [width, perHead, split] of [[64, true, false], [8, true, true], [8, false, false]] as const) {
    const form = randomForm(random, {
      arrangement: "batched",
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
