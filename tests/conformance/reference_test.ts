// The reference meaning of the operators against networks that others made: every output bit-exact, on the model
// as imported and as rewritten by the passes.

import assert from "node:assert/strict";
import { verifyModel } from "../../src/model/verify.ts";
import { importModel } from "../../src/onnx/import.ts";
import { evaluateModel, outputsFrom } from "../../src/operators/evaluate.ts";
import type { Model } from "../../src/model/types.ts";
import { type Network, networkNames, networksPath, readNetwork } from "../networks.ts";

if (networksPath()) {
  for (const name of networkNames()) {
    Deno.test(`reference: ${name}`, () => {
      const network = readNetwork(name);
      const model = importModel(network.bytes, network);
      verifyModel(model);
      expectOutputs(model, network);
    });
  }
}

function expectOutputs(model: Model, { inputs, outputs }: Network): void {
  const results = outputsFrom(model, evaluateModel(model, inputs));
  assert.equal(
    results.length,
    Math.min(results.length, outputs.length),
    "fewer expected arrays than outputs",
  );
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
