// Random matrix products and attention, the whole way: ONNX file, plan in little or much L1, image, emulated SoC with
// ITA, every bit against the operators' meaning. The plan is held against the independent checker, too.

import assert from "node:assert/strict";
import { join } from "node:path";
import { EmulatorTransport } from "../../runtime/host/emulator.ts";
import { readGeneratedImage } from "../../runtime/host/folder.ts";
import { openSession } from "../../runtime/host/open.ts";
import { loadTarget } from "../../targets/load.ts";
import { generate } from "../../src/generate.ts";
import { ModelBuilder } from "../../src/model/builder.ts";
import { elementCount, integerLimits, type Model, type Tensor } from "../../src/model/types.ts";
import { exportModel } from "../../src/onnx/export.ts";
import { importModel } from "../../src/onnx/import.ts";
import { evaluateModel } from "../../src/operators/evaluate.ts";
import { checkProgram } from "../../src/schedule/check.ts";
import { Random } from "../cores_harness.ts";
import { attentionModel, randomForm } from "../ita_attention_models.ts";

const target = await loadTarget("snitch-ita");
const l1Sizes = [131072, 65536, 32768];

/** A product of random shape, perhaps with bias and ReLU, requantised. */
function productModel(random: Random): Model {
  const builder = new ModelBuilder();
  const size = () => random.pick([1, 3, 16, 31, 64, 65, 100, 128, 130]);
  const [rows, depth, columns] = [size(), size(), size()];
  const batch = random.pick([[], [1], [3], [2, 2]]);
  const int8 = (length: number) => Int8Array.from({ length }, () => random.integer(-128, 127));
  const input = (name: string, shape: number[]) =>
    builder.add({ name, shape, dtype: "int8", range: integerLimits.int8 });
  const inputs: Tensor[] = [input("x", [...batch, rows, depth])];
  const shape = random.chance(0.5) ? [...batch, depth, columns] : [depth, columns];
  if (random.chance(0.3)) inputs.push(input("w", shape));
  const weights = inputs[1] ?? builder.constant("w", shape, int8(elementCount(shape)));
  let y = builder.append({ operator: "MatMul", inputs: [inputs[0], weights], name: "product" });
  if (random.chance(0.6)) {
    const bias = Int32Array.from({ length: columns }, () => random.integer(-5000, 5000));
    y = builder.append({
      operator: "Add",
      inputs: [y, builder.constant("bias", [columns], bias)],
      name: "add",
    });
  }
  const shift = random.integer(8, 14);
  y = builder.append({
    operator: "RequantShift",
    attributes: { axis: -1, shift, signed: random.chance(0.8), levels: 256 },
    inputs: [
      y,
      builder.parameter("mul", [1], [random.integer(1, 20)]),
      builder.parameter("add", [1], [random.pick([0, 1 << shift, 777])]),
    ],
    name: "requant",
  });
  if (random.chance(0.3)) y = builder.append({ operator: "Relu", inputs: [y], name: "relu" });
  return builder.finish("product", inputs.map(({ name }) => name), [y.name]);
}

