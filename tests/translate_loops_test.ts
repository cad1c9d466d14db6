// The translator's checks ahead of loops: random loops that sweep memory with pointers up and down, up to and over the
// ends of memories, across two memories, with stores among code, calls and switches; and harts that race for data.

import assert from "node:assert/strict";
import { readElf } from "../runtime/image/elf.ts";
import type { Image } from "../runtime/image/types.ts";
import { loadTarget } from "../targets/load.ts";
import { Assembler, type Label, x } from "./isa/assembler.ts";
import { writeElf } from "./isa/elf_writer.ts";
import { Random } from "./isa/random.ts";
import { architectural, run, type Trial } from "./translate_harness.ts";

const code = 0x8000_0000, finisher = 0x10_0000;
const barrier = 0x7c2, mhartid = 0xf14;
const [near, far] = [{ base: 0x1000_0000, size: 0x2_0000 }, { base: 0x8000_0000, size: 0x200_0000 }];
const loads = [["lb", 1], ["lbu", 1], ["lh", 2], ["lhu", 2], ["lw", 4]] as const;
const stores = [["sb", 1], ["sh", 2], ["sw", 4]] as const;
/** Registers of loops: pointers, counter, values. */
const pointers = [12, 13, 14, 15], counter = 16, values = [17, 18, 19, 20], scratch = 28;

/** A place for a pointer to start: in the midst of a memory, or daringly near one of its ends. */
function start(random: Random, dataFrom: number, daring: boolean): number {
  const memory = random.pick([near, far]);
  const low = memory === far ? dataFrom : memory.base, high = memory.base + memory.size;
  const middle = low + (high - low) / 2 + 4 * random.below(2000);
  const edge = random.oneIn(2) ? low + 4 * random.below(40) : high - 4 * random.below(300);
  return (daring && random.oneIn(3) ? edge : middle) + (random.oneIn(20) ? random.below(4) : 0);
}

/** A loop of accesses and arithmetic, perhaps with a branch inside, perhaps with a callee. */
function emitLoop(out: Assembler, random: Random, depth: number, callee: Label, dataFrom: number): void {
  const daring = random.oneIn(12);
  const moved = depth === 0 ? pointers : pointers.slice(0, 2);
  for (const pointer of moved) out.constant(pointer, start(random, dataFrom, daring));
  const count = depth === 0 ? counter : counter + 8;
  out.emit("addi", { rd: count, imm: 1 + random.below(random.oneIn(3) ? 300 : 20) });
  const wide = daring ? [64, -64, 2047, -2048] : [16, -16];
  const strides = pointers.map(() => random.pick([0, 1, 1, 2, 4, 4, 8, -1, -4, ...wide]));
  const again = out.label();
  const accesses = 1 + random.below(4);
  for (let i = 0; i < accesses; i++) {
    const k = random.below(pointers.length);
    const [name, bytes] = random.oneIn(3) ? random.pick(stores) : random.pick(loads);
    const imm = bytes * (random.below(9) - 4);
    const value = random.pick(values);
    out.emit(
      name,
      name.startsWith("s") ? { rs1: pointers[k], rs2: value, imm } : { rd: value, rs1: pointers[k], imm },
    );
    if (random.oneIn(3)) out.emit("addi", { rd: pointers[k], rs1: pointers[k], imm: strides[k] });
    if (random.oneIn(3)) out.emit("add", { rd: values[0], rs1: values[0], rs2: value });
  }
  if (random.oneIn(2)) {
    const over = out.label(false);
    out.branch(random.pick(["beq", "blt", "bgeu"]), { rs1: values[0], rs2: values[1] }, over);
    out.emit("addi", { rd: pointers[0], rs1: pointers[0], imm: strides[0] });
    out.emit("xor", { rd: values[1], rs1: values[1], rs2: values[0] });
    out.bind(over);
  }
  if (random.oneIn(4)) out.jump(callee, x.ra);
  if (depth === 0 && random.oneIn(3)) emitLoop(out, random, 1, callee, dataFrom);
  for (const [k, pointer] of pointers.entries()) {
    if (random.oneIn(2)) out.emit("addi", { rd: pointer, rs1: pointer, imm: strides[k] });
  }
  out.emit("addi", { rd: count, rs1: count, imm: -1 });
  out.branch("bne", { rs1: count, rs2: 0 }, again);
}

