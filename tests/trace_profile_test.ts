// Profiles: every cycle and every instruction of every hart is counted once, and where it belongs.

import assert from "node:assert/strict";
import { buildSoc } from "../runtime/host/build_soc.ts";
import { readElf } from "../runtime/image/elf.ts";
import { stallCauses } from "../runtime/hart/state.ts";
import { profileLines } from "../runtime/trace/profile_text.ts";
import type { ProfileEntry, ProfileReport } from "../runtime/trace/profile_report.ts";
import { findCompiler } from "./isa/compiler.ts";
import { cluster } from "./soc_program.ts";
import { traced, tracedProgram, type TracedRun } from "./trace_program.ts";

function waitsOf({ waits }: ProfileEntry): number {
  return Object.values(waits).reduce((sum, count) => sum + count, 0);
}

/** Checks what must hold for every profile. */
function checkTotals({ tracer, soc }: TracedRun): ProfileReport {
  const report = tracer.report()!;
  const harts = soc.statistics();
  assert.equal(report.elapsed, soc.cycle);
  assert.equal(report.cycles, harts.length * soc.cycle, "every cycle of every hart is counted once");
  assert.equal(report.instructions, harts.reduce((sum, { instructions }) => sum + instructions, 0));
  for (const entry of [report, ...report.functions, ...report.hotSpots]) {
    assert.equal(entry.cycles, entry.instructions + waitsOf(entry));
  }
  assert.equal(report.functions.reduce((sum, { cycles }) => sum + cycles, 0), report.cycles);
  const cycles = report.functions.map((entry) => entry.cycles);
  assert.deepEqual(cycles, cycles.toSorted((a, b) => b - a));
  return report;
}

Deno.test("a profile counts what can be worked out by hand", () => {
  const run = traced(tracedProgram(), { profile: true });
  const report = checkTotals(run);
  const count = report.functions.find(({ name }) => name === "count")!;
  // In each hart: the first instruction, 20 rounds of two, the return.
  assert.equal(count.instructions, 9 * 42);
  assert.equal(count.waits.barrier, undefined);
  const main = report.functions.find(({ name }) => name === "main")!;
  assert.ok(main.waits.barrier! > 8 * 30, "eight harts wait for the one that copies");
  assert.ok(main.waits.wfi! > 0);
  const loop = report.hotSpots.find(({ symbol }) => symbol === "count+0x4")!;
  assert.equal(loop.instruction, "addi a1, a1, -1");
  assert.equal(loop.instructions, 9 * 20);
  assert.ok(
    report.hotSpots.every(({ instruction }) => !/barrier|wfi/.test(instruction)),
    "waiting is no work",
  );
  const text = profileLines(report).join("\n");
  assert.match(text, /^profile: 9 harts × /);
  assert.match(text, /\n.* count {2}/);
  assert.match(text, /addi a1, a1, -1 +count\+0x4/);
});

Deno.test("a run that is cut off anywhere is counted whole", () => {
  for (const cycles of [1, 2, 17, 60, 61, 62, 100, 133]) {
    const run = traced(tracedProgram(), { profile: true, timeline: true }, cycles);
    assert.equal(run.soc.cycle, cycles);
    checkTotals(run);
  }
});

for (const program of ["barrier", "counters", "dma", "wakeup"]) {
  Deno.test(`a profile is whole: nine harts, ${program}`, async () => {
    const compiler = await findCompiler(`the profile of ${program}`);
    if (!compiler) return;
    const image = readElf(await compiler.build("cluster", ["start.S", `${program}.c`]), program);
    const run = traced(image, { profile: true });
    const report = checkTotals(run);
    // The emulator counts stalls by itself; what a trap or the end of the run cuts off it does not.
    const plain = buildSoc(cluster);
    plain.load(image);
    plain.run({ maxCycles: 5_000_000 });
    for (const cause of stallCauses) {
      const counted = plain.statistics().reduce((sum, { stalls }) => sum + stalls[cause], 0);
      const ours = report.waits[cause] ?? 0;
      const slack = (report.waits.other ?? 0) + 9 * 40;
      // Waits that are still under way at the end are only in ours.
      if (cause !== "wfi") assert.ok(Math.abs(ours - counted) <= slack, `${cause}: ${ours} and ${counted}`);
    }
  });
}
