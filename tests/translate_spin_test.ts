// Which loops count as waiting for what others write.

import assert from "node:assert/strict";
import { decodeStep, isForBlocks } from "../runtime/hart/translate/block.ts";
import { isSpinning } from "../runtime/hart/translate/spin.ts";
import { Assembler, type Label, x } from "./isa/assembler.ts";
import { codeBase } from "./soc_program.ts";

/** For each instruction of a piece of code, whether a hart there spins. */
function spins(emit: (code: Assembler, start: Label) => void): boolean[] {
  const code = new Assembler(codeBase), start = code.label();
  emit(code, start);
  code.emit("ebreak");
  const bytes = code.bytes(), words = new DataView(bytes.buffer);
  const source = (pc: number) => {
    const offset = pc - codeBase;
    if (offset < 0 || offset >= bytes.length) return undefined;
    const step = decodeStep(pc, words.getUint32(offset, true));
    return step && isForBlocks(step) ? step : undefined;
  };
  return Array.from({ length: bytes.length / 4 }, (_, i) => isSpinning(codeBase + 4 * i, source));
}

Deno.test("a flag, a lock and a turn are waited for", () => {
  const flag = spins((code, start) => {
    code.emit("lw", { rd: x.t0, rs1: x.a0 });
    code.branch("beq", { rs1: x.t0 }, start);
  });
  assert.deepEqual(flag, [true, true, false]);
  const lock = spins((code, start) => {
    code.emit("amoswap.w", { rd: x.t0, rs1: x.a0, rs2: x.t1 });
    code.branch("bne", { rs1: x.t0 }, start);
  });
  assert.deepEqual(lock, [true, true, false]);
  const turn = spins((code, start) => {
    code.emit("lw", { rd: x.t0, rs1: x.a0 });
    code.emit("andi", { rd: x.t0, rs1: x.t0, imm: 7 });
    code.branch("bne", { rs1: x.t0, rs2: x.a1 }, start);
  });
  assert.deepEqual(turn, [true, true, true, false]);
});

Deno.test("who runs into such a loop waits as who is in it, who runs on into another block does not", () => {
  const before = spins((code) => {
    code.emit("addi", { rd: x.t1, rs1: x.t1, imm: 1 });
    const head = code.label();
    code.emit("lw", { rd: x.t0, rs1: x.a0 });
    code.branch("bne", { rs1: x.t0 }, head);
  });
  assert.deepEqual(before, [true, true, true, false]);
  const across = spins((code) => {
    while (code.here < codeBase + 124) code.emit("addi");
    const head = code.label();
    code.emit("lw", { rd: x.t0, rs1: x.a0 });
    code.branch("bne", { rs1: x.t0 }, head);
  });
  assert.deepEqual(across.slice(30), [false, false, true, false]);
});

Deno.test("loops that work do not wait, whatever they read", () => {
  const loops: ((code: Assembler, start: Label) => void)[] = [
    // To the end of a string.
    (code, start) => {
      code.emit("lb", { rd: x.t0, rs1: x.a0 });
      code.emit("addi", { rd: x.a0, rs1: x.a0, imm: 1 });
      code.branch("bne", { rs1: x.t0 }, start);
    },
    // So many times, whatever is read.
    (code, start) => {
      code.emit("amoadd.w", { rd: x.zero, rs1: x.a0, rs2: x.t1 });
      code.emit("addi", { rd: x.a1, rs1: x.a1, imm: -1 });
      code.branch("bne", { rs1: x.a1 }, start);
    },
    // Down a list.
    (code, start) => {
      code.emit("lw", { rd: x.a0, rs1: x.a0 });
      code.branch("bne", { rs1: x.a0 }, start);
    },
    // It writes what it reads.
    (code, start) => {
      code.emit("lw", { rd: x.t0, rs1: x.a0 });
      code.emit("addi", { rd: x.t0, rs1: x.t0, imm: -1 });
      code.emit("sw", { rs1: x.a0, rs2: x.t0 });
      code.branch("bne", { rs1: x.t0 }, start);
    },
    // Nothing is read.
    (code, start) => {
      code.emit("addi", { rd: x.t0, rs1: x.t0, imm: -1 });
      code.branch("bne", { rs1: x.t0 }, start);
    },
  ];
  for (const [i, emit] of loops.entries()) assert(spins(emit).every((spinning) => !spinning), `loop ${i}`);
});
