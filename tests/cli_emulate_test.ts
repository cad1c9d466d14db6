// `emulate` and `conformance isa`: programs made word by word, so that no compiler is needed.

import assert from "node:assert/strict";
import { join } from "node:path";
import { x } from "./isa/assembler.ts";
import { writeElf } from "./isa/elf_writer.ts";
import { assertRefused, cli, inFolder, namesIn } from "./cli.ts";
import { printingProgram as hello, programBase as base, smallProgram as program } from "./small_program.ts";

async function withFile(bytes: Uint8Array, work: (folder: string) => Promise<void>) {
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "p.elf"), bytes);
    await work(folder);
  });
}

Deno.test("a program's console is our stdout, its exit code our status", () =>
  withFile(hello("hi there\nno line end", 7), async (folder) => {
    const { status, stdout, stderr } = await cli(["emulate", "p.elf", "--testbench"], folder);
    assert.equal(stdout, "hi there\nno line end");
    assert.equal(status, 7);
    const lines = stderr.trimEnd().split("\n");
    assert.match(lines[0], /hart +cycles +instructions/);
    assert.equal(lines.length, 1 + 9);
  }));

Deno.test("--json gives the console and a summary as objects", () =>
  withFile(hello("one\ntwo", 0), async (folder) => {
    const { status, stdout, stderr } = await cli(["emulate", "p.elf", "--testbench", "--json"], folder);
    assert.equal(status, 0, stderr);
    const objects = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(objects.slice(0, 2), [{ type: "console", text: "one\n" }, {
      type: "console",
      text: "two",
    }]);
    const summary = objects.at(-1);
    assert.equal(summary.exitCode, 0);
    assert.equal(summary.harts.length, 9);
    assert.ok(summary.harts[0].instructions > 10 && summary.cycles > 10);
  }));

/** Runs `emulate` and gives the last paragraph on stderr; the status must be 1. */
async function fault(bytes: Uint8Array, ...args: string[]): Promise<string> {
  let last = "";
  await withFile(bytes, async (folder) => {
    const { status, stderr } = await cli(["emulate", "p.elf", ...args], folder);
    assert.equal(status, 1, stderr);
    assert.doesNotMatch(stderr, /this is a bug/);
    last = stderr.trimEnd().split("\n").at(-1)!;
  });
  return last;
}

Deno.test("a program that goes wrong ends with hart, pc, function and cause", async () => {
  // Without the test bench there is nothing at its addresses.
  assert.match(await fault(hello("x", 0)), /hart 0, pc 0x8000\w+ \(_start\+0x\w+\), sw .*0xf0000000/);
  assert.match(
    await fault(program((asm) => asm.word(0xffff_ffff))),
    /hart 0, pc 0x\w+ \(_start\+0x14\).*illegal/,
  );
  assert.match(await fault(program((asm) => asm.emit("wfi"))), /all harts wait/);
  const loop = program((asm) => asm.branch("jal", { rd: x.zero }, asm.label()));
  assert.match(await fault(loop, "--max-cycles", "1e4"), /hart 0.*still running after 10000 cycles/);
});

Deno.test("files that are no program for the target are refused", () =>
  withFile(hello("x", 0).subarray(0, 90), async (folder) => {
    assertRefused(await cli(["emulate", "p.elf"], folder), 2, /p\.elf: /, /damaged|cut off/);
    await Deno.writeTextFile(join(folder, "text.elf"), "I am a text and not a program at all, am I not?");
    assertRefused(await cli(["emulate", "text.elf"], folder), 2, /text\.elf: /);
    assertRefused(await cli(["emulate", "."], folder), 2, /manifest\.json: there is no such file/);
    const elsewhere = writeElf({
      entry: 0x4000_0000,
      segments: [{ address: 0x4000_0000, bytes: new Uint8Array(64) }],
    });
    await Deno.writeFile(join(folder, "elsewhere.elf"), elsewhere);
    assertRefused(await cli(["emulate", "elsewhere.elf"], folder), 2, /0x40000000/, /memory of snitch-ita/);
  }));

Deno.test("a cache that is no folder is refused, a folder is made", () =>
  withFile(hello("once", 0), async (folder) => {
    const fast = ["emulate", "p.elf", "--testbench", "--timing", "fast", "--cache"];
    assertRefused(
      await cli([...fast, "p.elf"], folder),
      2,
      /p\.elf: nothing can be kept there: it is no folder/,
    );
    assert.equal((await cli([...fast, "a/b"], folder)).status, 0);
    assert.ok((await namesIn(join(folder, "a", "b"))).length > 0);
  }));

Deno.test("conformance isa names what failed and counts", () =>
  inFolder(async (folder) => {
    const tohost = base + 0x800;
    const test = (word: number) =>
      program((asm) => {
        asm.emit("lui", { rd: x.a0, imm: 0x8000_1000 | 0 });
        asm.emit("addi", { rd: x.a1, rs1: x.zero, imm: word });
        asm.emit("sw", { rs1: x.a0, rs2: x.a1, imm: -0x800 });
        asm.branch("jal", { rd: x.zero }, asm.label());
      }, [{ name: "tohost", address: tohost }]);
    await Deno.mkdir(join(folder, "a/b"), { recursive: true });
    await Deno.writeFile(join(folder, "a/b/good"), test(1));
    await Deno.writeTextFile(join(folder, "README"), "no program");
    const timings = ["exact", "fast"];
    for (const timing of timings) {
      const good = await cli(["conformance", "isa", ".", "--timing", timing], folder);
      assert.equal(good.status, 0, good.stderr);
      assert.equal(good.stdout.trimEnd().split("\n").at(-1), "1 passed, 0 failed");
    }
    await Deno.writeFile(join(folder, "a/bad"), test(2 * 3 + 1));
    for (const timing of timings) {
      const bad = await cli(["conformance", "isa", ".", "--timing", timing], folder);
      assert.equal(bad.status, 1);
      assert.match(bad.stdout, /^FAILED a\/bad .*3 failed$/m);
      assert.equal(bad.stdout.trimEnd().split("\n").at(-1), "1 passed, 1 failed");
    }
    await Deno.mkdir(join(folder, "empty"));
    assertRefused(await cli(["conformance", "isa", "empty"], folder), 2, /empty: there is no case/);
    assertRefused(await cli(["conformance", "networks", "none"], folder), 2, /none: there is no such/);
  }));
