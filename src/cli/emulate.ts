// `emulate IMAGE.elf`: any bare-metal program on a target's emulator. `emulate DIR`: a generated image and its host.

import { flag, option, optional, withDefault } from "@optique/core";
import { buildSoc, EmulatorTransport } from "../../runtime/host/emulator.ts";
import { type GeneratedImage, readGeneratedImage } from "../../runtime/host/folder.ts";
import { displayName } from "../../runtime/host/names.ts";
import { openSession } from "../../runtime/host/open.ts";
import { runSoc } from "../../runtime/host/run.ts";
import { engineFor } from "../../runtime/host/timing.ts";
import type { Transport } from "../../runtime/host/transport.ts";
import { readElf } from "../../runtime/image/elf.ts";
import type { HartStatistics } from "../../runtime/soc/statistics.ts";
import type { RunResult } from "../../runtime/soc/soc.ts";
import { AttoflowError } from "../../targets/errors.ts";
import { loadTarget } from "../../targets/load.ts";
import { defineCommand, plain } from "./command.ts";
import { Console } from "./console.ts";
import { inputsFor, isFolder, runInferences } from "./emulate_folder.ts";
import { portValue, serveGdb } from "./emulate_gdb.ts";
import { readFile } from "./files.ts";
import { interruptible } from "./interrupt.ts";
import { jsonOption, maxCyclesOption, pathArgument, targetOption, textValue } from "./options.ts";
import { grouped, printJson, say, tableLines, write } from "./output.ts";
import { type MachineTiming, machineTiming, refuseUnderFast, timingFields } from "./timing_options.ts";
import { type Observe, recorded, traceFields } from "./tracing.ts";

/** Cycles after which a program counts as hung; a few minutes of emulation. */
const patience = { exact: 1e9, fast: 1e11 };

/** The command. */
export const emulateCommand = defineCommand("emulate", {
  summary: "Run a bare-metal ELF, or a generated image, on the emulator.",
  details:
    "Prints what the program prints (on stdout) and what each hart did (on stderr; with --json everything is one " +
    "object a line on stdout). The program ends by the SoC's finisher, by writing an odd word to the symbol tohost, or " +
    "by the test bench's exit register; its exit code becomes the exit status. A program that faults, deadlocks or " +
    "runs past --max-cycles ends with status 1 and a message that names hart, pc, function and cause. Ctrl-C ends " +
    "with status 130 and says where each hart was. A folder that generate has written brings its own target; its " +
    "image runs the inferences of --inputs, or one with zeros. With --gdb the program waits for GDB and does what " +
    "it says; `monitor help` lists what GDB does not know itself. With --timing fast the program does the same in a " +
    "fraction of the time; its cycles are then an estimate, the same on every machine, and --trace, --profile and " +
    "--gdb cannot be had.",
  examples: [
    "emulate program.elf --max-cycles 5e7",
    "emulate program.elf --target virt --timing fast",
    "emulate ../shared/data/cluster-timing/core.elf --testbench",
    "emulate out/encoder --inputs inputs.npz --profile",
    "emulate out/encoder --gdb :3333",
  ],
}, {
  image: pathArgument(
    "IMAGE.elf|DIR",
    "Program, linked for the target's memories; or what generate has written.",
  ),
  target: targetOption,
  inputs: optional(option("--inputs", textValue("X.npz"), {
    description: plain("Inputs of one or more inferences, for a generated image."),
  })),
  maxCycles: maxCyclesOption,
  testbench: withDefault(
    flag("--testbench", {
      description: plain(
        "Add the registers of the cluster's RTL test bench at 0xf000_0000: print, exit, traffic.",
      ),
    }),
    false,
  ),
  gdb: optional(option("--gdb", portValue(), {
    description: plain("Wait for GDB on this port of this machine: `target remote :3333` there."),
  })),
  ...timingFields,
  ...traceFields,
  json: jsonOption,
}, async ({ image, trace, profile, timing, cache, noCache, ...options }) => {
  const machine = machineTiming({ timing, cache, noCache });
  if (options.gdb !== undefined && (trace !== undefined || profile)) {
    throw new AttoflowError("--gdb stops the time; --trace and --profile measure it", {
      hint: "Use one or the other.",
    });
  }
  refuseUnderFast(timing, options.gdb === undefined ? [] : ["--gdb"]);
  const output = new Console((text) => options.json ? printJson({ type: "console", text }) : write(text));
  const generated = await isFolder(image) ? await readGeneratedImage(image) : undefined;
  if (!generated && options.inputs !== undefined) {
    throw new AttoflowError("--inputs are for a generated image", {
      where: image,
      hint: "Give the folder that `deno task generate` has written.",
    });
  }
  return await interruptible((signal) =>
    recorded({ trace, profile, timing }, options.json, say, (observe) => {
      const run = { ...options, ...machine, output, observe, signal };
      return generated ? emulateFolder(generated, run) : emulateProgram(image, run);
    })
  );
});

