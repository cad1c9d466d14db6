// Decoded instructions, by page of code, in flat arrays that the pipeline reads. A page is filled word by word as
// harts reach it; writes to a page that holds code throw away what they touch.

import { decode, operandsOfWord } from "./encoding.ts";
import { type Instruction, instructions, type LatencyClass } from "./instructions.ts";

/** Kind of a word, for the pipeline's switch. 0 is a word that nobody has decoded yet. */
export const alu = 1, branch = 2, jump = 3, load = 4, store = 5, atomic = 6, multiply = 7, divide = 8;
export const csr = 9, system = 10, transfer = 11, illegal = 12;

const kindOf: Record<LatencyClass, number> = {
  alu,
  branch,
  jump,
  load,
  store,
  atomic,
  multiply,
  divide,
  csr,
  system,
  transfer,
};

/** Register that stands in for x0 as a destination, so that the pipeline need not ask. */
export const discard = 32;

const pageBits = 12;
const pageWords = 1 << (pageBits - 2);

/** What the cache asks of the SoC. Addresses are signed or unsigned 32-bit words. */
export interface CodeSource {
  /** The word at an address from which a hart fetches; undefined if there is nothing to fetch from. */
  fetch(address: number): number | undefined;
  /** Whether fetches from there go through the instruction cache. */
  cacheable(address: number): boolean;
}

/** Words of a record: what {@link packFields} packs, immediate, needed registers, predicted line. */
const recordWords = 4;

/** Number of words of a page's records; a power of two. */
const pageRecords = pageWords * recordWords;

/** Index in the table, rd, rs1, rs2 and kind in one word, at bits 0, 7, 13, 18 and 23. */
function packFields(index: number, rd: number, rs1: number, rs2: number, kind: number): number {
  return index | rd << 7 | rs1 << 13 | rs2 << 18 | kind << 23;
}

/**
 * The decoded instructions of all harts.
 *
 * The record of the word at `pc` begins at `slots[pc >>> 12] << 12 | (pc & 0xffc)` in {@link records}: packed fields
 * (0: not decoded), immediate (CSR instructions: CSR number << 5 | five-bit immediate), the registers that must have
 * no result pending as a mask, the line that the L0 prefetcher asks for while the hart is at this word (-1 where
 * fetches are not cached).
 */
export class CodeCache {
  /** Slot of each page's records; slot 0 stays empty. */
  readonly slots: Uint16Array = new Uint16Array(2 ** (32 - pageBits));
  /** Is replaced when more pages are needed: read it anew after a `decode`. */
  records = new Int32Array(0);
  /** What others estimate that each word costs, by the index of its record / 4: see {@link setEstimate}. */
  estimates = new Uint16Array(0);

  #used = 1;
  readonly #pages: number[] = [0];
  readonly #source: CodeSource;
  readonly #lineBits: number;

  /** @param lineBytes length of a line of the instruction cache */
  constructor(source: CodeSource, lineBytes: number) {
    this.#source = source;
    this.#lineBits = Math.log2(lineBytes);
    this.#grow(16);
  }

  #grow(pages: number): void {
    const records = new Int32Array(pages * pageRecords);
    records.set(this.records);
    this.records = records;
    const estimates = new Uint16Array(pages * pageWords).fill(1);
    estimates.set(this.estimates);
    this.estimates = estimates;
  }

  /**
   * Decodes the word at `pc`.
   *
   * @returns the index of its record, or -1 if there is nothing to fetch from
   */
  decode(pc: number): number {
    const word = this.#source.fetch(pc);
    if (word === undefined) return -1;
    const page = pc >>> pageBits;
    if (this.slots[page] === 0) this.#take(page);
    const at = this.#at(pc);
    const instruction = decode(word);
    if (instruction) this.#fill(at, word, instruction);
    else this.records.set([packFields(0, discard, 0, 0, illegal), 0, 0], at);
    this.records[at + 3] = this.#source.cacheable(pc) ? this.#predicted(pc) : -1;
    return at;
  }

  /**
   * Says what a word is estimated to cost: cycles, and cycles more that an access costs which leaves the cluster, or
   * that a division's result may take longer without holding anything up.
   */
  setEstimate(pc: number, cycles: number, extra: number): void {
    if (this.slots[pc >>> pageBits] === 0) this.#take(pc >>> pageBits);
    this.estimates[this.#at(pc) >>> 2] = Math.min(cycles, 255) | Math.min(extra, 255) << 8;
  }

  #at(pc: number): number {
    return (this.slots[pc >>> pageBits] << pageBits) + (pc & (2 ** pageBits - 4));
  }

  #take(page: number): void {
    if (this.#used * pageRecords === this.records.length) {
      if (this.#used >= 4096) this.clear();
      else this.#grow(this.#used * 2);
    }
    this.slots[page] = this.#used++;
    this.#pages.push(page);
  }

  #fill(at: number, word: number, instruction: Instruction): void {
    const { rd, rs1, rs2, imm, csr: number } = operandsOfWord(word, instruction.format);
    const { index, latency, reads, writes } = instruction;
    this.records[at] = packFields(index, writes && rd !== 0 ? rd : discard, rs1, rs2, kindOf[latency]);
    this.records[at + 1] = latency === "csr" ? number << 5 | imm : imm;
    // Bits 11:7 are looked at whether or not they name a destination (snitch-cluster.md, section 8, rule 1).
    let needs = 1 << (word >>> 7 & 31);
    for (const register of reads) needs |= 1 << (register === "rs1" ? rs1 : rs2);
    // A fence orders memory; it has no operands, whatever its fields hold.
    this.records[at + 2] = latency === "system" ? 0 : needs & ~1;
  }

  /**
   * Line that the prefetcher predicts at `pc`: the target of the first jal or backward branch from there to the end
   * of the line, else the next line (section 4).
   */
  #predicted(pc: number): number {
    const end = ((pc >>> this.#lineBits) + 1) * 2 ** this.#lineBits;
    for (let address = pc >>> 0; address < end; address += 4) {
      const word = this.#source.fetch(address);
      const instruction = word === undefined ? undefined : decode(word);
      if (!instruction || (instruction.format !== "J" && instruction.format !== "B")) continue;
      const { imm } = operandsOfWord(word!, instruction.format);
      if (instruction.format === "J" || imm < 0) return (address + imm) >>> this.#lineBits;
    }
    return (pc >>> this.#lineBits) + 1;
  }

  /** Forgets what was decoded from a span that has been written. A prediction looks ahead within its line. */
  invalidate(address: number, bytes: number): void {
    const line = 2 ** this.#lineBits;
    const start = Math.floor((address >>> 0) / line) * line, end = (address >>> 0) + bytes;
    for (let word = start; word < end;) {
      const behind = Math.min(end, ((word >>> pageBits) + 1) * 2 ** pageBits);
      if (this.slots[word >>> pageBits] !== 0) {
        for (; word < behind; word += 4) this.records[this.#at(word)] = 0;
      }
      word = behind;
    }
  }

  /** Forgets everything. */
  clear(): void {
    for (const page of this.#pages) this.slots[page] = 0;
    this.#pages.length = 1;
    this.#used = 1;
    this.records.fill(0);
    this.estimates.fill(1);
  }
}

/** What the pipeline must know of each instruction of the table, by index. */
export const accessBytes: Uint8Array = Uint8Array.from(
  instructions,
  ({ meaning }) => meaning.kind === "load" || meaning.kind === "store" ? meaning.bytes : 4,
);
