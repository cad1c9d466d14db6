// ITA's registers, queue and state between jobs, and what it says to programs that break its rules.

import assert from "node:assert/strict";
import { recordedHardware } from "../runtime/validate/ita.ts";
import { base, Bench, job, type JobWords, places } from "./ita_harness.ts";

/** A memory with a recognisable input tile and the identity as weights. */
function fill(bench: Bench): void {
  for (let i = 0; i < 4096; i++) bench.memory[i] = (i * 37) & 0xff;
  for (let i = 0; i < 64; i++) bench.memory[places.weights - base + 65 * i] = 1;
}

const copy: JobWords = { RIGHT_SHIFT0: 0 };

Deno.test("a job with identity weights copies its input, and frees its owner", () => {
  const bench = new Bench();
  fill(bench);
  bench.submit(job({}, copy));
  assert.ok(bench.device.busy);
  assert.ok(bench.drain());
  assert.deepEqual(
    bench.memory.subarray(places.output - base, places.output - base + 4096),
    bench.memory.subarray(0, 4096),
  );
  assert.deepEqual(bench.raised, [0]);
  assert.equal(bench.read("STATUS"), 0);
});

Deno.test("the plain arithmetic serves as well", () => {
  const bench = new Bench({ plain: true });
  fill(bench);
  bench.submit(job({}, copy));
  assert.ok(bench.drain());
  assert.deepEqual(
    bench.memory.subarray(places.output - base, places.output - base + 64),
    bench.memory.subarray(0, 64),
  );
});

Deno.test("the weights fetched ahead are those of the time of the fetch", () => {
  const bench = new Bench();
  fill(bench);
  bench.memory.set([2], places.nextWeights - base);
  bench.submit(job({ nextload: true }, { ...copy, WEIGHT_PTR1: places.nextWeights }));
  bench.drain();
  bench.memory.set([3], places.nextWeights - base);
  bench.submit(job({ preload: false }, { ...copy, WEIGHT_PTR0: places.nextWeights }));
  bench.drain();
  assert.equal(bench.problem, undefined);
  assert.equal(new Int8Array(bench.memory.buffer)[places.output - base + 64], clamp(2 * s8(64 * 37)));
});

function s8(value: number): number {
  return value << 24 >> 24;
}
function clamp(value: number): number {
  return Math.max(-128, Math.min(127, value));
}

Deno.test("order of accesses within a cycle does not matter: events count from their cycle on", () => {
  // The hart's access comes before the tick of the same cycle here, behind it in other tests.
  const bench = new Bench();
  bench.submit(job());
  while (bench.jobs.length === 0) {
    assert.equal(bench.device.readUint32(0x10, bench.cycle, 0), 0);
    if (bench.cycle === 4 + 306 + 100) assert.fail("the job never ends");
    bench.device.tick(bench.cycle++);
  }
  const { done } = bench.jobs[0];
  assert.equal(bench.device.readUint32(0x10, done + 1, 0), 0);
  assert.equal(bench.device.readUint32(0x10, done + 2, 0), 1);
});

Deno.test("events go to the committing hart; an unnumbered master leaves the owner", () => {
  const bench = new Bench();
  const run = (hart: number) => {
    for (const [name, value] of Object.entries(job())) bench.write(name as "TILES", value);
    bench.write("TRIGGER", 0, hart);
    bench.drain();
    bench.write("SOFT_CLEAR", 1); // back to context 0
    bench.wait(5);
  };
  for (const hart of [8, -1, 3, -1]) run(hart);
  assert.deepEqual(bench.raised, [8, 8, 3, 3]);
});

/** Queues up to four jobs and runs them. Returns the problem that is reported, if one is. */
function problemOf(...jobs: JobWords[]): string | undefined {
  const bench = new Bench();
  for (const words of jobs) bench.submit(words);
  bench.drain();
  return bench.problem;
}

const inner = { TILES: 0x1121 };

