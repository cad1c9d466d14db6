// The ITA device against every vector recorded from the accelerator's RTL.

import assert from "node:assert/strict";
import { itaResultLine, runItaVectors } from "../../runtime/validate/ita.ts";
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
