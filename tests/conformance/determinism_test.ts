// Whole emulated inferences, run after run: the same outputs under both levels of timing, and within each the same
// cycles, whichever tier runs the code, from whichever cache, in one piece or in many.

import assert from "node:assert/strict";
import { join } from "node:path";
import { FolderCache } from "../../runtime/cache.ts";
import { type EmulatorOptions, EmulatorTransport } from "../../runtime/host/emulator.ts";
import { type GeneratedImage, readGeneratedImage } from "../../runtime/host/folder.ts";
import { openSession } from "../../runtime/host/open.ts";
import type { Elements } from "../../runtime/host/tensors.ts";
import { FastHarts, type FastOptions } from "../../runtime/soc/fast_harts.ts";
import { matchInputs } from "../../runtime/validate/match.ts";
import { readNpz } from "../../runtime/validate/npz.ts";
import { generate } from "../../src/generate.ts";
import { loadTarget } from "../../targets/load.ts";
import { inFolder } from "../cli.ts";
import { findCompiler } from "../isa/compiler.ts";
import { networksPath, readNetwork } from "../networks.ts";

/** Cores alone, ITA with the cores, convolutions; short and long. */
const names = [
  "deeploy/Kernels/Integer/Softmax/Regular",
  "deeploy/Models/EEGFormer",
  "deeploy/Models/miniMobileNet",
  "pyita/S64_E64_P64_H1_shift0",
  "pyita/S64_E64_P64_H2",
];

/** What two inferences on one machine gave. */
interface Run {
  readonly outputs: readonly (readonly number[])[][];
  readonly cycles: readonly number[];
  readonly layerCycles: readonly (readonly number[])[];
}

async function run(
  generated: GeneratedImage,
  inputs: readonly Elements[],
  options: EmulatorOptions,
): Promise<Run> {
  const transport = new EmulatorTransport(generated.target, options);
  await using session = await openSession(generated, { transport });
  const results = [await session.infer(inputs), await session.infer(inputs)];
  return {
    outputs: results.map(({ outputs }) => outputs.map(({ data }) => [...data])),
    cycles: results.map(({ cycles }) => cycles),
    layerCycles: results.map(({ layerCycles }) => layerCycles),
  };
}

if (networksPath()) {
  for (const name of names) {
    Deno.test(`run after run: ${name}`, () =>
      inFolder(async (folder) => {
        if (!await findCompiler(`run after run: ${name}`)) return;
        const network = readNetwork(name), out = join(folder, "net");
        const { bytes, softmaxShift, inputTypes } = network;
        const target = await loadTarget("snitch-ita");
        await generate({ bytes, import: { name: "net", softmaxShift, inputTypes }, target, out });
        const generated = await readGeneratedImage(out);
        const file = readNpz(await Deno.readFile(`${networksPath()}/${name}/inputs.npz`));
        const [inputs] = matchInputs(file, generated.manifest.inputs, name).inferences;
        const signal = new AbortController().signal;

        const exact = await run(generated, inputs, {});
        assert.deepEqual(exact.outputs[0], network.outputs.map((data) => Array.from(data)));
        assert.deepEqual(exact.outputs[1], exact.outputs[0]);
        assert.deepEqual(await run(generated, inputs, { signal }), exact, "in pieces");

        const fast = (options: FastOptions) =>
          run(generated, inputs, { engine: new FastHarts(target, options), signal });
        const interpreted = await fast({ translate: false });
        assert.deepEqual(interpreted.outputs, exact.outputs);
        for (const [i, cycles] of interpreted.cycles.entries()) {
          assert.ok(
            Math.abs(cycles / exact.cycles[i] - 1) < 0.15,
            `${cycles} cycles, not ${exact.cycles[i]}`,
          );
        }
        const cache = new FolderCache(join(folder, "cache"));
        for (const options of [{}, { patience: 10 }, { cache }, { cache }]) {
          assert.deepEqual(await fast(options), interpreted);
        }
        assert.deepEqual(
          await run(generated, inputs, { engine: new FastHarts(target) }),
          interpreted,
          "in one piece",
        );
      }));
  }
}
