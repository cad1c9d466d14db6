// Straight pieces of random rv32ima code: single instructions, and the few lines around those that need an address,
// a pair or a device.

import { decode, encode, fieldsOf, immediateRange, type Operands } from "../../runtime/hart/encoding.ts";
import { csrNumbers } from "../../runtime/hart/csr_names.ts";
import { type Instruction, instructions } from "../../runtime/hart/instructions.ts";
import type { Assembler } from "./assembler.ts";
import type { Random } from "./random.ts";

/** A piece of code. `emit` writes it, calling `inside` once where its body belongs. */
export interface Item {
  emit(code: Assembler, inside: () => void): void;
  body?: Item[];
}

/** What a sequence may contain, beside what is the same on every machine. */
export interface Features {
  /** Misaligned loads and stores: machines split them or trap. */
  misaligned: boolean;
  /** CSRs that only harts with the standard set agree on, and the scratch register of QEMU's UART. */
  standard: boolean;
  /** LR and SC: where harts share a bank, one may lose its reservation to another. */
  reservations: boolean;
}

/** Registers that random code must not write: the data window's address and the counters of loops. */
export const windowRegister = 8;
export const loopCounters = [9, 18];
const reserved = [windowRegister, ...loopCounters];
export const writable = Array.from({ length: 32 }, (_, i) => i).filter((i) => !reserved.includes(i));
/** Bytes from the window register's address to either end of the data window. */
export const windowReach = 256;

/** Instructions that no random sequence holds: they leave it. */
export const leavingInstructions = ["mret", "wfi", "sfence.vma"];

const extensions = ["I", "M", "A", "Zicsr", "Zifencei"];
const known = instructions.filter((i) =>
  extensions.includes(i.extension) && !leavingInstructions.includes(i.name)
);
const ofKind = (...kinds: string[]) => known.filter((i) => kinds.includes(i.meaning.kind));
const computes = ofKind("compute").filter((i) => i.extension === "I");
const multiplies = ofKind("compute").filter((i) => i.extension === "M");
const loads = ofKind("load");
const stores = ofKind("store");
const atomics = ofKind("atomic");
export const branches = ofKind("branch");
const csrs = ofKind("csr");

/** Words at which arithmetic goes wrong. */
const corners = [0, 1, 2, 3, 7, 31, 32, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000]
  .flatMap((value) => [value, -value, ~value]);

/** A word for an operand: often a corner, sometimes near a power of two, else anything. */
export function operandWord(random: Random): number {
  return random.weighted([
    [3, () => random.pick(corners)],
    [1, () => (1 << random.below(32)) + random.below(5) - 2],
    [3, () => random.word()],
  ])() | 0;
}

/** Makes an item for a sequence; `depth` says how many loops and skips it is in. */
export type Maker = (random: Random, depth: number) => Item;

/** Makers and how often each is taken. */
export type Mix = (readonly [number, Maker])[];

/**
 * Makers of straight code with their weights. Sequences differ in what they are full of: `weight` scales the usual
 * weight of a maker by its flavour (0 arithmetic, 1 multiplication, 2 memory, 3 atomics, 4 CSRs and traps).
 */
export function straightMix(features: Features, weight: (flavour: number, usual: number) => number): Mix {
  return [
    [weight(0, 24), compute],
    [weight(1, 8), multiply],
    [2, freshOperand],
    [weight(2, 6), (random) => load(random, features)],
    [weight(2, 6), (random) => store(random, features)],
    [weight(3, 3), atomic],
    [features.reservations ? weight(3, 2) : 0, reservation],
    [weight(4, 2), (random) => csrAccess(random, features)],
    [weight(4, 1), trap],
    [features.reservations ? weight(4, 1) : 0, misalignedReserve],
    [weight(4, 1), misalignedJump],
    [1, selfModification],
    [features.standard ? 1 : 0, deviceAccess],
    [1, fence],
  ];
}

function straight(...lines: (readonly [string, Operands])[]): Item {
  return { emit: (code) => lines.forEach(([name, operands]) => code.emit(name, operands)) };
}

/** Random operands for every field of an instruction's format. */
function operandsFor(random: Random, instruction: Instruction): Operands {
  const operands: Operands = {};
  for (const field of fieldsOf(instruction.format)) {
    if (field === "rd") operands.rd = random.pick(writable);
    else if (field === "rs1" || field === "rs2") operands[field] = random.below(32);
  }
  const range = immediateRange(instruction.format);
  if (range) {
    const steps = (range.max - range.min) / range.step;
    operands.imm = random.weighted([
      [1, range.min],
      [1, range.max],
      [1, 0],
      [8, range.min + range.step * random.below(steps + 1)],
    ]);
  }
  return operands;
}

