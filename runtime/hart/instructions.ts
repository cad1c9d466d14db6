// The one table of RV32IMA_Zicsr_Zifencei, the privileged instructions and Snitch's Xdma. Each instruction is
// written once: encoding, operands, meaning, latency class. Decoder, encoder, disassembler, interpreter and
// the tests' generators derive from it, and so will the translator.
// Encodings: RISC-V unprivileged and privileged specifications; Xdma: snitch-cluster.md, section 1.10.

import { binary, choose, constant, type Expression, imm, leavesOf, old, pc, rs1, rs2 } from "./expression.ts";

/** Where an instruction keeps its operands (encoding.ts knows the bits). */
export type Format =
  | "R" // rd, rs1, rs2
  | "I" // rd, rs1, imm
  | "load" // rd, imm(rs1)
  | "shift" // rd, rs1, imm (five bits)
  | "S" // rs2, imm(rs1)
  | "B" // rs1, rs2, target
  | "U" // rd, imm (the upper twenty bits)
  | "J" // rd, target
  | "csr" // rd, csr, rs1
  | "csri" // rd, csr, imm (five bits)
  | "lr" // rd, (rs1)
  | "amo" // rd, rs2, (rs1)
  | "rs1rs2" // rs1, rs2
  | "rs1" // rs1
  | "dmcpyi" // rd, rs1, imm (five bits in place of rs2)
  | "dmstat" // rd, rs2
  | "dmstati" // rd, imm (five bits in place of rs2)
  | "none";

/** What an instruction does besides going on to the next one. */
export type Meaning =
  /** rd := value */
  | { readonly kind: "compute"; readonly value: Expression }
  /** if condition: pc := target */
  | { readonly kind: "branch"; readonly condition: Expression; readonly target: Expression }
  /** rd := pc + 4; pc := target */
  | { readonly kind: "jump"; readonly target: Expression }
  /** rd := memory[address] */
  | {
    readonly kind: "load";
    readonly bytes: 1 | 2 | 4;
    readonly signed: boolean;
    readonly address: Expression;
  }
  /** memory[address] := value */
  | {
    readonly kind: "store";
    readonly bytes: 1 | 2 | 4;
    readonly address: Expression;
    readonly value: Expression;
  }
  /** rd := old; memory[address] := value, in one step; `old` is what memory held */
  | { readonly kind: "atomic"; readonly address: Expression; readonly value: Expression }
  /** rd := memory[address], and reserve it */
  | { readonly kind: "reserve"; readonly address: Expression }
  /** if still reserved: memory[address] := value, rd := 0; else rd := 1 */
  | { readonly kind: "conditional"; readonly address: Expression; readonly value: Expression }
  /** rd := csr; csr := source, csr | source or csr & ~source */
  | { readonly kind: "csr"; readonly update: "write" | "set" | "clear"; readonly source: Expression }
  | { readonly kind: "system"; readonly action: SystemAction }
  /** an Xdma register or request */
  | {
    readonly kind: "transfer";
    readonly action: TransferAction;
    readonly a: Expression;
    readonly b: Expression;
  };

export type SystemAction = "fence" | "fence.i" | "ecall" | "ebreak" | "mret" | "wfi" | "sfence.vma";
export type TransferAction = "source" | "destination" | "stride" | "repeat" | "user" | "copy" | "status";

/**
 * How an instruction spends time (snitch-cluster.md, section 2): `alu`, `csr`, `branch` and `jump` take one cycle;
 * `load`, `store` and `atomic` go through the load/store unit; `multiply`, `divide` and `transfer` are offloaded.
 */
export type LatencyClass =
  | "alu"
  | "branch"
  | "jump"
  | "load"
  | "store"
  | "atomic"
  | "multiply"
  | "divide"
  | "csr"
  | "system"
  | "transfer";

export type Extension = "I" | "M" | "A" | "Zicsr" | "Zifencei" | "privileged" | "Xdma";

/** One instruction. A word is this instruction if `(word & mask) === match` (both as unsigned numbers). */
export interface Instruction {
  readonly name: string;
  readonly extension: Extension;
  readonly format: Format;
  readonly mask: number;
  readonly match: number;
  readonly meaning: Meaning;
  readonly latency: LatencyClass;
  /** Registers that the meaning reads and writes. */
  readonly reads: readonly ("rs1" | "rs2")[];
  readonly writes: boolean;
  /** Index in {@link instructions}. */
  readonly index: number;
}

/** Bits that are fixed in each format, beside those that a row of the table fixes by itself. */
const opcodeMask = 0x7f, funct3Mask = 0x707f, funct7Mask = 0xfe00_707f, amoMask = 0xf800_707f;

const table: Instruction[] = [];
let extension: Extension = "I";

