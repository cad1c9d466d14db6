// The three example networks: their topology, that every activation uses its 8 bits, and shortened versions of them the
// whole way through an image on the emulated SoC.

import assert from "node:assert/strict";
import { join } from "node:path";
import { gelu } from "../examples/transformer.ts";
import { countMacs, countWeights, type NetworkExample } from "../examples/network_example.ts";
import { networks } from "../examples/networks.ts";
import { EmulatorTransport } from "../runtime/host/emulator.ts";
import { readGeneratedImage } from "../runtime/host/folder.ts";
import { openSession } from "../runtime/host/open.ts";
import { engineFor } from "../runtime/host/timing.ts";
import { generate } from "../src/generate.ts";
import type { Model, TensorData } from "../src/model/types.ts";
import { exportModel } from "../src/onnx/export.ts";
import { importModel } from "../src/onnx/import.ts";
import { evaluateModel } from "../src/operators/evaluate.ts";
import { operatorNamed } from "../src/operators/registry.ts";
import { activate } from "../targets/engines/ita/arithmetic.ts";
import { loadTarget } from "../targets/load.ts";
import { apply, input, parameter } from "./operators.ts";

const target = await loadTarget("snitch-ita");

/** What a network of its true size is made of, counted by hand from the published architecture. */
const topologies = {
  "mobilebert": {
    // A layer: two bottlenecks, query, key, value, output, four networks of two, the output bottleneck; two products of
    // attention. And three parts of the embedding.
    nodes: { MatMul: 24 * (2 + 4 + 8 + 1 + 2) + 3, ITAPartialMax: 24, Relu: 24 * 4 },
    weights: 24 * (512 * 128 * 3 + 128 * 128 * 3 + 4 * 2 * 128 * 512 + 128 * 512) + 384 * 512,
    // Linear layers take every weight once a token; attention takes S·S twice a channel.
    macs: (weights: number) => 128 * weights + 24 * 2 * 128 * 128 * 128,
    // Scales of residuals, and positions.
    others: 24 * (5 * 128 + 512) + 128 * 512,
  },
  "dinov2-small": {
    // A layer: query, key, value, output, a network of two products in two halves each; two products of attention.
    nodes: { MatMul: 12 * (4 + 4 + 2) + 1, ITAPartialMax: 12, iLayerNorm: 25, iGELU: 24 },
    weights: 12 * (4 * 384 * 384 + 2 * 384 * 1536) + 588 * 384,
    // Patches do not have the class token.
    macs: (weights: number) => 257 * weights - 588 * 384 + 12 * 2 * 257 * 257 * 384,
    others: 12 * 3 + 384 + 257 * 384,
  },
  "whisper-tiny-encoder": {
    nodes: { MatMul: 4 * (4 + 4 + 2) + 3 + 2, ITAPartialMax: 4, iLayerNorm: 9, iGELU: 10 },
    weights: 4 * (4 * 384 * 384 + 2 * 384 * 1536) + 3 * 384 * 384 + 3 * 80 * 384,
    // The first convolution has twice the frames.
    macs: (weights: number) => 512 * (weights + 3 * 80 * 384) + 4 * 2 * 512 * 512 * 384,
    others: 4 * 3 + 1 + 512 * 384,
  },
};

function countNodes(model: Model): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { operator } of model.nodes) counts.set(operator, (counts.get(operator) ?? 0) + 1);
  return counts;
}

/** How many values of a tensor occur, and which part of its elements is at the ends of its type. */
function spread(data: TensorData): { distinct: number; saturated: number } {
  const counts = new Uint32Array(256);
  const ends = data instanceof Int8Array ? [0, 255] : [255];
  const offset = data instanceof Int8Array ? 128 : 0;
  for (let i = 0; i < data.length; i++) counts[data[i] + offset]++;
  return {
    distinct: counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0),
    saturated: ends.reduce((sum, end) => sum + counts[end], 0) / data.length,
  };
}

function assertSpread(name: string, data: TensorData, inference: string) {
  const { distinct, saturated } = spread(data);
  assert.ok(distinct >= 30, `${inference}, ${name}: ${distinct} distinct values`);
  assert.ok(saturated <= 0.05, `${inference}, ${name}: ${100 * saturated} % saturated`);
}

