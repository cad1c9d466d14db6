// The emulated cluster beside its RTL: CSRs, traps, atomics and reservations as the test programs print them, and
// single behaviours that those programs do not show.

import assert from "node:assert/strict";
import { readElf } from "../runtime/image/elf.ts";
import { Soc } from "../runtime/soc/soc.ts";
import { sharedPath } from "./shared.ts";
import {
  barrier,
  build,
  cluster,
  clusterRegisters,
  csrr,
  csrw,
  exit,
  hang,
  li,
  onlyHart,
  op,
  put,
  registers,
  run,
  tcdm,
} from "./soc_program.ts";

const { zero, t0, t1, t2, a0, a1, a2, a3, a4 } = registers;
const result = tcdm + 0x1000;

/** Lines that show a cycle counter, or ids of a full DMA queue (cluster-timing/README.md). */
const exempt = [/^write mcycle=0/, /lw perf_cnt0/, /^ids:/];

for (const name of ["sys", "sem"]) {
  Deno.test(`${name} prints what it prints on the RTL`, async () => {
    const folder = sharedPath("data/cluster-timing");
    if (!folder) return;
    let printed = "";
    const console = (text: Uint8Array) => printed += new TextDecoder().decode(text);
    const soc = new Soc(cluster, { testbench: true, console });
    soc.load(readElf(await Deno.readFile(`${folder}/${name}.elf`), name));
    assert.equal(soc.run({ maxCycles: 1_000_000 }).exitCode, 0);
    const lines = (text: string) =>
      text.trimEnd().split("\n").map((line) => exempt.some((each) => each.test(line)) ? "exempt" : line);
    assert.deepEqual(lines(printed), lines(await Deno.readTextFile(`${folder}/${name}.rtl.txt`)));
  });
}

/** The words that hart 0 stores at `result`, one by one, when it runs `words` (results in a0, a1, …). */
function resultsOf(words: number[], count = 1, hart = 0): number[] {
  const stores = Array.from({ length: count }, (_, i) => put(result + 4 * i, a0 + i)).flat();
  const { soc } = run([
    ...onlyHart(hart, [...words, ...stores, ...op("fence"), ...op("addi", { rd: a0 }), ...exit]),
    ...hang,
  ]);
  return Array.from({ length: count }, (_, i) => soc.readUint32(result + 4 * i));
}

Deno.test("a program starts as the boot ROM leaves it", () => {
  const [status, cause, enabled, entry] = resultsOf([
    ...csrr(a0, "mstatus"),
    ...csrr(a1, "mcause"),
    ...csrr(a2, "mie"),
    ...li(t0, clusterRegisters + 0x188),
    ...op("lw", { rd: a3, rs1: t0 }),
  ], 4);
  assert.equal(status, 0x1880);
  assert.equal(cause, 0x8000_0013);
  assert.equal(enabled, 0x8_0008);
  assert.equal(entry, 0x8000_0000);
});

Deno.test("misa and mhartid tell the DMA hart from the workers", () => {
  const read = [...csrr(a0, "misa"), ...csrr(a1, "mhartid")];
  assert.deepEqual(resultsOf(read, 2), [0x4000_1101, 0]);
  assert.deepEqual(resultsOf(read, 2, 8), [0x4080_1101, 8]);
});

Deno.test("one reservation a bank: a second hart cannot take it, and loses", () => {
  // The RTL's answers to all other cases are in `sem` and `sys`.
  const words = [
    ...li(a0, tcdm + 0x100),
    ...op("lr.w", { rd: a1, rs1: a0 }),
    ...op("sc.w", { rd: a2, rs1: a0, rs2: a1 }),
    ...op("sc.w", { rd: a3, rs1: a0, rs2: a1 }),
    ...op("lr.w", { rd: a1, rs1: a0 }),
    ...op("addi", { rd: t2, rs1: a0, imm: 4 }),
    ...op("sc.w", { rd: a4, rs1: t2, rs2: a1 }),
    ...op("addi", { rd: a0, rs1: a2 }),
    ...op("addi", { rd: a1, rs1: a3 }),
    ...op("addi", { rd: a2, rs1: a4 }),
  ];
  assert.deepEqual(resultsOf(words, 3), [0, 1, 0]);
});

Deno.test("harts of different speed count together with an AMO and meet at the barrier", () => {
  const counter = tcdm + 0x200;
  const { soc } = run([
    ...csrr(a2, "mhartid"),
    ...op("addi", { rd: a2, rs1: a2, imm: 1 }),
    ...li(a0, counter),
    ...op("addi", { rd: a1, imm: 1 }),
    // hart h counts h + 1 times
    ...op("amoadd.w", { rd: zero, rs1: a0, rs2: a1 }),
    ...op("addi", { rd: a2, rs1: a2, imm: -1 }),
    ...op("bne", { rs1: a2, rs2: zero, imm: -8 }),
    ...barrier,
    ...onlyHart(0, [...op("lw", { rd: a0, rs1: a0 }), ...exit]),
    ...hang,
  ]);
  assert.equal(soc.readUint32(counter), 45);
});

Deno.test("a write to CL_CLINT_SET wakes a hart, which sees it in mip until it is cleared", () => {
  const set = clusterRegisters + 0x1a0, clear = clusterRegisters + 0x1a8;
  const { soc } = run([
    ...onlyHart(0, [...li(a0, 0x1ff), ...put(clear, a0)]),
    ...op("fence"),
    ...barrier,
    ...onlyHart(1, [
      ...op("wfi"),
      ...csrr(a0, "mip"),
      ...put(result, a0),
      ...li(a1, 2),
      ...put(clear, a1),
      ...op("fence"),
      ...csrr(a0, "mip"),
      ...put(result + 4, a0),
      ...op("fence"),
    ]),
    ...onlyHart(0, [...li(a1, 2), ...put(set, a1)]),
    ...barrier,
    ...op("addi", { rd: a0 }),
    ...onlyHart(0, exit),
    ...hang,
  ]);
  assert.equal(soc.readUint32(result), 1 << 19);
  assert.equal(soc.readUint32(result + 4), 0);
});

