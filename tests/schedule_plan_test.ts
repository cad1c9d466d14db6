// The planner on small models: which tensors share bytes, what is copied, how work is cut, what is refused.

import assert from "node:assert/strict";
import { engineMappings } from "../targets/engines/registry.ts";
import { AttoflowError } from "../targets/errors.ts";
import { loadTarget } from "../targets/load.ts";
import { ModelBuilder } from "../src/model/builder.ts";
import type { Model, Tensor } from "../src/model/types.ts";
import { checkProgram } from "../src/schedule/check.ts";
import { plan } from "../src/schedule/plan.ts";
import { printProgram } from "../src/schedule/print.ts";
import type { Program } from "../src/schedule/program.ts";

const target = await loadTarget("snitch-ita");
const int8 = { dtype: "int8", range: { min: -128, max: 127 } } as const;

function input(builder: ModelBuilder, name: string, shape: number[]): Tensor {
  return builder.add({ name, shape, ...int8 });
}

/** y = x·w + x·w, then a reshape that is the output. */
function matmulModel(rows = 96, depth = 64, columns = 128): Model {
  const builder = new ModelBuilder();
  const x = input(builder, "x", [rows, depth]);
  const w = builder.constant(
    "w",
    [depth, columns],
    new Int8Array(depth * columns).map((_, i) => i % 251 - 125),
  );
  const product = builder.append({ operator: "MatMul", inputs: [x, w], name: "product" });
  const sum = builder.append({ operator: "Add", inputs: [product, product], name: "sum" });
  const y = builder.append({
    operator: "Reshape",
    attributes: { shape: [columns, rows] },
    inputs: [sum],
    name: "reshape",
    output: "y",
  });
  return builder.finish("small", ["x"], [y.name]);
}

function checked(model: Model, l1Bytes?: number): Program {
  const program = plan(model, target, engineMappings, { l1Bytes });
  assert.deepEqual(checkProgram(program), []);
  return program;
}

Deno.test("a plan is the same every time", () => {
  assert.equal(printProgram(checked(matmulModel())), printProgram(checked(matmulModel())));
});

Deno.test("a reshape costs nothing and shares the bytes of what it reshapes", () => {
  const program = checked(matmulModel());
  const [, , reshape] = program.layers;
  assert.equal(reshape.engine, "none");
  assert.equal(reshape.tiles, 0);
  assert.equal(
    program.layers.flatMap(({ steps }) => steps).some((step) => step.layer === reshape.index),
    false,
  );
  assert.deepEqual(program.tensors.get("sum_output"), program.tensors.get("y"));
  assert.equal(program.buffers.get(program.outputs[0].place.buffer)!.kind, "output");
});

Deno.test("a smaller L1 makes more pieces, and every plan passes the checker", () => {
  const pieces = [131072, 65536, 32768, 20480].map((l1) => {
    const program = checked(matmulModel(256, 128, 128), l1);
    const l1Use = program.memories.find((use) => use.role === "l1")!;
    assert.equal(l1Use.activations + l1Use.reserved <= l1, true);
    return program.layers[0].tiles;
  });
  assert.deepEqual([...pieces].sort((a, b) => a - b), pieces);
  assert.equal(pieces.at(-1)! > pieces[0], true);
});

Deno.test("steps: where moving takes the time, the DMA runs ahead of the workers; waits name what is needed", () => {
  const builder = new ModelBuilder();
  const x = input(builder, "x", [2048, 64]);
  const y = builder.append({ operator: "Relu", inputs: [x], name: "relu" });
  const [{ steps, tiles }] = checked(builder.finish("relu", ["x"], [y.name]), 65536).layers;
  const tasks = steps.filter((step) => step.engine === "cores");
  assert.equal(tasks.length, tiles);
  assert.equal(tiles > 2, true);
  assert.equal(steps.at(-1)!.engine, "dma");
  const secondLoad = steps.findIndex((step, i) =>
    i > 0 && step.engine === "dma" && step.brings !== undefined
  );
  assert.equal(secondLoad < steps.findIndex((step) => (step.after.cores ?? 0) > 0), true);
  assert.equal(tasks[0].after.dma, 2); // its operand and its args
  for (const step of steps) assert.equal(step.start <= step.end, true);
});

Deno.test("an operand that all pieces share is loaded once", () => {
  const program = checked(matmulModel(2048, 32, 32), 32768);
  const loads = program.layers[0].steps.flatMap((step) => step.engine === "dma" ? step.transfers : [])
    .filter((transfer) => program.buffers.get(transfer.source.buffer)!.kind === "constant");
  assert.equal(program.layers[0].tiles > 2, true);
  assert.equal(loads.length, 1);
});

