// The C driver of ITA: its header says what the device says, and both compilers take it without a warning.

import assert from "node:assert/strict";
import { compileFlags, compilerNames, familyFlags } from "../src/emit/makefile.ts";
import { socHeader } from "../src/emit/soc_files.ts";
import { run } from "../src/toolchain/run.ts";
import { layers, registers, streamBits } from "../targets/engines/ita/registers.ts";
import { loadTarget } from "../targets/load.ts";

const folder = new URL("../targets/engines/ita/", import.meta.url);

Deno.test("registers and bits in ita.h are those of the device", async () => {
  const header = await Deno.readTextFile(new URL("ita.h", folder));
  const define = (name: string) => Number(header.match(new RegExp(`#define ITA_${name} (\\w+)`))?.[1]);
  const member = (name: string) => Number(header.match(new RegExp(`ITA_${name} = (\\d+)`))?.[1]);
  for (const [name, offset] of Object.entries(registers)) assert.equal(define(name), offset, name);
  const bits = { PRELOAD: "weightPreload", NEXTLOAD: "weightNextload", BIAS_DISABLE: "biasDisable" } as const;
  for (const [name, bit] of Object.entries(bits)) {
    assert.equal(define(`STREAM_${name}`), streamBits[bit], name);
  }
  assert.equal(define("STREAM_BIAS_BY_ROW"), streamBits.biasByRow);
  assert.equal(define("STREAM_OUTPUT_DISABLE"), streamBits.outputDisable);
  const names = { attention: "ATTENTION", feedforward: "FEEDFORWARD", linear: "LINEAR" };
  for (const [layer, name] of Object.entries(names)) {
    assert.equal(member(`LAYER_${name}`), layers.indexOf(layer as "linear"), name);
  }
  assert.equal(member("LAYER_SINGLE_ATTENTION"), layers.indexOf("singleAttention"));
});

for (const family of ["gcc", "clang"] as const) {
  Deno.test(`the driver compiles with ${family} without a warning`, async () => {
    const target = await loadTarget("snitch-ita");
    const directory = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${directory}/soc.h`, socHeader(target));
      for (const file of ["ita.h", "ita.c"]) {
        await Deno.copyFile(new URL(file, folder), `${directory}/${file}`);
      }
      const flags = [
        ...familyFlags[family],
        ...compileFlags(target),
        "-Werror",
        "-Wpedantic",
        "-Wconversion",
      ];
      for (const command of compilerNames[family]) {
        const answer = await run(command, [...flags, "-c", "-o", "ita.o", "ita.c"], directory);
        if (!answer) continue;
        assert.equal(answer.code, 0, answer.errors);
        return;
      }
      console.log(`skipped: no ${family} for RISC-V here`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
