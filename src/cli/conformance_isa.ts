// `conformance isa DIR`: programs that test themselves, such as the official RISC-V ISA tests.

import { relative } from "node:path";
import { buildSoc } from "../../runtime/host/emulator.ts";
import { readElf } from "../../runtime/image/elf.ts";
import { findSymbol } from "../../runtime/image/symbols.ts";
import type { Image } from "../../runtime/image/types.ts";
import { AttoflowError } from "../../targets/errors.ts";
import { loadTarget } from "../../targets/load.ts";
import type { Target } from "../../targets/schema.ts";
import { type CaseResult, reportCases } from "./cases.ts";
import { defineCommand } from "./command.ts";
import { listFiles, readFile } from "./files.ts";
import { jsonOption, maxCyclesOption, pathArgument, targetOption } from "./options.ts";

/** A test of the instruction set takes a few thousand cycles. */
const patience = 10_000_000;

/** The command. */
export const conformanceIsa = defineCommand("isa", {
  summary: "Run programs that test themselves, such as the RISC-V ISA tests.",
  details:
    "Runs every ELF file with a symbol tohost, however deep, on the emulator. A program passes when it writes 1 " +
    "to tohost; an odd number above says which of its tests failed. Exit status 1 if any program fails.",
  examples: ["conformance isa riscv-tests/isa"],
}, {
  folder: pathArgument("DIR", "Folder with ELF files in it."),
  target: targetOption,
  maxCycles: maxCyclesOption,
  json: jsonOption,
}, async ({ folder, target, maxCycles, json }) => {
  const description = await loadTarget(target);
  const results = runPrograms(folder, description, maxCycles ?? patience);
  return await reportCases(results, folder, "an ELF file with a symbol tohost", json);
});

async function* runPrograms(folder: string, target: Target, maxCycles: number): AsyncGenerator<CaseResult> {
  for (const path of await listFiles(folder)) {
    const name = relative(folder, path);
    try {
      const image = await readProgram(path);
      if (image) yield { name, ...runProgram(image, target, maxCycles) };
    } catch (error) {
      if (!(error instanceof AttoflowError)) throw error;
      yield { name, passed: false, detail: error.paragraph };
    }
  }
}

/** The program at a path; undefined if it is something else than a 32-bit RISC-V executable with a `tohost`. */
async function readProgram(path: string): Promise<Image | undefined> {
  const bytes = await readFile(path);
  if (!isProgram(bytes)) return undefined;
  const image = readElf(bytes, path);
  return findSymbol(image, "tohost") ? image : undefined;
}

/** Magic number, 32 bit, executable (2), RISC-V (243): object files and programs of others are passed over. */
function isProgram(bytes: Uint8Array): boolean {
  const header = [[0, 0x7f], [1, 0x45], [2, 0x4c], [3, 0x46], [4, 1], [16, 2], [17, 0], [18, 243], [19, 0]];
  return header.every(([at, byte]) => bytes[at] === byte);
}

function runProgram(image: Image, target: Target, maxCycles: number): Omit<CaseResult, "name"> {
  const soc = buildSoc(target);
  soc.load(image);
  const { exitCode, cycle } = soc.run({ maxCycles, limitIsFault: true });
  const passed = exitCode === 0;
  return { passed, cycles: cycle, detail: passed ? "" : `its test ${exitCode} failed` };
}
