// `emulate IMAGE.elf`: any bare-metal program on a target's emulator. `emulate DIR`: a generated image and its host.

import { flag, option, optional, withDefault } from "@optique/core";
import { later } from "../../runtime/later.ts";
import { AttoflowError } from "../../targets/errors.ts";
import { defineCommand, plain } from "./command.ts";
import { Console } from "./console.ts";
import { emulateProgram } from "./emulate_program.ts";
import { isFolder } from "./files.ts";
import { interruptible } from "./interrupt.ts";
import { jsonOption, maxCyclesOption, pathArgument, portValue, targetOption, textValue } from "./options.ts";
import { printJson, say, write } from "./output.ts";
import { machineTiming, refuseUnderFast, timingFields } from "./timing_options.ts";
import { recorded, traceFields } from "./tracing.ts";

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
  const isGenerated = await isFolder(image);
  if (!isGenerated && options.inputs !== undefined) {
    throw new AttoflowError("--inputs are for a generated image", {
      where: image,
      hint: "Give the folder that `deno task generate` has written.",
    });
  }
  return await interruptible((signal) =>
    recorded({ trace, profile, timing }, options.json, say, async (observe) => {
      const run = { ...options, ...machine, output, observe, signal };
      if (!isGenerated) return await emulateProgram(image, run);
      const folder = await later<typeof import("./emulate_folder.ts")>(
        "./emulate_folder.ts",
        import.meta.url,
      );
      return await folder.emulateFolder(image, run);
    })
  );
});
