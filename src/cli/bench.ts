// `bench`: how fast the emulator is on this machine, and how fast the generated code is on the emulated one.

import { buildEncoder } from "../../examples/encoder/encoder.ts";
import { conv, gemm, type KernelExample, softmax } from "../../examples/kernels.ts";
import { EmulatorTransport } from "../../runtime/host/emulator.ts";
import { readGeneratedImage } from "../../runtime/host/folder.ts";
import { openSession } from "../../runtime/host/open.ts";
import { engineFor } from "../../runtime/host/timing.ts";
import { benchIta, itaBenchLine } from "../../targets/engines/ita/bench.ts";
import { flag, withDefault } from "@optique/core";
import { AttoflowError } from "../../targets/errors.ts";
import { loadTarget } from "../../targets/load.ts";
import type { Target } from "../../targets/schema.ts";
import { generate } from "../generate.ts";
import { exportModel } from "../onnx/export.ts";
import { benchEmulator, emulatorFields } from "./bench_emulator.ts";
import { benchItaWorkloads } from "./bench_ita.ts";
import { benchKernels, kernelsFields } from "./bench_kernels.ts";
import { benchNetworks, networksFields } from "./bench_networks.ts";
import { defineCommand, plain } from "./command.ts";
import { compilerOption, jsonOption, targetOption } from "./options.ts";
import { grouped, print, printJson, tableLines } from "./output.ts";
import { ensureCompiler } from "./setup.ts";
import { withTemporaryFolder } from "./temporary.ts";
import { type MachineTiming, machineTiming, timingFields } from "./timing_options.ts";

/** Host seconds for which a network is measured, behind a first inference that does not count. */
const seconds = 1;

/** What was measured of one network. */
interface Measurement {
  readonly network: string;
  readonly macs: number;
  /** Cluster cycles of one inference. */
  readonly cycles: number;
  readonly macsPerCycle: number;
  /** Seconds of one inference on the target at its clock, and on this host emulated. */
  readonly targetSeconds: number;
  readonly hostSeconds: number;
  /** Emulated instructions and cycles in a second of the host, all harts together. */
  readonly instructionsPerSecond: number;
  readonly cyclesPerSecond: number;
}

/** `--ita`. */
const itaOption = withDefault(
  flag("--ita", { description: plain("Only what ITA reaches on matrix products and attention.") }),
  false,
);

/** The command. */
export const benchCommand = defineCommand(
  "bench",
  {
    summary: "Measure the emulator and whole inferences.",
    details:
      "Generates the example encoder and single layers, and measures for each the cycles of an inference on the " +
      "target, the time that the emulator takes for it and the instructions that it emulates in a second, under the " +
      "timing that --timing says. Then, always under exact timing: what ITA reaches, and the kernels of the worker " +
      "cores. Exit status 1 if a network of --networks or a kernel is not bit-exact.",
    examples: [
      "bench",
      "bench --timing fast",
      "bench --ita",
      "bench --networks",
      "bench --emulator --json",
      "bench --kernels",
      "bench --cc clang --json",
    ],
  },
  {
    target: targetOption,
    cc: compilerOption,
    ita: itaOption,
    ...networksFields,
    ...emulatorFields,
    ...kernelsFields,
    ...timingFields,
    json: jsonOption,
  },
  async (
    { target: name, cc, ita: onlyIta, networks: onlyNetworks, network, emulator, kernels, json, ...timing },
  ) => {
    const target = await loadTarget(name);
    const machine = machineTiming(timing);
    refuseTogether(
      { networks: onlyNetworks || network !== undefined, emulator, kernels, ita: onlyIta },
      machine,
    );
    await ensureCompiler();
    if (onlyNetworks || network) return await benchNetworks({ target, cc, network }, json) ? 0 : 1;
    if (emulator) {
      await benchEmulator(cc, json);
      return 0;
    }
    if (kernels) return await benchKernels(target, cc, json) ? 0 : 1;
    if (onlyIta) {
      if (!target.ita) throw new AttoflowError("the target has no ITA", { where: target.name });
      await benchItaWorkloads(target, cc, json);
      return 0;
    }
    const encoder = buildEncoder();
    const networks: KernelExample[] = [
      { model: encoder.model, inputs: [encoder.images[0]] },
      gemm(128, 128, 128),
      conv(32, 16, 32),
      softmax(128, 128),
    ];
    const measurements = await withTemporaryFolder(async (folder) => {
      const done: Measurement[] = [];
      for (const [i, network] of networks.entries()) {
        done.push(await measure(network, target, `${folder}/${i}`, cc, machine));
        if (json) printJson({ type: "network", ...done[i] });
      }
      return done;
    });
    if (!json) print(...measurementLines(measurements));
    if (target.ita) {
      const device = benchIta(target.ita);
      if (json) printJson({ type: "ita", ...device });
      else print("", itaBenchLine(device), "");
      await benchItaWorkloads(target, cc, json);
      if (!json) print("");
      return await benchKernels(target, cc, json) ? 0 : 1;
    }
    return 0;
  },
);

