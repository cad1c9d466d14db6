// Builds the benchmark programs of this folder: for QEMU's virt machine, each with little and with much work, and one
// for the nine harts of the cluster.

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

/** Programs with their rounds of work: little, and much, which takes an emulator a second or more. */
const programs = [
  ["gemm", 10, 5000],
  ["rows", 20, 20_000],
  ["copy", 1000, 400_000],
  ["branchy", 200, 80_000],
] as const;
const clusterRounds = [50, 1500] as const;
/** Rounds of `mixed` that take about six million instructions. */
const mixedRounds = 14;

const machines = {
  virt: ["-march=rv32im_zicsr", "-T", "link.ld"],
  cluster: ["-march=rv32ima_zicsr", "-T", "link_cluster.ld"],
} as const;

const flags = [
  ...["-mabi=ilp32", "-O2", "-Wall", "-Wextra", "-ffreestanding", "-fno-builtin", "-nostdlib", "-static"],
  // What is measured are the loops that are written down.
  ...["-fno-tree-loop-distribute-patterns", "-fno-tree-vectorize"],
];
/** Libraries of the compiler; clang has none for bare RISC-V, and none is needed. */
const libraries = { gcc: ["-lgcc"], clang: [] } as const;

/** What all programs are built with: a compiler, and the folder for the images. */
export class BenchmarkBuilder {
  readonly #folder: string;
  readonly #compiler: Awaited<ReturnType<typeof findCompiler>>;

  private constructor(folder: string, compiler: Awaited<ReturnType<typeof findCompiler>>) {
    this.#folder = folder;
    this.#compiler = compiler;
  }

  /**
   * @param folder where the images go
   * @param cc `gcc`, `clang` or a command; by default the compiler that is found
   * @throws {AttoflowError} if there is no compiler
   */
  static async find(folder: string, cc?: string): Promise<BenchmarkBuilder> {
    return new BenchmarkBuilder(folder, await findCompiler(cc));
  }

  /** The programs that are compared with QEMU. Throws {@link AttoflowError} if the compiler refuses, as all do. */
  programs(): Promise<BenchmarkImages[]> {
    return Promise.all(programs.map(async ([name, few, many]) => ({
      name,
      small: await this.#build(`${name}.small`, "virt", few, ["start.S", `${name}.c`, "main.c"]),
      big: await this.#build(`${name}.big`, "virt", many, ["start.S", `${name}.c`, "main.c"]),
    })));
  }

  /** The program for nine harts. */
  async cluster(): Promise<BenchmarkImages> {
    const [small, big] = await Promise.all(
      clusterRounds.map((rounds, i) =>
        this.#build(`cluster.${i}`, "cluster", rounds, ["start_cluster.S", "cluster.c"])
      ),
    );
    return { name: "cluster", small, big };
  }

  /** A program of many parts that ends after about six million instructions. */
  mixed(): Promise<string> {
    return this.#build("mixed", "virt", mixedRounds, ["start.S", "mixed.c", "main.c"]);
  }

  async #build(
    name: string,
    machine: keyof typeof machines,
    rounds: number,
    sources: readonly string[],
  ): Promise<string> {
    const { command, family } = this.#compiler, output = `${this.#folder}/${name}.elf`;
    const own = family === "clang" ? [...familyFlags.clang, ...clangLinkFlags] : [];
    const usable = flags.filter((flag) => family === "gcc" || !flag.startsWith("-fno-tree-loop"));
    const here = decodeURIComponent(new URL(".", import.meta.url).pathname);
    const args = [...own, ...usable, ...machines[machine], `-DROUNDS=${rounds}`, ...sources];
    const answer = await run(command, [...args, ...libraries[family], "-o", output], here);
    if (answer?.code === 0) return output;
    throw new AttoflowError(`${command} failed: ${answer?.errors.trim() ?? "it cannot be started"}`, {
      where: `examples/emulator-bench/${sources[1]}`,
    });
  }
}
