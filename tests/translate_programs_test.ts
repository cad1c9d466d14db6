// Programs of every kind under fast timing: they print and end as they do under exact timing, on the interpreter tier
// and on the translator alike, to the cycle.

import assert from "node:assert/strict";
import { readElf } from "../runtime/image/elf.ts";
import { loadTarget } from "../targets/load.ts";
import { type Compiler, cPrograms, findCompiler } from "./isa/compiler.ts";
import { architectural, type Outcome, run, type Tier, type Trial } from "./translate_harness.ts";

/** Both ways to run under fast timing agree in everything, and with exact timing in what a program can tell. */
function agree(
  trial: Trial,
  tiers: readonly Tier[] = [{ patience: 20 }, { patience: 1000, quantum: 500 }],
): Outcome {
  const exact = run(trial, "exact");
  for (const tier of tiers) {
    const { quantum } = tier as { quantum?: number };
    const interpreted = run(trial, { quantum, translate: false }), translated = run(trial, tier);
    assert.deepEqual(architectural(translated), architectural(interpreted));
    assert.deepEqual([translated.end, translated.console], [exact.end, exact.console]);
    assert.deepEqual(translated.memory, exact.memory);
  }
  return exact;
}

async function trial(elf: Uint8Array, target: string, spans: Trial["spans"] = []): Promise<Trial> {
  return { target: await loadTarget(target), image: readElf(elf, "program"), spans };
}

function withCompiler(name: string, body: (compiler: Compiler) => Promise<void>): void {
  Deno.test(name, async () => {
    const compiler = await findCompiler(name);
    if (compiler) await body(compiler);
  });
}

for (const program of cPrograms) {
  withCompiler(`fast timing: C program ${program}`, async (compiler) => {
    const elf = await compiler.build("programs", ["start.S", "console.c", `${program}.c`]);
    const { end, console } = agree(await trial(elf, "virt"));
    assert.equal(end, 0);
    assert.notEqual(console, "");
  });
}

for (const program of ["barrier", "counters", "dma", "wakeup"]) {
  withCompiler(`fast timing: nine harts, ${program}`, async (compiler) => {
    const elf = await compiler.build("cluster", ["start.S", `${program}.c`]);
    assert.equal(agree(await trial(elf, "snitch-ita"), [{ patience: 20 }]).end, 0);
  });
}

for (const target of ["virt", "snitch-ita"]) {
  withCompiler(`fast timing: instruction-set tests on ${target}`, async (compiler) => {
    const folder = new URL("isa/riscv/", import.meta.url);
    for (const { name } of Deno.readDirSync(folder)) {
      if (!name.endsWith(".S")) continue;
      const it = { ...await trial(await compiler.build("riscv", [name]), target), maxCycles: 100_000 };
      const tiers = [{ translate: false }, { patience: 5 }].map((tier) => run(it, tier));
      assert.deepEqual(architectural(tiers[1]), architectural(tiers[0]), name);
      assert.equal(typeof tiers[0].end, typeof run(it, "exact").end, name);
      if (typeof tiers[0].end === "number") assert.equal(tiers[0].end, run(it, "exact").end, name);
    }
  });
}

/** Mistakes of tests/isa/cluster/mistakes.c. */
const mistakes = [
  "deadlock",
  "unmapped_load",
  "unmapped_store",
  "stack_overflow",
  "jump_into_data",
  "jump_to_nowhere",
  "illegal_instruction",
  "dma_on_a_worker",
  "misaligned_load",
  "loop_forever",
  "environment_call",
];

for (const mistake of mistakes) {
  withCompiler(`fast timing: ${mistake} ends as under exact timing`, async (compiler) => {
    const elf = await compiler.build("cluster", ["start.S", "mistakes.c"], [`-DMISTAKE=${mistake}`]);
    const it = { ...await trial(elf, "snitch-ita"), maxCycles: 100_000 };
    const [exact, interpreted, translated] = (["exact", { translate: false }, { patience: 20 }] as Tier[])
      .map((tier) => run(it, tier));
    assert.deepEqual(architectural(translated), architectural(interpreted));
    // Times differ, and with them at which of its instructions a loop was stopped.
    const same = ({ end }: Outcome) =>
      `${end}`.replace(/cycle \d+/, "").replace(/^.*still running after \d+ /, "").replaceAll(
        /loop_forever\+0x[0-9a-f]+/g,
        "",
      );
    assert.equal(same(translated), same(exact));
  });
}
