// Accuracy of fast timing: the programs that were measured on the cluster's RTL, and long runs whose pace the engine
// must find out by looking from time to time, against exact timing.

import assert from "node:assert/strict";
import { loadTarget } from "../targets/load.ts";
import { validateTiming } from "../runtime/validate/timing.ts";
import { readElf } from "../runtime/image/elf.ts";
import { FastHarts } from "../runtime/soc/fast_harts.ts";
import { Soc } from "../runtime/soc/soc.ts";
import { findCompiler } from "./isa/compiler.ts";
import { sharedPath } from "./shared.ts";
import { architectural, run, type Trial } from "./translate_harness.ts";

Deno.test("fast timing: programs measured on the RTL, within the limits and far better on the whole", async () => {
  const folder = sharedPath("data/cluster-timing");
  if (!folder) return console.log("skipped: there is no ../shared/data/cluster-timing");
  const report = await validateTiming(folder, await loadTarget("snitch-ita"), "fast");
  assert.deepEqual(report.programs.filter(({ passed }) => !passed), []);
  assert(report.overall.median <= 0.005, `median ${report.overall.median}`);
  assert(report.overall.percentile95 <= 0.05, `95th percentile ${report.overall.percentile95}`);
});

/** Loops of tests/isa/cluster/steady.c: harts that run them, and how far fast timing may be off. */
const loops: [name: string, harts: number, tolerance: number][] = [
  ["same_bank", 8, 0.03],
  ["same_bank", 2, 0.03],
  ["own_banks", 8, 0.03],
  ["atomics", 8, 0.03],
  ["multiplications", 8, 0.05],
  ["divisions", 8, 0.06],
  ["outside_loads", 8, 0.05],
  ["outside_stores", 8, 0.05],
  ["here_and_there", 8, 0.05],
  ["lock", 2, 0.05],
  ["lock", 8, 0.05],
  ["in_turns", 2, 0.05],
  ["in_turns", 8, 0.05],
  ["far_jumps", 1, 0.03],
  ["far_jumps", 8, 0.06],
  ["calls", 1, 0.06],
  ["beside_dma", 8, 0.08],
];

Deno.test("fast timing keeps the pace of long runs", async (test) => {
  const compiler = await findCompiler("steady");
  if (!compiler) return;
  for (const [name, harts, tolerance] of loops) {
    await test.step(`${name} on ${harts}`, async () => {
      const elf = await compiler.build("cluster", ["start.S", "steady.c"], [
        `-DLOOP=${name}`,
        `-DWORKERS=${harts}`,
      ]);
      const trial: Trial = { target: await loadTarget("snitch-ita"), image: readElf(elf, name), spans: [] };
      // By itself, so little would be over before anything is hot.
      const closely = 256, exact = run(trial, "exact");
      const fast = run(trial, { closely }), interpreted = run(trial, { translate: false, closely });
      assert.equal(exact.end, 0);
      assert.deepEqual(architectural(interpreted), architectural(fast));
      const off = Math.abs(fast.cycle / exact.cycle - 1);
      assert(off <= tolerance, `${fast.cycle} cycles, exactly ${exact.cycle}`);
    });
  }
});

Deno.test("fast timing: a run in pieces is the same as one in one piece", async () => {
  const compiler = await findCompiler("runs in pieces");
  if (!compiler) return;
  const target = await loadTarget("snitch-ita");
  for (const program of ["barrier", "wakeup", "dma"]) {
    const image = readElf(await compiler.build("cluster", ["start.S", `${program}.c`]), program);
    for (const closely of [0, 4]) {
      const outcomes = [Infinity, 1003, 97].map((piece) => {
        const soc = new Soc(target, { engine: new FastHarts(target, { closely }) });
        soc.load(image);
        let result = soc.run({ maxCycles: piece });
        while (result.reason === "limit") result = soc.run({ maxCycles: piece });
        return [
          result.exitCode,
          soc.cycle,
          ...soc.statistics().map(({ instructions, pc }) => `${instructions} ${pc}`),
        ];
      });
      for (const outcome of outcomes) assert.deepEqual(outcome, outcomes[0], `${program}, ${closely}`);
      assert.equal(outcomes[0][0], 0);
    }
  }
});
