// Makes programs of many random sequences. Each sequence starts from its own registers and data window, and ends by
// giving out a hash of all registers, the window and the traps it took; or all of them in full.

import { csrNumbers } from "../../runtime/hart/csr_names.ts";
import { registerNames } from "../../runtime/hart/disassemble.ts";
import { Assembler, type Label, x } from "./assembler.ts";
import { writeElf } from "./elf_writer.ts";
import { emitItems } from "./generator.ts";
import { type Item, operandWord, windowReach, windowRegister } from "./items.ts";
import { Random } from "./random.ts";

/** A sequence to run: its items, what its registers and memory start from, and in which mode it runs. */
export interface Sequence {
  seed: number;
  items: Item[];
  user: boolean;
}

const { mtvec, mepc, mcause, mtval, mstatus, mscratch, mie } = csrNumbers;

/** QEMU's `virt` machine. */
const machine = { code: 0x8000_0000, data: 0x8400_0000, uart: 0x1000_0000, finisher: 0x10_0000 };
const finisherPass = 0x5555;
const lineStatus = 5, transmitterEmpty = 0x20;

// What lies where, in bytes from the window register: first all that is compared, then the handler's own.
const area = {
  window: -windowReach,
  trapCount: windowReach,
  trapHash: windowReach + 4,
  /** mscratch in the place of x0, then x1 … x31. */
  registers: windowReach + 8,
  end: windowReach + 136,
  savedT5: windowReach + 136,
  savedT6: windowReach + 140,
  endAddress: windowReach + 144,
  /** Where the next result goes, if results go to memory. */
  output: windowReach + 148,
};
/** Bytes that a program needs at its data address. */
export const dataBytes = 1024;
const comparedWords = (area.end - area.window) / 4;
const [t5, t6] = [30, 31];

/** Where a program finds its data, and what it tells of each sequence where. */
export interface Placement {
  /** Address of `dataBytes` bytes of memory. */
  data: number;
  /** Each sequence gives all that is compared, else the hash of it. */
  full: boolean;
  /** Address to which results go as words; without one they go to the UART as lines. */
  results?: number;
  /** Whether mtval counts: not on harts without it. */
  mtval: boolean;
}

/** Builds a program for QEMU's virt machine. With `full` each sequence prints all that is compared. */
export function buildProgram(sequences: readonly Sequence[], full: boolean): Uint8Array<ArrayBuffer> {
  const code = new Assembler(machine.code);
  emitProgram(code, sequences, { data: machine.data, full, mtval: true }, () => {
    code.constant(x.t0, machine.finisher);
    code.constant(x.t1, finisherPass);
    code.emit("sw", { rs1: x.t0, rs2: x.t1 });
    code.jump(code.label());
  });
  const data = { address: machine.data, bytes: new Uint8Array(0), memorySize: dataBytes };
  return writeElf({ entry: machine.code, segments: [{ address: machine.code, bytes: code.bytes() }, data] });
}

/** Writes a program that runs sequences one after the other; `finish` writes what it does in the end. */
export function emitProgram(
  code: Assembler,
  sequences: readonly Sequence[],
  placement: Placement,
  finish: () => void,
): void {
  const [handler, prepare] = [code.label(false), code.label(false)];
  const tables: { label: Label; seed: number }[] = [];
  code.address(x.t0, handler);
  code.emit("csrrw", { rs1: x.t0, csr: mtvec });
  code.constant(windowRegister, placement.data + windowReach);
  code.constant(x.t0, placement.results ?? 0);
  code.emit("sw", { rs1: windowRegister, rs2: x.t0, imm: area.output });
  for (const sequence of sequences) {
    const table = { label: code.label(false), seed: sequence.seed };
    tables.push(table);
    emitSequence(code, sequence, table.label, prepare);
  }
  finish();
  emitPrepare(code, prepare);
  emitHandler(code, handler, placement);
  for (const { label, seed } of tables) {
    const random = new Random(seed ^ 0x5eed);
    code.bind(label);
    for (let i = 0; i < 32; i++) code.word(operandWord(random));
  }
}

/** Addresses and words of a sequence as `buildProgram` would place it alone; for listings. */
export function wordsOf(sequence: Sequence): { address: number; word: number }[] {
  const code = new Assembler(machine.code);
  emitItems(sequence.items, code);
  const view = new DataView(code.bytes().buffer);
  return Array.from({ length: view.byteLength / 4 }, (_, i) => ({
    address: machine.code + 4 * i,
    word: view.getUint32(4 * i, true),
  }));
}

