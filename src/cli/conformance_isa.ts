// `conformance isa DIR`: programs that test themselves, such as the official RISC-V ISA tests.

import { runIsaFolder } from "../../runtime/validate/isa.ts";
import { loadTarget } from "../../targets/load.ts";
import { reportCases } from "./cases.ts";
import { defineCommand } from "./command.ts";
import { jsonOption, maxCyclesOption, pathArgument, targetOptionOr } from "./options.ts";
import { say } from "./output.ts";
import { machineTiming, timingFields } from "./timing_options.ts";

/** The command. */
export const conformanceIsa = defineCommand("isa", {
  summary: "Run programs that test themselves, such as the RISC-V ISA tests.",
  details:
    "Runs every ELF file with a symbol tohost, however deep, on the emulator. A program passes when it writes 1 " +
    "to tohost; an odd number above says which of its tests failed. Exit status 1 if any program fails. The target " +
    "is virt unless another is asked for: the official tests of machine mode want more than Snitch has (a writable " +
    "minstret, physical memory protection, misaligned data).",
  examples: ["conformance isa riscv-tests/isa", "conformance isa riscv-tests/isa --timing fast"],
}, {
  folder: pathArgument("DIR", "Folder with ELF files in it."),
  target: targetOptionOr("virt"),
  ...timingFields,
  maxCycles: maxCyclesOption,
  json: jsonOption,
}, async ({ folder, target, maxCycles, json, ...timing }) => {
  const skipped = (name: string, why: string) => say(`skipped ${name}: ${why}`);
  const results = runIsaFolder(folder, await loadTarget(target), {
    ...machineTiming(timing),
    maxCycles,
    skipped,
  });
  return await reportCases(results, folder, "an ELF file with a symbol tohost", json);
});
