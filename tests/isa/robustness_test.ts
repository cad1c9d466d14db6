// Whatever a guest does, the host says how it ended: an exit, the limit, or one of our errors; and soon.

import assert from "node:assert/strict";
import { buildSoc } from "../../runtime/host/build_soc.ts";
import { encode, fieldsOf, immediateRange } from "../../runtime/hart/encoding.ts";
import { csrNumbers } from "../../runtime/hart/csr_names.ts";
import { instructions } from "../../runtime/hart/instructions.ts";
import { readElf } from "../../runtime/image/elf.ts";
import { AttoflowError } from "../../targets/errors.ts";
import { loadTarget } from "../../targets/load.ts";
import type { Target } from "../../targets/schema.ts";
import { Assembler } from "./assembler.ts";
import { writeElf } from "./elf_writer.ts";
import { illegalWord, operandWord } from "./items.ts";
import { Random } from "./random.ts";

const entry = 0x8000_0000;

/** Places where a wild address hurts most: memories, registers, their ends, and nothing. */
function places(target: Target): number[] {
  const spans = [...target.memories, ...target.peripherals];
  return [
    0,
    0xffff_fffc,
    ...spans.flatMap(({ base, size }) => [base, base + size - 4, base + size, base + 1]),
  ];
}

/** Words that are mostly instructions, any of the table, with any operands. */
function wildProgram(random: Random, target: Target): Uint8Array {
  const code = new Assembler(entry);
  const addresses = places(target);
  // A handler somewhere in the program, so that traps go on; or none.
  if (random.oneIn(2)) {
    code.constant(5, entry + 4 * random.below(300));
    code.emit("csrrw", { rs1: 5, csr: csrNumbers.mtvec });
  }
  for (let register = 1; register < 32; register++) {
    code.constant(register, random.oneIn(3) ? operandWord(random) : random.pick(addresses));
  }
  for (let i = 0; i < 300; i++) {
    if (random.oneIn(40)) {
      code.word(random.oneIn(2) ? illegalWord(random) : random.word());
      continue;
    }
    const { name, format } = random.pick(instructions);
    const range = immediateRange(format);
    const operands: Record<string, number> = {};
    for (const field of fieldsOf(format)) {
      if (field === "csr") {
        operands.csr = random.oneIn(3) ? random.below(4096) : random.pick(Object.values(csrNumbers));
      } else if (field !== "imm") operands[field] = random.below(32);
    }
    if (range) {
      // Branches stay near, or the program would be over at the first.
      const near = format === "B" || format === "J";
      const steps = near ? 32 : (range.max - range.min) / range.step + 1;
      operands.imm = near ? 4 * (random.below(steps) - 8) : range.min + range.step * random.below(steps);
    }
    code.word(encode(name, operands));
  }
  return writeElf({ entry, segments: [{ address: entry, bytes: code.bytes(), memorySize: 0x2000 }] });
}

for (const name of ["snitch-ita", "virt"]) {
  Deno.test(`wild programs on ${name} end in an exit, the limit or an error for people`, async () => {
    const target = await loadTarget(name);
    const ends = { exit: 0, limit: 0, error: 0 };
    for (let seed = 0; seed < 150; seed++) {
      const soc = buildSoc(target);
      soc.load(readElf(wildProgram(new Random(seed), target), "wild program"));
      const start = performance.now();
      try {
        const { reason } = soc.run({ maxCycles: 3000 });
        assert(reason === "exit" || reason === "limit");
        ends[reason]++;
      } catch (error) {
        assert(error instanceof AttoflowError, `seed ${seed}: ${(error as Error).stack}`);
        ends.error++;
      }
      const seconds = (performance.now() - start) / 1000;
      assert(seconds < 5, `seed ${seed} took ${seconds} s for 3000 cycles`);
    }
    assert(ends.error > 30, JSON.stringify(ends));
  });
}