/** Refuses several parts at once, and fast timing for those that are about exact cycles. */
function refuseTogether(parts: Readonly<Record<string, boolean>>, { timing }: MachineTiming): void {
  const asked = Object.keys(parts).filter((part) => parts[part]).map((part) => `--${part}`);
  if (asked.length > 1) {
    throw new AttoflowError(`${asked.join(" and ")} each ask for one part of the benchmark alone`, {
      hint: "Use one of them at a time.",
    });
  }
  if (asked.length === 1 && !parts.emulator && timing === "fast") {
    throw new AttoflowError(`${asked[0]} is always measured under exact timing`, {
      hint: "Leave out --timing fast.",
    });
  }
}

async function measure(
  { model, inputs }: KernelExample,
  target: Target,
  folder: string,
  cc: string | undefined,
  { timing, cache }: MachineTiming,
): Promise<Measurement> {
  const bytes = exportModel(model);
  await generate({ bytes, import: { name: model.name, softmaxShift: 0 }, target, out: folder, cc });
  const generated = await readGeneratedImage(folder);
  const transport = new EmulatorTransport(target, { engine: engineFor(target, timing, { cache }) });
  const counts = () => {
    const harts = transport.statistics();
    return { instructions: harts.reduce((sum, hart) => sum + hart.instructions, 0), cycles: harts[0].cycles };
  };
  await using session = await openSession(generated, { transport });
  const { cycles } = await session.infer(inputs);
  const before = counts();
  const start = performance.now();
  let inferences = 0;
  let elapsed: number;
  do {
    await session.infer(inputs);
    inferences++;
    elapsed = (performance.now() - start) / 1000;
  } while (elapsed < seconds);
  const after = counts();
  const { macs } = generated.manifest;
  return {
    network: model.name,
    macs,
    cycles,
    macsPerCycle: macs / cycles,
    targetSeconds: cycles / target.clock.hertz,
    hostSeconds: elapsed / inferences,
    instructionsPerSecond: (after.instructions - before.instructions) / elapsed,
    cyclesPerSecond: (after.cycles - before.cycles) / elapsed,
  };
}

function measurementLines(measurements: readonly Measurement[]): string[] {
  return tableLines([
    [
      "network",
      "MACs",
      "cycles",
      "MACs/cycle",
      "ms on target",
      "ms emulated",
      "M instructions/s",
      "M cycles/s",
    ],
    ...measurements.map((m) => [
      m.network,
      grouped(m.macs),
      grouped(m.cycles),
      m.macsPerCycle.toFixed(2),
      (1000 * m.targetSeconds).toFixed(3),
      (1000 * m.hostSeconds).toFixed(1),
      (m.instructionsPerSecond / 1e6).toFixed(2),
      (m.cyclesPerSecond / 1e6).toFixed(3),
    ]),
  ], [1, 2, 3, 4, 5, 6, 7]);
}
