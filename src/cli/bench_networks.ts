// `bench --networks`: the three example networks from ONNX to outputs in L2, beside what was published for the same
// system: speed, power by estimate, memory, and where the time of each engine went.

import { join } from "node:path";
import { flag, option, optional, withDefault } from "@optique/core";
import { z } from "zod";
import { countMacs, type NetworkExample, writeNetwork } from "../../examples/network_example.ts";
import { type NetworkName, networks } from "../../examples/networks.ts";
import type { Summary } from "../../runtime/validate/validate.ts";
import type { EnergyEstimate } from "../../targets/energy.ts";
import { engineTimeLines, type EngineTimes } from "../../targets/engine_time.ts";
import type { Manifest } from "../../targets/manifest.ts";
import type { Target } from "../../targets/schema.ts";
import { generate } from "../generate.ts";
import { plain, value } from "./command.ts";
import { grouped, print, printJson, say, tableLines } from "./output.ts";
import { processors } from "./pool.ts";
import { withTemporaryFolder } from "./temporary.ts";
import { validate } from "./validate_folder.ts";

const names = networks.map(({ name }) => name);

/** `--networks` and `--network NAME`. */
export const networksFields = {
  networks: withDefault(
    flag("--networks", {
      description: plain("Only the three example networks, end to end, beside the published figures."),
    }),
    false,
  ),
  network: optional(option("--network", value("NAME", () => z.enum(names), "mobilebert"), {
    description: plain(`Only this one of them: ${names.join(", ")}.`),
  })),
};

/** What was published of the same system at the same clock and voltage (soc.md). */
interface Published {
  readonly source: string;
  readonly inferencesPerSecond: number;
  readonly gops?: number;
  readonly milliwatts?: number;
  readonly gopsPerJoule?: number;
}

const published: Readonly<Record<NetworkName, Published>> = {
  "mobilebert": {
    source: "the paper's abstract",
    inferencesPerSecond: 32.5,
    gops: 154,
    milliwatts: 52.0,
    gopsPerJoule: 2960,
  },
  "dinov2-small": { source: "recalled from the paper's body", inferencesPerSecond: 4.83 },
  "whisper-tiny-encoder": { source: "recalled from the paper's body", inferencesPerSecond: 6.52 },
};

/** Cycles of an inference in which ITA works, by what they are for. */
export interface ItaCycles {
  /** The network's own products, at ITA's peak. */
  readonly products: number;
  /** Other factors at ITA's peak: diagonal and identity matrices, padding of tiles. */
  readonly others: number;
  /** Start and end of jobs, when the multipliers wait. */
  readonly edges: number;
  /** Refused by the memory. */
  readonly stalled: number;
}

/** What was measured of one network. */
export interface NetworkMeasurement {
  readonly model: NetworkName;
  /** Multiply-accumulates of the network's own matrix products and convolutions, as its operators are written. */
  readonly macs: number;
  /** Cluster cycles of an inference, the mean of all. */
  readonly cycles: number;
  readonly inferencesPerSecond: number;
  /** 2 x MACs at the target's clock. */
  readonly gops: number;
  /** Share of ITA's peak. */
  readonly utilisation?: number;
  /** Estimates; absent if the target has no coefficients. */
  readonly milliwatts?: number;
  readonly gopsPerJoule?: number;
  readonly microjoules?: EnergyEstimate["parts"];
  /** Code, constants, activations and stacks; and with as few bytes for activations as any plan needs. */
  readonly l1Bytes: number;
  readonly l2Bytes: number;
  readonly l2LowerBound: number;
  /** Activations in L2 alone. */
  readonly l2Activations: number;
  readonly l2ActivationsLowerBound: number;
  readonly bitExact: boolean;
  /** Inferences compared with the reference. */
  readonly inferences: number;
  /** Mean cycles of an inference by engine. */
  readonly engines: EngineTimes;
  /** What ITA does while it works; absent if it does not. */
  readonly itaCycles?: ItaCycles;
  /** Seconds on this host: to build the network and its constants, from ONNX to ELF, and to run and compare. */
  readonly buildSeconds: number;
  readonly generateSeconds: number;
  readonly hostSeconds: number;
  readonly published: Published;
}

/** What to measure. */
export interface NetworkBenchOptions {
  readonly target: Target;
  readonly cc?: string;
  /** All of them if not given. */
  readonly network?: NetworkName;
}

