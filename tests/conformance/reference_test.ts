// The reference meaning of the operators against networks that others made: every output bit-exact, on the model
// as imported and as rewritten by the passes.

import assert from "node:assert/strict";
import { inputsOf, outputsOf } from "../../src/model/graph.ts";
import type { Model, TensorData } from "../../src/model/types.ts";
import { verifyModel } from "../../src/model/verify.ts";
import { importModel } from "../../src/onnx/import.ts";
import { evaluateModel, outputsFrom } from "../../src/operators/evaluate.ts";
import { macsOf } from "../../src/operators/registry.ts";
import { rewrite } from "../../src/passes/pipeline.ts";
import { type Network, networkNames, networksPath, readNetwork } from "../networks.ts";

if (networksPath()) {
  for (const name of networkNames()) {
    Deno.test(`reference: ${name}`, () => {
      const network = readNetwork(name);
      const model = importModel(network.bytes, network);
      verifyModel(model);
      const values = evaluateModel(model, network.inputs);
      expectOutputs(model, values, network);

      const rewritten = rewrite(model);
      const rewrittenValues = evaluateModel(rewritten, network.inputs);
      expectOutputs(rewritten, rewrittenValues, network);
      for (const [tensor, data] of rewrittenValues) {
        assert.deepEqual(data, values.get(tensor) ?? data, `tensor ${tensor} as rewritten`);
      }
      assert.equal(macs(model), network.macs, "multiply-accumulates as imported");
      assert.equal(macs(rewritten), network.macs, "multiply-accumulates as rewritten");
    });
  }
}

function macs(model: Model): number {
  return model.nodes.reduce(
    (sum, node) => sum + macsOf(node, inputsOf(model, node), outputsOf(model, node)),
    0,
  );
}

function expectOutputs(model: Model, values: ReadonlyMap<string, TensorData>, { outputs }: Network): void {
  const results = outputsFrom(model, values);
  assert.ok(results.length <= outputs.length, "fewer expected arrays than outputs");
  for (const [index, result] of results.entries()) {
    assert.equal(result.length, outputs[index].length, `elements of output ${index}`);
    const wrong = result.findIndex((value, i) => value !== outputs[index][i]);
    assert.equal(
      wrong,
      -1,
      `output ${index} differs at ${wrong}: ${result[wrong]}, not ${outputs[index][wrong]}`,
    );
  }
}
