// The instruction table: every word is at most one instruction, operands survive encoding, meanings are those of the
// RISC-V specification.

import assert from "node:assert/strict";
import { disassemble } from "../runtime/hart/disassemble.ts";
import {
  decode,
  encode,
  fieldsOf,
  immediateRange,
  type Operands,
  operandsOfWord,
} from "../runtime/hart/encoding.ts";
import { compute, modify } from "../runtime/hart/execute.ts";
import { dmaExtensions, instructions, workerExtensions } from "../runtime/hart/instructions.ts";
import { divisionCycles } from "../runtime/hart/offload.ts";

/** A small generator of numbers that are the same in every run (xorshift32). */
function randomWords(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function randomOperands(format: Parameters<typeof fieldsOf>[0], random: () => number): Operands {
  const operands: Operands = {};
  for (const field of fieldsOf(format)) {
    if (field === "csr") operands.csr = random() & 0xfff;
    else if (field === "imm") {
      const { min, max, step } = immediateRange(format)!;
      operands.imm = min + step * (random() % ((max - min) / step + 1));
    } else operands[field] = random() & 31;
  }
  return operands;
}

Deno.test("operands survive encoding, for every instruction", () => {
  const random = randomWords(1);
  for (const instruction of instructions) {
    for (let trial = 0; trial < 200; trial++) {
      const operands = randomOperands(instruction.format, random);
      const word = encode(instruction.name, operands);
      assert.equal(decode(word)?.name, instruction.name);
      assert.deepEqual(
        operandsOfWord(word, instruction.format),
        { rd: 0, rs1: 0, rs2: 0, imm: 0, csr: 0, ...operands },
        `${instruction.name} 0x${word.toString(16)}`,
      );
    }
  }
});

Deno.test("no word is two instructions", () => {
  for (const a of instructions) {
    for (const b of instructions) {
      if (a === b) continue;
      assert.notEqual((a.match ^ b.match) & a.mask & b.mask, 0, `${a.name} and ${b.name}`);
    }
  }
});

Deno.test("illegal words and 16-bit parcels are no instructions", () => {
  assert.equal(decode(0), undefined);
  assert.equal(decode(0xffff_ffff), undefined);
  assert.equal(decode(0x0000_0053), undefined, "fadd.s");
  const random = randomWords(2);
  for (let trial = 0; trial < 10_000; trial++) {
    const word = random();
    if ((word & 3) !== 3) assert.equal(decode(word), undefined);
  }
  // Shifts by 32 and more, and reserved funct7 of register operations.
  assert.equal(decode(encode("slli", { rd: 1, rs1: 1 }) | 1 << 25), undefined);
  assert.equal(decode(encode("add") | 0x10 << 25), undefined);
});

Deno.test("a worker hart has no Xdma", () => {
  assert.equal(decode(encode("dmsrc", { rs1: 1, rs2: 2 }), workerExtensions), undefined);
  assert.equal(decode(encode("dmsrc", { rs1: 1, rs2: 2 }), dmaExtensions)?.name, "dmsrc");
});

Deno.test("encodings are those of the specification", () => {
  assert.equal(encode("addi", { rd: 1, rs1: 2, imm: -1 }), 0xfff1_0093);
  assert.equal(encode("lw", { rd: 10, rs1: 2, imm: 12 }), 0x00c1_2503);
  assert.equal(encode("sw", { rs1: 2, rs2: 10, imm: -4 }), 0xfea1_2e23);
  assert.equal(encode("beq", { rs1: 1, rs2: 2, imm: -8 }), 0xfe20_8ce3);
  assert.equal(encode("jal", { rd: 1, imm: 2048 }), 0x0010_00ef);
  assert.equal(encode("lui", { rd: 5, imm: 0x12345 << 12 }), 0x1234_52b7);
  assert.equal(encode("csrrw", { rd: 0, rs1: 5, csr: 0x305 }), 0x3052_9073);
  assert.equal(encode("dmcpyi", { rd: 10, rs1: 11, imm: 2 }), 0x0425_852b);
  assert.throws(() => encode("addi", { imm: 2048 }), /does not fit/);
  assert.throws(() => encode("beq", { imm: 3 }), /does not fit/);
  assert.throws(() => encode("fmul.s"), /no instruction/);
});

Deno.test("the disassembler names registers, targets and CSRs", () => {
  assert.equal(disassemble(0xfff1_0093), "addi ra, sp, -1");
  assert.equal(disassemble(0xfe20_8ce3, 0x8000_0010), "beq ra, sp, 0x80000008");
  assert.equal(disassemble(encode("csrrs", { rd: 10, csr: 0xf14 })), "csrrs a0, mhartid, zero");
  assert.equal(disassemble(encode("amoadd.w", { rd: 1, rs1: 2, rs2: 3 })), "amoadd.w ra, gp, (sp)");
  assert.equal(disassemble(0), "illegal 0x00000000");
});

Deno.test("reads and writes follow from the meaning", () => {
  const named = (name: string) => instructions.find((each) => each.name === name)!;
  assert.deepEqual(named("lui").reads, []);
  assert.deepEqual(named("sw").reads, ["rs1", "rs2"]);
  assert.equal(named("sw").writes, false);
  assert.deepEqual(named("csrrwi").reads, []);
  assert.equal(named("amoadd.w").writes, true);
  assert.equal(named("dmsrc").writes, false);
  assert.equal(named("dmstati").writes, true);
});

const edge = [
  0,
  1,
  -1,
  2,
  -2,
  7,
  31,
  32,
  0x7fff_ffff,
  -0x8000_0000,
  0x1234_5678,
  -0x1234_5678,
  0xffff,
  0x1_0000,
];

/** What the specification says, in integers without end. */
const exact: Record<string, (a: bigint, b: bigint, ua: bigint, ub: bigint) => bigint> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  sll: (a, _b, _ua, ub) => a << (ub & 31n),
  srl: (_a, _b, ua, ub) => ua >> (ub & 31n),
  sra: (a, _b, _ua, ub) => a >> (ub & 31n),
  slt: (a, b) => a < b ? 1n : 0n,
  sltu: (_a, _b, ua, ub) => ua < ub ? 1n : 0n,
  xor: (a, b) => a ^ b,
  or: (a, b) => a | b,
  and: (a, b) => a & b,
  mul: (a, b) => a * b,
  mulh: (a, b) => (a * b) >> 32n,
  mulhsu: (a, _b, _ua, ub) => (a * ub) >> 32n,
  mulhu: (_a, _b, ua, ub) => (ua * ub) >> 32n,
  div: (a, b) => b === 0n ? -1n : a / b,
  divu: (_a, _b, ua, ub) => ub === 0n ? -1n : ua / ub,
  rem: (a, b) => b === 0n ? a : a % b,
  remu: (a, _b, ua, ub) => ub === 0n ? a : ua % ub,
};

