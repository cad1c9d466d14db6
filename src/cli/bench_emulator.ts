// `bench --emulator`: how fast the emulator's fast timing is on this machine, beside QEMU in the same minutes.

import { flag, withDefault } from "@optique/core";
import { BenchmarkBuilder } from "../../examples/emulator-bench/build.ts";
import {
  findQemu,
  geometricMean,
  guestCommand,
  measureFirstResult,
  measureHarts,
  measureSpeed,
  scriptCommand,
  type SpeedRow,
} from "../../runtime/validate/speed.ts";
import { plain } from "./command.ts";
import { grouped, print, printJson, say } from "./output.ts";
import { withTemporaryFolder } from "./temporary.ts";

/** Runs of each program, of which the median counts. */
const repeats = 5;
/** Cycles that each of nine harts runs before the next one does. */
const quantum = 1000;

/** `--emulator`. */
export const emulatorFields = {
  emulator: withDefault(
    flag("--emulator", {
      description: plain(
        "Only the emulator's own speed under fast timing, each program beside qemu-system-riscv32: CPU seconds " +
          "of whole processes, in a few minutes.",
      ),
    }),
    false,
  ),
};

/** Runs and prints the benchmark. Throws {@link AttoflowError} if a program cannot be built or run. */
export async function benchEmulator(cc: string | undefined, json: boolean): Promise<void> {
  const qemu = await findQemu();
  if (qemu === undefined) {
    say(
      "note: there is no qemu-system-riscv32 to compare with; the emulator is measured alone. " +
        "`deno task setup --tests` installs QEMU.",
    );
  }
  await withTemporaryFolder(async (folder) => {
    const builder = await BenchmarkBuilder.find(folder, cc);
    const options = { repeats, emulator: guestCommand(), qemu };
    const rows: SpeedRow[] = [];
    if (!json) print(...legend, line(heads));
    for await (const row of measureSpeed(await builder.programs(), options)) {
      rows.push(row);
      if (json) printJson({ type: "speed", ...row });
      else print(line(cellsOf(row)));
    }
    const ratios = rows.flatMap(({ ratio }) => ratio ? [ratio] : []);
    const summary = ratios.length === 0 ? {} : {
      geomeanSteady: geometricMean(ratios.map(({ steady }) => steady)),
      geomeanWhole: geometricMean(ratios.map(({ whole }) => whole)),
      lowestSteady: Math.min(...ratios.map(({ steady }) => steady)),
      lowestWhole: Math.min(...ratios.map(({ whole }) => whole)),
    };
    if (!json && ratios.length > 0) {
      const times = (value?: number) => value!.toFixed(2);
      const { geomeanSteady, geomeanWhole, lowestSteady, lowestWhole } = summary;
      print(
        `geometric mean: ${times(geomeanSteady)} times QEMU in the steady state (lowest ${
          times(lowestSteady)
        }), ` +
          `${times(geomeanWhole)} times on whole runs (lowest ${times(lowestWhole)})`,
      );
    }

    const harts = await measureHarts(await builder.cluster(), {
      repeats,
      emulator: guestCommand("--target", "snitch-ita", "--quantum", `${quantum}`),
    });
    if (json) printJson({ type: "nine-harts", quantum, ...harts });
    else {
      print(
        "",
        `nine harts in quanta of ${grouped(quantum)} cycles: ${
          giga(harts.steady)
        } G instructions a second in all ` +
          `(${giga(harts.instructions)} G instructions in ${harts.whole.toFixed(2)} s of CPU time)`,
      );
    }

    const words = ["emulate", "--target", "virt", "--timing", "fast"];
    const commandLine = scriptCommand(new URL("./main.ts", import.meta.url), ...words);
    const first = await measureFirstResult(await builder.mixed(), `${folder}/cache`, {
      ...options,
      commandLine,
    });
    if (json) printJson({ type: "first-result", ...first });
    else {
      print(
        `first result of ${(first.instructions / 1e6).toFixed(1)} M instructions of many kinds: ` +
          `${milliseconds(first.cold)} of CPU time with an empty cache, ${
            milliseconds(first.warm)
          } the next time (${milliseconds(first.commandLine)} by the command emulate)` +
          (first.qemu === undefined ? "" : `; QEMU ${milliseconds(first.qemu)}`),
      );
    }
    if (json) printJson({ type: "summary", ...summary, nineHarts: harts.steady, firstResult: first.warm });
  });
}

const legend = [
  `CPU seconds, user and system, of whole processes; median of ${repeats} runs. Steady: what a second of CPU time`,
  "more brings, from the difference of a long and a short run. Whole: the long run, start and translation included.",
  "",
];
const heads = ["program", "M instr", "M instr/s", "QEMU", "times", "whole s", "QEMU s", "times"];
const widths = [8, 8, 10, 10, 6, 8, 8, 6];

function line(cells: readonly string[]): string {
  return cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join(" ")
    .trimEnd();
}

function cellsOf({ program, instructions, emulator, qemu, ratio }: SpeedRow): string[] {
  const millions = (value: number) => (value / 1e6).toFixed(0),
    two = (value?: number) => value?.toFixed(2) ?? "-";
  return [
    program,
    millions(instructions),
    millions(emulator.steady),
    qemu ? millions(qemu.steady) : "-",
    two(ratio?.steady),
    two(emulator.whole),
    two(qemu?.whole),
    two(ratio?.whole),
  ];
}

const giga = (value: number) => (value / 1e9).toFixed(2);
const milliseconds = (seconds: number) => `${(1000 * seconds).toFixed(0)} ms`;
