// What stays in L1 and what runs side by side: on an attention layer, and on short versions of the example networks.

import assert from "node:assert/strict";
import { attention } from "../examples/kernels.ts";
import { networks } from "../examples/networks.ts";
import { compileModel } from "../src/compile_model.ts";
import { exportModel } from "../src/onnx/export.ts";
import { importModel } from "../src/onnx/import.ts";
import { checkProgram } from "../src/schedule/check.ts";
import type { Program, StepEngine, Transfer } from "../src/schedule/program.ts";
import { loadTarget } from "../targets/load.ts";

const target = await loadTarget("snitch-ita");

function transfersFrom(program: Program, found: (buffer: string) => boolean): Transfer[] {
  return program.layers.flatMap(({ steps }) => steps)
    .flatMap((step) => step.engine === "dma" ? step.transfers : [])
    .filter(({ source }) => found(source.buffer));
}

function busy(program: Program, engine: StepEngine): number {
  return program.layers.flatMap(({ steps }) => steps).filter((step) => step.engine === engine)
    .reduce((sum, { start, end }) => sum + end - start, 0);
}

const { model } = attention({ tokens: 256, embedding: 256, width: 64, heads: 1 });
const program = compileModel(importModel(exportModel(model), { name: "a", softmaxShift: 0 }), target).program;

Deno.test("queries, keys and values go through their activation together: each tile of it is loaded once", () => {
  const [input] = program.inputs;
  const loads = transfersFrom(program, (buffer) => buffer === input.place.buffer);
  assert.equal(loads.length, 4 * 4);
  assert.equal(new Set(loads.map(({ source }) => source.offset)).size, loads.length);
});

Deno.test("what a layer has made is used from L1 while it is there", () => {
  const made = [...program.buffers.values()].filter(({ kind }) => kind === "activation");
  const names = new Set(made.map(({ name }) => name));
  const loads = transfersFrom(program, (buffer) => names.has(buffer));
  const stores = program.layers.flatMap(({ steps }) => steps)
    .flatMap((step) => step.engine === "dma" ? step.transfers : [])
    .filter(({ destination }) => names.has(destination.buffer));
  assert.ok(stores.length >= 16, `${stores.length} stores`);
  assert.ok(
    loads.length < stores.length / 2,
    `${loads.length} loads of ${stores.length} tiles that were made`,
  );
});

Deno.test("almost every job's first weights are fetched by the job before it", () => {
  const jobs = program.layers.flatMap(({ steps }) => steps)
    .flatMap((step) => step.engine === "ita" ? step.jobs : []);
  const without = jobs.filter(({ nextWeights }) => nextWeights === undefined).length;
  assert.ok(without <= 2, `${without} of ${jobs.length} jobs fetch nothing ahead`);
});

for (const { name, build } of networks) {
  const sizes = name === "mobilebert" ? [undefined, 65536, 32768] : [undefined]; // the others take their time
  Deno.test(`${name}, a short version: sound plans (L1: ${sizes.length} sizes), L2 near its lower bound`, () => {
    const bytes = exportModel(build({ layers: 1 }).model);
    for (const l1Bytes of sizes) {
      const { program } = compileModel(importModel(bytes, { name, softmaxShift: 0 }), target, { l1Bytes });
      assert.deepEqual(checkProgram(program), [], `${l1Bytes ?? "all"} bytes`);
      const l2 = program.memories.find(({ role }) => role === "l2")!;
      assert.ok(l2.activations <= 1.05 * l2.lowerBound, `${l2.activations} above ${l2.lowerBound}`);
      if (l1Bytes !== undefined || busy(program, "cores") === 0) continue;
      const end = program.layers.flatMap(({ steps }) => steps).reduce(
        (most, step) => Math.max(most, step.end),
        0,
      );
      const work = busy(program, "ita") + busy(program, "cores");
      assert.ok(work > 1.05 * end, `ITA and cores work ${work} cycles in ${end}: hardly at the same time`);
    }
  });
}