Deno.test("outputs that would share the bytes of an input or of each other are copied", () => {
  const builder = new ModelBuilder();
  const x = input(builder, "x", [4, 6]);
  const flat = builder.append({
    operator: "Reshape",
    attributes: { shape: [24] },
    inputs: [x],
    name: "flat",
  });
  const twice = builder.append({ operator: "Add", inputs: [x, x], name: "twice" });
  const again = builder.append({
    operator: "Reshape",
    attributes: { shape: [24] },
    inputs: [twice],
    name: "again",
  });
  const outputs = [flat.name, twice.name, again.name, "x", twice.name];
  const program = checked(builder.finish("copies", ["x"], outputs));
  const places = program.outputs.map((output) => output.place.buffer);
  assert.equal(new Set([...places, program.inputs[0].place.buffer]).size, 6);
  assert.deepEqual(
    program.layers.map(({ operator, engine }) => [operator, engine]),
    [["Reshape", "dma"], ["Add", "cores"], ["Reshape", "dma"], ["Copy", "dma"], ["Copy", "dma"]],
  );
});

Deno.test("a constant output is copied to its place", () => {
  const builder = new ModelBuilder();
  input(builder, "x", [2]);
  builder.constant("c", [3], new Int8Array([1, 2, 3]));
  const program = checked(builder.finish("constant", ["x"], ["c"]));
  assert.equal(program.layers.length, 1);
  assert.equal(program.constants[1], 2);
});

Deno.test("equal constants lie in memory once", () => {
  const builder = new ModelBuilder();
  const x = input(builder, "x", [8, 16]);
  const values = new Int8Array(16 * 16).map((_, i) => i);
  const a = builder.append({
    operator: "MatMul",
    inputs: [x, builder.constant("w1", [16, 16], values)],
    name: "a",
  });
  const b = builder.append({
    operator: "MatMul",
    inputs: [x, builder.constant("w2", [16, 16], values)],
    name: "b",
  });
  const y = builder.append({ operator: "Add", inputs: [a, b], name: "y" });
  assert.equal(checked(builder.finish("tied", ["x"], [y.name])).constants.length, 256);
});

Deno.test("tensors without elements need no work", () => {
  const builder = new ModelBuilder();
  const empty = input(builder, "empty", [1, 0, 4]);
  const sum = builder.append({ operator: "Add", inputs: [empty, empty], name: "sum" });
  const program = checked(builder.finish("empty", ["empty"], [sum.name]));
  assert.equal(program.layers[0].engine, "none");
  assert.equal(program.layers[0].steps.length, 0);
});

Deno.test("what cannot be cut small enough is refused by name and number", () => {
  const error = caught(() => plan(matmulModel(4, 4096, 4), target, engineMappings, { l1Bytes: 12288 }));
  assert.match(
    error.paragraph,
    /layer 0, MatMul "product".*\d+ bytes of L1.*largest operand: "\w+", \d+ bytes/,
  );
  assert.match(
    caught(() => plan(matmulModel(), target, engineMappings, { l1Bytes: 4096 })).paragraph,
    /too small/,
  );
  assert.match(
    caught(() => plan(matmulModel(), target, engineMappings, { l1Bytes: 1 << 20 })).paragraph,
    /131072/,
  );
});

Deno.test("tensors that are more than L2 are refused with the largest ones", () => {
  const memories = target.memories.map((memory) =>
    memory.role === "l2" ? { ...memory, size: 65536 } : memory
  );
  const error = caught(() => plan(matmulModel(512, 64, 128), { ...target, memories }, engineMappings));
  assert.match(error.paragraph, /needs \d+ bytes of l2.*has 65536.*"product_output" \(activation\) 262144/s);
});

Deno.test("every node without an engine is named with every engine's reason", () => {
  const builder = new ModelBuilder();
  const x = input(builder, "x", [4]);
  const a = builder.append({ operator: "Relu", inputs: [x], name: "first" });
  const b = builder.append({ operator: "Relu", inputs: [a], name: "second" });
  const model = builder.finish("alone", ["x"], [b.name]);
  const error = caught(() => plan(model, target, new Map()));
  assert.match(error.message, /Relu "first" \(ita: no code for Relu; cores: .*\), Relu "second"/);
});

function caught(action: () => unknown): AttoflowError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof AttoflowError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "nothing was thrown" });
}