/** Adds a row. */
function row(
  name: string,
  format: Format,
  match: number,
  mask: number,
  meaning: Meaning,
  latency: LatencyClass,
): void {
  const reads = new Set([...operandsOf(meaning)].flatMap((expression) => [...leavesOf(expression)]));
  table.push({
    name,
    extension,
    format,
    match,
    mask,
    meaning,
    latency,
    reads: (["rs1", "rs2"] as const).filter((register) => reads.has(register)),
    writes: writesRd(meaning),
    index: table.length,
  });
}

/** The expressions that a meaning evaluates. */
export function operandsOf(meaning: Meaning): Expression[] {
  switch (meaning.kind) {
    case "compute":
      return [meaning.value];
    case "branch":
      return [meaning.condition, meaning.target];
    case "jump":
      return [meaning.target];
    case "load":
    case "reserve":
      return [meaning.address];
    case "store":
    case "atomic":
    case "conditional":
      return [meaning.address, meaning.value];
    case "csr":
      return [meaning.source];
    case "transfer":
      return [meaning.a, meaning.b];
    case "system":
      return [];
  }
}

function writesRd(meaning: Meaning): boolean {
  switch (meaning.kind) {
    case "branch":
    case "store":
    case "system":
      return false;
    case "transfer":
      return meaning.action === "copy" || meaning.action === "status";
    default:
      return true;
  }
}

const sum = binary("add", rs1, imm);
const target = binary("add", pc, imm);
const compute = (value: Expression): Meaning => ({ kind: "compute", value });
const opcode = (code: number, funct3 = 0, funct7 = 0) => ((funct7 << 25) | (funct3 << 12) | code) >>> 0;

// RV32I
row("lui", "U", opcode(0x37), opcodeMask, compute(imm), "alu");
row("auipc", "U", opcode(0x17), opcodeMask, compute(target), "alu");
row("jal", "J", opcode(0x6f), opcodeMask, { kind: "jump", target }, "jump");
row(
  "jalr",
  "load",
  opcode(0x67),
  funct3Mask,
  { kind: "jump", target: binary("and", sum, constant(-2)) },
  "jump",
);

for (
  const [name, funct3, operator] of [
    ["beq", 0, "eq"],
    ["bne", 1, "ne"],
    ["blt", 4, "lt"],
    ["bge", 5, "ge"],
    ["bltu", 6, "ltu"],
    ["bgeu", 7, "geu"],
  ] as const
) {
  const condition = binary(operator, rs1, rs2);
  row(name, "B", opcode(0x63, funct3), funct3Mask, { kind: "branch", condition, target }, "branch");
}

for (
  const [name, funct3, bytes, signed] of [
    ["lb", 0, 1, true],
    ["lh", 1, 2, true],
    ["lw", 2, 4, true],
    ["lbu", 4, 1, false],
    ["lhu", 5, 2, false],
  ] as const
) {
  row(name, "load", opcode(0x03, funct3), funct3Mask, { kind: "load", bytes, signed, address: sum }, "load");
}

for (const [name, funct3, bytes] of [["sb", 0, 1], ["sh", 1, 2], ["sw", 2, 4]] as const) {
  const meaning: Meaning = { kind: "store", bytes, address: sum, value: rs2 };
  row(name, "S", opcode(0x23, funct3), funct3Mask, meaning, "store");
}

for (
  const [name, funct3, operator] of [
    ["addi", 0, "add"],
    ["slti", 2, "lt"],
    ["sltiu", 3, "ltu"],
    ["xori", 4, "xor"],
    ["ori", 6, "or"],
    ["andi", 7, "and"],
  ] as const
) {
  row(name, "I", opcode(0x13, funct3), funct3Mask, compute(binary(operator, rs1, imm)), "alu");
}

for (
  const [name, funct3, funct7, operator] of [
    ["slli", 1, 0x00, "sll"],
    ["srli", 5, 0x00, "srl"],
    ["srai", 5, 0x20, "sra"],
  ] as const
) {
  const meaning = compute(binary(operator, rs1, imm));
  row(name, "shift", opcode(0x13, funct3, funct7), funct7Mask, meaning, "alu");
}

for (
  const [name, funct3, funct7, operator] of [
    ["add", 0, 0x00, "add"],
    ["sub", 0, 0x20, "sub"],
    ["sll", 1, 0x00, "sll"],
    ["slt", 2, 0x00, "lt"],
    ["sltu", 3, 0x00, "ltu"],
    ["xor", 4, 0x00, "xor"],
    ["srl", 5, 0x00, "srl"],
    ["sra", 5, 0x20, "sra"],
    ["or", 6, 0x00, "or"],
    ["and", 7, 0x00, "and"],
  ] as const
) {
  row(name, "R", opcode(0x33, funct3, funct7), funct7Mask, compute(binary(operator, rs1, rs2)), "alu");
}