/** What both kinds of runs are told. */
interface Run extends MachineTiming {
  readonly target: string;
  readonly inputs?: string;
  readonly maxCycles?: number;
  readonly testbench: boolean;
  readonly gdb?: number;
  readonly json: boolean;
  readonly output: Console;
  readonly observe: Observe;
  readonly signal: AbortSignal;
}

async function emulateProgram(path: string, { output, signal, json, ...run }: Run): Promise<number> {
  const target = await loadTarget(run.target);
  const image = readElf(await readFile(path), path);
  const { testbench, timing, cache, maxCycles = patience[timing] } = run;
  const console = (bytes: Uint8Array) => output.take(bytes);
  if (run.gdb !== undefined) {
    return exitStatus(
      await serveGdb(
        run.gdb,
        { target, image, testbench, console, maxCycles: run.maxCycles },
        signal,
      ),
    );
  }
  const observer = run.observe({ target, image, program: displayName(path) });
  const engine = engineFor(target, timing, { cache });
  const soc = buildSoc(target, {
    testbench,
    console,
    ...(observer ? { observer } : {}),
    ...(engine ? { engine } : {}),
  });
  soc.load(image);
  let result: RunResult | undefined;
  try {
    result = await runSoc(soc, { maxCycles, limitIsFault: true }, signal);
  } finally {
    engine?.close();
    output.flush();
    summarise(soc.statistics(), result?.exitCode, json);
  }
  return exitStatus(result.exitCode ?? 0);
}

async function emulateFolder(
  generated: GeneratedImage,
  { output, signal, json, ...run }: Run,
): Promise<number> {
  const { target, image, manifest } = generated, { testbench, maxCycles, timing, cache } = run;
  const inferences = await inputsFor(generated, run.inputs);
  if (run.gdb !== undefined) {
    const host = async (transport: Transport) => {
      try {
        await using session = await openSession(generated, { transport, maxCycles: Infinity });
        await runInferences(session, inferences, json);
      } catch (error) {
        // The machine stays as it is for whoever debugs it.
        if (!(error instanceof AttoflowError)) throw error;
        say(`attoflow: ${error.paragraph}`);
      }
    };
    const console = (bytes: Uint8Array) => output.take(bytes);
    const program = { target, image, manifest, host, testbench, console, maxCycles };
    return exitStatus(await serveGdb(run.gdb, program, signal));
  }
  const observer = run.observe({ target, image, manifest, program: displayName(manifest.model) });
  const transport = new EmulatorTransport(target, {
    console: (text) => output.take(new TextEncoder().encode(text)),
    observer,
    engine: engineFor(target, timing, { cache }),
    signal,
  });
  try {
    await using session = await openSession(generated, { transport, maxCycles });
    await runInferences(session, inferences, json);
  } finally {
    output.flush();
    summarise(transport.statistics(), undefined, json);
  }
  return 0;
}

/** A process has 8 bits of status: codes beyond them must not come out as success. */
export function exitStatus(code: number): number {
  return code === 0 ? 0 : (code & 0xff) || 1;
}

/** Says what each hart did. */
function summarise(harts: readonly HartStatistics[], exitCode: number | undefined, json: boolean): void {
  if (json) printJson({ type: "summary", exitCode, cycles: harts[0].cycles, harts });
  else say(...hartLines(harts));
}

function hartLines(harts: readonly HartStatistics[]): string[] {
  return tableLines([
    ["hart", "cycles", "instructions", "per cycle", "ended"],
    ...harts.map(({ hart, cycles, instructions, activity, symbol }) => [
      `${hart}`,
      grouped(cycles),
      grouped(instructions),
      cycles > 0 ? (instructions / cycles).toFixed(3) : "-",
      `${activity === "running" ? "at" : `in ${activity} at`} ${symbol}`,
    ]),
  ], [0, 1, 2, 3]);
}
