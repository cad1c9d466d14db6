// Instruction words to operands and back, from the formats of the instruction table.

import { AttoflowError } from "../../targets/errors.ts";
import { type Extension, type Format, type Instruction, instructions } from "./instructions.ts";

/** Operands of an instruction. Absent ones are 0. */
export interface Operands {
  rd?: number;
  rs1?: number;
  rs2?: number;
  /** The immediate as the meaning sees it: sign-extended; for U the upper bits in place; the CSR's five-bit value. */
  imm?: number;
  /** Number of a control and status register. */
  csr?: number;
}

/** Where an immediate lives: pieces `[bit in the word, bit in the value, width]`, and whether it is signed. */
interface Immediate {
  readonly pieces: readonly (readonly [number, number, number])[];
  readonly signed: boolean;
}

const immediates: Partial<Record<Format, Immediate>> = {
  I: { pieces: [[20, 0, 12]], signed: true },
  load: { pieces: [[20, 0, 12]], signed: true },
  shift: { pieces: [[20, 0, 5]], signed: false },
  S: { pieces: [[7, 0, 5], [25, 5, 7]], signed: true },
  B: { pieces: [[8, 1, 4], [25, 5, 6], [7, 11, 1], [31, 12, 1]], signed: true },
  U: { pieces: [[12, 12, 20]], signed: true },
  J: { pieces: [[21, 1, 10], [20, 11, 1], [12, 12, 8], [31, 20, 1]], signed: true },
  csri: { pieces: [[15, 0, 5]], signed: false },
  dmcpyi: { pieces: [[20, 0, 5]], signed: false },
  dmstati: { pieces: [[20, 0, 5]], signed: false },
};

/** Register fields of each format. */
const registers: Record<Format, readonly ("rd" | "rs1" | "rs2")[]> = {
  R: ["rd", "rs1", "rs2"],
  I: ["rd", "rs1"],
  load: ["rd", "rs1"],
  shift: ["rd", "rs1"],
  S: ["rs1", "rs2"],
  B: ["rs1", "rs2"],
  U: ["rd"],
  J: ["rd"],
  csr: ["rd", "rs1"],
  csri: ["rd"],
  lr: ["rd", "rs1"],
  amo: ["rd", "rs1", "rs2"],
  rs1rs2: ["rs1", "rs2"],
  rs1: ["rs1"],
  dmcpyi: ["rd", "rs1"],
  dmstat: ["rd", "rs2"],
  dmstati: ["rd"],
  none: [],
};

const registerShift = { rd: 7, rs1: 15, rs2: 20 } as const;

/** Immediate, registers and CSR fields that a format has; for test generators and printers. */
export function fieldsOf(format: Format): readonly (keyof Operands)[] {
  return [
    ...registers[format],
    ...(immediates[format] ? ["imm" as const] : []),
    ...(format === "csr" || format === "csri" ? ["csr" as const] : []),
  ];
}

/** Smallest and largest immediate of a format and the step between them; undefined if it has none. */
export function immediateRange(format: Format): { min: number; max: number; step: number } | undefined {
  const immediate = immediates[format];
  if (!immediate) return undefined;
  const low = Math.min(...immediate.pieces.map(([, bit]) => bit));
  const high = Math.max(...immediate.pieces.map(([, bit, width]) => bit + width));
  return immediate.signed
    ? { min: -(2 ** (high - 1)), max: 2 ** (high - 1) - 2 ** low, step: 2 ** low }
    : { min: 0, max: 2 ** high - 1, step: 1 };
}

/** Instructions by opcode and funct3, so that a look-up compares few; found when they are first needed. */
const candidates: Instruction[][] = [];

function candidatesOf(key: number): Instruction[] {
  const word = (key >> 7 << 12) | (key & 0x7f);
  return instructions.filter((each) => ((word ^ each.match) & each.mask & 0x707f) === 0);
}

/**
 * The instruction that a word is, or undefined if it is illegal. 16-bit parcels are illegal.
 *
 * @param word instruction word, signed or unsigned
 * @param extensions what the hart has; all of the table if absent
 */
export function decode(word: number, extensions?: readonly Extension[]): Instruction | undefined {
  const key = ((word >>> 12 & 7) << 7) | (word & 0x7f);
  const found = (candidates[key] ??= candidatesOf(key)).find((each) =>
    ((word ^ each.match) & each.mask) === 0
  );
  return found && (!extensions || extensions.includes(found.extension)) ? found : undefined;
}

/** Reads the operands of a word of a format. Runs for each instruction of a program before anything is compiled. */
export function operandsOfWord(word: number, format: Format): Required<Operands> {
  const operands = { rd: 0, rs1: 0, rs2: 0, imm: 0, csr: 0 };
  const named = registers[format], immediate = immediates[format];
  for (let i = 0; i < named.length; i++) operands[named[i]] = (word >>> registerShift[named[i]]) & 31;
  if (immediate) {
    const { pieces } = immediate;
    let top = 0, value = 0;
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i], to = piece[1], width = piece[2];
      value |= (word >>> piece[0] & ((1 << width) - 1)) << to;
      if (to + width > top) top = to + width;
    }
    operands.imm = immediate.signed ? value << (32 - top) >> (32 - top) : value;
  }
  if (format === "csr" || format === "csri") operands.csr = word >>> 20;
  return operands;
}

/**
 * The word of an instruction.
 *
 * @param name name in the table, such as `addi`
 * @throws {AttoflowError} if there is no such instruction, or an operand does not fit
 */
export function encode(name: string, operands: Operands = {}): number {
  const instruction = instructions.find((each) => each.name === name);
  if (!instruction) throw new AttoflowError(`there is no instruction ${name}`);
  const { format } = instruction;
  let word = instruction.match;
  for (const register of registers[format]) {
    const value = operands[register] ?? 0;
    if (value < 0 || value > 31) throw new AttoflowError(`${name}: ${register} = ${value} is no register`);
    word |= value << registerShift[register];
  }
  const immediate = immediates[format], range = immediateRange(format);
  if (immediate && range) {
    const value = operands.imm ?? 0;
    if (value < range.min || value > range.max || value % range.step !== 0) {
      throw new AttoflowError(`${name}: immediate ${value} does not fit`);
    }
    for (const [to, from, width] of immediate.pieces) word |= (value >>> from & (2 ** width - 1)) << to;
  }
  if (format === "csr" || format === "csri") word |= (operands.csr ?? 0) << 20;
  return word >>> 0;
}
