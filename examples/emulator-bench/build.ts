// Builds the benchmark programs of this folder for QEMU's virt machine, each with little and with much work.

import { AttoflowError } from "../../targets/errors.ts";
import { clangLinkFlags, familyFlags } from "../../src/emit/makefile.ts";
import { findCompiler } from "../../src/toolchain/compiler.ts";
import { run } from "../../src/toolchain/run.ts";

/** A benchmark and its images. */
export interface BenchmarkImages {
  readonly name: string;
  /** Paths of ELF files: the difference of two runs is work without start. */
  readonly small: string;
  readonly big: string;
}

/** Programs with their rounds of work: little, and much. */
const programs = [["gemm", 10, 400], ["rows", 20, 4000], ["copy", 1000, 100_000], [
  "branchy",
  200,
  20_000,
]] as const;

const flags = [
  ...["-march=rv32im_zicsr", "-mabi=ilp32", "-O2", "-Wall", "-Wextra"],
  ...["-ffreestanding", "-fno-builtin", "-nostdlib", "-static", "-T", "link.ld"],
  // What is measured are the loops that are written down.
  ...["-fno-tree-loop-distribute-patterns", "-fno-tree-vectorize"],
];
/** Libraries of the compiler; clang has none for bare RISC-V, and none is needed. */
const libraries = { gcc: ["-lgcc"], clang: [] } as const;

/**
 * Builds all benchmarks.
 *
 * @param folder where the images go
 * @param cc `gcc`, `clang` or a command; by default the compiler that is found
 * @throws {AttoflowError} if there is no compiler, or it refuses
 */
export async function buildBenchmarks(folder: string, cc?: string): Promise<BenchmarkImages[]> {
  const { command, family } = await findCompiler(cc);
  const here = decodeURIComponent(new URL(".", import.meta.url).pathname);
  const build = async (name: string, rounds: number, output: string) => {
    const own = family === "clang" ? [...familyFlags.clang, ...clangLinkFlags] : [];
    const sources = ["start.S", `${name}.c`, "main.c"];
    const usable = flags.filter((flag) => family === "gcc" || !flag.startsWith("-fno-tree-loop"));
    const args = [...own, ...usable, `-DROUNDS=${rounds}`, ...sources, ...libraries[family], "-o", output];
    const answer = await run(command, args, here);
    if (answer?.code === 0) return output;
    throw new AttoflowError(`${command} failed: ${answer?.errors.trim() ?? "it cannot be started"}`, {
      where: `examples/emulator-bench/${name}.c`,
    });
  };
  return await Promise.all(programs.map(async ([name, few, many]) => ({
    name,
    small: await build(name, few, `${folder}/${name}.small.elf`),
    big: await build(name, many, `${folder}/${name}.big.elf`),
  })));
}
