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

/** The decoded instructions of all harts. */
export class CodeCache {
  /** Slot of each page in the arrays below; 0 if the page holds no decoded code. */
  readonly slots: Uint16Array = new Uint16Array(2 ** (32 - pageBits));
  /** Kind of each word. The arrays are replaced when more pages are needed: read them anew after a `decode`. */
  kinds = new Uint8Array(0);
  /** Index in the table, rd << 8, rs1 << 16, rs2 << 24. */
  packed = new Int32Array(0);
  /** Immediate; CSR number << 5 | five-bit immediate or 0 for CSR instructions. */
  immediates = new Int32Array(0);
  /** Registers that must have no result pending, as a mask; x0 is never in it. */
  needs = new Int32Array(0);
  /** Line that the L0 prefetcher asks for while the hart is at this word; -1 where fetches are not cached. */
  prefetches = new Int32Array(0);

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
    const words = pages * pageWords;
    const grown = <T extends Uint8Array | Int32Array>(fresh: T, previous: T): T => {
      fresh.set(previous);
      return fresh;
    };
    this.kinds = grown(new Uint8Array(words), this.kinds);
    this.packed = grown(new Int32Array(words), this.packed);
    this.immediates = grown(new Int32Array(words), this.immediates);
    this.needs = grown(new Int32Array(words), this.needs);
    this.prefetches = grown(new Int32Array(words), this.prefetches);
  }

  /**
   * Decodes the word at `pc`.
   *
   * @returns its index in the arrays, or -1 if there is nothing to fetch from
   */
  decode(pc: number): number {
    const word = this.#source.fetch(pc);
    if (word === undefined) return -1;
    const page = pc >>> pageBits;
    if (this.slots[page] === 0) this.#take(page);
    const index = this.slots[page] * pageWords + ((pc >>> 2) & (pageWords - 1));
    const instruction = decode(word);
    this.kinds[index] = instruction ? kindOf[instruction.latency] : illegal;
    this.prefetches[index] = this.#source.cacheable(pc) ? this.#predicted(pc) : -1;
    if (instruction) this.#fill(index, word, instruction);
    else {
      this.packed[index] = discard << 8;
      this.needs[index] = 0;
    }
    return index;
  }

  #take(page: number): void {
    if (this.#used * pageWords === this.kinds.length) {
      if (this.#used >= 4096) this.clear();
      else this.#grow(this.#used * 2);
    }
    this.slots[page] = this.#used++;
    this.#pages.push(page);
  }

  #fill(index: number, word: number, instruction: Instruction): void {
    const operands = operandsOfWord(word, instruction.format);
    const { latency, reads, writes } = instruction;
    const rd = writes && operands.rd !== 0 ? operands.rd : discard;
    this.packed[index] = instruction.index | rd << 8 | operands.rs1 << 16 | operands.rs2 << 24;
    this.immediates[index] = latency === "csr" ? operands.csr << 5 | operands.imm : operands.imm;
    // Bits 11:7 are looked at whether or not they name a destination (snitch-cluster.md, section 8, rule 1).
    let needs = 1 << (word >>> 7 & 31);
    for (const register of reads) needs |= 1 << operands[register];
    // A fence orders memory; it has no operands, whatever its fields hold.
    this.needs[index] = latency === "system" ? 0 : needs & ~1;
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
    for (let word = start; word < end; word += 4) {
      const slot = this.slots[word >>> pageBits];
      if (slot !== 0) this.kinds[slot * pageWords + ((word >>> 2) & (pageWords - 1))] = 0;
    }
  }

  /** Forgets everything. */
  clear(): void {
    for (const page of this.#pages) this.slots[page] = 0;
    this.#pages.length = 1;
    this.#used = 1;
    this.kinds.fill(0);
  }
}

/** What the pipeline must know of each instruction of the table, by index. */
export const accessBytes: Uint8Array = Uint8Array.from(
  instructions,
  ({ meaning }) => meaning.kind === "load" || meaning.kind === "store" ? meaning.bytes : 4,
);
