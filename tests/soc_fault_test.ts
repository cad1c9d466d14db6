// What a guest must not do ends in an error that names hart, place and cause; never in a hang.

import assert from "node:assert/strict";
import {
  barrier,
  build,
  cluster,
  codeBase,
  csrr,
  csrw,
  exit,
  faultOf,
  hang,
  li,
  onlyHart,
  op,
  put,
  registers,
  run,
  tcdm,
  virt,
} from "./soc_program.ts";

const { zero, t0, a0, a1 } = registers;
const alone = (words: number[]) => [...onlyHart(3, words), ...hang];

Deno.test("a load from nowhere names hart, pc, function, instruction and address", () => {
  const fault = faultOf(alone([...li(a0, 0x4000_0000), ...op("lw", { rd: a0, rs1: a0, imm: 8 })]));
  assert.equal(fault.hart, 3);
  assert.equal(fault.pc, codeBase + 5 * 4);
  assert.match(fault.where!, /hart 3, pc 0x80000014 \(main\+0x14\), lw a0, 8\(a0\), cycle \d+/);
  assert.match(fault.message, /loads from 0x40000008, where there is neither memory nor a device/);
});

Deno.test("stores to nowhere and to the boot ROM are faults", () => {
  assert.match(faultOf(alone(put(0x2000_0000, zero))).message, /stores to 0x20000000/);
  assert.match(faultOf(alone(put(0x1002_0000, zero))).message, /read-only memory bootrom/);
});

Deno.test("the accelerator's window without an accelerator is a fault that names it", () => {
  assert.match(
    faultOf(alone(put(0x1004_0000, zero))).message,
    /registers of ita, a device that this emulator/,
  );
});

Deno.test("a jump to where there is no code is a fault", () => {
  const fault = faultOf(alone([...li(a0, 0x5000_0000), ...op("jalr", { rs1: a0 })]));
  assert.equal(fault.pc, 0x5000_0000);
  assert.match(fault.message, /fetches an instruction from where there is no memory/);
});

Deno.test("a trap without a handler is a fault, on each kind of SoC", () => {
  assert.match(
    faultOf(alone([0])).message,
    /traps \(an illegal instruction\), and the program has set no trap/,
  );
  assert.match(faultOf(alone(op("ecall"))).message, /traps \(ecall\)/);
  assert.match(faultOf([0], virt).message, /illegal instruction/);
  const misaligned = [...li(a0, tcdm + 2), ...op("lw", { rd: a0, rs1: a0 })];
  assert.match(faultOf(alone(misaligned)).message, /a misaligned load/);
});

Deno.test("Xdma on a worker hart is illegal", () => {
  const fault = faultOf(alone(op("dmsrc", { rs1: a0, rs2: zero })));
  assert.match(fault.where!, /dmsrc a0, zero/);
  assert.match(fault.message, /illegal instruction/);
});

Deno.test("a trap in the first instruction of the handler is a fault, not a loop", () => {
  const words = alone([...li(t0, codeBase + 7 * 4), ...csrw("mtvec", t0), 0, 0]);
  assert.match(faultOf(words).message, /in the first instruction of its trap handler/);
});

Deno.test("harts that wait for each other for ever are a deadlock", () => {
  // Without interrupts enabled: the one that has woken the harts is still raised.
  const fault = faultOf([...onlyHart(2, [...csrw("mie", zero), ...hang]), ...barrier, ...hang]);
  assert.match(fault.message, /all harts wait, and nothing can wake one/);
  assert.match(fault.message, /hart 0 in barrier at main\+0x20/);
  assert.match(fault.message, /hart 2 in wfi at main\+0x14/);
});

Deno.test("a program that returns parks its harts in the boot ROM", () => {
  // MCIP is still raised at the program's entry; without clearing it the ROM would call the program again.
  const clear = [...li(a0, 0x1ff), ...put(0x1002_11a8, a0), ...op("fence"), ...barrier];
  const fault = faultOf([...op("addi", { rd: a1, rs1: registers.ra }), ...clear, ...op("jalr", { rs1: a1 })]);
  assert.match(fault.message, /all harts wait/);
  assert.match(fault.message, /hart 0 in wfi at \?/);
});

Deno.test("a program that never ends meets the limit", () => {
  const fault = faultOf(op("jal", { rd: zero, imm: 0 }));
  assert.match(fault.message, /still running after 100000 cycles/);
  assert.equal(build(op("jal", { rd: zero, imm: 0 })).run({ maxCycles: 100 }).reason, "limit");
});

Deno.test("who meets the limit is a hart that runs, not one that waits for it", () => {
  const { paragraph } = faultOf([...onlyHart(3, op("jal", { rd: zero, imm: 0 })), ...barrier, ...hang]);
  assert.match(paragraph, /^hart 3, .* still running after 100000 cycles: hart 0 in barrier/);
});

Deno.test("DMA to and from nowhere is a fault of the hart that asked for it", () => {
  const from = (source: number, destination: number) =>
    faultOf([
      ...onlyHart(8, [
        ...li(a0, source),
        ...op("dmsrc", { rs1: a0 }),
        ...li(a0, destination),
        ...op("dmdst", { rs1: a0 }),
        ...op("addi", { rd: a0, imm: 64 }),
        ...op("dmcpyi", { rd: a0, rs1: a0 }),
      ]),
      ...hang,
    ]);
  assert.equal(from(0x4000_0000, tcdm).hart, 8);
  assert.match(from(0x4000_0000, tcdm).message, /DMA transfer of 1 × 64 bytes reads from 0x40000000/);
  assert.match(from(tcdm, tcdm + 0x1_fff0).message, /writes to 0x1001fff0, where there is no memory/);
  assert.match(from(tcdm, 0x1002_0000).message, /read only/);
});

Deno.test("an image that lies in no memory is refused", () => {
  assert.throws(
    () => build([]).load({ entry: 0, segments: [segment(0x4000_0000)], symbols: [] }),
    /lies in no memory/,
  );
});

function segment(address: number) {
  return { address, bytes: new Uint8Array(4), memorySize: 4, flags: 5 };
}

Deno.test("a program with a handler takes its traps itself", () => {
  // The handler puts mcause into a1, skips the instruction and returns.
  const handler = [
    ...csrr(a1, "mcause"),
    ...csrr(t0, "mepc"),
    ...op("addi", { rd: t0, rs1: t0, imm: 4 }),
    ...csrw("mepc", t0),
    ...op("mret"),
  ];
  for (const [word, cause] of [[0, 2], [...op("ecall"), 11], [...op("ebreak"), 3], [0x0001_0001, 2]]) {
    const body = [
      ...op("auipc", { rd: t0 }),
      ...op("addi", { rd: t0, rs1: t0, imm: 16 }),
      ...csrw("mtvec", t0),
      ...op("jal", { rd: zero, imm: 4 * (handler.length + 1) }),
      ...handler,
      word,
      ...op("addi", { rd: a0, rs1: a1 }),
      ...exit,
    ];
    assert.equal(run([...onlyHart(0, body), ...hang]).exitCode, cause);
    assert.equal(run(body, virt).exitCode, cause);
  }
});

Deno.test("the SoC is refused what it cannot be", () => {
  const harts = { ...cluster.harts, workers: 32 };
  assert.throws(() => build([], { ...cluster, harts }), /at most 32 harts/);
});
