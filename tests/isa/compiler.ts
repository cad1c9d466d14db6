// Builds the C and assembly test programs with the RISC-V compiler that the project finds.

import { fileURLToPath } from "node:url";
import type { CompilerFamily } from "../../src/emit/makefile.ts";
import { searchCompiler } from "../../src/toolchain/compiler.ts";

const common = ["-march=rv32ima_zicsr_zifencei", "-mabi=ilp32", "-O2", "-Wall", "-Wextra", "-Werror"];
const freestanding = ["-ffreestanding", "-fno-builtin", "-nostdlib", "-static"];
const families: Record<CompilerFamily, string[]> = {
  gcc: [],
  clang: ["--target=riscv32-unknown-elf", "-fuse-ld=lld"],
};

/** Programs of the folder `programs`, each of which is linked with start.S and console.c. */
export const cPrograms = [
  "atomic",
  "checksums",
  "matrices",
  "recursion",
  "self_modifying",
  "sorting",
  "strings",
  "structures",
  "transformer",
  "traps",
  "wide",
];

/** A compiler that can build and link for rv32ima. */
export interface Compiler {
  command: string;
  /**
   * Builds an executable.
   *
   * @param folder folder in tests/isa with the sources and `link.ld`
   * @param sources files in it
   * @param extra further options
   * @throws Error with the compiler's words if it refuses
   */
  build(folder: string, sources: string[], extra?: string[]): Promise<Uint8Array<ArrayBuffer>>;
}

/** The compiler that the project finds, looked for once. */
let search: ReturnType<typeof searchCompiler> | undefined;

/** Finds a compiler; without one, says on the console what is skipped. */
export async function findCompiler(what: string): Promise<Compiler | undefined> {
  const { compiler } = await (search ??= searchCompiler());
  if (compiler) {
    const { command, family } = compiler;
    return { command, build: build.bind(undefined, command, families[family]) };
  }
  console.log(`skipped: ${what}: no RISC-V compiler found (deno task setup installs one)`);
}

async function build(
  command: string,
  options: string[],
  folder: string,
  sources: string[],
  extra: string[] = [],
): Promise<Uint8Array<ArrayBuffer>> {
  const output = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    const args = [
      ...options,
      ...common,
      ...freestanding,
      "-T",
      "link.ld",
      ...sources,
      ...extra,
      "-o",
      output,
    ];
    const cwd = fileURLToPath(new URL(`${folder}/`, import.meta.url));
    const { success, stderr } = await new Deno.Command(command, { args, cwd, stdout: "null" }).output();
    if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(output);
  }
}