/** Every 8-bit activation of every inference, softmax's probabilities among them. */
function checkActivations({ model, activations, inputs }: NetworkExample) {
  for (const [name, samples] of activations) {
    assert.equal(samples.length, inputs.length);
    for (const [i, data] of samples.entries()) assertSpread(name, data, `inference ${i}`);
  }
  // Only accumulators are wider than 8 bits: what products, sums, scales and GELU's polynomial give.
  const wide = ["MatMul", "Add", "Mul", "iGELU"];
  const narrow = model.nodes.filter(({ operator }) => !wide.includes(operator));
  assert.equal(activations.size, narrow.length + model.inputs.length);
}

/** The same for inputs by which no constant was chosen. */
function checkUnseen({ model, activations }: NetworkExample, inputs: readonly Int8Array[]) {
  const values = evaluateModel(model, inputs);
  for (const name of activations.keys()) assertSpread(name, values.get(name)!, "unseen inputs");
}

/** The network's file, read again, is the same network: every activation of an inference is the same. */
function checkFile({ model, inputs, activations }: NetworkExample) {
  const read = importModel(exportModel(model), { name: model.name, softmaxShift: 0 });
  const plain = ({ nodes }: Model) => nodes.map(({ operator, attributes }) => ({ operator, attributes }));
  assert.deepEqual(plain(read), plain(model));
  const values = evaluateModel(read, inputs[2]);
  for (const [name, samples] of activations) assert.deepEqual(values.get(name), samples[2], name);
}

for (const { name, build } of networks) {
  Deno.test(`${name} has its true topology, and its activations use 8 bits`, () => {
    const example = build();
    const expected = topologies[name];
    const nodes = countNodes(example.model);
    for (const [operator, count] of Object.entries(expected.nodes)) {
      assert.equal(nodes.get(operator), count, operator);
    }
    assert.equal(countWeights(example.model), expected.weights + expected.others);
    assert.equal(countMacs(example.model), expected.macs(expected.weights));
    checkActivations(example);
    checkFile(example);
    checkUnseen(example, build({ layers: 1, seed: 77 }).inputs[0]);
  });

  Deno.test(`${name} of one layer is exact on the emulated SoC, its products all on ITA`, async () => {
    const example = build({ layers: 1 });
    const folder = await Deno.makeTempDir();
    try {
      const { program } = await generate({
        bytes: exportModel(example.model),
        import: { name, softmaxShift: 0 },
        target,
        out: join(folder, "out"),
      });
      const others = program.layers.filter(({ engine }) => engine !== "ita");
      assert.deepEqual(others.filter(({ macs }) => macs > 0), []);
      await using session = await openSession(await readGeneratedImage(join(folder, "out")), {
        transport: new EmulatorTransport(target, { engine: engineFor(target, "fast") }),
      });
      const { outputs } = await session.infer([...example.inputs[2]]);
      assert.deepEqual(outputs.map(({ data }) => data), example.outputs[2]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("the same seed builds the same network, another another", () => {
  const build = networks[0].build;
  const [a, b, c] = [1, 1, 2].map((seed) => exportModel(build({ layers: 1, seed }).model));
  assert.deepEqual(a, b);
  assert.notDeepEqual(a, c);
});

Deno.test("the GELU of the networks is what ITA's activation unit computes", () => {
  const { b, one, mul, shift } = gelu;
  const x = Array.from({ length: 256 }, (_, i) => i - 128);
  const wide = apply("iGELU", [input([256], x)], { b, one });
  const requant = operatorNamed("RequantShift").parse({ axis: -1, shift, signed: true, levels: 256 });
  const operands = [input([256], wide.values), parameter([mul]), parameter([0])];
  const { values } = apply("RequantShift", operands, requant);
  // ITA's polynomial is twice the operator's, of the other sign.
  const unit = {
    b,
    c: -one,
    requant: { multiplier: -mul, shift: shift + 1, offset: 0 },
    kind: "gelu",
  } as const;
  assert.deepEqual(values, x.map((value) => activate(value, unit)));
  // And it is -GELU, in units of 1/32: to the polynomial's error of a half a percent and the rounding.
  const erf = (z: number) => {
    // Abramowitz and Stegun 7.1.26.
    const t = 1 / (1 + 0.3275911 * Math.abs(z));
    const poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) *
      t;
    return Math.sign(z) * (1 - poly * Math.exp(-z * z));
  };
  for (const [i, value] of values.entries()) {
    const real = x[i] / 32;
    const expected = -32 * real * 0.5 * (1 + erf(real / Math.SQRT2));
    assert.ok(Math.abs(value - expected) <= 1.2, `gelu(${real}): ${value} instead of ${expected}`);
  }
});