Deno.test("arithmetic is exact, for edge cases and random words", () => {
  const random = randomWords(3);
  const values = [...edge, ...Array.from({ length: 40 }, () => random() | 0)];
  for (const [name, meaning] of Object.entries(exact)) {
    const { index } = instructions.find((each) => each.name === name)!;
    for (const a of values) {
      for (const b of values) {
        const wanted = meaning(BigInt(a), BigInt(b), BigInt(a >>> 0), BigInt(b >>> 0));
        assert.equal(compute(index, a, b, 0, 0), Number(BigInt.asIntN(32, wanted)), `${name} ${a} ${b}`);
      }
    }
  }
});

Deno.test("atomics combine the old word and the operand", () => {
  const apply = (name: string, old: number, operand: number) =>
    modify(instructions.find((each) => each.name === name)!.index, old, operand);
  assert.equal(apply("amoadd.w", 0x7fff_ffff, 1), -0x8000_0000);
  assert.equal(apply("amoswap.w", 5, 9), 9);
  assert.equal(apply("amomin.w", -1, 1), -1);
  assert.equal(apply("amominu.w", -1, 1), 1);
  assert.equal(apply("amomax.w", -1, 1), 1);
  assert.equal(apply("amomaxu.w", -1, 1), -1);
  assert.equal(apply("amoand.w", 12, 10), 8);
  assert.equal(apply("amoor.w", 12, 10), 14);
  assert.equal(apply("amoxor.w", 12, 10), 6);
});

Deno.test("divisions take as long as their quotient has bits", () => {
  // Use latencies of snitch-cluster.md, section 2.2, are two cycles more than from grant to result.
  const examples = [
    [0, 1, 4],
    [5, 1000, 4],
    [1, 1, 5],
    [7, 2, 6],
    [100, 7, 9],
    [1000, 7, 12],
    [65535, 3, 19],
    [1_000_000, 7, 22],
    [2_000_000_000, 1, 35],
    [-1000, 7, 13],
    [1000, -7, 12],
    [1_000_000, 0, 37],
  ];
  for (const [a, b, latency] of examples) {
    assert.equal(divisionCycles(a, b, true) + 2, latency, `${a} / ${b}`);
  }
  assert.equal(divisionCycles(-1, 1, false) + 2, 36);
});
