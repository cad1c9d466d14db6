// Instruction words as text, from the instruction table. For error messages, traces and debuggers.

import { decode, type Operands, operandsOfWord } from "./encoding.ts";
import type { Format } from "./instructions.ts";
import { csrName } from "./csr_names.ts";

/** ABI names of x0 … x31. */
export const registerNames: readonly string[] = [
  ..."zero ra sp gp tp t0 t1 t2 s0 s1".split(" "),
  ...Array.from({ length: 8 }, (_, i) => `a${i}`),
  ...Array.from({ length: 10 }, (_, i) => `s${i + 2}`),
  ...Array.from({ length: 4 }, (_, i) => `t${i + 3}`),
];

/** A 32-bit number as `0x` and eight digits. */
export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}

type Printer = (o: Required<Operands>, pc: number) => string[];
const r = (register: number) => registerNames[register];

const printers: Record<Format, Printer> = {
  R: (o) => [r(o.rd), r(o.rs1), r(o.rs2)],
  I: (o) => [r(o.rd), r(o.rs1), `${o.imm}`],
  load: (o) => [r(o.rd), `${o.imm}(${r(o.rs1)})`],
  shift: (o) => [r(o.rd), r(o.rs1), `${o.imm}`],
  S: (o) => [r(o.rs2), `${o.imm}(${r(o.rs1)})`],
  B: (o, pc) => [r(o.rs1), r(o.rs2), hex(pc + o.imm)],
  U: (o) => [r(o.rd), `0x${(o.imm >>> 12).toString(16)}`],
  J: (o, pc) => [r(o.rd), hex(pc + o.imm)],
  csr: (o) => [r(o.rd), csrName(o.csr), r(o.rs1)],
  csri: (o) => [r(o.rd), csrName(o.csr), `${o.imm}`],
  lr: (o) => [r(o.rd), `(${r(o.rs1)})`],
  amo: (o) => [r(o.rd), r(o.rs2), `(${r(o.rs1)})`],
  rs1rs2: (o) => [r(o.rs1), r(o.rs2)],
  rs1: (o) => [r(o.rs1)],
  dmcpyi: (o) => [r(o.rd), r(o.rs1), `${o.imm}`],
  dmstat: (o) => [r(o.rd), r(o.rs2)],
  dmstati: (o) => [r(o.rd), `${o.imm}`],
  none: () => [],
};

/**
 * A word as assembly.
 *
 * @param word instruction word
 * @param pc its address, for the targets of jumps
 * @returns such as `addi a0, a0, -1`, or `illegal 0x00000000`
 */
export function disassemble(word: number, pc = 0): string {
  const instruction = decode(word);
  if (!instruction) return `illegal ${hex(word)}`;
  const operands = printers[instruction.format](operandsOfWord(word, instruction.format), pc);
  return operands.length ? `${instruction.name} ${operands.join(", ")}` : instruction.name;
}