/** A sum of products, scaled tensors and biases in any order, requantised, perhaps with ReLU. */
function sumModel(random: Random): Model {
  const builder = new ModelBuilder();
  const size = () => random.pick([1, 3, 31, 64, 65, 100, 128, 130, 192]);
  const [rows, columns] = [size(), Math.max(16, size())];
  const batch = random.pick([[], [1], [2], [1, 2]]);
  const shape = [...batch, rows, columns];
  const int8 = (length: number) => Int8Array.from({ length }, () => random.integer(-128, 127));
  const inputs: Tensor[] = [];
  const input = (shape: number[]) => {
    const tensor = builder.add({
      name: `x${inputs.length}`,
      shape,
      dtype: "int8",
      range: integerLimits.int8,
    });
    inputs.push(tensor);
    return tensor;
  };
  const apply = (operator: string, operands: Tensor[], attributes: Record<string, unknown> = {}) =>
    builder.append({ operator, inputs: operands, attributes, name: operator.toLowerCase() });
  /** Weights some of whose tiles are zero. */
  const weights = (depth: number, columns: number) => {
    const data = int8(depth * columns);
    const kept = new Map<number, boolean>();
    for (let i = 0; i < data.length; i++) {
      const tile = Math.floor(i / columns / 64) * 16 + Math.floor(i % columns / 64);
      if (!kept.has(tile)) kept.set(tile, random.chance(0.6));
      if (!kept.get(tile)) data[i] = 0;
    }
    return builder.constant("w", [depth, columns], data);
  };
  const summand = (): Tensor => {
    if (random.chance(0.25)) return input(random.chance(0.7) || batch.includes(2) ? shape : [rows, columns]);
    if (random.chance(0.35)) {
      const length = random.pick([1, columns]);
      const scale = builder.constant("d", random.pick([[length], [1, length]]), int8(length));
      const operands = [input(shape), scale];
      return apply("Mul", random.chance(0.5) ? operands : operands.toReversed());
    }
    const depth = size();
    if (batch.length > 0 || random.chance(0.5)) {
      return apply("MatMul", [input([...batch, rows, depth]), weights(depth, columns)]);
    }
    const transB = random.chance(0.5);
    const b = transB ? weights(columns, depth) : weights(depth, columns);
    const bias = builder.constant("c", [columns], Int32Array.from(int8(columns), (v) => v * 50));
    return apply("Gemm", [input([rows, depth]), b, bias], { alpha: 1, beta: 2, transA: false, transB });
  };
  const count = random.integer(2, 4);
  // At least one summand has all axes of the result.
  let sums = [input(shape), ...Array.from({ length: count - 1 }, summand)];
  if (random.chance(0.5)) {
    const bias = Int32Array.from({ length: columns }, () => random.integer(-9000, 9000));
    sums.push(builder.constant("bias", [columns], bias));
  }
  while (sums.length > 1) {
    // Neighbours are added in any nesting.
    const at = random.integer(0, sums.length - 2);
    const pair = random.chance(0.5) ? [sums[at], sums[at + 1]] : [sums[at + 1], sums[at]];
    sums = [...sums.slice(0, at), apply("Add", pair), ...sums.slice(at + 2)];
  }
  const shift = random.integer(8, 14);
  let y = apply("RequantShift", [
    sums[0],
    builder.parameter("mul", [1], [random.integer(1, 20)]),
    builder.parameter("add", [1], [random.pick([0, 1 << shift, 777])]),
  ], { axis: -1, shift, signed: random.chance(0.9), levels: 256 });
  if (random.chance(0.3)) {
    y = apply("Relu", [y]);
  } else if (random.chance(0.4)) {
    // GELU at a scale of 1/32. ITA has it with the sign changed; a layer behind it can take care of that.
    const sign = random.pick([-1, 1]);
    const attributes = { axis: -1, shift: 20, signed: true, levels: 256 };
    const requant = (x: Tensor, mul: number) =>
      apply("RequantShift", [
        x,
        builder.parameter("gm", [1], [mul]),
        builder.parameter("ga", [1], [0]),
      ], attributes);
    y = requant(apply("iGELU", [y], { b: -80, one: 7091 }), 148 * sign);
    if (sign > 0) {
      const data = Int8Array.from({ length: columns * 70 }, () => random.integer(-127, 127));
      y = requant(apply("MatMul", [y, builder.constant("v", [columns, 70], data)]), 190);
    }
  }
  return builder.finish("sum", inputs.map(({ name }) => name), [y.name]);
}

async function tryModel(model: Model, random: Random, l1Bytes: number, folder: string): Promise<Set<string>> {
  const bytes = exportModel(model);
  const imported = importModel(bytes, { name: model.name, softmaxShift: 0 });
  const options = { name: model.name, softmaxShift: 0 } as const;
  const { program } = await generate({ bytes, import: options, target, out: folder, l1Bytes });
  assert.deepEqual(checkProgram(program), []);
  const inputs = model.inputs.map((name) =>
    Int8Array.from({ length: elementCount(model.tensors.get(name)!.shape) }, () => random.integer(-128, 127))
  );
  const wanted = evaluateModel(imported, inputs);
  await using session = await openSession(await readGeneratedImage(folder), {
    transport: new EmulatorTransport(target),
  });
  const { outputs } = await session.infer(inputs);
  outputs.forEach((output, i) => assert.deepEqual([...output.data], [...wanted.get(imported.outputs[i])!]));
  return new Set(program.layers.map(({ engine }) => engine));
}

/** Tries so many random models of a kind; ITA must have had work in most of them. */
async function tryMany(kind: string, count: number, make: (random: Random) => Model) {
  const folder = await Deno.makeTempDir();
  let onIta = 0;
  try {
    for (let seed = 1; seed <= count; seed++) {
      const random = new Random(seed);
      const l1Bytes = l1Sizes[seed % l1Sizes.length];
      try {
        const engines = await tryModel(make(random), random, l1Bytes, join(folder, "out"));
        if (engines.has("ita")) onIta++;
      } catch (cause) {
        throw new Error(`${kind} ${seed} with ${l1Bytes} bytes of L1: ${(cause as Error).message}`, {
          cause,
        });
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assert.ok(onIta > count / 2, `only ${onIta} of ${count} used ITA`);
}

Deno.test("random matrix products are exact on ITA and where ITA cannot", async () => {
  await tryMany("product", 12, productModel);
});

Deno.test("random sums of products and scaled tensors are exact on ITA and where ITA cannot", async () => {
  await tryMany("sum", 12, sumModel);
});

Deno.test("random attention is exact on ITA and where ITA cannot", async () => {
  await tryMany("attention", 10, (random) => {
    const queries = random.pick([10, 64, 65, 100]);
    return attentionModel(
      random,
      randomForm(random, {
        queries,
        keys: random.chance(0.5) ? queries : random.pick([30, 64, 100]),
        embedding: random.pick([12, 64, 100]),
        width: random.pick([8, 40, 64, 70]),
      }),
    );
  });
});