/** Names of the words that a full print shows, in its order. */
export const comparedNames: readonly string[] = [
  ...Array.from({ length: windowReach / 2 }, (_, i) => `window[${4 * i - windowReach}]`),
  "traps taken",
  "hash of mepc, mcause, mtval",
  "mscratch",
  ...registerNames.slice(1),
];

function emitSequence(code: Assembler, sequence: Sequence, table: Label, prepare: Label): void {
  const [body, end] = [code.label(false), code.label(false)];
  code.constant(x.t0, sequence.seed);
  code.address(x.t1, prepare);
  code.emit("jalr", { rd: x.ra, rs1: x.t1 });
  code.address(x.t0, end);
  code.emit("sw", { rs1: windowRegister, rs2: x.t0, imm: area.endAddress });
  code.constant(x.t0, sequence.user ? 0 : 0x1800);
  code.emit("csrrw", { rs1: x.t0, csr: mstatus });
  code.address(x.t0, body);
  code.emit("csrrw", { rs1: x.t0, csr: mepc });
  code.address(t6, table);
  for (let register = 1; register < 32; register++) {
    if (register !== windowRegister) code.emit("lw", { rd: register, rs1: t6, imm: 4 * register });
  }
  code.emit("mret");
  code.bind(body);
  emitItems(sequence.items, code);
  code.bind(end);
  // The handler knows this ecall by its address and goes on behind it, in machine mode.
  code.emit("ecall");
}

/** prepare: fills the data window from the seed in t0 and clears what the handler records. */
function emitPrepare(code: Assembler, prepare: Label): void {
  code.bind(prepare);
  code.emit("addi", { rd: x.t1, rs1: windowRegister, imm: area.window });
  code.emit("addi", { rd: x.t2, rs1: windowRegister, imm: -area.window });
  const fill = code.label();
  for (const [shift, by] of [["slli", 13], ["srli", 17], ["slli", 5]] as const) {
    code.emit(shift, { rd: x.a0, rs1: x.t0, imm: by });
    code.emit("xor", { rd: x.t0, rs1: x.t0, rs2: x.a0 });
  }
  code.emit("sw", { rs1: x.t1, rs2: x.t0 });
  code.emit("addi", { rd: x.t1, rs1: x.t1, imm: 4 });
  code.branch("bne", { rs1: x.t1, rs2: x.t2 }, fill);
  code.emit("sw", { rs1: windowRegister, imm: area.trapCount });
  code.emit("sw", { rs1: windowRegister, imm: area.trapHash });
  for (const csr of [mscratch, mie, mcause]) code.emit("csrrw", { csr });
  code.emit("jalr", { rs1: x.ra });
}

/** Counts the trap, mixes mepc, mcause and mtval into the hash, goes on behind the instruction; or ends the sequence. */
function emitHandler(code: Assembler, handler: Label, placement: Placement): void {
  const finish = code.label(false);
  const at = (rs1: number, rs2: number, imm: number) => ({ rs1, rs2, imm });
  const into = (rd: number, imm: number) => ({ rd, rs1: windowRegister, imm });
  code.bind(handler);
  code.emit("sw", at(windowRegister, t5, area.savedT5));
  code.emit("sw", at(windowRegister, t6, area.savedT6));
  code.emit("csrrs", { rd: t6, csr: mepc });
  code.emit("lw", into(t5, area.endAddress));
  code.branch("beq", { rs1: t5, rs2: t6 }, finish);
  code.emit("lw", into(t5, area.trapCount));
  code.emit("addi", { rd: t5, rs1: t5, imm: 1 });
  code.emit("sw", at(windowRegister, t5, area.trapCount));
  code.emit("lw", into(t5, area.trapHash));
  code.emit("add", { rd: t5, rs1: t5, rs2: t6 });
  code.emit("csrrs", { rd: t6, csr: mcause });
  code.emit("xor", { rd: t5, rs1: t5, rs2: t6 });
  if (placement.mtval) emitMixMtval(code);
  code.emit("slli", { rd: t6, rs1: t5, imm: 5 });
  code.emit("srli", { rd: t5, rs1: t5, imm: 27 });
  code.emit("or", { rd: t5, rs1: t5, rs2: t6 });
  code.emit("sw", at(windowRegister, t5, area.trapHash));
  code.emit("csrrs", { rd: t6, csr: mepc });
  code.emit("addi", { rd: t6, rs1: t6, imm: 4 });
  code.emit("csrrw", { rs1: t6, csr: mepc });
  code.emit("lw", into(t5, area.savedT5));
  code.emit("lw", into(t6, area.savedT6));
  code.emit("mret");

  code.bind(finish);
  code.emit("lw", into(t5, area.savedT5));
  code.emit("lw", into(t6, area.savedT6));
  for (let register = 1; register < 32; register++) {
    code.emit("sw", at(windowRegister, register, area.registers + 4 * register));
  }
  code.emit("csrrs", { rd: x.t0, csr: mscratch });
  code.emit("sw", at(windowRegister, x.t0, area.registers));
  emitResults(code, placement);
  code.emit("csrrs", { rd: x.t0, csr: mepc });
  code.emit("jalr", { rs1: x.t0, imm: 4 });
}

