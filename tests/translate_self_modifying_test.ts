// Programs that write over their code, at random: what a block costs depends on code around it, so it matters when a
// block is read and what becomes of it when its neighbours change. Neither tier, nor patience, nor what earlier runs
// have kept may show, though they may have been runs of the same program with other inputs.

import assert from "node:assert/strict";
import { encode } from "../runtime/hart/encoding.ts";
import type { ImageSymbol } from "../runtime/image/types.ts";
import { Assembler, x } from "./isa/assembler.ts";
import { Random } from "./isa/random.ts";
import { cluster, codeBase, finisher, virt } from "./soc_program.ts";
import { architectural, MemoryCache, run, type Trial } from "./translate_harness.ts";

/** Where the script is and the data that functions read and write; neither is part of any function. */
const scriptAt = codeBase + 0x4000, dataAt = codeBase + 0x8000, size = 0x9000;
/** What the driver does with an entry of the script, three words each. */
const action = { end: 0, call: 1, store: 2 };

const general = [x.a0, x.a1, x.a2, x.a3, x.a4, x.a5];

/** An instruction that may stand, or be put, anywhere. */
function harmless(random: Random): number {
  const [rd, rs1, rs2] = [random.pick(general), random.pick(general), random.pick(general)];
  const data = { rs1: x.s11, imm: 4 * random.below(64) };
  switch (random.pick(["addi", "add", "mul", "divu", "lw", "lw", "sw", "csrrs"])) {
    case "addi":
      return encode("addi", { rd, rs1, imm: random.below(200) - 100 });
    case "add":
      return encode("add", { rd, rs1, rs2 });
    case "mul":
      return encode("mul", { rd, rs1, rs2 });
    case "divu":
      return encode("divu", { rd, rs1, rs2 });
    case "lw":
      return encode("lw", { rd, ...data });
    case "sw":
      return encode("sw", { rs2, ...data });
    default:
      return encode("csrrs", { rd, csr: 0x340 });
  }
}

/** A driver that hart 0 runs, and functions for it to call. */
interface Program {
  readonly code: Assembler;
  readonly functions: readonly number[];
  /** Addresses of instructions that the script may replace. */
  readonly free: readonly number[];
  readonly symbols: readonly ImageSymbol[];
}

function program(random: Random): Program {
  const code = new Assembler(codeBase);
  const functions: number[] = [], free: number[] = [];
  emitDriver(code);
  const symbols: ImageSymbol[] = [symbol("driver", codeBase, code.here)];
  const fill = (count: number) => {
    for (let i = 0; i < count; i++) {
      free.push(code.here);
      code.word(harmless(random));
    }
  };
  for (let i = 3 + random.below(6); i > 0; i--) {
    // Blocks end at round addresses: functions begin anywhere between.
    fill(random.below(random.oneIn(3) ? 40 : 6));
    const start = code.here;
    functions.push(start);
    for (let part = 1 + random.below(5); part > 0; part--) {
      fill(random.below(14));
      if (random.oneIn(2)) emitPart(code, random, fill);
    }
    // Others go on into the next function.
    if (!random.oneIn(3)) code.emit("jalr", { rs1: x.ra });
    symbols.push(symbol(`function${i}`, start, code.here));
  }
  fill(5);
  code.emit("jalr", { rs1: x.ra });
  return { code, functions, free, symbols };
}

const symbol = (name: string, address: number, end: number): ImageSymbol => ({
  name,
  address,
  size: end - address,
  kind: "function",
});

/** A loop of a few rounds, or a branch over something. */
function emitPart(code: Assembler, random: Random, fill: (count: number) => void): void {
  if (random.oneIn(2)) {
    code.emit("addi", { rd: x.t5, imm: 2 + random.below(4) });
    const again = code.label();
    fill(1 + random.below(10));
    code.emit("addi", { rd: x.t5, rs1: x.t5, imm: -1 });
    code.branch("bne", { rs1: x.t5 }, again);
  } else {
    const over = code.label(false);
    code.branch(random.pick(["blt", "bgeu"]), { rs1: random.pick(general), rs2: random.pick(general) }, over);
    fill(random.below(8));
    code.bind(over);
  }
}

