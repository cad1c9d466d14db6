// `emulate IMAGE.elf`: any bare-metal program on a target's emulator.

import { flag, withDefault } from "@optique/core";
import { buildSoc } from "../../runtime/host/emulator.ts";
import { readElf } from "../../runtime/image/elf.ts";
import type { RunResult, Soc } from "../../runtime/soc/soc.ts";
import { loadTarget } from "../../targets/load.ts";
import { defineCommand, plain } from "./command.ts";
import { Console } from "./console.ts";
import { readFile } from "./files.ts";
import { jsonOption, maxCyclesOption, pathArgument, targetOption } from "./options.ts";
import { grouped, printJson, say, tableLines, write } from "./output.ts";

/** Cycles after which a program counts as hung; a few minutes of emulation. */
const patience = 1e9;

/** The command. */
export const emulateCommand = defineCommand("emulate", {
  summary: "Run a bare-metal ELF on the emulator.",
  details:
    "Prints what the program prints (on stdout) and what each hart did (on stderr; with --json everything is one " +
    "object a line on stdout). The program ends by the SoC's finisher, by writing an odd word to the symbol tohost, or " +
    "by the test bench's exit register; its exit code becomes the exit status. A program that faults, deadlocks or " +
    "runs past --max-cycles ends with status 1 and a message that names hart, pc, function and cause.",
  examples: [
    "emulate program.elf --max-cycles 5e7",
    "emulate ../shared/data/cluster-timing/core.elf --testbench",
  ],
}, {
  image: pathArgument("IMAGE.elf", "Program, linked for the target's memories."),
  target: targetOption,
  maxCycles: maxCyclesOption,
  testbench: withDefault(
    flag("--testbench", {
      description: plain(
        "Add the registers of the cluster's RTL test bench at 0xf000_0000: print, exit, traffic.",
      ),
    }),
    false,
  ),
  json: jsonOption,
}, async ({ image, target, maxCycles, testbench, json }) => {
  const description = await loadTarget(target);
  const program = readElf(await readFile(image), image);
  const output = new Console((text) => json ? printJson({ type: "console", text }) : write(text));
  const soc = buildSoc(description, { testbench, console: (bytes) => output.take(bytes) });
  soc.load(program);
  let result: RunResult | undefined;
  try {
    result = soc.run({ maxCycles: maxCycles ?? patience, limitIsFault: true });
  } finally {
    output.flush();
    if (!json) say(...hartLines(soc));
    else {printJson({
        type: "summary",
        exitCode: result?.exitCode,
        cycles: soc.cycle,
        harts: soc.statistics(),
      });}
  }
  return exitStatus(result.exitCode ?? 0);
});

/** A process has 8 bits of status: codes beyond them must not come out as success. */
export function exitStatus(code: number): number {
  return code === 0 ? 0 : (code & 0xff) || 1;
}

function hartLines(soc: Soc): string[] {
  return tableLines([
    ["hart", "cycles", "instructions", "per cycle", "ended"],
    ...soc.statistics().map(({ hart, cycles, instructions, activity, symbol }) => [
      `${hart}`,
      grouped(cycles),
      grouped(instructions),
      cycles > 0 ? (instructions / cycles).toFixed(3) : "-",
      `${activity === "running" ? "at" : `in ${activity} at`} ${symbol}`,
    ]),
  ], [0, 1, 2, 3]);
}
