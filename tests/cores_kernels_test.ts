// The C kernels of the worker cores against the operators' reference meaning: random applications of every operator,
// cut as the mapping allows, every core's share one after the other, built with the compiler that is found and run
// on the project's emulator. Shows that pieces, parameters and C agree, for RISC-V code as it will run.

import assert from "node:assert/strict";
import { coresMapping } from "../targets/engines/cores/mapping.ts";
import { loadTarget } from "../targets/load.ts";
import { compileFlags, compilerNames, familyFlags } from "../src/emit/makefile.ts";
import { operators } from "../src/operators/registry.ts";
import { run } from "../src/toolchain/run.ts";
import { KernelProgram, Random } from "./cores_harness.ts";
import { runProgram } from "./cores_runner.ts";
import { makeTrial } from "./cores_trials.ts";

const path = (relative: string) => decodeURIComponent(new URL(relative, import.meta.url).pathname);
const kernels = path("../targets/engines/cores/kernels/");
const trialsPerOperator = 16;

/** Operators without work for the cores: other names for the same bytes, and what passes fuse for ITA alone. */
const notForCores = new Set([
  "Reshape",
  "Identity",
  "Flatten",
  "Squeeze",
  "Unsqueeze",
  "RequantizedProductSum",
  "RequantizedAttention",
]);

Deno.test("the cores serve every operator, and every mapping is tried here", () => {
  for (const name of operators.keys()) {
    if (notForCores.has(name)) continue;
    assert.ok(coresMapping.mappings.has(name), `no mapping for ${name}`);
    assert.ok(name in makeTrial, `no trial of ${name}`);
  }
});

Deno.test("kernels give what the operators mean", async () => {
  const cluster = await loadTarget("snitch-ita");
  const random = new Random(2408);
  const program = new KernelProgram(cluster, random);
  for (const make of Object.values(makeTrial)) {
    for (let i = 0; i < trialsPerOperator; i++) program.add(make(random));
  }

  assert.deepEqual(await runProgram(program), []);
});

for (const family of ["gcc", "clang"] as const) {
  Deno.test(`every kernel compiles with ${family} without a warning`, async () => {
    const target = await loadTarget("snitch-ita");
    const sources = [...Deno.readDirSync(kernels)].map(({ name }) => name).filter((name) =>
      name.endsWith(".c")
    );
    assert.ok(sources.length > 10);
    const flags = [...familyFlags[family], ...compileFlags(target), "-Werror", "-Wconversion", "-Wshadow"];
    const directory = await Deno.makeTempDir();
    try {
      for (const command of compilerNames[family]) {
        const answer = await run(
          command,
          [...flags, "-c", ...sources.map((name) => kernels + name)],
          directory,
        );
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
