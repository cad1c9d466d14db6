// Finds a C compiler for bare RISC-V: clang with lld, or a GNU cross compiler.

import { AttoflowError } from "../../targets/errors.ts";
import { type CompilerFamily, compilerNames, familyFlags } from "../emit/makefile.ts";
import { run } from "./run.ts";

/** A compiler that can build images. */
export interface Compiler {
  readonly command: string;
  readonly family: CompilerFamily;
  readonly major: number;
  /** First line of what it says of itself. */
  readonly version: string;
}

/**
 * Families in the order in which they are looked for: the one that makes the faster code first. Measured on the
 * emulated cluster over thirteen of the integer networks, gcc 12's images take 6 % fewer cycles than clang 19's.
 */
export const preferredFamilies: readonly CompilerFamily[] = ["gcc", "clang"];

/** Oldest versions that know everything that the generated code asks for. */
const oldest: Readonly<Record<CompilerFamily, number>> = { clang: 16, gcc: 12 };

/**
 * The compiler to use: what `cc` says, else what the environment variable ATTOFLOW_CC says, else the first that is
 * found of the names in `src/emit/makefile.ts`.
 *
 * @param cc `gcc` or `clang` for any of that family, or a command
 * @throws {AttoflowError} if there is none, or the one asked for will not do
 */
export async function findCompiler(cc: string | undefined = Deno.env.get("ATTOFLOW_CC")): Promise<Compiler> {
  if (cc && cc !== "gcc" && cc !== "clang") {
    const result = await examine(cc);
    if (typeof result !== "string") return result;
    throw new AttoflowError(`the compiler ${cc} will not do: ${result}`, {
      hint: "Name another one, or none to have one looked for.",
    });
  }
  const found = await searchCompiler(cc ? [cc as CompilerFamily] : preferredFamilies);
  if (found.compiler) return found.compiler;
  const seen = found.unfit.map(({ command, reason }) => `${command}: ${reason}`).join("; ");
  throw new AttoflowError(`no ${cc || "C compiler"} for RISC-V found${seen ? ` (${seen})` : ""}`, {
    hint: "`deno task setup` installs one or says how; ATTOFLOW_CC names one that is somewhere else.",
  });
}

/** What a search for a compiler came to. */
export interface Search {
  readonly compiler?: Compiler;
  /** What was found and will not do. */
  readonly unfit: readonly { readonly command: string; readonly reason: string }[];
}

/** Looks for a compiler of the families, in their order, under all known names. */
export async function searchCompiler(
  families: readonly CompilerFamily[] = preferredFamilies,
): Promise<Search> {
  const unfit: { command: string; reason: string }[] = [];
  for (const command of families.flatMap((family) => compilerNames[family])) {
    const result = await examine(command);
    if (typeof result !== "string") return { compiler: result, unfit };
    if (result !== absent) unfit.push({ command, reason: result });
  }
  return { unfit };
}

const absent = "it cannot be started";

/** Examines a compiler; gives the reason if it cannot build images. */
async function examine(command: string): Promise<Compiler | string> {
  const answer = await run(command, ["--version"]);
  if (!answer) return absent;
  const version = answer.output.split("\n")[0].trim();
  const clang = version.match(/clang version (\d+)/);
  const gcc = version.match(/gcc.*?\) (\d+)\.|gcc.*? (\d+)\.\d+/);
  if (!clang && !gcc) return `it is neither clang nor gcc (it says "${version.slice(0, 60)}")`;
  const family = clang ? "clang" : "gcc";
  const major = Number(clang?.[1] ?? gcc?.[1] ?? gcc?.[2]);
  if (major < oldest[family]) return `${family} ${major} is too old, ${oldest[family]} or later is needed`;
  if (family === "clang") {
    const targets = await run(command, ["--print-targets"]);
    if (!targets?.output.includes("riscv32")) return "it was built without riscv32";
    const linker = await run(command, [...familyFlags.clang, "--print-prog-name=ld.lld"]);
    if (!linker?.output.includes("/")) {
      return `its linker is missing: install lld, such as the package lld-${major}`;
    }
  } else {
    const machine = await run(command, ["-dumpmachine"]);
    if (!/^riscv(32|64|)-/.test(machine?.output ?? "")) {
      return `it is for ${machine?.output.trim()}, not for RISC-V`;
    }
  }
  return { command, family, major, version };
}
