// Programs that go wrong, on the command line and under both levels of timing: each comes to an end within
// --max-cycles, and the end says hart, pc, function and cause.

import assert from "node:assert/strict";
import { join } from "node:path";
import { cli, cliCommand, inFolder } from "./cli.ts";
import { type Assembler, x } from "./isa/assembler.ts";
import { programBase, smallProgram } from "./small_program.ts";

const timings = ["exact", "fast"] as const;
const l1 = 0x1000_0000;

/** Puts a value of 32 bits into a register. */
function set(asm: Assembler, rd: number, value: number): void {
  asm.emit("lui", { rd, imm: ((value + 0x800) & 0xffff_f000) | 0 });
  asm.emit("addi", { rd, rs1: rd, imm: value << 20 >> 20 });
}

/** Goes round `rounds` times first, so that the code is hot. */
function warmUp(asm: Assembler, rounds: number): void {
  set(asm, x.t1, rounds);
  const again = asm.label();
  asm.emit("xor", { rd: x.t2, rs1: x.t2, rs2: x.t1 });
  asm.emit("addi", { rd: x.t1, rs1: x.t1, imm: -1 });
  asm.branch("bne", { rs1: x.t1, rs2: x.zero }, again);
}

/** Runs a program until it ends; the status must be 1. Gives the last paragraph and the cycles of hart 0. */
async function endOf(
  program: Uint8Array,
  timing: string,
  ...args: string[]
): Promise<{ text: string; cycles: number }> {
  let end = { text: "", cycles: 0 };
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "p.elf"), program);
    const { status, stdout, stderr } = await cli(
      ["emulate", "p.elf", "--timing", timing, "--max-cycles", "3e6", "--json", ...args],
      folder,
    );
    assert.equal(status, 1, stderr);
    assert.doesNotMatch(stderr, /this is a bug/);
    const summary = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
    assert.equal(summary.type, "summary");
    end = { text: stderr.trimEnd().split("\n").at(-1)!, cycles: summary.cycles };
  });
  return end;
}

/** The places in `an endless loop`, as its end names them. */
const loopPlace = /pc 0x800000(14|18) [^:]*|at _start\+0x1[48]/g;