export const compute: Maker = (random) => {
  const instruction = random.pick(computes);
  return straight([instruction.name, operandsFor(random, instruction)]);
};

export const multiply: Maker = (random) => {
  const instruction = random.pick(multiplies);
  return straight([instruction.name, operandsFor(random, instruction)]);
};

const freshOperand: Maker = (random) => {
  const rd = random.pick(writable), value = operandWord(random);
  return { emit: (code) => code.constant(rd, value) };
};

/** An offset into the data window for an access of so many bytes, seldom misaligned. */
function windowOffset(random: Random, bytes: number, features: Features): number {
  const step = features.misaligned && random.oneIn(8) ? 1 : bytes;
  const places = Math.floor((2 * windowReach - bytes) / step) + 1;
  return step * random.below(places) - windowReach;
}

function load(random: Random, features: Features): Item {
  const { name, meaning } = random.pick(loads);
  const imm = windowOffset(random, meaning.kind === "load" ? meaning.bytes : 4, features);
  return straight([name, { rd: random.pick(writable), rs1: windowRegister, imm }]);
}

function store(random: Random, features: Features): Item {
  const { name, meaning } = random.pick(stores);
  const imm = windowOffset(random, meaning.kind === "store" ? meaning.bytes : 4, features);
  return straight([name, { rs1: windowRegister, rs2: random.below(32), imm }]);
}

/** Lines that leave in `rd` an address in the window, a multiple of 8, that depends on a register. */
function computedAddress(random: Random, rd: number): (readonly [string, Operands])[] {
  return [
    ["andi", { rd, rs1: random.below(32), imm: (windowReach - 1) & ~7 }],
    ["add", { rd, rs1: rd, rs2: windowRegister }],
  ];
}

export const pointers = writable.filter((register) => register !== 0);

const atomic: Maker = (random) => {
  const pointer = random.pick(pointers);
  const { name } = random.pick(atomics);
  const operands = { rd: random.pick(writable), rs1: pointer, rs2: random.below(32) };
  return straight(...computedAddress(random, pointer), [name, operands]);
};

/**
 * LR and SC where every machine must agree: a pair to one word (done), another SC behind it (not done), and an SC to
 * another place than the LR (not done). Between the two nothing may write memory or trap.
 */
const reservation: Maker = (random) => {
  const pointer = random.pick(pointers);
  const others = pointers.filter((register) => register !== pointer);
  const between = random.pick(computes);
  const [result, value, again] = [random.pick(others), random.pick(others), random.pick(others)];
  const sc = (rd: number, rs1: number) => ["sc.w", { rd, rs1, rs2: random.below(32) }] as const;
  const elsewhere = random.oneIn(4)
    ? [["xori", { rd: pointer, rs1: pointer, imm: 64 }] as const]
    : [["and", { rd: value, rs1: value, rs2: result }] as const];
  const keepsPointer = { ...operandsFor(random, between), rd: random.pick(others) };
  return straight(
    ...computedAddress(random, pointer),
    ["lr.w", { rd: value, rs1: pointer }],
    [between.name, keepsPointer],
    ...elsewhere,
    sc(result, pointer),
    sc(again, pointer),
  );
};

/** CSRs on which machines must agree, each with the ways of access after which they still do. */
function csrAccess(random: Random, features: Features): Item {
  const rd = random.pick(writable);
  const { mscratch, mepc, mcause, mtvec, mie, mstatus, mhartid, misa, cycle } = csrNumbers;
  const scratchAccess = () => {
    const instruction = random.pick(csrs);
    return straight([instruction.name, { ...operandsFor(random, instruction), csr: mscratch }]);
  };
  const bit3 = () =>
    straight([random.pick(["csrrsi", "csrrci"]), { rd, imm: 8, csr: random.pick([mie, mstatus]) }]);
  const read = () =>
    straight(["csrrs", {
      rd,
      rs1: 0,
      csr: random.pick([mepc, mcause, mtvec, mie, ...features.standard ? [mhartid, misa] : []]),
    }]);
  const writeMepc = () => {
    const source = random.pick(pointers);
    return straight(
      ["andi", { rd: source, rs1: random.below(32), imm: -4 }],
      ["csrrw", { rd, rs1: source, csr: mepc }],
    );
  };
  const writeMcause = () => straight(["csrrwi", { rd, imm: random.below(16), csr: mcause }]);
  // Nobody may write these, and nobody has a register 0x7c0 or 0x5ff.
  const forbidden = () =>
    straight(["csrrw", { rd, rs1: random.below(32), csr: random.pick([mhartid, cycle]) }]);
  const unknown = () => straight(["csrrs", { rd, rs1: random.below(32), csr: random.pick([0x7c0, 0x5ff]) }]);
  return random.weighted([
    [6, scratchAccess],
    [2, bit3],
    [3, read],
    [1, writeMepc],
    [1, writeMcause],
    [features.standard ? 1 : 0, forbidden],
    [features.standard ? 1 : 0, unknown],
  ])();
}

