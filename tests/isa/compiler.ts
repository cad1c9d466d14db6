// Builds the C and assembly test programs with whatever RISC-V compiler is on PATH.

import { fileURLToPath } from "node:url";

const common = ["-march=rv32ima_zicsr_zifencei", "-mabi=ilp32", "-O2", "-Wall", "-Wextra", "-Werror"];
const freestanding = ["-ffreestanding", "-fno-builtin", "-nostdlib", "-static"];
const gcc = ["-Wl,--no-warn-rwx-segments"];
const clang = ["--target=riscv32-unknown-elf", "-fuse-ld=lld"];

/** Commands that may be such a compiler, best first, and the options that each needs. */
const candidates: [command: string, options: string[]][] = [
  ["riscv64-unknown-elf-gcc", gcc],
  ["riscv32-unknown-elf-gcc", gcc],
  ["clang", clang],
  ...[21, 20, 19, 18, 17, 16].map((version): [string, string[]] => [`clang-${version}`, clang]),
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

/** The first candidate that works, looked for once. */
let found: Promise<Compiler | undefined> | undefined;

/** Finds a compiler; without one, says on the console what is skipped. */
export async function findCompiler(what: string): Promise<Compiler | undefined> {
  const compiler = await (found ??= firstCompiler());
  if (!compiler) console.log(`skipped: ${what}: no RISC-V compiler on PATH (deno task setup installs one)`);
  return compiler;
}

async function firstCompiler(): Promise<Compiler | undefined> {
  for (const [command, options] of candidates) {
    if (await links(command, options)) return { command, build: build.bind(undefined, command, options) };
  }
}

/** Whether a command compiles and links for rv32ima, tried on an empty program. */
async function links(command: string, options: string[]): Promise<boolean> {
  const args = [...options, ...common, ...freestanding, "-x", "c", "/dev/null", "-o", "/dev/null"];
  try {
    const { success } = await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
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
