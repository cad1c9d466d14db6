// Whole networks, rewritten for ITA: every node that ITA takes is run on its device, with the operands that it has when
// the network runs, and gives what the operator says. Others' networks, and attention made at random.

import assert from "node:assert/strict";
import { inputsOf, outputsOf } from "../src/model/graph.ts";
import type { Model, TensorData } from "../src/model/types.ts";
import { importModel } from "../src/onnx/import.ts";
import { evaluateModel } from "../src/operators/evaluate.ts";
import { passesFor, rewrite } from "../src/passes/pipeline.ts";
import { itaMapping } from "../targets/engines/ita/mapping.ts";
import type { Target } from "../targets/schema.ts";
import { Random } from "./cores_harness.ts";
import { attentionModel, randomForm } from "./ita_attention_models.ts";
import { buildMend } from "./ita_mend.ts";
import { type Mend, PieceMachine, piecesOf, targetWith } from "./ita_pieces.ts";
import { networksPath, readNetwork } from "./networks.ts";

/** Runs ITA's share of a rewritten model on a device; gives how many nodes of each operator that is. */
function runShare(
  model: Model,
  inputs: readonly ArrayLike<number>[],
  target: Target,
  mend?: Mend,
  random?: Random,
): Record<string, number> {
  const values: Map<string, TensorData> = evaluateModel(model, inputs);
  const machine = new PieceMachine(1 << 20, target.ita, mend);
  const share: Record<string, number> = {};
  for (const node of model.nodes) {
    const view = { node, inputs: inputsOf(model, node), outputs: outputsOf(model, node) };
    const mapping = itaMapping.mappings.get(node.operator);
    if (!mapping || mapping.rejects(view, target) !== undefined) continue;
    const operands = view.inputs.map((tensor) =>
      tensor && { tensor, data: tensor.data ?? values.get(tensor.name)! }
    );
    assert.deepEqual(
      machine.run(view, operands, piecesOf(view, random), target),
      values.get(node.outputs[0]),
      `${model.name}: ${node.operator} ${node.name}`,
    );
    share[node.operator] = (share[node.operator] ?? 0) + 1;
  }
  return share;
}

Deno.test("others' networks: what ITA takes of them it computes to the bit", async () => {
  if (!networksPath()) return;
  const networks: [
    name: string,
    softmax: { softmaxShift: 0 | 5; softmaxFullScale?: 255 | 127 },
    share: string,
  ][] = [
    ["pyita/S64_E64_P64_H1_shift0", { softmaxShift: 0 }, "4 products, 1 attention"],
    ["pyita/S128_E64_P64_H2_shift0", { softmaxShift: 0 }, "4 products, 1 attention"],
    ["pyita/S128_E128_P64_H1", { softmaxShift: 5 }, "4 products, 1 attention"],
    ["pyita/S64_E128_P64_H4_B0", { softmaxShift: 5 }, "4 products, 1 attention"],
    ["pyita/S64_E64_P64_H2", { softmaxShift: 0 }, "5 products, 0 attention"],
    [
      "deeploy/Models/CCT/Int/ICCT_ITA",
      { softmaxShift: 5, softmaxFullScale: 127 },
      "6 products, 1 attention",
    ],
    ["deeploy/Models/CCT/Int/ICCT", { softmaxShift: 0 }, "6 products, 0 attention"],
  ];
  for (const [name, softmax, expected] of networks) {
    const target = await targetWith(softmax);
    const { bytes, inputs, inputTypes, softmaxShift } = readNetwork(name);
    const model = rewrite(importModel(bytes, { name, softmaxShift, inputTypes }), passesFor(target));
    const { RequantizedMatMul = 0, RequantizedAttention = 0 } = runShare(model, inputs, target);
    assert.equal(`${RequantizedMatMul} products, ${RequantizedAttention} attention`, expected, name);
  }
});

Deno.test("attention of any form and size, projections included", async () => {
  const target = await targetWith();
  const mend = await buildMend();
  if (!mend) return;
  const random = new Random(23);
  for (let trial = 0; trial < 12; trial++) {
    const form = randomForm(random, {
      arrangement: random.pick(["batched", "summed", "separate"]),
      batch: 1,
      queries: random.integer(1, 90),
      keys: random.pick([64, 70, 128, 20]),
      embedding: random.integer(1, 100),
      width: random.pick([8, 32, 64, 70]),
    });
    const model = rewrite(attentionModel(random, form), passesFor(target));
    const inputs = model.inputs.map((name) => {
      const [batch, rows, columns] = model.tensors.get(name)!.shape;
      return Int8Array.from({ length: batch * rows * columns }, () => random.integer(-128, 127));
    });
    const share = runShare(model, inputs, target, mend, random);
    const attentions = form.arrangement === "separate" ? form.heads : 1;
    assert.equal(share.RequantizedAttention, attentions, JSON.stringify(form));
    assert.ok(share.RequantizedMatMul >= 4 || form.perHead, JSON.stringify({ form, share }));
  }
});
