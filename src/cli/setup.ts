// `setup`: sees to it that the tools outside this repository are there.

import { flag, withDefault } from "@optique/core";
import { setup, setupQemu } from "../toolchain/setup.ts";
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
      description: plain("Also install QEMU, which some tests compare with; they do without it, too."),
    }),
    false,
  ),
}, async ({ tests }) => {
  await ensureCompiler();
  if (tests) {
    const version = await setupQemu(say);
    say(
      version
        ? `QEMU: ${version}`
        : "QEMU: not there (Debian: apt-get install qemu-system-misc); tests with it are skipped",
    );
  }
  return 0;
});

/** Sees to it that there is a compiler, and says which. Throws {@link AttoflowError} if there cannot be one. */
export async function ensureCompiler(): Promise<void> {
  const { compiler, installed } = await setup(say);
  say(`compiler: ${compiler.command} (${compiler.version})${installed ? ", installed just now" : ""}`);
}