Deno.test("an enabled interrupt enters the handler with its cause", () => {
  // MCIP is raised at the entry; enabling interrupts takes it at once.
  const words = [
    ...op("auipc", { rd: t0 }),
    ...op("addi", { rd: t0, rs1: t0, imm: 5 * 4 }),
    ...csrw("mtvec", t0),
    ...op("csrrsi", { rd: zero, csr: 0x300, imm: 8 }),
    ...op("jal", { rd: zero, imm: 0 }),
    ...csrr(a0, "mcause"),
    ...csrr(a1, "mstatus"),
  ];
  assert.deepEqual(resultsOf(words, 2), [0x8000_0013, 0x1880]);
});

Deno.test("memory appears under its alias, zero memory reads zero, registers repeat every 512 bytes", () => {
  const words = [
    ...li(a1, 0x1234_5678),
    ...put(tcdm + 0x40, a1),
    ...li(t0, 0x1800_0040),
    ...op("lw", { rd: a0, rs1: t0 }),
    ...li(t0, 0x1003_0000),
    ...op("sw", { rs1: t0, rs2: a1 }),
    ...op("lw", { rd: a1, rs1: t0 }),
    ...li(t0, clusterRegisters + 0x400),
    ...op("lw", { rd: a2, rs1: t0 }),
  ];
  assert.deepEqual(resultsOf(words, 3), [0x1234_5678, 0, 1]);
});

Deno.test("performance counters count, stop, restart from zero and choose their metric", () => {
  const enable0 = clusterRegisters, select1 = clusterRegisters + 0x88, count0 = clusterRegisters + 0x100;
  const words = [
    ...put(enable0, zero),
    ...put(count0, zero),
    ...op("fence"),
    ...li(t0, count0),
    ...op("lw", { rd: a0, rs1: t0 }),
    // counter 1: retired instructions of hart 0
    ...op("lw", { rd: a1, rs1: t0, imm: 8 }),
    ...Array.from({ length: 10 }, () => op("addi", { rd: zero })).flat(),
    ...op("fence"),
    ...op("lw", { rd: a2, rs1: t0, imm: 8 }),
    ...op("sub", { rd: a1, rs1: a2, rs2: a1 }),
    ...li(t0, select1),
    ...op("lw", { rd: a2, rs1: t0 }),
  ];
  const [stopped, retired, selected] = resultsOf(words, 3);
  assert.equal(stopped, 0);
  assert.ok(retired >= 11 && retired <= 13, `${retired} instructions between the reads`);
  assert.equal(selected, 6 << 16);
});

Deno.test("a run in slices is the same as a run in one piece", () => {
  const words = [
    ...csrr(a0, "mhartid"),
    ...op("slli", { rd: a1, rs1: a0, imm: 6 }),
    ...li(a2, tcdm),
    ...op("add", { rd: a2, rs1: a2, rs2: a1 }),
    ...li(a3, 200),
    ...op("lw", { rd: t1, rs1: a2 }),
    ...op("mul", { rd: t2, rs1: a3, rs2: a3 }),
    ...op("add", { rd: t1, rs1: t1, rs2: t2 }),
    ...op("divu", { rd: t1, rs1: t1, rs2: a3 }),
    ...op("sw", { rs1: a2, rs2: t1 }),
    ...op("amoadd.w", { rd: zero, rs1: a2, rs2: t1 }),
    ...op("addi", { rd: a3, rs1: a3, imm: -1 }),
    ...op("bne", { rs1: a3, rs2: zero, imm: -7 * 4 }),
    ...barrier,
    ...op("addi", { rd: a0 }),
    ...onlyHart(0, exit),
    ...hang,
  ];
  const whole = build(words), sliced = build(words);
  const end = whole.run();
  assert.equal(end.reason, "exit");
  let turns = 0;
  while (sliced.run({ maxCycles: 1 + turns % 7 }).reason === "limit") turns++;
  assert.ok(turns > 1000);
  assert.equal(sliced.cycle, end.cycle);
  assert.deepEqual(sliced.readBytes(tcdm, 1024), whole.readBytes(tcdm, 1024));
  const seen = (soc: Soc) =>
    soc.statistics().map(({ instructions, stalls }) => [instructions, stalls.operand]);
  assert.deepEqual(seen(sliced), seen(whole));
});

Deno.test("a run stops behind the cycle in which a watched word is written, and goes on", () => {
  const soc = build([
    ...onlyHart(0, [
      ...li(a1, 7),
      ...put(result, a1),
      ...li(a1, 8),
      ...put(result, a1),
      ...op("addi", { rd: a0 }),
      ...exit,
    ]),
    ...hang,
  ]);
  const first = soc.run({ stopOnWrite: [result], maxCycles: 1000 });
  assert.equal(first.reason, "write");
  assert.equal(first.address, result);
  assert.equal(soc.readUint32(result), 7);
  assert.equal(soc.run({ stopOnWrite: [result], maxCycles: 1000 }).reason, "write");
  assert.equal(soc.readUint32(result), 8);
  assert.deepEqual(soc.run({ maxCycles: 1000 }).exitCode, 0);
});
