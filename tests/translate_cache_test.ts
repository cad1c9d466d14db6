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
import type { Image } from "../runtime/image/types.ts";
import { Assembler, x } from "./isa/assembler.ts";
import { cluster, codeBase, exit, image, li, op, registers, virt } from "./soc_program.ts";
import { architectural, MemoryCache, run as runTrial } from "./translate_harness.ts";

/** Runs an image with a cache, which keeps what was translated. */
function run(elf: Uint8Array, target: Target, folder: string | undefined) {
  const engine = new FastHarts(target, {
    patience: 200,
    // Programs are short here, and would be over before their code is hot.
    ...(target === virt ? {} : { closely: 256 }),
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
    const target = name === "virt" ? virt : await loadTarget(name);
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

/** Adds `step` to a1 in a loop of 1000 rounds that lies across an address, and ends. */
function adder(step: number, across: number): Image {
  const code = new Assembler(codeBase), loop = code.label(false);
  code.constant(x.a0, 1000);
  code.constant(x.a1, 0);
  code.jump(loop);
  while (code.here < across - 8) code.emit("addi");
  code.bind(loop);
  for (let i = 0; i < 4; i++) code.emit("addi", { rd: x.a1, rs1: x.a1, imm: step });
  code.emit("addi", { rd: x.a0, rs1: x.a0, imm: -1 });
  code.branch("bne", { rs1: x.a0 }, loop);
  for (const word of exit) code.word(word);
  const bytes = code.bytes(), cut = across - codeBase;
  const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
  return {
    entry: codeBase,
    segments: parts.map((part, i) => ({
      address: codeBase + i * cut,
      bytes: part,
      memorySize: part.length,
      flags: 7,
    })),
    symbols: [{ name: "main", address: codeBase, size: 16, kind: "function" }],
  };
}

Deno.test("code across two memories is taken from a cache only where all of it is what it was", () => {
  const l2 = virt.memories.find(({ role }) => role === "l2")!, half = 0x1000;
  const memories = [{ ...l2, size: half }, { ...l2, name: "more", base: l2.base + half, size: half }];
  const target = { ...virt, memories };
  for (const patience of [1e9, 100]) {
    const cache = new MemoryCache();
    const sum = (step: number, options: FastOptions) => {
      const trial = { target, image: adder(step, codeBase + half), spans: [] };
      return architectural(runTrial(trial, { patience, ...options }));
    };
    for (const step of [1, 1, 3, 1]) assert.deepEqual(sum(step, { cache }), sum(step, {}));
    assert.equal(sum(3, { cache }).registers[x.a1], 12_000);
  }
});

Deno.test("a second image on the same machine has none of the first one's code", () => {
  const cache = new MemoryCache(), across = codeBase + 0x80;
  const sums = (steps: readonly number[], options: FastOptions) => {
    const engine = new FastHarts(virt, { patience: 100, ...options });
    const soc = new Soc(virt, { engine });
    return steps.map((step) => {
      const program = adder(step, across);
      soc.load({ ...program, symbols: [{ ...program.symbols[0], size: 0x200 }] });
      // It ends in a device that ends all: stop in front of that.
      soc.run({ maxCycles: 4000 });
      engine.close();
      return [engine.registers(1)[x.a1] % step, engine.registers(1)[x.a1] > 0];
    });
  };
  const expected = [[0, true], [0, true]];
  for (let i = 0; i < 2; i++) assert.deepEqual(sums([4, 12], { cache }), expected);
});

Deno.test("symbols that reach beyond their memory are taken as far as it goes", () => {
  for (const size of [0x7fff_ffff, 0xffff_ffff, 0x800_0000]) {
    for (const target of [virt, cluster]) {
      const symbols = [{ name: "main", address: codeBase, size, kind: "function" as const }];
      const program = { ...adder(1, codeBase + 0x80), symbols };
      const trial = { target, image: program, spans: [], maxCycles: 100_000 };
      const { end, registers } = runTrial(trial, { patience: 100, closely: 0 });
      assert.deepEqual([end, registers[x.a1]], [0, 4000]);
    }
  }
});

Deno.test("an image that starts between two instructions is refused", () => {
  const program = { ...image(exit), entry: codeBase + 2 };
  assert.throws(() => new Soc(virt).load(program), /starts at 0x80000002, between two instructions/);
});