Deno.test("driver errors name the rule, the job, the context and the register", () => {
  const cases: [string, string | undefined, RegExp][] = [
    [
      "no prefetched block",
      problemOf(job({ preload: false })),
      /job 0 \(context 0\): CTRL_STREAM .* no weight preload/,
    ],
    ["output on an inner job", problemOf(job({}, inner)), /CTRL_STREAM .*enables the output .* MM/],
    ["no output on the last job", problemOf(job({ output: false })), /disables the output of the last/],
    [
      "preload over a waiting block",
      problemOf(job({ nextload: true }), job()),
      /job 1 \(context 1\): CTRL_STREAM .*while the block at 0x10001000/,
    ],
    [
      "prefetched block of other weights",
      problemOf(job({ nextload: true }, { WEIGHT_PTR1: places.nextWeights }), job({ preload: false })),
      /WEIGHT_PTR0 .* is 0x10001000, but the job before fetched .* 0x10002000/,
    ],
    [
      "prefetch of the own output",
      problemOf(job({ nextload: true }, { WEIGHT_PTR1: places.output + 64 })),
      /WEIGHT_PTR1 .* 0x10004040 names weights that this very job writes/,
    ],
    [
      "output over input",
      problemOf(job({}, { OUTPUT_PTR: places.input + 64 })),
      /OUTPUT_PTR .* overlaps .*INPUT_PTR/,
    ],
    [
      "output over weights",
      problemOf(job({}, { OUTPUT_PTR: places.weights + 64 })),
      /OUTPUT_PTR .* overlaps .*WEIGHT_PTR0/,
    ],
    [
      "input outside",
      problemOf(job({}, { INPUT_PTR: base - 8 })),
      /INPUT_PTR .* 0x0ffffff8 .*outside the memory/,
    ],
    [
      "bias outside",
      problemOf(job({ bias: true }, { BIAS_PTR: base + 0x2_0000 - 200 })),
      /BIAS_PTR .*outside/,
    ],
    [
      "TILES of another sequence",
      problemOf(job({ output: false }, { TILES: 0x1131 }), job({ output: false }, { TILES: 0x1141 })),
      /job 1 .*TILES .* gives step MM 4 inner .* began with 3/,
    ],
  ];
  for (const [what, problem, expected] of cases) {
    assert.match(problem ?? "(nothing)", expected, what);
    assert.match(problem!, /^ITA driver error in job \d \(context \d\): .*\(section \d+(\.\d)?\)$/, what);
  }
});

Deno.test("what is legal is not reported", () => {
  assert.equal(
    problemOf(job({ bias: true }, { OUTPUT_PTR: places.bias })),
    undefined,
    "output over the own bias",
  );
  assert.equal(
    problemOf(job({ output: false }, { ...inner, OUTPUT_PTR: 0 }), job({}, inner)),
    undefined,
    "unused pointer",
  );
  assert.equal(problemOf(job({}, { WEIGHT_PTR1: 0, BIAS_PTR: 3 })), undefined, "unused pointers");
  assert.equal(problemOf(job({}, { CTRL_ENGINE: 2 | 12 })), undefined, "activation code 3");
  assert.equal(problemOf(job({}, { TILES: 0 })), undefined, "TILES 0 means 1");
});

Deno.test("TILES hazard: found when a job ends, and when the register is written too late", () => {
  const stale = new Bench();
  stale.submit(job({ output: false }, inner));
  stale.drain();
  assert.match(stale.problem ?? "", /TILES hazard.*TILES \(offset 0x38\) of context 1 limits step MM to 1/);

  // A stale value that does not match the count is harmless for now, a later write of a matching one is not.
  const late = new Bench();
  late.submit(job({}, { TILES: 0x1131 }), 1);
  late.write("SOFT_CLEAR", 1);
  late.wait(5);
  for (let context = 0; context < 4; context++) late.submit({ TILES: 0x1131 }, 1);
  late.write("SOFT_CLEAR", 1);
  late.wait(5);
  late.submit(job({ output: false }, { TILES: 0x1131 }));
  late.drain();
  assert.equal(late.problem, undefined);
  late.write("TILES", 0x1111);
  assert.match(late.problem ?? "", /TILES hazard/);
});

