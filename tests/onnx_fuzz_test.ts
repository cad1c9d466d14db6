// The importer on damaged files: whatever the bytes, it answers soon, and with nothing but AttoflowError.

import assert from "node:assert/strict";
import { AttoflowError } from "../targets/errors.ts";
import { OnnxFile } from "../src/onnx/file.ts";
import { importModel } from "../src/onnx/import.ts";
import { decodeOnnx, encodeOnnx } from "../src/onnx/protobuf.ts";
import { rewrite } from "../src/passes/pipeline.ts";
import { randomIntegers } from "./operators.ts";

const options = { name: "fuzz", softmaxShift: 5 } as const;

/** A file with an operator of every kind and every way to hold a constant. */
function victim(): Uint8Array {
  const file = new OnnxFile("victim");
  file.input("x", [1, 2, 6]);
  const ints = (name: string, values: number[]) =>
    file.constant(name, { shape: [values.length], values, type: "INT64" });
  const one = (name: string, values: number[]) => file.constant(name, { shape: [values.length], values });
  const scalar = (value: number) => ({ shape: [1], values: [value] });
  const rq = { div: scalar(16), n_levels_out: scalar(256), signed: scalar(1) };
  let x = file.node("Conv", "conv", [
    "x",
    file.constant("w", { shape: [4, 2, 3], values: randomIntegers(1, 24, -9, 9) }),
  ], {
    kernel_shape: [3],
    pads: [1, 1],
    strides: [1],
    auto_pad: "NOTSET",
  });
  x = file.node("RequantShift", "rq1", [
    x,
    file.constant("m1", { shape: [4, 1, 1], values: [1, 2, 3, 4] }),
    one("a1", [0]),
  ], rq);
  x = file.node("MaxPool", "pool", [x], { kernel_shape: [2], strides: [2], ceil_mode: 1 });
  x = file.node("Transpose", "tr", [x], { perm: [0, 2, 1] });
  x = file.node("MatMul", "mm", [
    x,
    file.constant("w2", { shape: [4, 4], values: randomIntegers(2, 16, -9, 9), type: "INT8" }),
  ]);
  x = file.node("Add", "bias", [one("b2", [1, 2, 3, 4]), x]);
  x = file.node("RequantShift", "rq2", [x, one("m2", [7]), one("a2", [3])], rq);
  x = file.node("iLayerNorm", "ln", [x, one("lw", [9, 9, 9, 9]), one("lb", [1, 2, 3, 4])], {
    D: 4,
    n_levels: 256,
  });
  x = file.node("Slice", "sl", [x, ints("s", [0]), ints("e", [2]), ints("ax", [1]), ints("st", [1])]);
  x = file.node("Pad", "pad", [x, ints("pads", [0, 0, 0, 0, 1, 0])]);
  const shape = file.node("Shape", "shape", [x]);
  const dims = file.node("Slice", "dims", [shape, ints("zero", [0]), ints("two", [2])]);
  x = file.node("Reshape", "rs", [x, file.node("Concat", "cat", [dims, ints("minus", [-1])], { axis: 0 })]);
  x = file.node("Concat", "join", [x, x], { axis: 1 });
  x = file.node("ITAPartialMax", "soft", [x], { n_levels: scalar(256), group_width: 2, groups: 4 });
  const head = file.node("Gather", "head", [x, file.node("Constant", "i", [], { value_int: 1 })], {
    axis: 1,
  });
  const divided = file.node("Div", "div", [file.input("f", [1, 4]), one("scale", [0.5])]);
  const clipped = file.node("Clip", "clip", [
    file.node("Round", "round", [divided]),
    one("lo", [-8]),
    one("hi", [7]),
  ]);
  file.output(x, [1, 6, 4]);
  file.output(head, [1, 4]);
  file.output(
    file.node("ReduceSum", "sum", [
      file.node("TrueIntegerDiv", "td", [head], { Delta: 5, eps: 1, eta: 3, y: 2 }),
    ]),
    [],
  );
  file.output(clipped, [1, 4]);
  return file.bytes();
}

/** Imports and rewrites; anything but success or AttoflowError fails the test. Returns whether it succeeded. */
function survives(bytes: Uint8Array, what: string): boolean {
  try {
    rewrite(importModel(bytes, options));
    return true;
  } catch (error) {
    assert.ok(error instanceof AttoflowError, `${what}: ${error instanceof Error ? error.stack : error}`);
    assert.ok(error.paragraph.length < 20000, `${what}: a message of ${error.paragraph.length} characters`);
    return false;
  }
}