function emitDriver(code: Assembler): void {
  const [next, store, done, park] = [1, 2, 3, 4].map(() => code.label(false));
  code.emit("csrrs", { rd: x.t0, csr: 0xf14 });
  code.branch("bne", { rs1: x.t0 }, park);
  code.constant(x.s11, dataAt);
  code.constant(x.s0, scriptAt);
  code.bind(next);
  for (const [i, rd] of [x.t1, x.t2, x.t3].entries()) code.emit("lw", { rd, rs1: x.s0, imm: 4 * i });
  code.emit("addi", { rd: x.s0, rs1: x.s0, imm: 12 });
  code.branch("beq", { rs1: x.t1 }, done);
  code.emit("addi", { rd: x.t4, imm: action.store });
  code.branch("beq", { rs1: x.t1, rs2: x.t4 }, store);
  const again = code.label();
  code.emit("jalr", { rd: x.ra, rs1: x.t2 });
  code.emit("addi", { rd: x.t3, rs1: x.t3, imm: -1 });
  code.branch("bne", { rs1: x.t3 }, again);
  code.jump(next);
  code.bind(store);
  code.emit("sw", { rs1: x.t2, rs2: x.t3 });
  code.emit("fence.i");
  code.jump(next);
  code.bind(done);
  code.constant(x.t0, finisher);
  code.constant(x.t1, 0x5555);
  code.emit("sw", { rs1: x.t0, rs2: x.t1 });
  code.bind(park);
  const asleep = code.label();
  code.emit("wfi");
  code.jump(asleep);
}

/** Calls, and stores that change a few places to and fro. */
function script(random: Random, { functions, free, code }: Program): number[] {
  const original = new DataView(code.bytes().buffer);
  const places = Array.from({ length: 1 + random.below(4) }, () => {
    const address = random.pick(free);
    return [address, [original.getUint32(address - codeBase, true), harmless(random)]] as const;
  });
  const entries = Array.from({ length: 10 + random.below(30) }, (): number[] => {
    if (!random.oneIn(3)) {
      const times = 1 + random.below(random.oneIn(3) ? 60 : 4);
      return [action.call, random.pick(functions), times];
    }
    const [address, words] = random.pick(places);
    return [action.store, address, random.pick(words)];
  });
  return [...entries.flat(), action.end, 0, 0];
}

function trialOf({ code, symbols }: Program, words: readonly number[], target: Trial["target"]): Trial {
  const bytes = new Uint8Array(size), script = Uint32Array.from(words, (word) => word >>> 0);
  bytes.set(code.bytes());
  bytes.set(new Uint8Array(script.buffer), scriptAt - codeBase);
  const segments = [{ address: codeBase, bytes, memorySize: size, flags: 7 }];
  return { target, image: { entry: codeBase, segments, symbols: [...symbols] }, spans: [[codeBase, size]] };
}

/** Seeds whose programs told, once, when a block had been read; others from ATTOFLOW_SEED on. */
const first = Number(Deno.env.get("ATTOFLOW_SEED") ?? 0);
const seeds = first > 0 ? Array.from({ length: 40 }, (_, i) => first + i) : [45, 78, 212];

for (const [target, closely] of [[virt, 0], [cluster, 0], [cluster, 3]] as const) {
  Deno.test(`self-modifying programs on ${target.name}, ${closely ? "exact until hot" : "at once"}`, () => {
    let reused = 0, reusedBlocks = 0, dropped = 0;
    for (const seed of seeds) {
      const random = new Random(seed), made = program(random);
      const trials = [1, 2].map(() => trialOf(made, script(random, made), target));
      const expected = trials.map((trial) => architectural(run(trial, { translate: false, closely })));
      for (const { end } of expected) assert.equal(end, 0);
      for (const patience of [5, 60]) {
        const cache = new MemoryCache();
        for (const i of [0, 1, 0, 1]) {
          const outcome = run(trials[i], { patience, closely, cache });
          assert.deepEqual(architectural(outcome), expected[i], `seed ${seed}, patience ${patience}`);
          reused += outcome.reused;
          reusedBlocks += outcome.reusedBlocks;
          dropped += outcome.dropped;
        }
      }
    }
    assert(reused > 10 && reusedBlocks > 100 && dropped > 10, `${reused}, ${reusedBlocks}, ${dropped}`);
  });
}