Deno.test("the queue: writes and commits with four pending, soft clear while a job runs", () => {
  const full = new Bench();
  for (let i = 0; i < 4; i++) full.submit(job());
  assert.equal(full.read("ACQUIRE"), 0xffff_ffff);
  full.write("INPUT_PTR", 0);
  assert.match(
    full.problem ?? "",
    /job register \(offset 0x20\) is written while all contexts are committed/,
  );

  const overrun = new Bench();
  for (let i = 0; i < 4; i++) overrun.submit(job());
  overrun.write("TRIGGER", 0);
  assert.match(overrun.problem ?? "", /TRIGGER .* while all contexts are committed/);

  for (const delay of [0, 100]) {
    const cleared = new Bench();
    cleared.submit(job());
    cleared.wait(delay);
    cleared.write("SOFT_CLEAR", 0);
    assert.match(cleared.problem ?? "", /SOFT_CLEAR .* while a job runs/);
  }
  const dropped = new Bench();
  dropped.submit(job(), 1);
  dropped.write("SOFT_CLEAR", 0);
  assert.equal(dropped.problem, undefined, "a committed slot that never launched is no job");
});

Deno.test("silent: the device hangs as the silicon does, without a word", () => {
  const starved = new Bench({ silent: true });
  fill(starved);
  starved.submit(job({ preload: false }, copy));
  assert.equal(starved.drain(2000), false);
  assert.equal(starved.problem, undefined);
  // Blocks 1, 2, 3 serve column groups 0, 1, 2; group 3 is never written.
  const row = starved.memory.subarray(places.output - base, places.output - base + 64);
  assert.deepEqual([...row.subarray(0, 48)], [...starved.memory.subarray(16, 64)]);
  assert.deepEqual([...row.subarray(48)], Array(16).fill(0));

  for (const words of [job({}, inner), job({ output: false })]) {
    const stuck = new Bench({ silent: true });
    fill(stuck);
    stuck.submit(words);
    assert.equal(stuck.drain(2000), false);
    assert.ok(stuck.memory.subarray(places.output - base).every((byte) => byte === 0));
  }

  const cleared = new Bench({ silent: true });
  cleared.submit(job());
  cleared.wait(50);
  cleared.write("SOFT_CLEAR", 0);
  cleared.wait(5);
  cleared.submit(job());
  assert.equal(cleared.drain(2000), false, "only the reset pin helps");

  const shifted = new Bench({ silent: true });
  fill(shifted);
  shifted.submit(job({ nextload: true }, { ...copy, WEIGHT_PTR1: places.nextWeights }));
  shifted.drain();
  shifted.submit(job({}, copy));
  assert.ok(shifted.drain());
  const output = shifted.memory.subarray(places.output - base, places.output - base + 64);
  // The waiting block (zeros) serves group 0, the others are one group late.
  assert.deepEqual([...output.subarray(0, 16)], Array(16).fill(0));
  assert.deepEqual([...output.subarray(16)], [...shifted.memory.subarray(0, 48)]);
});

Deno.test("a single-port peripheral: registers outside the map read 0 and take no harm", () => {
  const bench = new Bench();
  assert.equal(bench.device.readUint32(0x18, 0, 0), 0);
  assert.equal(bench.device.readUint32(0xfc, 0, 0), 0);
  bench.device.writeUint32(0x04, 1, -1, 1, 0);
  bench.device.writeUint32(0x1c, 1, -1, 2, 0);
  bench.device.writeUint32(0xfc, 0x1234_5678, -1, 3, 0);
  assert.equal(bench.read("TRIGGER"), 0xdead_beef);
  assert.equal(bench.problem, undefined);
});

Deno.test("eight contexts, as another target may have", () => {
  const bench = new Bench({}, { ...recordedHardware, contexts: 8 });
  for (let i = 0; i < 8; i++) bench.submit(job());
  assert.equal(bench.read("ACQUIRE"), 0xffff_ffff);
  assert.ok(bench.drain());
  assert.equal(bench.jobs.length, 8);
});

Deno.test("sizes that no engine can have are refused with the numbers", () => {
  for (
    const sizes of [{ lanes: 16, elements: 60 }, { lanes: 7, elements: 7 }, { lanes: 16, elements: 256 }]
  ) {
    assert.throws(
      () => new Bench({}, { ...recordedHardware, ...sizes }),
      {
        name: "AttoflowError",
        message: `ITA cannot have ${sizes.lanes} lanes of ${sizes.elements} elements`,
      },
    );
  }
});
