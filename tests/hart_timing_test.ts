// Cycle costs of single instructions and of short sequences, as snitch-cluster.md gives them (sections 2 to 5 and 8).
// The whole sets of programs that ran on the RTL are in conformance/timing_test.ts.

import assert from "node:assert/strict";
import { nextPointer, winner } from "../runtime/soc/arbiter.ts";
import {
  barrier,
  cluster,
  codeBase,
  csrr,
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

const { zero, t1, t2, a0, a1, a2, a3, a4 } = registers;
const result = tcdm + 0x1000;
const [s2, s3, s4, s5] = [18, 19, 20, 21];

/** Cycles of `body` on one hart with warm caches: from one read of mcycle to the next, less 1. */
function cyclesOf(setup: number[], body: number[], target = cluster): number {
  const timed = [...csrr(s2, "mcycle"), ...body, ...csrr(s3, "mcycle")];
  const loop = [...op("fence"), ...timed, ...op("addi", { rd: s4, rs1: s4, imm: -1 })];
  const { soc } = run([
    ...onlyHart(0, [
      ...setup,
      ...op("addi", { rd: s4, imm: 3 }),
      ...loop,
      ...op("bne", { rs1: s4, rs2: zero, imm: -4 * loop.length }),
      ...op("sub", { rd: s5, rs1: s3, rs2: s2 }),
      ...put(result, s5),
      ...op("fence"),
      ...op("addi", { rd: a0 }),
      ...exit,
    ]),
    ...hang,
  ], target);
  return soc.readUint32(result) - 1;
}

const inTcdm = li(a2, tcdm), inL2 = li(a2, codeBase + 0x10_0000);
const lw = op("lw", { rd: a3, rs1: a2 }), sw = op("sw", { rs1: a2, rs2: zero });
const use = op("addi", { rd: a4, rs1: a3 });
const addi = op("addi", { rd: t1, rs1: t2, imm: 1 }), nop = op("addi", { rd: zero });
const times = (count: number, words: number[]) => Array.from({ length: count }, () => words).flat();

Deno.test("independent instructions take a cycle each, taken jumps too", () => {
  assert.equal(cyclesOf([], times(16, addi)), 16);
  assert.equal(cyclesOf([], times(8, op("jal", { rd: zero, imm: 4 }))), 8);
  assert.equal(cyclesOf([], times(8, op("fence"))), 8);
});

Deno.test("a load is usable after 4 cycles, from outside after 11, a register after 8", () => {
  assert.equal(cyclesOf(inTcdm, [...lw, ...use]), 5);
  assert.equal(cyclesOf(inL2, [...lw, ...use]), 12);
  assert.equal(cyclesOf(li(a2, 0x1002_1180), [...lw, ...use]), 9);
});

Deno.test("results wait for a cycle in which the write port is free", () => {
  // Section 2.1: k addi between load and use take max(5, k + 3), k nops max(5, k + 2).
  for (const [k, cycles] of [[0, 5], [2, 5], [3, 6], [7, 10]]) {
    assert.equal(cyclesOf(inTcdm, [...lw, ...times(k, addi), ...use]), cycles, `${k} addi`);
  }
  for (const [k, cycles] of [[0, 5], [3, 5], [4, 6], [7, 9]]) {
    assert.equal(cyclesOf(inTcdm, [...lw, ...times(k, nop), ...use]), cycles, `${k} nop`);
  }
  assert.equal(cyclesOf(inTcdm, [...lw, ...times(4, addi), ...sw, ...use]), 7, "a store frees the port");
});

Deno.test("stores are posted; a fence waits for their acknowledge", () => {
  assert.equal(cyclesOf(inTcdm, times(16, sw)), 16);
  assert.equal(cyclesOf(inTcdm, [...sw, ...op("fence")]), 5);
  assert.equal(cyclesOf(inL2, [...sw, ...op("fence")]), 13);
});

Deno.test("a load behind a store to the outside waits for its acknowledge", () => {
  const store = op("sw", { rs1: t1, rs2: zero });
  const setup = [...inTcdm, ...li(t1, codeBase + 0x10_0000)];
  assert.equal(cyclesOf(setup, [...store, ...lw, ...use]), 1 + 12 + 1);
});

Deno.test("multiplication, division and atomics", () => {
  const mul = op("mul", { rd: a3, rs1: a0, rs2: a1 }), div = op("div", { rd: a3, rs1: a0, rs2: a1 });
  const operands = [...li(a0, 1000), ...li(a1, 7)];
  assert.equal(cyclesOf(operands, [...mul, ...use]), 5);
  assert.equal(cyclesOf(operands, [...div, ...use]), 13);
  assert.equal(cyclesOf([...li(a0, 5), ...li(a1, 0)], [...div, ...use]), 38);
  assert.equal(cyclesOf(inTcdm, [...op("amoadd.w", { rd: a3, rs1: a2, rs2: zero }), ...use]), 5);
});

Deno.test("one load outstanding makes loads issue every fourth cycle", () => {
  const { harts } = cluster;
  const slow = { ...cluster, harts: { ...harts, core: { ...harts.core, outstandingLoads: 1 } } };
  const loads = [3, 4, 5, 6].flatMap((i) => op("lw", { rd: 22 + i, rs1: a2, imm: 8 * i }));
  assert.equal(cyclesOf(inTcdm, loads), 4);
  assert.equal(cyclesOf(inTcdm, loads, slow), 1 + 3 * 4);
});

Deno.test("a branch also waits for the register that its immediate names", () => {
  // Section 8, rule 1: the field of an offset of 8 is register 8.
  const load = op("lw", { rd: 8, rs1: a2 });
  const branch = op("beq", { rs1: zero, rs2: zero, imm: 8 });
  assert.equal(cyclesOf(inTcdm, [...load, ...branch, ...nop]), 5);
  assert.equal(cyclesOf(inTcdm, [...op("lw", { rd: 9, rs1: a2 }), ...branch, ...nop]), 2);
});

Deno.test("all harts go on two cycles behind the last arrival at the barrier", () => {
  const slot = (index: number) => result + 4 * index;
  const arrive = [...csrr(s2, "mcycle"), ...csrr(zero, "barrier"), ...csrr(s3, "mcycle")];
  const late = [...op("addi", { rd: a1, imm: 50 }), ...op("addi", { rd: a1, rs1: a1, imm: -1 })];
  const { soc } = run([
    ...barrier,
    ...barrier,
    // Hart 0 comes last.
    ...onlyHart(0, [...late, ...op("bne", { rs1: a1, rs2: zero, imm: -4 })]),
    ...arrive,
    ...onlyHart(0, [...put(slot(0), s2), ...put(slot(1), s3)]),
    ...onlyHart(5, put(slot(2), s3)),
    ...barrier,
    ...op("addi", { rd: a0 }),
    ...onlyHart(0, exit),
    ...hang,
  ]);
  const [before, after, other] = [0, 1, 2].map((i) => soc.readUint32(slot(i)));
  // One cycle from the read of mcycle to the arrival.
  assert.equal(after - before, 1 + 2);
  assert.equal(other, after);
});

Deno.test("eight harts on one bank share it evenly, one access a cycle", () => {
  const { soc } = run([
    ...csrr(a1, "mhartid"),
    ...op("slli", { rd: a3, rs1: a1, imm: 8 }),
    ...li(a2, tcdm),
    ...op("add", { rd: a2, rs1: a2, rs2: a3 }),
    ...barrier,
    ...csrr(s2, "mcycle"),
    ...times(16, [3, 4, 5, 6].flatMap((i) => op("lw", { rd: 22 + i, rs1: a2 }))),
    ...op("fence"),
    ...csrr(s3, "mcycle"),
    ...op("sub", { rd: s3, rs1: s3, rs2: s2 }),
    ...li(a3, result),
    ...op("slli", { rd: a1, rs1: a1, imm: 3 }),
    ...op("add", { rd: a3, rs1: a3, rs2: a1 }),
    ...op("sw", { rs1: a3, rs2: s3 }),
    ...barrier,
    ...op("addi", { rd: a0 }),
    ...onlyHart(0, exit),
    ...hang,
  ]);
  // Nine harts with 64 accesses each; what is above that is the first fetch and the way of the last answer.
  const cycles = Array.from({ length: 9 }, (_, hart) => soc.readUint32(result + 8 * hart));
  assert.ok(Math.min(...cycles) >= 9 * 64 - 20 && Math.max(...cycles) <= 9 * 64 + 30, cycles.join(" "));
});

Deno.test("the arbiter walks its tree and moves its pointer as section 8 says", () => {
  assert.equal(winner(0b0100, 0, 4), 2, "a single request wins");
  assert.equal(winner(0b0110, 0, 4), 1, "bits of the pointer that are 0 prefer the lower half");
  assert.equal(winner(0b0110, 2, 4), 2);
  assert.equal(winner(0b1_0000_0001, 8, 4), 8);
  assert.equal(nextPointer(0b0110, 0), 1, "the smallest requester above the pointer");
  assert.equal(nextPointer(0b0110, 1), 2);
  assert.equal(nextPointer(0b0110, 2), 1, "or the smallest of all");
  // Everybody who keeps asking is served in turn.
  let pointer = 0;
  const served = Array.from({ length: 9 }, () => {
    const port = winner(0b1_1111_1111, pointer, 4);
    pointer = nextPointer(0b1_1111_1111, pointer);
    return port;
  });
  assert.equal(new Set(served).size, 9);
});
