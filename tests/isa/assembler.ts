// A small assembler over the instruction table: code with labels, so that tests can build programs without a compiler.

import { encode, type Operands } from "../../runtime/hart/encoding.ts";

/** A place in the code; bound once, used as often as you like, before or after. */
export interface Label {
  address?: number;
}

/** ABI names of the registers that tests speak of. */
export const x = {
  zero: 0,
  ra: 1,
  sp: 2,
  gp: 3,
  tp: 4,
  t0: 5,
  t1: 6,
  t2: 7,
  s0: 8,
  s1: 9,
  a0: 10,
  a1: 11,
  a2: 12,
  a3: 13,
  a4: 14,
  a5: 15,
  a7: 17,
  s11: 27,
  t3: 28,
  t4: 29,
  t5: 30,
};

/** Collects instruction words from `base` on. */
export class Assembler {
  readonly #words: number[] = [];
  readonly #fixups: (() => void)[] = [];

  constructor(readonly base: number) {}

  /** Address of the next word. */
  get here(): number {
    return this.base + 4 * this.#words.length;
  }

  /** A label, bound right here unless told otherwise. */
  label(bound = true): Label {
    return bound ? { address: this.here } : {};
  }

  bind(label: Label): void {
    label.address = this.here;
  }

  word(word: number): void {
    this.#words.push(word >>> 0);
  }

  emit(name: string, operands: Operands = {}): void {
    this.word(encode(name, operands));
  }

  /** A branch or jal to a label. */
  branch(name: string, operands: Operands, target: Label): void {
    this.#later((pc) => encode(name, { ...operands, imm: addressOf(target) - pc }));
  }

  jump(target: Label, rd = 0): void {
    this.branch("jal", { rd }, target);
  }

  /** rd := a constant, in two words whatever the constant is. */
  constant(rd: number, value: number): void {
    const low = value << 20 >> 20;
    this.emit("lui", { rd, imm: (value - low) | 0 });
    this.emit("addi", { rd, rs1: rd, imm: low });
  }

  /** rd := the address of a label, plus an offset, in two words. */
  address(rd: number, target: Label, offset = 0): void {
    const low = () => (addressOf(target) + offset) << 20 >> 20;
    this.#later(() => encode("lui", { rd, imm: (addressOf(target) + offset - low()) | 0 }));
    this.#later(() => encode("addi", { rd, rs1: rd, imm: low() }));
  }

  /** The finished code, little endian. */
  bytes(): Uint8Array<ArrayBuffer> {
    for (const fix of this.#fixups) fix();
    const bytes = new Uint8Array(4 * this.#words.length);
    const view = new DataView(bytes.buffer);
    this.#words.forEach((word, i) => view.setUint32(4 * i, word, true));
    return bytes;
  }

  /** Leaves room for a word that can only be encoded when all labels are bound. */
  #later(encodeAt: (pc: number) => number): void {
    const index = this.#words.length;
    const pc = this.here;
    this.#words.push(0);
    this.#fixups.push(() => this.#words[index] = encodeAt(pc));
  }
}

function addressOf(label: Label): number {
  if (label.address === undefined) throw new Error("a label is used but never bound");
  return label.address;
}
