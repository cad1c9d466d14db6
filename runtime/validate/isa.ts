// Conformance with instruction-set tests: a folder of ELF files, such as the official RISC-V ones built for physical
// addressing, each of which says by the word it writes to `tohost` whether it passed.

import { join, relative } from "node:path";
import { AttoflowError } from "../../targets/errors.ts";
import type { Target } from "../../targets/schema.ts";
import { buildSoc } from "../host/build_soc.ts";
import { type CacheChoice, engineFor, type Timing } from "../host/timing.ts";
import { readElf } from "../image/elf.ts";
import { findSymbol } from "../image/symbols.ts";
import type { Image } from "../image/types.ts";

/** What became of one test. */
export interface IsaResult {
  /** Path of the file, from the folder. */
  readonly name: string;
  readonly passed: boolean;
  /** Why it failed; empty if it passed. */
  readonly detail: string;
  /** Cycles until the end, 0 if the file could not be run. */
  readonly cycles: number;
}

/** How a test is run. */
export interface IsaRun {
  /** By default exact. */
  readonly timing?: Timing;
  /** Where fast timing keeps translated code. */
  readonly cache?: CacheChoice;
  /** Cycles after which a test counts as hung. */
  readonly maxCycles?: number;
}

/** How the tests are run. */
export interface IsaOptions extends IsaRun {
  /** Told of each ELF file that is no test for this machine, and why. */
  readonly skipped?: (name: string, why: string) => void;
}

/** A hundred times what the longest of the official tests takes. */
const defaultMaxCycles = 2_000_000;
const magic = [0x7f, 0x45, 0x4c, 0x46];
const class64 = 2;

/**
 * What the official tests' frame adds to the word when a trap came that the test did not expect
 * (riscv-test-env, p/riscv_test.h).
 */
const unexpectedTrap = 1337;

/**
 * Runs every ELF file with a symbol `tohost` in a folder, however deep, in the order of their names. Other files are
 * passed over, ELF files among them with a word to `skipped`.
 *
 * @throws {AttoflowError} if the folder cannot be read
 */
export async function* runIsaFolder(
  folder: string,
  target: Target,
  options: IsaOptions = {},
): AsyncGenerator<IsaResult> {
  for (const file of await filesIn(folder)) {
    const bytes = await Deno.readFile(file);
    if (magic.some((byte, i) => bytes[i] !== byte)) continue;
    const name = relative(folder, file);
    if (bytes[4] === class64) {
      options.skipped?.(name, "it is for 64-bit machines");
      continue;
    }
    let image: Image;
    try {
      image = readElf(bytes, name);
    } catch (error) {
      if (!(error instanceof AttoflowError)) throw error;
      yield { name, passed: false, detail: error.message, cycles: 0 };
      continue;
    }
    const tohost = findSymbol(image, "tohost");
    if (tohost) yield { name, ...runIsaTest(image, tohost.address, target, options) };
    else options.skipped?.(name, "it has no symbol tohost");
  }
}

/**
 * Runs one test.
 *
 * @param tohost address of the word that the test writes
 */
export function runIsaTest(
  image: Image,
  tohost: number,
  target: Target,
  { timing = "exact", cache, maxCycles = defaultMaxCycles }: IsaRun = {},
): Omit<IsaResult, "name"> {
  const engine = engineFor(target, timing, { cache });
  const soc = buildSoc(target, engine ? { engine } : {});
  let detail: string;
  try {
    soc.load(image);
    const { reason } = soc.run({ maxCycles });
    detail = reason === "limit"
      ? `it is still running after ${maxCycles} cycles: ${soc.describe()}`
      : verdict(soc.readUint32(tohost));
  } catch (error) {
    if (!(error instanceof AttoflowError)) throw error;
    detail = error.paragraph;
  } finally {
    engine?.close();
  }
  return { passed: detail === "", detail, cycles: soc.cycle };
}

/** What is wrong with a word in `tohost`; empty if it means that all is well. */
function verdict(word: number): string {
  if (word === 1) return "";
  if ((word & 1) === 0) return "it ended without a word in tohost";
  const trapped = (word & unexpectedTrap) === unexpectedTrap;
  return trapped
    ? `a trap came that it did not expect (tohost is 0x${word.toString(16)})`
    : `case ${word >>> 1} failed`;
}

/** All files below a folder, sorted. */
async function filesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory) files.push(...await filesIn(path));
      else if (entry.isFile) files.push(path);
    }
  } catch (cause) {
    if (cause instanceof AttoflowError) throw cause;
    throw new AttoflowError(`the folder cannot be read: ${(cause as Error).message}`, {
      where: folder,
      hint: "Give the folder that the tests were built in.",
      cause,
    });
  }
  return files.sort();
}