/** Adds mtval to the hash in t5 where machines agree on it: illegal words and misaligned accesses; mcause is in t6. */
function emitMixMtval(code: Assembler): void {
  const none = code.label(false);
  // Of the causes that programs here have these are 2, 4 and 6; 8 leaves 0.
  code.branch("beq", { rs1: t6, rs2: 0 }, none);
  code.emit("andi", { rd: t6, rs1: t6, imm: 1 });
  code.branch("bne", { rs1: t6, rs2: 0 }, none);
  code.emit("csrrs", { rd: t6, csr: mtval });
  code.emit("add", { rd: t5, rs1: t5, rs2: t6 });
  code.bind(none);
}

/** Gives out the compared words, or their hash (FNV-1a over words). */
function emitResults(code: Assembler, { full, results }: Placement): void {
  const [hash, pointer, end, word, prime] = [x.a0, x.t0, x.t1, x.t2, x.a1];
  const give = code.label(false), start = code.label(false);
  code.jump(start);
  code.bind(give);
  if (results === undefined) emitPrintWord(code);
  else emitStoreWord(code);
  code.bind(start);
  code.constant(hash, 0x811c_9dc5);
  code.constant(prime, 0x0100_0193);
  code.emit("addi", { rd: pointer, rs1: windowRegister, imm: area.window });
  code.emit("addi", { rd: end, rs1: pointer, imm: 4 * comparedWords });
  const next = code.label();
  code.emit("lw", { rd: word, rs1: pointer });
  if (full) {
    code.emit("addi", { rd: hash, rs1: word });
    code.jump(give, x.ra);
  } else {
    code.emit("xor", { rd: hash, rs1: hash, rs2: word });
    code.emit("mul", { rd: hash, rs1: hash, rs2: prime });
  }
  code.emit("addi", { rd: pointer, rs1: pointer, imm: 4 });
  code.branch("bne", { rs1: pointer, rs2: end }, next);
  if (!full) code.jump(give, x.ra);
}

/** Stores a0 where the next result goes. */
function emitStoreWord(code: Assembler): void {
  code.emit("lw", { rd: t5, rs1: windowRegister, imm: area.output });
  code.emit("sw", { rs1: t5, rs2: x.a0 });
  code.emit("addi", { rd: t5, rs1: t5, imm: 4 });
  code.emit("sw", { rs1: windowRegister, rs2: t5, imm: area.output });
  code.emit("jalr", { rs1: x.ra });
}

/** Prints a0 as eight hexadecimal digits and a newline; uses t5, t6, s1, a7 and keeps the others. */
function emitPrintWord(code: Assembler): void {
  const [uart, digit, count] = [t5, t6, x.s1];
  const ready = x.a7;
  code.constant(uart, machine.uart);
  code.emit("addi", { rd: count, rs1: 0, imm: 28 });
  const next = code.label();
  code.emit("srl", { rd: digit, rs1: x.a0, rs2: count });
  code.emit("andi", { rd: digit, rs1: digit, imm: 15 });
  code.emit("sltiu", { rd: ready, rs1: digit, imm: 10 });
  // "0" + digit, and 39 more for "a" … "f".
  code.emit("addi", { rd: ready, rs1: ready, imm: -1 });
  code.emit("andi", { rd: ready, rs1: ready, imm: 39 });
  code.emit("add", { rd: digit, rs1: digit, rs2: ready });
  code.emit("addi", { rd: digit, rs1: digit, imm: 48 });
  emitPut(code, uart, digit, ready);
  code.emit("addi", { rd: count, rs1: count, imm: -4 });
  code.branch("bge", { rs1: count, rs2: 0 }, next);
  code.emit("addi", { rd: digit, rs1: 0, imm: 10 });
  emitPut(code, uart, digit, ready);
  code.emit("jalr", { rs1: x.ra });
}

function emitPut(code: Assembler, uart: number, byte: number, scratch: number): void {
  const wait = code.label();
  code.emit("lbu", { rd: scratch, rs1: uart, imm: lineStatus });
  code.emit("andi", { rd: scratch, rs1: scratch, imm: transmitterEmpty });
  code.branch("beq", { rs1: scratch, rs2: 0 }, wait);
  code.emit("sb", { rs1: uart, rs2: byte });
}