Deno.test("the undamaged file is good", () => {
  assert.equal(survives(victim(), "undamaged"), true);
});

Deno.test("truncated files", () => {
  const bytes = victim();
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(survives(bytes.subarray(0, length), `cut to ${length}`), false);
  }
});

Deno.test("random bytes", () => {
  for (let seed = 1; seed <= 300; seed++) {
    survives(Uint8Array.from(randomIntegers(seed, seed, 0, 255)), `random bytes, seed ${seed}`);
  }
});

Deno.test("bytes changed, dropped, doubled", () => {
  const bytes = victim();
  for (let seed = 1; seed <= 3000; seed++) {
    const [kind, at, value, length] = randomIntegers(seed, 4, 0, 2 ** 30);
    const place = at % bytes.length;
    let changed: Uint8Array;
    if (kind % 4 < 2) {
      changed = bytes.slice();
      changed[place] = kind % 4 === 0 ? value & 255 : changed[place] ^ (1 << (value & 7));
    } else {
      const run = length % 40;
      const [head, tail] = kind % 4 === 2
        ? [bytes.subarray(0, place), bytes.subarray(place + run)]
        : [bytes.subarray(0, place + run), bytes.subarray(place)];
      changed = new Uint8Array([...head, ...tail]);
    }
    survives(changed, `mutation, seed ${seed}`);
  }
});

Deno.test("fields changed in well-formed files", () => {
  const numbers = [-1, 0, 1, 2, 3, 7, 255, 65536, 2 ** 31, 2 ** 40, -(2 ** 31), 2 ** 53];
  const bytes = victim();
  for (let seed = 1; seed <= 1500; seed++) {
    const model = decodeOnnx(bytes) as unknown as Record<string, unknown>;
    const random = randomIntegers(seed, 200, 0, 2 ** 30);
    const pick = <T>(list: readonly T[]) => list[random.pop()! % list.length];
    // Walk down to some leaf, and change it.
    let holder = model;
    let key = "graph";
    for (let depth = 0; depth < 12 && holder[key] !== null && typeof holder[key] === "object"; depth++) {
      const next = holder[key] as Record<string, unknown>;
      if (Object.keys(next).length === 0) break;
      holder = next;
      key = pick(Object.keys(next));
    }
    const old = holder[key];
    if (typeof old === "number") holder[key] = pick(numbers);
    else if (typeof old === "string") {
      holder[key] = pick(["", "x", "w", "Relu", "MatMul", "Concat", "Gather", "RequantShift_output"]);
    } else if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else continue;
    survives(encodeOnnx(model), `field ${key}, seed ${seed}`);
  }
});

Deno.test("files that ask for too much are refused soon", () => {
  const deep = new OnnxFile("deep");
  let x = deep.input("x", [1], "INT8");
  for (let i = 0; i < 20000; i++) x = deep.node("Identity", `n${i}`, [x], {}, { outputs: [`t${19999 - i}`] });
  deep.output(x, [1]);
  assert.equal(importModel(deep.bytes(), options).nodes.length, 20000);

  const doubling = new OnnxFile("doubling");
  let c = doubling.constant("c", { shape: [1], values: [1], type: "INT64" });
  for (let i = 0; i < 40; i++) c = doubling.node("Concat", `n${i}`, [c, c], { axis: 0 });
  doubling.output(c, [1]);
  assert.throws(() => importModel(doubling.bytes(), options), /too large|more than can be held/);

  const fill = new OnnxFile("fill");
  const shape = fill.constant("s", { shape: [2], values: [100000, 100000], type: "INT64" });
  fill.output(fill.node("ConstantOfShape", "fill", [shape]), [1]);
  assert.throws(() => importModel(fill.bytes(), options), /larger than a 32-bit/);

  const pad = new OnnxFile("pad");
  pad.input("x", [1, 1]);
  pad.output(pad.node("Pad", "pad", ["x"], { pads: [2 ** 30, 2 ** 30, 0, 0] }), [1]);
  assert.throws(() => importModel(pad.bytes(), options), /larger than a 32-bit/);
});
