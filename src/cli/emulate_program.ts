// `emulate IMAGE.elf`: any bare-metal program on a target's emulator; and what all runs of `emulate` have in common.

import { buildSoc } from "../../runtime/host/build_soc.ts";
import { displayName } from "../../runtime/host/names.ts";
import { loadKeptTarget } from "../../runtime/host/kept_target.ts";
import { runSoc } from "../../runtime/host/run.ts";
import { cacheOf, engineFor } from "../../runtime/host/timing.ts";
import { readElf } from "../../runtime/image/elf.ts";
import { later } from "../../runtime/later.ts";
import type { HartStatistics } from "../../runtime/soc/statistics.ts";
import type { RunResult } from "../../runtime/soc/soc.ts";
import type { Console } from "./console.ts";
import { readFile } from "./files.ts";
import { grouped, printJson, say, tableLines } from "./output.ts";
import type { MachineTiming } from "./timing_options.ts";
import type { Observe } from "./tracing.ts";

/** Cycles after which a program counts as hung; a few minutes of emulation. */
const patience = { exact: 1e9, fast: 1e11 };

/** What both kinds of runs are told. */
export interface Run extends MachineTiming {
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

/**
 * Runs a program until it ends.
 *
 * @param path of the ELF file
 * @returns exit status of the process
 * @throws {AttoflowError} if the file is wrong or the program fails
 */
export async function emulateProgram(path: string, { output, signal, json, ...run }: Run): Promise<number> {
  const { testbench, timing, maxCycles = patience[timing] } = run;
  const cache = timing === "fast" ? cacheOf(run.cache) : undefined;
  const target = await loadKeptTarget(run.target, cache);
  const image = readElf(await readFile(path), path);
  const console = (bytes: Uint8Array) => output.take(bytes);
  if (run.gdb !== undefined) {
    const { serveGdb } = await later<typeof import("./emulate_gdb.ts")>("./emulate_gdb.ts", import.meta.url);
    const program = { target, image, testbench, console, maxCycles: run.maxCycles };
    return exitStatus(await serveGdb(run.gdb, program, signal));
  }
  const observer = run.observe({ target, image, program: displayName(path) });
  const engine = engineFor(target, timing, { cache: cache ?? false });
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

/** A process has 8 bits of status: codes beyond them must not come out as success. */
export function exitStatus(code: number): number {
  return code === 0 ? 0 : (code & 0xff) || 1;
}

/** Says what each hart did. */
export function summarise(
  harts: readonly HartStatistics[],
  exitCode: number | undefined,
  json: boolean,
): void {
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
