// The ITA device against every vector recorded from the accelerator's RTL, and whether the comparison sees a fault.

import assert from "node:assert/strict";
import {
  itaResultLine,
  type ItaVector,
  readItaVector,
  runItaVector,
  runItaVectors,
} from "../../runtime/validate/ita.ts";
import { sharedPath } from "../shared.ts";

Deno.test("the device reproduces the vectors of the RTL", async () => {
  const folder = sharedPath("data/ita-vectors");
  if (folder === undefined) return;
  const failures: string[] = [];
  let count = 0;
  for await (const result of runItaVectors(folder)) {
    count++;
    if (!result.passed) failures.push(itaResultLine(result));
  }
  assert.deepEqual(failures, []);
  assert.ok(count >= 64, `only ${count} cases were found`);
});

Deno.test("what hangs on the RTL is a driver error, and hangs in silence where that is wanted", async () => {
  const folder = sharedPath("data/ita-vectors");
  if (folder === undefined) return;
  for (const name of ["46_regs_hang_no_preload", "47_hang_tiles_hazard"]) {
    const { vector, data } = await readItaVector(folder, name);
    assert.match(runItaVector(vector, data).detail, /^reported: ITA driver error in job/);
    assert.match(runItaVector(vector, data, { silent: true }).detail, /^hangs/);
  }
});

Deno.test("a difference in anything that is recorded is a failure that says what", async () => {
  const folder = sharedPath("data/ita-vectors");
  if (folder === undefined) return;
  const { vector, data } = await readItaVector(folder, "71_regs_finished_status_timing");
  const changed = (change: Partial<ItaVector>) => itaResultLine(runItaVector({ ...vector, ...change }, data));
  assert.equal(changed({}), "ok 71_regs_finished_status_timing");
  const [rise, done, event] = vector.jobs[0];
  const cases: [Partial<ItaVector>, RegExp][] = [
    [{ jobs: [[rise, done + 1, event], ...vector.jobs.slice(1)] }, /FAILED .*job 0 ran from \d+ to \d+, not/],
    [{ jobs: [[rise, done, event << 2], ...vector.jobs.slice(1)] }, /job 0 raised event 1, not 4/],
    [{ jobs: vector.jobs.slice(1) }, /4 jobs ended, not 3/],
    [{ cycles: vector.cycles + 1 }, /cycles, not/],
    [{ acquire: [1] }, /acquired ids/],
    [{ final_sha256: "0" }, /the memory's hash differs/],
    [{ expect: [{ name: "Y", addr: vector.tcdm.base, len: 16, off: 5000 }] }, /Y differs first at byte \d+/],
    [
      { ops: vector.ops.map((op) => op[0] === "R" ? ["R", op[1], op[2] + 1] : op) },
      /read of 0x.. in cycle \d+ gave/,
    ],
  ];
  for (const [change, expected] of cases) assert.match(changed(change), expected);
});

Deno.test("folders and files that are no vectors get a message", async () => {
  const folder = await Deno.makeTempDir();
  const rejects = (expected: RegExp) =>
    assert.rejects(async () => {
      for await (const _result of runItaVectors(folder)) { /* reads them all */ }
    }, { name: "AttoflowError", message: expected });
  try {
    await rejects(/no ITA vectors are here/);
    await Deno.writeTextFile(`${folder}/a.json`, "{");
    await rejects(/cannot be read/);
    await Deno.writeFile(`${folder}/a.bin`, new Uint8Array(8));
    await rejects(/not JSON/);
    await Deno.writeTextFile(`${folder}/a.json`, '{"name": 5}');
    await rejects(/malformed: name/);
    const empty = {
      name: "a",
      window: 0,
      ops: [],
      expect: [],
      jobs: [],
      cycles: 0,
      acquire: [],
      hang: false,
    };
    const wrong = { ...empty, tcdm: { base: 0, size: 64 }, init: [{ addr: 0, len: 9, off: 0 }] };
    await Deno.writeTextFile(`${folder}/a.json`, JSON.stringify(wrong));
    await rejects(/9 bytes at offset 0/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