/** Measures networks, one after the other. */
async function* measureNetworks(
  { target, cc, network }: NetworkBenchOptions,
): AsyncGenerator<NetworkMeasurement> {
  for (const { name, build } of networks) {
    if (network !== undefined && name !== network) continue;
    yield await withTemporaryFolder((folder) => measureNetwork(name, build, { target, cc, folder }));
  }
}

/** Measures one network. `folder` takes its files. */
export async function measureNetwork(
  model: NetworkName,
  build: () => NetworkExample,
  { target, cc, folder }: { readonly target: Target; readonly cc?: string; readonly folder: string },
): Promise<NetworkMeasurement> {
  const out = join(folder, "image");
  const started = performance.now();
  const macs = await writeExample(build, folder);
  const built = performance.now();
  const bytes = await Deno.readFile(join(folder, "network.onnx"));
  const softmaxShift = target.ita?.softmaxShift ?? 0;
  const { manifest } = await generate({ bytes, import: { name: model, softmaxShift }, target, out, cc });
  const generated = performance.now();
  const summary = await compare(out, join(folder, "inputs.npz"));
  const compared = performance.now();

  const cycles = Math.round(summary.cycles / summary.inferences);
  const inferencesPerSecond = target.clock.hertz / cycles;
  const gops = 2 * macs * inferencesPerSecond / 1e9;
  const { energy, inferences } = summary;
  const seconds = (from: number, to: number) => (to - from) / 1000;
  return {
    model,
    macs,
    cycles,
    inferencesPerSecond,
    gops,
    ...(target.ita ? { utilisation: macs / (target.ita.lanes * target.ita.elements) / cycles } : {}),
    ...(energy
      ? {
        milliwatts: energy.milliwatts,
        gopsPerJoule: gops / energy.milliwatts * 1000,
        microjoules: scaled(energy.parts, 1 / inferences),
      }
      : {}),
    l1Bytes: bytesOf(manifest, "l1"),
    l2Bytes: bytesOf(manifest, "l2"),
    l2LowerBound: bytesOf(manifest, "l2", true),
    l2Activations: sumOf(manifest, "l2", ({ activations }) => activations),
    l2ActivationsLowerBound: sumOf(manifest, "l2", ({ lowerBound }) => lowerBound),
    bitExact: summary.bitExact,
    inferences,
    engines: meanOf(summary.engines ?? {}, inferences),
    ...itaCyclesOf(summary, manifest, target),
    buildSeconds: seconds(started, built),
    generateSeconds: seconds(built, generated),
    hostSeconds: seconds(generated, compared),
    published: published[model],
  };
}

/** Writes the files of a network, so that nothing of it stays in memory. Returns its MACs. */
async function writeExample(build: () => NetworkExample, folder: string): Promise<number> {
  const example = build();
  await writeNetwork(example, folder);
  return countMacs(example.model);
}

async function compare(folder: string, inputs: string): Promise<Summary> {
  const run = validate(folder, { inputs, jobs: processors() });
  for (;;) {
    const step = await run.next();
    if (step.done) return step.value;
  }
}

type MemoryUse = Manifest["memories"][number];

function sumOf({ memories }: Manifest, role: "l1" | "l2", bytes: (use: MemoryUse) => number): number {
  return memories.filter((memory) => memory.role === role).reduce((sum, use) => sum + bytes(use), 0);
}

function bytesOf(manifest: Manifest, role: "l1" | "l2", least = false): number {
  return sumOf(
    manifest,
    role,
    ({ code, constants, activations, lowerBound, stack }) =>
      code + constants + stack + (least ? lowerBound : activations),
  );
}

function itaCyclesOf(
  { counters, inferences }: Summary,
  { layers }: Manifest,
  { ita }: Target,
): Pick<NetworkMeasurement, "itaCycles"> {
  const kinds = Object.values(counters?.accelerator?.kinds ?? {});
  const mean = (field: "jobs" | "cycles" | "stalled") =>
    kinds.reduce((sum, kind) => sum + kind[field], 0) / inferences;
  if (!ita || mean("jobs") === 0) return {};
  const { lanes, elements } = ita;
  const multiplying = mean("jobs") * elements * elements / lanes;
  const macs = layers.reduce((sum, layer) => sum + (layer.engine === "ita" ? layer.macs : 0), 0);
  const products = macs / (lanes * elements);
  return {
    itaCycles: {
      products,
      others: multiplying - products,
      edges: mean("cycles") - mean("stalled") - multiplying,
      stalled: mean("stalled"),
    },
  };
}

