// Generated projects for QEMU's virt machine: compiled by each compiler that is here, run, compared with the
// reference meaning. The same C runs on the cluster, but for run_phases.

import assert from "node:assert/strict";
import { AttoflowError } from "../targets/errors.ts";
import { ModelBuilder } from "../src/model/builder.ts";
import type { Model, Tensor } from "../src/model/types.ts";
import { evaluateModel, outputsFrom } from "../src/operators/evaluate.ts";
import { type Compiler, findCompiler } from "../src/toolchain/compiler.ts";
import { type CheckCase, checkOnVirt, haveQemu } from "./emit/virt_check.ts";

const qemu = await haveQemu();

async function compilers(): Promise<Compiler[]> {
  const found: Compiler[] = [];
  for (const family of ["gcc", "clang"]) {
    try {
      found.push(await findCompiler(family));
    } catch (error) {
      if (!(error instanceof AttoflowError)) throw error;
      console.log(`skipped: ${error.message}`);
    }
  }
  return found;
}

const available = qemu ? await compilers() : [];
const hostile = [
  '"; rm -rf / #',
  "*/ #include <evil.h>",
  "x".repeat(4000),
  "int",
  "line\nbreak\\",
  "na\u0000ïve\u202e",
];

/** Inputs, weights, several operators, an output that is a reshape, and names that mean harm. */
function model(rows: number): Model {
  const builder = new ModelBuilder();
  const add = (name: string, shape: number[]): Tensor =>
    builder.add({ name, shape, dtype: "int8", range: { min: -128, max: 127 } });
  const x = add(hostile[0], [rows, 24]);
  const bias = add(hostile[1], [rows, 20]);
  const w = builder.constant(hostile[2], [24, 20], new Int8Array(480).map((_, i) => (i * 37) % 251 - 125));
  const product = builder.append({ operator: "MatMul", inputs: [x, w], name: hostile[3] });
  const sum = builder.append({ operator: "Add", inputs: [product, bias], name: hostile[4] });
  const relu = builder.append({ operator: "Relu", inputs: [sum], name: hostile[5], output: hostile[4] });
  const flat = builder.append({
    operator: "Reshape",
    attributes: { shape: [20 * rows] },
    inputs: [relu],
    name: hostile[5],
    output: hostile[5],
  });
  return builder.finish(hostile[1], [x.name, bias.name], [flat.name, sum.name]);
}

function cases(model: Model, count: number): CheckCase[] {
  return Array.from({ length: count }, (_, seed) => {
    const inputs = model.inputs.map((name) => {
      const elements = model.tensors.get(name)!.shape.reduce((a, b) => a * b, 1);
      return new Int8Array(elements).map((_, i) => ((i + 1) * (7919 + 31 * seed)) % 256 - 128);
    });
    return { inputs, outputs: outputsFrom(model, evaluateModel(model, inputs)) };
  });
}

for (const compiler of available) {
  Deno.test(`${compiler.family}: images compute what the operators mean, in one piece and in many`, async () => {
    const tested = model(64);
    for (const l1Bytes of [undefined, 1024]) {
      const { code, console, program } = await checkOnVirt(tested, cases(tested, 3), compiler, { l1Bytes });
      assert.equal(code, 0, console);
      assert.equal(program.layers[0].tiles > 1, l1Bytes !== undefined);
    }
  });
}

Deno.test("the check itself can fail", { ignore: available.length === 0 }, async () => {
  const tested = model(3);
  const [good] = cases(tested, 1);
  const wrong = {
    ...good,
    outputs: [good.outputs[0], Int32Array.from(good.outputs[1], (value) => value + 1)],
  };
  const { code } = await checkOnVirt(tested, [wrong], available[0]);
  assert.equal(code, 2);
});
