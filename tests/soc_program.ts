// Small programs for the emulator's tests, written with the instruction table's own encoder, and the SoCs they run on.

import { csrNumbers } from "../runtime/hart/csr_names.ts";
import { encode, type Operands } from "../runtime/hart/encoding.ts";
import type { Image, ImageSymbol } from "../runtime/image/types.ts";
import type { RunResult, SocOptions } from "../runtime/soc/soc.ts";
import { Soc } from "../runtime/soc/soc.ts";
import { GuestFault } from "../runtime/soc/fault.ts";
import { loadTarget } from "../targets/load.ts";
import type { Target } from "../targets/schema.ts";

export const codeBase = 0x8000_0000;
export const registers = {
  zero: 0,
  ra: 1,
  sp: 2,
  t0: 5,
  t1: 6,
  t2: 7,
  a0: 10,
  a1: 11,
  a2: 12,
  a3: 13,
  a4: 14,
};
const { zero, t0, t1, a0 } = registers;
export const finisher = 0x0010_0000;
export const tcdm = 0x1000_0000;
export const clusterRegisters = 0x1002_1000;

/** One instruction. */
export const op = (name: string, operands: Operands = {}): number[] => [encode(name, operands)];

/** rd := value, in two instructions. */
export function li(rd: number, value: number): number[] {
  const low = value << 20 >> 20;
  return [...op("lui", { rd, imm: (value - low) | 0 }), ...op("addi", { rd, rs1: rd, imm: low })];
}

/** Reads or writes a CSR by name. */
export const csrr = (rd: number, csr: keyof typeof csrNumbers): number[] =>
  op("csrrs", { rd, csr: csrNumbers[csr] });
export const csrw = (csr: keyof typeof csrNumbers, rs1: number): number[] =>
  op("csrrw", { rd: zero, rs1, csr: csrNumbers[csr] });

/** Stores a register to a fixed address; uses t0. */
export const put = (address: number, rs2: number): number[] => [
  ...li(t0, address),
  ...op("sw", { rs1: t0, rs2 }),
];

/** Waits for ever. */
export const hang: number[] = [...op("wfi"), ...op("jal", { rd: zero, imm: -4 })];

/** Ends the program with the status in a0; uses t0 and t1. */
export const exit: number[] = [
  ...op("slli", { rd: a0, rs1: a0, imm: 16 }),
  ...li(t1, 0x3333),
  ...op("or", { rd: a0, rs1: a0, rs2: t1 }),
  ...put(finisher, a0),
  ...hang,
];

/** Harts but one skip `words`; uses t0 and t1. */
export const onlyHart = (hart: number, words: number[]): number[] => [
  ...csrr(t0, "mhartid"),
  ...op("addi", { rd: t1, imm: hart }),
  ...op("bne", { rs1: t0, rs2: t1, imm: 4 * (words.length + 1) }),
  ...words,
];

/** All harts meet, after their memory accesses. */
export const barrier: number[] = [...op("fence"), ...csrr(zero, "barrier")];

/** The image of some words at the start of the outside memory. */
export function image(words: number[], symbols: ImageSymbol[] = []): Image {
  const bytes = new Uint8Array(Uint32Array.from(words, (word) => word >>> 0).buffer);
  return {
    entry: codeBase,
    segments: [{ address: codeBase, bytes, memorySize: bytes.length, flags: 7 }],
    symbols: symbols.length > 0
      ? symbols
      : [{ name: "main", address: codeBase, size: bytes.length, kind: "function" }],
  };
}

export const cluster = await loadTarget("snitch-ita");
export const virt = await loadTarget("virt");

/** A SoC with a program in it. */
export function build(words: number[], target: Target = cluster, options: SocOptions = {}): Soc {
  const soc = new Soc(target, options);
  soc.load(image(words));
  return soc;
}

/** Runs a program to its end. */
export function run(
  words: number[],
  target: Target = cluster,
  options: SocOptions = {},
): RunResult & { soc: Soc } {
  const soc = build(words, target, options);
  return { ...soc.run({ maxCycles: 100_000, limitIsFault: true }), soc };
}

/** Runs a program that must end in a fault. */
export function faultOf(words: number[], target: Target = cluster, options: SocOptions = {}): GuestFault {
  try {
    run(words, target, options);
  } catch (error) {
    if (error instanceof GuestFault) return error;
    throw error;
  }
  throw new Error("the program ends without a fault");
}
