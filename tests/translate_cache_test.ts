// Translated code that is kept between runs: it is used again, it changes nothing in what comes of a run, and what is
// damaged or made for other code is not used.

import assert from "node:assert/strict";
import { join } from "node:path";
import { FolderCache } from "../runtime/cache.ts";
import { readElf } from "../runtime/image/elf.ts";
import { FastHarts, type FastOptions } from "../runtime/soc/fast_harts.ts";
import { Soc } from "../runtime/soc/soc.ts";
import { loadTarget } from "../targets/load.ts";
import type { Target } from "../targets/schema.ts";
import { findCompiler } from "./isa/compiler.ts";
import { codeBase, exit, image, li, op, registers, virt } from "./soc_program.ts";
import { MemoryCache, run as runTrial } from "./translate_harness.ts";

/** Runs an image with a cache, which keeps what was translated. */
function run(elf: Uint8Array, target: Target, folder: string | undefined) {
  const engine = new FastHarts(target, {
    patience: 200,
    ...(folder ? { cache: new FolderCache(folder) } : {}),
  });
  const soc = new Soc(target, { engine });
  soc.load(readElf(elf, target.name));
  const { exitCode, cycle } = soc.run({ maxCycles: 100_000_000, limitIsFault: true });
  engine.close();
  const { regions, reused, blocks, reusedBlocks } = engine.translated;
  const done = { exitCode, cycle, harts: soc.statistics().map(({ instructions, pc }) => [instructions, pc]) };
  return { regions, reused, blocks, reusedBlocks, done };
}

const programs = [
  ["virt", "programs", ["start.S", "console.c", "transformer.c"], []],
  ["snitch-ita", "cluster", ["start.S", "steady.c"], ["-DLOOP=atomics", "-DWORKERS=8"]],
  ["snitch-ita", "cluster", ["start.S", "steady.c"], ["-DLOOP=calls", "-DWORKERS=9"]],
] as const;

Deno.test("translated code of earlier runs is used again and changes nothing", async (test) => {
  const compiler = await findCompiler("translated code between runs");
  if (!compiler) return;
  for (const [name, folder, sources, options] of programs) {
    const target = await loadTarget(name);
    await test.step(`${name} ${sources.at(-1)} ${options[0] ?? ""}`, async () => {
      const elf = await compiler.build(folder, [...sources], [...options]);
      const cache = await Deno.makeTempDir();
      try {
        const without = run(elf, target, undefined);
        const first = run(elf, target, cache), second = run(elf, target, cache);
        assert.deepEqual([first.done, second.done], [without.done, without.done]);
        assert.equal(first.reused, 0);
        assert(
          first.regions > 0 && second.reused > 0,
          `${first.regions} regions, then ${second.reused} reused`,
        );
        assert(second.reusedBlocks > second.blocks, "most blocks are those of the first run");
        // One bit of each file is turned over.
        for (const { name } of Deno.readDirSync(cache)) {
          const path = join(cache, name), bytes = Deno.readFileSync(path);
          bytes[bytes.length >> 1] ^= 4;
          Deno.writeFileSync(path, bytes);
        }
        const third = run(elf, target, cache);
        assert.deepEqual([third.done, third.reused, third.reusedBlocks], [without.done, 0, 0]);
      } finally {
        await Deno.remove(cache, { recursive: true });
      }
    });
  }
});

Deno.test("code translated for a slower memory is not used for a faster one", async () => {
  const compiler = await findCompiler("translated code beside another memory");
  if (!compiler) return;
  const [name, folder, sources, options] = programs[1];
  const target = await loadTarget(name);
  const memories = target.memories.map((memory) =>
    memory.role === "l2" ? { ...memory, latency: 50 } : memory
  );
  const slow = { ...target, memories };
  const elf = await compiler.build(folder, [...sources], [...options]);
  const cache = await Deno.makeTempDir();
  try {
    assert(run(elf, slow, cache).regions > 0);
    const { reused, reusedBlocks, done } = run(elf, target, cache);
    assert.deepEqual([done, reused, reusedBlocks], [run(elf, target, undefined).done, 0, 0]);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test("blocks of an earlier run are read anew where code around them, which they wait for, is another", () => {
  const { a0, a1, a2, a3 } = registers, boundary = 128 / 4, nop = op("addi");
  // The load ends its block, and what it costs depends on whether the next one wants what it loads.
  const program = (wanted: number) => {
    const start = [...li(a0, 1000), ...li(a2, codeBase)];
    const words = [
      ...start,
      ...Array.from({ length: boundary - start.length - 1 }, () => nop).flat(),
      ...op("lw", { rd: a1, rs1: a2 }),
      ...op("addi", { rd: a3, rs1: wanted, imm: 1 }),
      ...op("addi", { rd: a0, rs1: a0, imm: -1 }),
      ...op("bne", { rs1: a0, rs2: 0, imm: -4 * (boundary + 2 - start.length) }),
      ...exit,
    ];
    // Only what has the name of a function tells one image from another.
    return image(words, [{ name: "main", address: codeBase, size: 4 * boundary, kind: "function" }]);
  };
  const cache = new MemoryCache();
  const cycles = (wanted: number, options: FastOptions) => {
    const trial = { target: virt, image: program(wanted), spans: [] };
    return runTrial(trial, { patience: 1e9, ...options });
  };
  const [waits, goesOn] = [cycles(a1, { cache }), cycles(a2, {})];
  assert.notEqual(waits.cycle, goesOn.cycle);
  const { cycle, reusedBlocks } = cycles(a2, { cache });
  assert.equal(cycle, goesOn.cycle);
  assert(reusedBlocks > 0, "the cache was of use");
});

Deno.test("a full cache drops its own files and no others", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const others = Array.from({ length: 210 }, (_, i) => `photo-${i}.jpg`);
    for (const name of others) await Deno.writeTextFile(join(folder, name), name);
    const cache = new FolderCache(folder);
    for (let i = 0; i < 210; i++) {
      cache.write(`regions-731ca6d055fc228c-${i.toString(16).padStart(16, "0")}`, Uint8Array.of(i));
    }
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.deepEqual(names.filter((name) => name.startsWith("photo")).sort(), others.sort());
    assert(names.length - others.length <= 200, `${names.length - others.length} files of the cache`);
    assert(names.length > others.length);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
