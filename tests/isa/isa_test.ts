// Our own instruction-set tests pass on the emulator, in the way in which the official ones will be run.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Timing } from "../../runtime/host/timing.ts";
import { type IsaResult, runIsaFolder } from "../../runtime/validate/isa.ts";
import { AttoflowError } from "../../targets/errors.ts";
import { loadTarget } from "../../targets/load.ts";
import { findCompiler } from "./compiler.ts";
import { writeElf } from "./elf_writer.ts";

const folder = new URL("riscv/", import.meta.url);

/**
 * Tests of what the cluster's harts do otherwise (snitch-cluster.md, sections 1.3, 1.5, 1.8 and 1.9): they have no
 * counters to write, no protection registers, no mtval, no misaligned accesses, and the CLINT is elsewhere.
 */
const beyondCluster = [
  "counters",
  "interrupt",
  "misaligned_atomic",
  "misaligned_supported",
  "protection_registers",
  "standard_registers",
];

async function buildAll(into: string): Promise<string[] | undefined> {
  const compiler = await findCompiler("instruction-set tests");
  if (!compiler) return;
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".S")) continue;
    names.push(name.slice(0, -2));
    await Deno.writeFile(join(into, name.slice(0, -2)), await compiler.build("riscv", [name]));
  }
  assert(names.length > 10);
  return names;
}

async function run(
  path: string,
  target: string,
  skipped?: (name: string, why: string) => void,
  timing: Timing = "exact",
) {
  const results: IsaResult[] = [];
  const options = { skipped, maxCycles: 200_000, timing, cache: false } as const;
  for await (const result of runIsaFolder(path, await loadTarget(target), options)) results.push(result);
  return results;
}

async function inTemporaryFolder(body: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir();
  try {
    await body(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

for (const [target, without] of [["virt", []], ["snitch-ita", beyondCluster]] as const) {
  Deno.test(`instruction-set tests pass on ${target}, under both levels of timing`, () =>
    inTemporaryFolder(async (path) => {
      const names = await buildAll(path);
      if (!names) return;
      for (const name of without) await Deno.remove(join(path, name));
      const results = await run(path, target);
      assert.deepEqual(results.filter(({ passed }) => !passed), []);
      assert.equal(results.length, names.length - without.length);
      const fast = await run(path, target, undefined, "fast");
      assert.deepEqual(
        fast.map(({ name, passed, detail }) => ({ name, passed, detail })),
        results.map(({ name, passed, detail }) => ({ name, passed, detail })),
      );
    }));
}

/** A program that stores a word to tohost and then goes round for ever. */
function tohostProgram(word: number, symbol = "tohost"): Uint8Array {
  const code = new Uint32Array([
    0x8000_0537, // lui a0, 0x80000
    (word << 20 | 0x0000_0593) >>> 0, // li a1, word
    0x04b5_2023, // sw a1, 64(a0)
    0x0000_006f, // j .
  ]);
  return writeElf({
    entry: 0x8000_0000,
    segments: [{ address: 0x8000_0000, bytes: new Uint8Array(code.buffer), memorySize: 128 }],
    symbols: [{ name: symbol, address: 0x8000_0040, size: 8, kind: "object" }],
  });
}

Deno.test("a folder of tests: each failure with its case, what is no test is skipped with a word", () =>
  inTemporaryFolder(async (path) => {
    await Deno.mkdir(join(path, "deep/er"), { recursive: true });
    const write = (name: string, bytes: Uint8Array) => Deno.writeFile(join(path, name), bytes);
    await write("deep/er/passes", tohostProgram(1));
    await write("fails", tohostProgram(2 * 7 + 1));
    await write("hangs", tohostProgram(0));
    await write("traps", tohostProgram(1337 | 3));
    await write(
      "crashes",
      writeElf({
        entry: 0x8000_0000,
        segments: [{ address: 0x8000_0000, bytes: new Uint8Array(64) }],
        symbols: [{ name: "tohost", address: 0x8000_0010 }, { name: "_start", address: 0x8000_0000 }],
      }),
    );
    await write(
      "elsewhere",
      writeElf({
        entry: 0x4000_0000,
        segments: [{ address: 0x4000_0000, bytes: new Uint8Array(64) }],
        symbols: [{ name: "tohost", address: 0x4000_0010 }],
      }),
    );
    await write("damaged", tohostProgram(1).slice(0, 100));
    await write("other", tohostProgram(1, "elsewhere"));
    await write("wide", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2));
    await write("notes.txt", new TextEncoder().encode("no ELF"));
    const skipped: string[] = [];
    const results = await run(path, "virt", (name, why) => skipped.push(`${name}: ${why}`));
    assert.deepEqual(skipped, ["other: it has no symbol tohost", "wide: it is for 64-bit machines"]);
    const details = Object.fromEntries(results.map(({ name, passed, detail }) => [name, passed || detail]));
    assert.deepEqual(Object.keys(details), [
      "crashes",
      "damaged",
      join("deep", "er", "passes"),
      "elsewhere",
      "fails",
      "hangs",
      "traps",
    ]);
    assert.equal(details[join("deep", "er", "passes")], true);
    assert.equal(details.fails, "case 7 failed");
    assert.match(`${details.hangs}`, /still running after 200000 cycles: hart 0 at/);
    assert.match(`${details.traps}`, /a trap came that it did not expect/);
    assert.match(`${details.crashes}`, /hart 0, pc 0x80000000 \(_start\).* illegal instruction/);
    assert.match(`${details.damaged}`, /takes bytes/);
    assert.match(`${details.elsewhere}`, /lies in no memory of virt/);
  }));

Deno.test("a folder of tests that is not there is an error with a hint", async () => {
  await assert.rejects(run("/does/not/exist", "virt"), (error) => {
    assert(error instanceof AttoflowError && error.hint);
    return true;
  });
});