/** What goes wrong, the program, and what its end must say. */
const cases: readonly [name: string, program: Uint8Array, ...patterns: RegExp[]][] = [
  [
    "an endless loop",
    smallProgram((asm) => {
      const again = asm.label();
      asm.emit("addi", { rd: x.a0, rs1: x.a0, imm: 1 });
      asm.branch("jal", { rd: x.zero }, again);
    }),
    /^attoflow: hart 0, pc 0x8000\w+ \(_start\+0x\w+\), .*: is still running after 3\d{6} cycles: hart 0 at _start/,
    /hart 8 in wfi at _start/,
  ],
  [
    "a deadlock at the barrier",
    smallProgram((asm) => {
      warmUp(asm, 100_000);
      asm.emit("csrrs", { rd: x.zero, rs1: x.zero, csr: 0x7c2 });
    }),
    /^attoflow: cycle \d+: all harts wait, and nothing can wake one: hart 0 in barrier at _start\+0x\w+; hart 1 in wfi/,
  ],
  [
    "a jump into data",
    smallProgram((asm) => {
      warmUp(asm, 100_000);
      set(asm, x.a0, l1);
      asm.emit("jalr", { rd: x.ra, rs1: x.a0, imm: 0 });
    }),
    /^attoflow: hart 0, pc 0x10000000.*, cycle \d+: traps \(an illegal instruction\), and the program has set no trap handler/,
  ],
  [
    "a jump to where there is nothing",
    smallProgram((asm) => {
      warmUp(asm, 100_000);
      set(asm, x.a0, 0x5000_0000);
      asm.emit("jalr", { rd: x.ra, rs1: x.a0, imm: 0 });
    }),
    /^attoflow: hart 0, pc 0x50000000.*, cycle \d+: fetches an instruction from where there is no memory/,
  ],
  [
    "a stack that overflows",
    smallProgram((asm) => {
      set(asm, x.sp, l1 + 0x20000);
      const recurse = asm.label();
      asm.emit("addi", { rd: x.sp, rs1: x.sp, imm: -16 });
      asm.emit("sw", { rs1: x.sp, rs2: x.ra, imm: 0 });
      asm.branch("jal", { rd: x.ra }, recurse);
    }),
    /^attoflow: hart 0, pc 0x8000\w+ \(_start\+0x\w+\), sw ra, 0\(sp\), cycle \d+: .*0x0ffffff0/,
  ],
  [
    "a program that writes over its code",
    smallProgram((asm) => {
      set(asm, x.a0, programBase + 0x400);
      asm.emit("addi", { rd: x.a1, rs1: x.zero, imm: -1 });
      const again = asm.label();
      asm.emit("addi", { rd: x.a0, rs1: x.a0, imm: -4 });
      asm.emit("sw", { rs1: x.a0, rs2: x.a1, imm: 0 });
      asm.branch("jal", { rd: x.zero }, again);
    }),
    /^attoflow: hart 0, pc 0x8000\w+ \(_start\+0x\w+\), .*, cycle \d+: traps \(an illegal instruction\)/,
  ],
  [
    "a program that writes over code that is hot",
    smallProgram((asm) => {
      const again = asm.label();
      set(asm, x.t1, 100_000);
      const round = asm.label();
      asm.emit("xor", { rd: x.t2, rs1: x.t2, rs2: x.t1 });
      asm.emit("addi", { rd: x.t1, rs1: x.t1, imm: -1 });
      asm.branch("bne", { rs1: x.t1, rs2: x.zero }, round);
      // The second round finds what the first has written over the first instruction of its loop.
      set(asm, x.a0, programBase + 0x1c);
      asm.emit("sw", { rs1: x.a0, rs2: x.zero, imm: 0 });
      asm.emit("fence.i");
      asm.branch("jal", { rd: x.zero }, again);
    }),
    /^attoflow: hart 0, pc 0x8000001c \(_start\+0x1c\), .*, cycle \d+: traps \(an illegal instruction\)/,
  ],
];

for (const [name, program, ...patterns] of cases) {
  Deno.test(`${name} comes to a clear end under both levels of timing`, async () => {
    const ends = [];
    for (const timing of timings) {
      const end = await endOf(program, timing);
      for (const pattern of patterns) assert.match(end.text, pattern, timing);
      assert.ok(end.cycles <= 3e6 + 2000, `${end.cycles}`);
      // When it ended may differ, and with it where an endless loop was.
      ends.push(end.text.replaceAll(/cycle \d+|after \d+ cycles/g, "").replaceAll(loopPlace, "in the loop"));
    }
    assert.equal(ends[1], ends[0]);
  });
}

Deno.test("Ctrl-C ends fast timing with the state of each hart", () =>
  inFolder(async (folder) => {
    const [, endless] = cases[0];
    await Deno.writeFile(join(folder, "p.elf"), endless);
    const child = cliCommand(["emulate", "p.elf", "--timing", "fast"], folder).spawn();
    const output = child.output();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    child.kill("SIGINT");
    const { code, stderr } = await output;
    const lines = new TextDecoder().decode(stderr).trimEnd().split("\n");
    assert.equal(code, 130, lines.join("\n"));
    assert.equal(lines.at(-1), "attoflow: interrupted");
    assert.match(lines.at(-11)!, /^cycle \d+$/);
    assert.match(lines.at(-10)!, /^hart 0 +pc 0x8000\w+ +_start\+0x\w+ +running$/);
    for (let hart = 1; hart < 9; hart++) {
      assert.match(lines.at(hart - 10)!, new RegExp(`^hart ${hart} .* in wfi: waits for an interrupt$`));
    }
  }));
