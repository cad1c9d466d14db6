// When ITA's jobs start, use the memory and end: the specification's figures (ita.md, section 12).

import assert from "node:assert/strict";
import { jobAccesses, jobDuration, type JobTraffic } from "../targets/engines/ita/timing.ts";
import { recordedHardware as hardware } from "../runtime/validate/ita.ts";
import { base, Bench, job, places } from "./ita_harness.ts";

const allTraffic: JobTraffic[] = Array.from({ length: 16 }, (_, bits) => ({
  preload: (bits & 8) !== 0,
  nextload: (bits & 4) !== 0,
  bias: (bits & 2) !== 0,
  output: (bits & 1) !== 0,
}));

/** The specification's measured table, in the order of `allTraffic`: preload, nextload, bias, output = 0000, 0001 … */
const measured = [264, 296, 271, 297, 264, 305, 271, 306, 282, 304, 284, 306, 282, 313, 284, 315];

Deno.test("durations are those of the measured table", () => {
  assert.deepEqual(allTraffic.map((traffic) => jobDuration(hardware, traffic)), measured);
});

/** Runs one job with the wanted traffic, behind and before what makes it legal. Returns its bench and record. */
function runOne(traffic: JobTraffic, granted: (cycle: number) => boolean, offset = 0) {
  const bench = new Bench({ granted });
  bench.wait(offset);
  bench.submit(job({ preload: true, nextload: !traffic.preload }));
  bench.drain();
  const tiles = traffic.output ? 0x1111 : 0x1121;
  const before = bench.accesses.length;
  bench.submit(job(traffic, { TILES: tiles }));
  if (!traffic.output) {
    // The second half of the accumulation.
    bench.submit(job({ preload: !traffic.nextload }, { TILES: tiles }));
  }
  assert.ok(bench.drain());
  assert.equal(bench.problem, undefined);
  const record = bench.jobs[1];
  return {
    ...record,
    accesses: bench.accesses.slice(before).filter((access) => access.cycle < record.done),
  };
}

Deno.test("without refusals every kind of job is exact, and makes the accesses that section 4 counts", () => {
  for (const [i, traffic] of allTraffic.entries()) {
    const { rise, done, accesses } = runOne(traffic, () => true);
    assert.equal(done - rise, measured[i]);
    assert.equal(accesses.length, jobAccesses(hardware, traffic));
    assert.equal(accesses[0].cycle, rise + 4);
    const writes = accesses.filter((access) => access.write);
    assert.equal(writes.length, traffic.output ? 128 : 0);
    if (traffic.output) {
      assert.equal(writes[127].cycle, done - 2);
      assert.equal(writes[0].address, places.output);
      assert.equal(writes[127].address, places.output + 31 * 128 + 48);
      const firstWrite = writes[0].cycle - rise;
      assert.ok(
        firstWrite >= 38 && firstWrite <= 52,
        `the first write comes ${firstWrite} cycles behind the rise`,
      );
    }
    const addresses = new Set(accesses.map((access) => access.address));
    const blockReads = [...addresses].filter((a) => a >= places.weights && a < places.weights + 0x1000);
    // The next job's first block is this one's in these jobs, so preload and nextload read the same addresses.
    assert.equal(blockReads.length, traffic.preload || traffic.nextload ? 32 : 24);
    assert.equal(addresses.has(places.bias + 96), traffic.bias);
  }
});

/** The rule of section 12.2 for a job that rises in cycle `r`, written down once more. */
function rule(r: number, traffic: JobTraffic, granted: (cycle: number) => boolean): number {
  const d0 = jobDuration(hardware, traffic);
  const n = jobAccesses(hardware, traffic);
  const lead = traffic.preload ? 18 : 8;
  if (traffic.output) {
    const nthGrant = (count: number) => {
      let cycle = r + 3;
      while (count > 0) if (granted(++cycle)) count--;
      return cycle;
    };
    return Math.max(r + d0 + nthGrant(lead) - (r + 3 + lead), nthGrant(n) + 9);
  }
  let s = r;
  let a = r + 3;
  for (let k = 1; k <= n; k++) {
    const e = k <= lead ? k + 3 : lead + 3 + Math.floor((k - lead) * (d0 - 23 - lead) / (n - lead));
    const due = k <= lead ? e : Math.min(e + 10, d0 - 12);
    a = Math.max(a + 1, s + e);
    while (!granted(a)) a++;
    s = Math.max(s, a - due);
  }
  return s + d0;
}

Deno.test("refused accesses delay a job as the stall rule says", () => {
  const periods = [[2, 1], [4, 1], [4, 3], [7, 3], [10, 1], [10, 5], [16, 6], [50, 10]];
  for (const [period, refused] of periods) {
    const granted = (cycle: number) => cycle % period >= refused;
    for (const traffic of allTraffic) {
      for (const offset of [0, 3]) {
        const { rise, done } = runOne(traffic, granted, offset);
        const expected = rule(rise, traffic, granted);
        assert.ok(
          Math.abs(done - expected) <= 1,
          `[${period}, ${refused}] ${JSON.stringify(traffic)}: ${done - rise}, by the rule ${
            expected - rise
          }`,
        );
      }
    }
  }
});

Deno.test("queued jobs follow one another with one cycle between; totals are those of the measurements", () => {
  // GEMM of 64 x 64·inner x 64·outputs, bias only with the output (ita-timing.csv: first trigger to last event).
  const total = (inner: number, outputs: number) => {
    const bench = new Bench();
    const count = inner * outputs;
    for (let i = 0; i < count; i++) {
      while ((bench.read("ACQUIRE") | 0) < 0) bench.wait(1);
      const output = i % inner === inner - 1;
      bench.submit(
        job({ preload: i === 0, nextload: i + 1 < count, bias: output, output }, {
          TILES: 0x1001 | (inner << 4) | 0x100,
        }),
      );
    }
    assert.ok(bench.drain());
    assert.equal(bench.problem, undefined);
    for (let i = 1; i < count; i++) assert.equal(bench.jobs[i].rise, bench.jobs[i - 1].done + 1);
    return bench.jobs[count - 1].done - (bench.jobs[0].rise - 2);
  };
  assert.equal(total(1, 1), 308);
  assert.equal(total(1, 8), 2457); // S512 E64 P64
  assert.equal(total(8, 1), 2172); // S64 E512 P64
  assert.equal(total(8, 8), 17306); // S512 E512 P64
});

Deno.test("other sizes scale: M = 32 has a quarter of the work and half the port", () => {
  const small = { ...hardware, elements: 32 };
  const traffic = { preload: true, nextload: false, bias: true, output: true };
  const bench = new Bench({}, small);
  bench.submit(job(traffic));
  assert.ok(bench.drain());
  assert.equal(bench.problem, undefined);
  assert.equal(bench.jobs[0].done - bench.jobs[0].rise, jobDuration(small, traffic));
  assert.equal(bench.accesses.length, jobAccesses(small, traffic));
  assert.ok(bench.accesses.every(({ address }) => address >= base));
});
