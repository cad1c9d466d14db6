// The translator against the interpreter tier on random programs: traps, devices, self-modifying code, reservations,
// on one hart and on nine. Everything must agree to the cycle; and with exact timing in all but time.

import assert from "node:assert/strict";
import { readElf } from "../runtime/image/elf.ts";
import { loadTarget } from "../targets/load.ts";
import { Assembler, type Label, x } from "./isa/assembler.ts";
import { writeElf } from "./isa/elf_writer.ts";
import { makeSequence } from "./isa/generator.ts";
import { Random } from "./isa/random.ts";
import { dataBytes, emitProgram, type Sequence } from "./isa/random_program.ts";
import { architectural, MemoryCache, run, type Trial } from "./translate_harness.ts";

const address = { code: 0x8000_0000, data: 0x8040_0000, finisher: 0x10_0000 };
/** Room for the data windows and the results of all harts. */
const dataSize = 0x4_0000, resultsOffset = 0x2_0000;

/** Writes a sequence list that runs `rounds` times, its data at `data`. */
function emitRounds(
  code: Assembler,
  sequences: readonly Sequence[],
  place: { data: number; results: number; mtval: boolean; rounds: number },
  finish: () => void,
): void {
  const counter = place.data + dataBytes;
  const again = code.label();
  const placement = { data: place.data, full: false, results: place.results, mtval: place.mtval };
  emitProgram(code, sequences, placement, () => {
    const done = code.label(false);
    code.constant(x.t0, counter);
    code.emit("lw", { rd: x.t1, rs1: x.t0 });
    code.emit("addi", { rd: x.t1, rs1: x.t1, imm: 1 });
    code.emit("sw", { rs1: x.t0, rs2: x.t1 });
    code.constant(x.t2, place.rounds);
    code.branch("beq", { rs1: x.t1, rs2: x.t2 }, done);
    code.jump(again);
    code.bind(done);
    finish();
  });
}

function emitExit(code: Assembler): void {
  code.constant(x.t0, address.finisher);
  code.constant(x.t1, 0x5555);
  code.emit("sw", { rs1: x.t0, rs2: x.t1 });
  code.jump(code.label());
}

function image(code: Assembler) {
  const data = { address: address.data, bytes: new Uint8Array(0), memorySize: dataSize };
  const segments = [{ address: address.code, bytes: code.bytes() }, data];
  return readElf(writeElf({ entry: address.code, segments }), "random program");
}

function sequence(seed: number, items: number, standard: boolean, reservations: boolean): Sequence {
  const random = new Random(seed);
  const user = random.oneIn(4);
  const features = { misaligned: standard, standard, reservations };
  return { seed, user, items: makeSequence(random, items, features) };
}

/** A program for the machine with one hart. */
async function single(seed: number, sequences: number, rounds: number): Promise<Trial> {
  const code = new Assembler(address.code);
  const list = Array.from({ length: sequences }, (_, i) => sequence(seed + i, 120, true, true));
  const place = { data: address.data, results: address.data + resultsOffset, mtval: true, rounds };
  emitRounds(code, list, place, () => emitExit(code));
  return {
    target: await loadTarget("virt"),
    image: image(code),
    spans: [[address.data, dataSize], [address.code, code.here - address.code]],
  };
}

/** Nine programs for the cluster; the last to end ends them all. */
async function cluster(seed: number, sequences: number, rounds: number, data: number): Promise<Trial> {
  const harts = 9;
  const code = new Assembler(address.code);
  const starts: Label[] = Array.from({ length: harts }, () => code.label(false));
  code.emit("csrrs", { rd: x.t0, csr: 0xf14 });
  for (const [hart, start] of starts.entries()) {
    const next = code.label(false);
    code.emit("addi", { rd: x.t1, imm: hart });
    code.branch("bne", { rs1: x.t0, rs2: x.t1 }, next);
    code.address(x.t1, start);
    code.emit("jalr", { rs1: x.t1 });
    code.bind(next);
  }
  for (const [hart, start] of starts.entries()) {
    code.bind(start);
    const list = Array.from(
      { length: sequences },
      (_, i) => sequence(seed + 100 * hart + i, 80, false, false),
    );
    const results = address.data + resultsOffset + 256 * hart;
    emitRounds(code, list, { data: data + 2048 * hart, results, mtval: false, rounds }, () => {
      code.emit("fence");
      code.emit("csrrs", { rd: 0, csr: 0x7c2 });
      emitExit(code);
    });
  }
  return {
    target: await loadTarget("snitch-ita"),
    image: image(code),
    spans: [[address.data, dataSize], [address.code, code.here - address.code], [0x1000_0000, 0x2_0000]],
  };
}

// Always the same, unless ATTOFLOW_SEED says otherwise.
const firstSeed = Number(Deno.env.get("ATTOFLOW_SEED") ?? 1);

/**
 * Runs a trial on the interpreter tier, on the translator, with what earlier runs have kept and with exact timing.
 * Returns the instructions.
 */
function compare(trial: Trial, quantum: number | undefined, patience: number, closely = 0): number {
  const interpreted = run(trial, { translate: false, quantum, closely });
  const cache = new MemoryCache(), kept = { quantum, patience, closely, cache };
  const [translated, second, third] = [
    run(trial, kept),
    run(trial, kept),
    run(trial, { ...kept, patience: 1 }),
  ];
  for (const each of [translated, second, third]) {
    assert.deepEqual(architectural(each), architectural(interpreted));
  }
  assert.equal(interpreted.end, 0);
  assert(translated.regions > 5, `only ${translated.regions} regions were translated`);
  assert(second.reused > 0 && second.reusedBlocks > 100, "nothing was taken over from an earlier run");
  const exact = run(trial, "exact");
  assert.deepEqual([exact.end, exact.memory], [0, interpreted.memory]);
  return interpreted.instructions.reduce((sum, each) => sum + each, 0);
}

let total = 0;

for (const [i, patience] of [10, 100, 400].entries()) {
  for (const quantum of [undefined, 777]) {
    const seed = firstSeed + 100 * i;
    Deno.test(`random programs from seed ${seed}, translated after ${patience}, quantum ${quantum ?? "free"}`, async () => {
      const instructions = compare(await single(seed, 16, 20), quantum, patience);
      total += instructions;
      console.log(`${instructions} instructions agree`);
    });
  }
}

for (const closely of [0, 3]) {
  for (const [name, data] of [["L1", 0x1000_0000], ["L2", address.data]] as const) {
    const first = closely === 0 ? "" : `, code exact until it was seen ${closely} times`;
    Deno.test(`nine random programs at once, data in ${name}${first}`, async () => {
      const instructions = compare(await cluster(firstSeed, 4, 15, data), undefined, 100, closely);
      total += instructions;
      console.log(`${instructions} instructions agree`);
    });
  }
}

Deno.test("that was a million instructions", () => {
  assert(total >= 1e6, `only ${total} instructions`);
});
