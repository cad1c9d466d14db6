// Runs ITA's kernel for padding, compiled for RISC-V, on the emulated cluster: what a piece does behind its jobs.

import assert from "node:assert/strict";
import { readElf } from "../runtime/image/elf.ts";
import { Soc } from "../runtime/soc/soc.ts";
import { socHeader } from "../src/emit/soc_files.ts";
import { build } from "../src/toolchain/build.ts";
import { searchCompiler } from "../src/toolchain/compiler.ts";
import { loadTarget } from "../targets/load.ts";
import type { Mend } from "./ita_pieces.ts";

/** Integer fields of the args struct, behind its six pointers. */
const parameters = ["rows", "keys", "width", "full_scale", "mul", "add", "shift", "low", "high"];
const pointers = 6;

/** Compiles the kernel; undefined, and a line on the console, if there is no compiler. */
export async function buildMend(): Promise<Mend | undefined> {
  const { compiler } = await searchCompiler();
  if (!compiler) {
    console.log("skipped: no compiler for RISC-V here");
    return undefined;
  }
  const target = await loadTarget("snitch-ita");
  const directory = await Deno.makeTempDir();
  const copy = (from: string) =>
    Deno.copyFile(new URL(from, import.meta.url), `${directory}/${from.split("/").at(-1)}`);
  const kernels = "../targets/engines";
  try {
    await Deno.writeTextFile(`${directory}/soc.h`, socHeader(target));
    for (
      const file of [
        "ita_program/start.S",
        "ita_mapping_program/mend.c",
        "ita_mapping_program/link.ld",
        "../targets/runtime/builtins.c",
        `${kernels}/ita/kernels/attention_padding.c`,
        `${kernels}/ita/kernels/attention_padding.h`,
        `${kernels}/cores/kernels/attoflow_kernel.h`,
      ]
    ) await copy(file);
    await build(
      directory,
      ["start.S", "mend.c", "attention_padding.c", "builtins.c"],
      target,
      compiler,
    );
    const image = readElf(await Deno.readFile(`${directory}/image.elf`), "image.elf");
    const symbol = (name: string) => image.symbols.find((symbol) => symbol.name === name)!.address;
    return (call, places, bytes) => {
      assert.equal(call.kernel, "attention_padding");
      assert.deepEqual(Object.keys(call.parameters).toSorted(), parameters.toSorted());
      const soc = new Soc(target);
      soc.load(image);
      soc.writeBytes(symbol("arena"), bytes);
      for (const [i, field] of ["logits", "v", "y"].entries()) {
        soc.writeUint32(symbol("places") + 4 * i, places.get(field)!);
      }
      for (const [i, name] of parameters.entries()) {
        soc.writeUint32(symbol("args") + 4 * (pointers + i), call.parameters[name] >>> 0);
      }
      const { exitCode } = soc.run({ maxCycles: 100_000_000, limitIsFault: true });
      assert.equal(exitCode, 0);
      bytes.set(soc.readBytes(symbol("arena"), bytes.length));
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
