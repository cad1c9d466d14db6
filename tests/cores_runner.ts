// Builds a program of kernel calls with the compiler that is found and runs it on the emulated machine virt.

import assert from "node:assert/strict";
import { readElf } from "../runtime/image/elf.ts";
import { Soc } from "../runtime/soc/soc.ts";
import { clangLinkFlags, compileFlags, familyFlags } from "../src/emit/makefile.ts";
import { findCompiler } from "../src/toolchain/compiler.ts";
import { run } from "../src/toolchain/run.ts";
import { loadTarget } from "../targets/load.ts";
import type { KernelProgram } from "./cores_harness.ts";

const path = (relative: string) => decodeURIComponent(new URL(relative, import.meta.url).pathname);
const kernels = path("../targets/engines/cores/kernels/");

/** Builds and runs a program. Gives one line for each trial whose result is wrong. */
export async function runProgram(program: KernelProgram): Promise<string[]> {
  const machine = await loadTarget("virt");
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${directory}/data.bin`, program.data());
    await Deno.writeTextFile(`${directory}/calls.c`, program.source());
    const { command, family } = await findCompiler();
    const flags = [...familyFlags[family], ...compileFlags(machine), "-Werror", `-I${kernels}`];
    const link = ["-nostdlib", "-static", "-T", path("cores_program/link.ld")];
    const sources = [
      path("cores_program/start.S"),
      "calls.c",
      path("../targets/runtime/builtins.c"),
      ...program.sources.map((source) => kernels + source),
    ];
    const answer = await run(
      command,
      [...flags, ...link, ...(family === "clang" ? clangLinkFlags : []), "-o", "kernels.elf", ...sources],
      directory,
    );
    assert.equal(answer?.code, 0, answer?.errors);

    const image = readElf(await Deno.readFile(`${directory}/kernels.elf`), "the test program");
    // As on the cluster, misaligned accesses are errors.
    const core = { ...machine.harts.core, misaligned: "trap" as const };
    const soc = new Soc({ ...machine, harts: { ...machine.harts, core } });
    soc.load(image);
    const { reason, exitCode } = soc.run({ maxCycles: 1e9, limitIsFault: true });
    assert.deepEqual([reason, exitCode], ["exit", 0]);
    const results = image.symbols.find(({ name }) => name === "results")!;
    return program.check(soc.readBytes(results.address, program.resultSize));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
