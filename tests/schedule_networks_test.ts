// Plans of all integer networks, in all of L1 and in less of it, held against the independent checker.

import assert from "node:assert/strict";
import { loadTarget } from "../targets/load.ts";
import { compileModel } from "../src/compile_model.ts";
import { importModel } from "../src/onnx/import.ts";
import { checkProgram } from "../src/schedule/check.ts";
import { networkNames, networksPath, readNetwork } from "./networks.ts";

const target = await loadTarget("snitch-ita");

Deno.test("every network has a sound plan in 128, 64 and 32 KiB of L1", { ignore: !networksPath() }, () => {
  for (const name of networkNames()) {
    const { bytes, softmaxShift, inputTypes } = readNetwork(name);
    const model = importModel(bytes, { name, softmaxShift, inputTypes });
    for (const l1Bytes of [undefined, 65536, 32768]) {
      const { program } = compileModel(model, target, { l1Bytes });
      assert.deepEqual(checkProgram(program), [], `${name} with ${l1Bytes ?? "all"} bytes`);
      const l2 = program.memories.find((use) => use.role === "l2")!;
      assert.ok(
        l2.activations <= 1.05 * l2.lowerBound + 64,
        `${name}: ${l2.activations} above ${l2.lowerBound}`,
      );
    }
  }
});

Deno.test("PyITA's attention with the target's softmax has all its products on ITA", {
  ignore: !networksPath(),
}, () => {
  const names = networkNames().filter((name) => name.endsWith("_shift0"));
  assert.notEqual(names.length, 0);
  for (const name of names) {
    const { bytes, softmaxShift, inputTypes } = readNetwork(name);
    const { program } = compileModel(importModel(bytes, { name, softmaxShift, inputTypes }), target);
    const working = program.layers.filter((layer) => layer.macs > 0);
    assert.deepEqual([...new Set(working.map((layer) => layer.engine))], ["ita"], name);
    assert.ok(working.some((layer) => layer.operator === "RequantizedAttention"), name);
  }
});
