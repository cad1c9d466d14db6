// Programs made word by word, so that no compiler is needed: ELF files for the cluster, loaded at its L2.

import { Assembler, x } from "./isa/assembler.ts";
import { writeElf } from "./isa/elf_writer.ts";

/** Where the programs lie, and where they are entered. */
export const programBase = 0x8000_0000;

/** An ELF whose hart 0 runs what `write` emits; the other harts sleep. */
export function smallProgram(
  write: (code: Assembler) => void,
  symbols: { name: string; address: number }[] = [],
): Uint8Array {
  const code = new Assembler(programBase);
  const first = code.label(false);
  // Nothing shall wake a hart: the boot ROM leaves the start interrupt pending.
  code.emit("csrrw", { rd: x.zero, rs1: x.zero, csr: 0x304 });
  code.emit("csrrs", { rd: x.t0, rs1: x.zero, csr: 0xf14 });
  code.branch("beq", { rs1: x.t0, rs2: x.zero }, first);
  const asleep = code.label();
  code.emit("wfi");
  code.branch("jal", { rd: x.zero }, asleep);
  code.bind(first);
  write(code);
  const bytes = code.bytes();
  return writeElf({
    entry: programBase,
    segments: [{ address: programBase, bytes, memorySize: Math.max(4096, bytes.length) }],
    symbols: [{ name: "_start", address: programBase }, ...symbols],
  });
}

/** Prints text on the test bench's console and exits with a code there. */
export function printingProgram(text: string, code: number): Uint8Array {
  return smallProgram((asm) => {
    asm.emit("lui", { rd: x.a0, imm: 0xf000_0000 | 0 });
    for (const byte of new TextEncoder().encode(text)) {
      asm.emit("addi", { rd: x.a1, rs1: x.zero, imm: byte });
      asm.emit("sw", { rs1: x.a0, rs2: x.a1, imm: 0 });
    }
    asm.emit("addi", { rd: x.a1, rs1: x.zero, imm: code });
    asm.emit("sw", { rs1: x.a0, rs2: x.a1, imm: 8 });
    const end = asm.label();
    asm.branch("jal", { rd: x.zero }, end);
  });
}
