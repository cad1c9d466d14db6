// Random integer networks the whole way: file, import, rewrites, plan in little or much L1, image, emulated SoC. All that
// is made on the way is held against the reference evaluated on the network as it was before any rewrite.

import assert from "node:assert/strict";
import { join } from "node:path";
import { openSession } from "../../runtime/host/open.ts";
import { loadTarget } from "../../targets/load.ts";
import type { Target } from "../../targets/schema.ts";
import { compileModel } from "../../src/compile_model.ts";
import { generate } from "../../src/generate.ts";
import type { Model, TensorData } from "../../src/model/types.ts";
import { exportModel } from "../../src/onnx/export.ts";
import { importModel } from "../../src/onnx/import.ts";
import { evaluateModel } from "../../src/operators/evaluate.ts";
import { dataRange, within } from "../../src/operators/ranges.ts";
import { checkProgram } from "../../src/schedule/check.ts";
import { Random } from "../cores_harness.ts";
import { randomInputs, randomNetwork } from "../random_networks.ts";

const options = { name: "random", softmaxShift: 0 } as const;
const snitch = await loadTarget("snitch-ita");
const virt = await loadTarget("virt");

/** A network, what it is compiled for, and inputs for three inferences with all that they come to. */
function makeCase(seed: number) {
  const random = new Random(seed);
  const l1Bytes = random.pick([24, 28, 32, 40, 48, 64, 96, 128, 128]) * 1024;
  const kind = random.next();
  const withoutIta: Target = { ...snitch, engines: snitch.engines.filter((engine) => engine !== "ita") };
  const target = kind < 0.8 ? snitch : kind < 0.9 ? withoutIta : virt;
  const made = randomNetwork(random);
  const bytes = exportModel(made);
  const model = importModel(bytes, options);
  const inputs = Array.from({ length: 3 }, () => randomInputs(random, made));
  const wanted = inputs.map((elements) => evaluateModel(model, elements));
  const budget = target === virt ? {} : { l1Bytes };
  return { bytes, model, target, budget, inputs, wanted };
}

/** Runs the work for a seed; what fails says for which. */
async function forSeed(seed: number, work: () => void | Promise<void>) {
  try {
    await work();
  } catch (cause) {
    throw new Error(`random network ${seed}: ${(cause as Error).message}`, { cause });
  }
}

function assertSame(actual: ArrayLike<number>, wanted: ArrayLike<number> | undefined, name: string) {
  assert.ok(wanted, `${name} is unknown to the reference`);
  assert.deepEqual(Array.from(actual), Array.from(wanted), name);
}

/** Whatever has kept its name has the same elements as before, and every interval holds. */
function compareRewritten(
  { tensors }: Model,
  values: ReadonlyMap<string, TensorData>,
  wanted: ReadonlyMap<string, TensorData>,
) {
  for (const [name, data] of values) {
    if (wanted.has(name)) assertSame(data, wanted.get(name), name);
    const { range } = tensors.get(name)!;
    if (data.length > 0) assert.ok(within(dataRange(data), range), `the interval of ${name}`);
  }
}

Deno.test("random networks mean the same behind all rewrites and have sound plans", async () => {
  const engines = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    await forSeed(seed, () => {
      const { model, target, budget, inputs, wanted } = makeCase(seed);
      const { model: rewritten, program } = compileModel(model, target, budget);
      assert.deepEqual(checkProgram(program), []);
      inputs.forEach((elements, i) =>
        compareRewritten(rewritten, evaluateModel(rewritten, elements), wanted[i])
      );
      for (const { engine } of program.layers) engines.add(engine);
    });
  }
  assert.deepEqual([...engines].sort(), ["cores", "dma", "ita", "none"]);
});

// Among them those in which a later layer once wrote over a result before its own layer was through: 43, 194, 475, 631.
const emulated = [3, 5, 14, 15, 20, 25, 43, 194, 475, 631];

Deno.test("random networks are exact on the emulator, layer by layer, inference after inference", async () => {
  const folder = await Deno.makeTempDir();
  const out = join(folder, "out");
  try {
    for (const seed of emulated) {
      await forSeed(seed, async () => {
        const { bytes, model, target, budget, inputs, wanted } = makeCase(seed);
        const generated = await generate({ bytes, import: options, target, out, ...budget });
        const timing = seed % 2 === 0 && target !== virt ? "fast" : "exact";
        await using session = await openSession(out, { timing, cache: false });
        for (const [i, elements] of inputs.entries()) {
          const { outputs, layers } = await session.infer(elements, { layers: i === 1 });
          outputs.forEach(({ data }, j) => assertSame(data, wanted[i].get(model.outputs[j]), `output ${j}`));
          if (!layers) continue;
          const own = evaluateModel(generated.model, elements);
          for (const { index, outputs } of layers) {
            for (const { name, data } of outputs) {
              assertSame(data, wanted[i].get(name) ?? own.get(name), `${name} of layer ${index}`);
            }
          }
        }
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