function meanOf(times: EngineTimes, count: number): EngineTimes {
  return Object.fromEntries(
    Object.entries(times).map(([engine, time]) => [engine, scaled({ ...time }, 1 / count)]),
  );
}

function scaled<Fields extends Readonly<Record<string, number>>>(fields: Fields, factor: number): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, value * factor])) as Fields;
}

/** Runs and prints the benchmark. Returns whether every network was bit-exact. */
export async function benchNetworks(options: NetworkBenchOptions, json: boolean): Promise<boolean> {
  const done: NetworkMeasurement[] = [];
  for await (const measurement of measureNetworks(options)) {
    done.push(measurement);
    if (json) printJson({ type: "network", ...measurement });
    else say(`${measurement.model}: ${measurement.hostSeconds.toFixed(1)} s`);
  }
  if (!json) print(...networkLines(done, options.target));
  return done.every(({ bitExact }) => bitExact);
}

/** What people read: all networks beside what was published, then each one's engines. */
export function networkLines(measurements: readonly NetworkMeasurement[], { clock }: Target): string[] {
  const heads = [
    "network",
    "MACs",
    "cycles",
    "inferences/s",
    "GOp/s",
    "of ITA's peak",
    "mW (estimate)",
    "GOp/J (estimate)",
    "L1 bytes",
    "L2 bytes",
    "at least",
    "bit-exact",
    "generate",
    "validate",
  ];
  const rows = measurements.flatMap((m) => [
    [
      m.model,
      grouped(m.macs),
      grouped(m.cycles),
      m.inferencesPerSecond.toFixed(1),
      m.gops.toFixed(0),
      m.utilisation === undefined ? "" : `${(100 * m.utilisation).toFixed(1)} %`,
      m.milliwatts?.toFixed(1) ?? "",
      m.gopsPerJoule?.toFixed(0) ?? "",
      grouped(m.l1Bytes),
      grouped(m.l2Bytes),
      grouped(m.l2LowerBound),
      m.bitExact ? `${m.inferences} of ${m.inferences}` : "NO",
      `${m.generateSeconds.toFixed(1)} s`,
      `${m.hostSeconds.toFixed(1)} s`,
    ],
    publishedRow(m.published, heads.length),
  ]);
  const right = heads.map((_, i) => i).slice(1);
  return [
    ...tableLines([heads, ...rows], right),
    "",
    `at ${
      clock.hertz / 1e6
    } MHz; GOp are 2 x MACs of the network's own operators; energy is an estimate from counted events`,
    ...measurements.flatMap((m) => [
      "",
      `${m.model}, an inference by engine`,
      ...engineTimeLines(m.engines),
      ...itaLine(m),
      ...energyLine(m),
    ]),
  ];
}

function publishedRow(
  { source, inferencesPerSecond, gops, milliwatts, gopsPerJoule }: Published,
  cells: number,
): string[] {
  const row = [`  published (${source})`, "", "", inferencesPerSecond.toString(), gops?.toString() ?? ""];
  const more = ["", milliwatts?.toFixed(1) ?? "", gopsPerJoule?.toString() ?? ""];
  return [...row, ...more, ...Array<string>(cells - row.length - more.length).fill("")];
}

function itaLine({ itaCycles, cycles }: NetworkMeasurement): string[] {
  if (!itaCycles) return [];
  const share = (part: number) => `${(100 * part / cycles).toFixed(1)} %`;
  const { products, others, edges, stalled } = itaCycles;
  return [
    `ita at work: ${share(products)} the network's products, ${share(others)} other factors and padding, ` +
    `${share(edges)} start and end of jobs, ${share(stalled)} refused by the memory`,
  ];
}

function energyLine({ microjoules }: NetworkMeasurement): string[] {
  if (!microjoules) return [];
  const parts = Object.entries(microjoules).map(([part, value]) => `${part} ${value.toFixed(1)}`);
  return [`energy (estimate), µJ: ${parts.join(", ")}`];
}