/** Opcodes with room for illegal words; no extension that a machine might have lives there. */
const spaciousOpcodes = [0x03, 0x23, 0x13, 0x33, 0x63, 0x67, 0x2f];

/** A word that is no instruction of rv32ima. */
export function illegalWord(random: Random): number {
  for (;;) {
    const opcode = random.pick(spaciousOpcodes);
    const word = random.weighted([
      [1, 0],
      [1, 0xffff_ffff],
      [1, 0x0000_0053],
      [12, ((random.word() & ~0x7f) | opcode) >>> 0],
    ]);
    if (!decode(word)) return word;
  }
}

const trap: Maker = (random) => {
  const word = illegalWord(random);
  return random.weighted([
    [2, straight(["ecall", {}])],
    [2, straight(["ebreak", {}])],
    [5, { emit: (code: Assembler) => code.word(word) }],
  ]);
};

/** LR traps on a misaligned address on every machine. (So do AMOs; QEMU 7.2 then says a load did it, not an AMO.) */
const misalignedReserve: Maker = (random) => {
  const pointer = random.pick(pointers);
  return straight(
    ["addi", { rd: pointer, rs1: windowRegister, imm: 4 * random.below(32) + 1 + random.below(3) }],
    ["lr.w", { rd: random.pick(writable), rs1: pointer }],
  );
};

/** A jump or a branch to an odd multiple of 2: it traps, if it is taken at all, and writes no link. */
const misalignedJump: Maker = (random) => {
  const pointer = random.pick(pointers), link = random.pick(writable);
  const { name } = random.pick(branches);
  return random.weighted([
    [2, straight([name, { rs1: random.below(32), rs2: random.below(32), imm: 6 }])],
    [1, straight(["jal", { rd: link, imm: -2 }])],
    [
      1,
      straight(["auipc", { rd: pointer, imm: 0 }], ["jalr", {
        rd: link,
        rs1: pointer,
        imm: 10 + random.below(2),
      }]),
    ],
  ]);
};

/** Writes one of two instructions, which one a register says, over the next one but a fence.i. */
const selfModification: Maker = (random) => {
  const [value, mask, pointer] = [random.pick(pointers), random.pick(pointers), random.pick(pointers)];
  if (value === mask || value === pointer) return selfModification(random, 0);
  const [first, other] = [random.pick(computes), random.pick(computes)]
    .map((each) => encode(each.name, operandsFor(random, each)));
  const choice = random.below(32);
  return {
    emit(code) {
      code.emit("andi", { rd: mask, rs1: choice, imm: 1 });
      code.emit("sub", { rd: mask, rs1: 0, rs2: mask });
      code.constant(value, first ^ other);
      code.emit("and", { rd: value, rs1: value, rs2: mask });
      code.constant(mask, first);
      code.emit("xor", { rd: value, rs1: value, rs2: mask });
      code.emit("auipc", { rd: pointer, imm: 0 });
      code.emit("sw", { rs1: pointer, rs2: value, imm: 12 });
      code.emit("fence.i");
      code.word(first);
    },
  };
};

/** The scratch register of an ns16550 keeps a byte. */
const deviceAccess: Maker = (random) => {
  const pointer = random.pick(pointers);
  return straight(
    ["lui", { rd: pointer, imm: 0x1000_0000 }],
    ["sb", { rs1: pointer, rs2: random.below(32), imm: 7 }],
    [random.pick(["lb", "lbu"]), { rd: random.pick(writable), rs1: pointer, imm: 7 }],
  );
};

const fence: Maker = (random) => straight([random.oneIn(4) ? "fence.i" : "fence", {}]);

/** A jump to one of four instructions, which one a register says. */
export const computedJump: Maker = (random) => {
  const pointer = random.pick(pointers);
  const choice = random.pick(pointers.filter((register) => register !== pointer));
  const link = random.pick(writable);
  const targets = Array.from({ length: 4 }, () => random.pick(computes));
  const lines = targets.map((each) => [each.name, operandsFor(random, each)] as const);
  return straight(
    ["andi", { rd: choice, rs1: choice, imm: 12 }],
    ["auipc", { rd: pointer, imm: 0 }],
    ["add", { rd: pointer, rs1: pointer, rs2: choice }],
    // From the auipc to the first of the four are three instructions.
    ["jalr", { rd: link, rs1: pointer, imm: 12 }],
    ...lines,
  );
};
