// Checks a network for the target virt in QEMU: the generated project with a main of its own that knows inputs and
// expected outputs and answers by its exit code.

import { engineMappings } from "../../targets/engines/registry.ts";
import { loadTarget } from "../../targets/load.ts";
import { makeProject, writeProject } from "../../src/emit/project.ts";
import { Symbols } from "../../src/emit/symbols.ts";
import { type DType, elementCount, type Model } from "../../src/model/types.ts";
import { l1Budget } from "../../src/schedule/budget.ts";
import { type Engines, plan, type PlanOptions } from "../../src/schedule/plan.ts";
import type { Program } from "../../src/schedule/program.ts";
import { build } from "../../src/toolchain/build.ts";
import type { Compiler } from "../../src/toolchain/compiler.ts";

/** One inference: elements of all inputs and outputs, in order. */
export interface CheckCase {
  readonly inputs: readonly ArrayLike<number>[];
  readonly outputs: readonly ArrayLike<number>[];
}

const arrays = { int8: Int8Array, uint8: Uint8Array, int32: Int32Array, float32: Float32Array };

/** Whether QEMU for riscv32 is there; says so if not. */
export async function haveQemu(): Promise<boolean> {
  try {
    return (await new Deno.Command("qemu-system-riscv32", { args: ["--version"], stdout: "null" }).output())
      .success;
  } catch {
    console.log("skipped: qemu-system-riscv32 is not installed");
    return false;
  }
}

/** Plans, builds and runs the model; returns the exit code: 0, or 1 + the index of the first wrong output. */
export async function checkOnVirt(
  model: Model,
  cases: readonly CheckCase[],
  compiler: Compiler,
  options: PlanOptions & { engines?: Engines } = {},
): Promise<{ code: number; console: string; program: Program }> {
  const target = await loadTarget("virt");
  const program = plan(model, target, options.engines ?? engineMappings, options);
  const symbols = new Symbols(program);
  const l1Bytes = l1Budget(target, options.l1Bytes).size;
  const project = await makeProject(program, model, target, symbols, { l1Bytes, family: compiler.family });
  const folder = await Deno.makeTempDir({ prefix: "attoflow-virt-" });
  try {
    await writeProject(folder, project);
    await Deno.copyFile(new URL("check_main.c", import.meta.url), `${folder}/main.c`);
    await Deno.copyFile(new URL("check_data.S", import.meta.url), `${folder}/check_data.S`);
    await writeCases(folder, cases, symbols);
    await build(folder, [...project.sources, "check_data.S"], target, compiler);
    const { code, stdout } = await new Deno.Command("timeout", {
      args: [
        "60",
        "qemu-system-riscv32",
        "-M",
        "virt",
        "-bios",
        "none",
        "-nographic",
        "-kernel",
        `${folder}/image.elf`,
      ],
      stdin: "null",
    }).output();
    return { code, console: new TextDecoder().decode(stdout), program };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function writeCases(folder: string, cases: readonly CheckCase[], symbols: Symbols): Promise<void> {
  const lines: string[] = [];
  const data: number[] = [];
  const add = (dtype: DType, shape: readonly number[], values: ArrayLike<number>) => {
    const bytes = new Uint8Array(arrays[dtype].from(Array.from(values)).buffer);
    if (values.length !== elementCount(shape)) throw new RangeError("a case has another number of elements");
    const offset = data.length;
    for (const byte of bytes) data.push(byte);
    return `${offset}, ${bytes.length}`;
  };
  for (const { inputs, outputs } of cases) {
    symbols.inputs.forEach(({ endpoint: { dtype, shape }, field, array }, i) =>
      lines.push(`INPUT(${field}, ${array}, ${add(dtype, shape, inputs[i])})`)
    );
    const wanted = symbols.outputs.map(({ endpoint: { dtype, shape } }, i) => add(dtype, shape, outputs[i]));
    symbols.outputs.forEach(({ field, array }, i) => lines.push(`RESULT(${field}, ${array}, ${wanted[i]})`));
    lines.push("RUN");
    symbols.outputs.forEach(({ array }, i) => lines.push(`OUTPUT(${i}, ${array}, ${wanted[i]})`));
  }
  await Deno.writeTextFile(`${folder}/check_cases.h`, lines.join("\n") + "\n");
  await Deno.writeTextFile(`${folder}/check_size.h`, `#define CHECK_BYTES ${data.length + 1}\n`);
  await Deno.writeFile(`${folder}/check_data.bin`, new Uint8Array(data));
}
