// `setup`: sees to it that the tools outside this repository are there.

import { flag, withDefault } from "@optique/core";
import { setup, setupTool, testTools } from "../toolchain/setup.ts";
import { defineCommand, plain } from "./command.ts";
import { say } from "./output.ts";

/** The command. */
export const setupCommand = defineCommand("setup", {
  summary: "Find a RISC-V C compiler, or install one.",
  details:
    "Takes the compiler that ATTOFLOW_CC names, else the first that is found: riscv*-unknown-elf-gcc from 12 " +
    "or clang from 16 with lld. Where there is none, installs one with apt-get if that is allowed, else prints the " +
    "command to type. demo and test do this themselves.",
  examples: ["setup", "setup --tests"],
}, {
  tests: withDefault(
    flag("--tests", {
      description: plain("Also install QEMU and GDB, which some tests want; they do without, too."),
    }),
    false,
  ),
}, async ({ tests }) => {
  await ensureCompiler();
  if (tests) {
    for (const tool of testTools) {
      const version = await setupTool(tool, say);
      const missing = `not there (Debian: apt-get install ${tool.apt.join(" ")}); tests with it are skipped`;
      say(`${tool.name}: ${version ?? missing}`);
    }
  }
  return 0;
});

/** Sees to it that there is a compiler, and says which. Throws {@link AttoflowError} if there cannot be one. */
export async function ensureCompiler(): Promise<void> {
  const { compiler, installed } = await setup(say);
  say(`compiler: ${compiler.command} (${compiler.version})${installed ? ", installed just now" : ""}`);
}
