// Sees to it that there is a compiler: finds one, installs one where it may, or says how.

import { AttoflowError } from "../../targets/errors.ts";
import { type Compiler, findCompiler, preferredFamilies, searchCompiler } from "./compiler.ts";
import { run } from "./run.ts";

/** Packages that bring a compiler, for each family. Fedora has no bare-metal gcc; clang needs lld. */
const packages = {
  gcc: {
    apt: ["gcc-riscv64-unknown-elf"],
    pacman: ["riscv64-elf-gcc"],
    brew: ["riscv64-elf-gcc"],
  },
  clang: { apt: ["clang", "lld"], dnf: ["clang", "lld"], pacman: ["clang", "lld"], brew: ["llvm", "lld"] },
} as const;

/** What {@link setup} found or did. */
export interface SetupResult {
  readonly compiler: Compiler;
  readonly installed: boolean;
}

/**
 * Finds a compiler, or installs the preferred one with apt-get if this process may (root, or sudo without a
 * password).
 *
 * @param say called with a line before something takes long
 * @throws {AttoflowError} with the one command to type, if it may not
 */
export async function setup(say: (line: string) => void = () => {}): Promise<SetupResult> {
  const named = Deno.env.get("ATTOFLOW_CC");
  if (named) return { compiler: await findCompiler(named), installed: false };
  const { compiler } = await searchCompiler();
  if (compiler) return { compiler, installed: false };

  if (await install(packages[preferredFamilies[0]].apt, say)) {
    const found = await searchCompiler();
    if (found.compiler) return { compiler: found.compiler, installed: true };
  }
  throw new AttoflowError("there is no C compiler for RISC-V, and it cannot be installed from here", {
    hint: `Type: ${await commandToType()}`,
  });
}

/** A program that some tests want and can do without. */
export interface TestTool {
  readonly name: string;
  readonly command: string;
  readonly apt: readonly string[];
}

/** QEMU's machine, which the emulator is compared with, and the debugger that it is tried with. */
export const testTools: readonly TestTool[] = [
  { name: "QEMU", command: "qemu-system-riscv32", apt: ["qemu-system-misc"] },
  { name: "GDB", command: "gdb-multiarch", apt: ["gdb-multiarch"] },
];

/**
 * Finds a tool, or installs it as {@link setup} does with a compiler.
 *
 * @returns the first line of what it says of itself; undefined if it is not there and cannot be installed from here
 */
export async function setupTool(
  { command, apt }: TestTool,
  say: (line: string) => void = () => {},
): Promise<string | undefined> {
  const version = async () => (await run(command, ["--version"]))?.output.split("\n")[0].trim();
  return await version() ?? (await install(apt, say) ? await version() : undefined);
}

/** Installs packages with apt-get; false if that is not allowed or did not work. */
async function install(wanted: readonly string[], say: (line: string) => void): Promise<boolean> {
  const prefix = await rightsPrefix();
  if (!prefix) return false;
  say(`installing ${wanted.join(" and ")} with apt-get`);
  const attempt = () => runAll([...prefix, "apt-get", "install", "-y", "--no-install-recommends", ...wanted]);
  // The list of packages may be missing or old: fetch it only if the first attempt fails.
  return await attempt() ||
    (await runAll([...prefix, "apt-get", "update"]) && await attempt());
}

/** What to put in front of apt-get; undefined if there is no apt-get or no right to use it. */
async function rightsPrefix(): Promise<string[] | undefined> {
  if (!(await run("apt-get", ["--version"]))) return undefined;
  const id = await run("id", ["-u"]);
  if (id?.output.trim() === "0") return [];
  const sudo = await run("sudo", ["-n", "true"]);
  return sudo?.code === 0 ? ["sudo", "-n"] : undefined;
}

async function runAll([command, ...args]: readonly string[]): Promise<boolean> {
  const answer = await run(command, args);
  return answer?.code === 0;
}

/** The command that installs a compiler with whatever package manager there is. */
async function commandToType(): Promise<string> {
  const { apt, pacman, brew } = packages[preferredFamilies[0]];
  if (await run("apt-get", ["--version"])) return `sudo apt-get install ${apt.join(" ")}`;
  if (await run("dnf", ["--version"])) return `sudo dnf install ${packages.clang.dnf.join(" ")}`;
  if (await run("pacman", ["--version"])) return `sudo pacman -S ${pacman.join(" ")}`;
  if (await run("brew", ["--version"])) return `brew install ${brew.join(" ")}`;
  return `sudo apt-get install ${apt.join(" ")} (elsewhere: your system's clang, 16 or later, and lld)`;
}