/** Goes to one of four places by the low bits of a value: a switch. */
function emitSwitch(out: Assembler): void {
  out.emit("andi", { rd: scratch, rs1: values[0], imm: 24 });
  out.emit("auipc", { rd: 29, imm: 0 });
  out.emit("add", { rd: scratch, rs1: scratch, rs2: 29 });
  out.emit("jalr", { rs1: scratch, imm: 12 });
  for (let i = 0; i < 4; i++) {
    out.emit("addi", { rd: values[2], rs1: values[2], imm: i * 3 + 1 });
    out.emit("xori", { rd: values[0], rs1: values[0], imm: 8 * i + 1 });
  }
}

/** Where misaligned accesses trap, the handler steps over them. */
function emitHandler(out: Assembler, handler: Label): void {
  out.bind(handler);
  out.emit("csrrw", { rd: scratch, rs1: scratch, csr: 0x340 });
  out.emit("csrrs", { rd: scratch, csr: 0x341 });
  out.emit("addi", { rd: scratch, rs1: scratch, imm: 4 });
  out.emit("csrrw", { rs1: scratch, csr: 0x341 });
  out.emit("csrrw", { rd: scratch, rs1: scratch, csr: 0x340 });
  out.emit("mret");
}

/** What a hart does in the end: all come together, one ends the program. */
function emitEnd(out: Assembler): void {
  out.emit("fence");
  out.emit("csrrs", { csr: barrier });
  out.constant(x.t0, finisher);
  out.constant(x.t1, 0x5555);
  out.emit("sw", { rs1: x.t0, rs2: x.t1 });
  out.jump(out.label());
}

function imageOf(out: Assembler): Image {
  return readElf(writeElf({ entry: code, segments: [{ address: code, bytes: out.bytes() }] }), "loops");
}

/** Each hart runs loops of its own over memory that all share. */
function program(seed: number, loops: number, dataFrom: number): Image {
  const random = new Random(seed);
  const out = new Assembler(code);
  const callee = out.label(false), handler = out.label(false);
  out.address(x.t0, handler);
  out.emit("csrrw", { rs1: x.t0, csr: 0x305 });
  out.emit("csrrs", { rd: x.t0, csr: mhartid });
  const starts = Array.from({ length: 9 }, () => out.label(false));
  for (const [hart, label] of starts.entries()) {
    const next = out.label(false);
    out.emit("addi", { rd: x.t1, imm: hart });
    out.branch("bne", { rs1: x.t0, rs2: x.t1 }, next);
    out.jump(label);
    out.bind(next);
  }
  out.bind(callee);
  out.emit("slli", { rd: scratch, rs1: values[3], imm: 3 });
  out.emit("add", { rd: values[3], rs1: scratch, rs2: values[0] });
  out.emit("jalr", { rs1: x.ra });
  emitHandler(out, handler);
  for (const label of starts) {
    out.bind(label);
    for (const value of values) out.constant(value, random.word());
    for (let i = 0; i < loops; i++) {
      emitLoop(out, random, 0, callee, dataFrom);
      emitSwitch(out);
    }
    emitEnd(out);
  }
  return imageOf(out);
}

async function trial(image: Image): Promise<Trial> {
  const spans = [[near.base, near.size], [far.base, 0x8_0000], [
    far.base + far.size - 0x8000,
    0x8000,
  ]] as const;
  return { target: await loadTarget("snitch-ita"), image, spans, maxCycles: 5_000_000 };
}

const firstSeed = Number(Deno.env.get("ATTOFLOW_SEED") ?? 1);
let instructions = 0, faults = 0, dropped = 0, regions = 0;

/** Data begins behind the code, or in its midst. */
const behindCode = 0x8010_0000, amongCode = 0x8000_1000;

for (let i = 0; i < 24; i++) {
  const dataFrom = i % 4 === 3 ? amongCode : behindCode;
  Deno.test(`racing loops from seed ${firstSeed + i}`, async () => {
    const it = await trial(program(firstSeed + i, 6, dataFrom));
    // Without the exact pipelines, and with many changes from them to the tiers and back.
    for (const [closely, patience] of [[0, i % 2 === 0 ? 50 : 500], [1 + i % 4, 50]]) {
      const interpreted = run(it, { closely, translate: false });
      const translated = run(it, { closely, patience });
      assert.deepEqual(architectural(translated), architectural(interpreted));
      regions += translated.regions;
      dropped += translated.dropped;
      instructions += interpreted.instructions.reduce((sum, each) => sum + each, 0);
      if (typeof interpreted.end === "string") faults++;
    }
  });
}

Deno.test("the loops were worth it", () => {
  console.log(`${instructions} instructions, ${regions} regions, ${dropped} dropped, ${faults} faults`);
  assert(instructions > 500_000 && regions > 500 && faults > 0, `${instructions} ${regions} ${faults}`);
});