// Every variant of FENCE (fence.tso and the pause hint too) is the same to this memory system.
row("fence", "none", opcode(0x0f), funct3Mask, { kind: "system", action: "fence" }, "system");
row("ecall", "none", 0x0000_0073, 0xffff_ffff, { kind: "system", action: "ecall" }, "system");
row("ebreak", "none", 0x0010_0073, 0xffff_ffff, { kind: "system", action: "ebreak" }, "system");

extension = "Zifencei";
row("fence.i", "none", opcode(0x0f, 1), funct3Mask, { kind: "system", action: "fence.i" }, "system");

extension = "privileged";
row("mret", "none", 0x3020_0073, 0xffff_ffff, { kind: "system", action: "mret" }, "system");
row("wfi", "none", 0x1050_0073, 0xffff_ffff, { kind: "system", action: "wfi" }, "system");
row("sfence.vma", "rs1rs2", 0x1200_0073, 0xfe00_7fff, { kind: "system", action: "sfence.vma" }, "system");

extension = "Zicsr";
for (
  const [name, funct3, update] of [["csrrw", 1, "write"], ["csrrs", 2, "set"], ["csrrc", 3, "clear"]] as const
) {
  row(name, "csr", opcode(0x73, funct3), funct3Mask, { kind: "csr", update, source: rs1 }, "csr");
  row(`${name}i`, "csri", opcode(0x73, funct3 | 4), funct3Mask, { kind: "csr", update, source: imm }, "csr");
}

extension = "M";
for (
  const [funct3, operator] of (["mul", "mulh", "mulhsu", "mulhu", "div", "divu", "rem", "remu"] as const)
    .entries()
) {
  const latency = funct3 < 4 ? "multiply" : "divide";
  row(operator, "R", opcode(0x33, funct3, 1), funct7Mask, compute(binary(operator, rs1, rs2)), latency);
}

extension = "A";
row("lr.w", "lr", 0x1000_202f, 0xf9f0_707f, { kind: "reserve", address: rs1 }, "atomic");
row("sc.w", "amo", 0x1800_202f, amoMask, { kind: "conditional", address: rs1, value: rs2 }, "atomic");
for (
  const [name, funct5, value] of [
    ["amoadd.w", 0x00, binary("add", old, rs2)],
    ["amoswap.w", 0x01, rs2],
    ["amoxor.w", 0x04, binary("xor", old, rs2)],
    ["amoor.w", 0x08, binary("or", old, rs2)],
    ["amoand.w", 0x0c, binary("and", old, rs2)],
    ["amomin.w", 0x10, choose(binary("lt", old, rs2), old, rs2)],
    ["amomax.w", 0x14, choose(binary("lt", old, rs2), rs2, old)],
    ["amominu.w", 0x18, choose(binary("ltu", old, rs2), old, rs2)],
    ["amomaxu.w", 0x1c, choose(binary("ltu", old, rs2), rs2, old)],
  ] as const
) {
  row(name, "amo", opcode(0x2f, 2, funct5 << 2), amoMask, { kind: "atomic", address: rs1, value }, "atomic");
}

extension = "Xdma";
const zero = constant(0);
for (
  const [name, format, funct7, mask, action, a, b] of [
    ["dmsrc", "rs1rs2", 0x00, 0xfe00_7fff, "source", rs1, rs2],
    ["dmdst", "rs1rs2", 0x01, 0xfe00_7fff, "destination", rs1, rs2],
    ["dmcpyi", "dmcpyi", 0x02, 0xfe00_707f, "copy", rs1, imm],
    ["dmcpy", "R", 0x03, 0xfe00_707f, "copy", rs1, rs2],
    ["dmstati", "dmstati", 0x04, 0xfe0f_f07f, "status", zero, imm],
    ["dmstat", "dmstat", 0x05, 0xfe0f_f07f, "status", zero, rs2],
    ["dmstr", "rs1rs2", 0x06, 0xfe00_7fff, "stride", rs1, rs2],
    ["dmrep", "rs1", 0x07, 0xfff0_7fff, "repeat", rs1, zero],
    ["dmuser", "rs1rs2", 0x08, 0xfe00_7fff, "user", rs1, rs2],
  ] as const
) {
  row(name, format, opcode(0x2b, 0, funct7), mask, { kind: "transfer", action, a, b }, "transfer");
}

/** All instructions. No two match the same word. */
export const instructions: readonly Instruction[] = table;

/** Extensions of a worker hart, and of the hart that drives the DMA. */
export const workerExtensions: readonly Extension[] = ["I", "M", "A", "Zicsr", "Zifencei", "privileged"];
export const dmaExtensions: readonly Extension[] = [...workerExtensions, "Xdma"];
