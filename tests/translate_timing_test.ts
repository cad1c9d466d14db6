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
import { cluster, codeBase, exit, image, li, op, registers, virt } from "./soc_program.ts";
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
  ["no_wait", 8, 0.08],
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
      const early = run(trial, { patience: 50, closely });
      assert.equal(exact.end, 0);
      assert.deepEqual(architectural(interpreted), architectural(fast));
      assert.deepEqual(architectural(early), architectural(fast));
      const off = Math.abs(fast.cycle / exact.cycle - 1);
      assert(off <= tolerance, `${fast.cycle} cycles, exactly ${exact.cycle}`);
    });
  }
});

Deno.test("fast timing: a run of one hart in pieces is the same, whether or not it begins cycle by cycle", () => {
  const { t0, t1, t2, a0 } = registers;
  const rounds = (words: number[]) => [
    ...li(t1, 20_000),
    ...words,
    ...op("addi", { rd: t1, rs1: t1, imm: -1 }),
    ...op("bne", { rs1: t1, imm: -4 * (words.length + 1) }),
  ];
  const load = op("lw", { rd: t2, rs1: t0 }), store = op("sw", { rs1: t0, rs2: t2 });
  const words = [
    ...li(t0, codeBase + 0x2000),
    ...rounds([...load, ...op("mul", { rd: a0, rs1: t2, rs2: t2 }), ...store]),
    ...rounds(op("divu", { rd: a0, rs1: t1, rs2: t2 })),
    ...rounds([...load, ...load, ...store, ...store]),
    ...li(a0, 0),
    ...exit,
  ];
  const { instructionCache } = cluster.harts.core;
  const cached = { ...virt, harts: { ...virt.harts, core: { ...virt.harts.core, instructionCache } } };
  for (
    const [target, closely] of [[virt, undefined], [virt, 16], [cached, undefined], [cached, 16]] as const
  ) {
    const ends = [Infinity, 65536, 1003, 97].map((piece) => {
      const soc = new Soc(target, { engine: new FastHarts(target, { closely }) });
      soc.load(image(words));
      let result = soc.run({ maxCycles: piece });
      while (result.reason === "limit") result = soc.run({ maxCycles: piece });
      return [result.exitCode, soc.cycle, soc.statistics()[0].instructions];
    });
    for (const end of ends) assert.deepEqual(end, ends[0]);
    assert.equal(ends[0][0], 0);
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
