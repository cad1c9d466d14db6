// Programs on the nine harts: what harts do together, and how the emulator ends what goes wrong.

import assert from "node:assert/strict";
import { buildSoc } from "../../runtime/host/build_soc.ts";
import { readElf } from "../../runtime/image/elf.ts";
import { GuestFault } from "../../runtime/soc/fault.ts";
import { loadTarget } from "../../targets/load.ts";
import { findCompiler } from "./compiler.ts";
import { runEmulator } from "./emulator.ts";

for (const program of ["barrier", "counters", "dma", "wakeup"]) {
  Deno.test(`nine harts: ${program}`, async () => {
    const compiler = await findCompiler(`nine harts: ${program}`);
    if (!compiler) return;
    const elf = await compiler.build("cluster", ["start.S", `${program}.c`]);
    const { exitCode } = await runEmulator(elf, "snitch-ita", 5_000_000);
    assert.equal(exitCode, 0, `${program} says ${exitCode}; its source says what that means`);
  });
}

Deno.test("nine harts: console and exit status", async () => {
  const compiler = await findCompiler("nine harts: console");
  if (!compiler) return;
  const elf = await compiler.build("cluster", ["start.S", "console.c"]);
  const { console, exitCode } = await runEmulator(elf, "snitch-ita", 5_000_000);
  assert.equal(console, Array.from({ length: 9 }, (_, hart) => `hart ${hart}\n`).join(""));
  assert.equal(exitCode, 42);
});

Deno.test("nine harts: two runs of one program take the same cycles", async () => {
  const compiler = await findCompiler("nine harts: determinism");
  if (!compiler) return;
  const image = readElf(await compiler.build("cluster", ["start.S", "counters.c"]), "counters");
  const target = await loadTarget("snitch-ita");
  const [first, second] = [1, 2].map(() => {
    const soc = buildSoc(target);
    soc.load(image);
    soc.run({ maxCycles: 5_000_000, limitIsFault: true });
    return soc.statistics();
  });
  assert.deepEqual(first, second);
});

/** A function of mistakes.c, the hart that makes the mistake, and what the message must say. */
const mistakes: [mistake: string, hart: number | undefined, words: RegExp][] = [
  ["deadlock", undefined, /all harts wait.*hart 0 in barrier at .*hart 3 in wfi at deadlock/],
  ["unmapped_load", 5, /\(unmapped_load.*lw .*loads from 0x20000000.*neither memory nor a device/],
  ["unmapped_store", 8, /\(unmapped_store.*sb .*stores to 0x70000003/],
  ["stack_overflow", 0, /\((stack_overflow|descend).*(stores to|loads from) 0x0fff[0-9a-f]{4}/],
  ["jump_into_data", 2, /\(numbers\).*illegal/],
  ["jump_to_nowhere", 1, /pc 0x40000000.*/],
  ["illegal_instruction", 7, /\(illegal_instruction.*illegal 0x00000053.*an illegal instruction/],
  ["dma_on_a_worker", 4, /\(dma_on_a_worker.*dmsrc .*an illegal instruction/],
  ["misaligned_load", 6, /\(misaligned_load.*lw .*misaligned load/],
  ["loop_forever", undefined, /still running after 100000 cycles.*hart 0 at loop_forever/],
  ["environment_call", 0, /\(environment_call.*ecall/],
];

for (const [mistake, hart, words] of mistakes) {
  Deno.test(`nine harts: ${mistake} ends with hart, pc, function and cause`, async () => {
    const compiler = await findCompiler(`nine harts: ${mistake}`);
    if (!compiler) return;
    const elf = await compiler.build("cluster", ["start.S", "mistakes.c"], [`-DMISTAKE=${mistake}`]);
    await assert.rejects(runEmulator(elf, "snitch-ita", 100_000), (error) => {
      assert(error instanceof GuestFault, `${error}`);
      assert.match(error.paragraph, words);
      if (hart !== undefined) {
        assert.equal(error.hart, hart);
        assert.match(error.paragraph, new RegExp(`^hart ${hart}, pc 0x[0-9a-f]{8}`));
      }
      return true;
    });
  });
}
