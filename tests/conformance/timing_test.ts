// The emulated cluster against the cluster's RTL: every program, every figure (issue 4, acceptance "Timing").

import assert from "node:assert/strict";
import {
  compareConsole,
  errorsOf,
  formatTimingReport,
  validateTiming,
} from "../../runtime/validate/timing.ts";
import { loadTarget } from "../../targets/load.ts";
import { sharedPath } from "../shared.ts";

Deno.test("programs take as many cycles as on the RTL", async () => {
  const folder = sharedPath("data/cluster-timing");
  if (!folder) return;
  const report = await validateTiming(folder, await loadTarget("snitch-ita"));
  assert.equal(report.failed, 0, formatTimingReport(report));
  assert.equal(report.passed, 10);
  // Well inside what the acceptance asks for: the rules of section 8 reproduce the RTL almost everywhere.
  assert.ok(report.overall.figures > 800);
  assert.equal(report.overall.median, 0);
  assert.ok(report.overall.percentile95 < 0.001, formatTimingReport(report));
  assert.ok(report.overall.maximum < 0.03, formatTimingReport(report));
});

Deno.test("figures are compared by columns, other cells as text", () => {
  const columns = { cycles: [2, 3], exactRows: ["id"], exemptRows: ["skip,1"] };
  const expected = "name,n,cold,warm\na,1,100,50\nid,7,3\nskip,1,9\nshort,5\n";
  const same = compareConsole("p", expected, expected, columns);
  assert.deepEqual(same.problems, []);
  assert.deepEqual(same.figures.map((figure) => figure.expected), [100, 50, 5]);

  const other = compareConsole(
    "p",
    expected,
    "name,n,cold,warm\na,1,101,50\nid,7,4\nskip,1,8\nshort,6\n",
    columns,
  );
  assert.deepEqual(other.problems, ['prints "id,7,4", not "id,7,3"']);
  assert.equal(errorsOf(other.figures).maximum, 0.01);

  assert.match(compareConsole("p", expected, "name,n,cold,warm\n", columns).problems[0], /1 lines, not 5/);
});

Deno.test("errors are taken over figures of 20 cycles or more", () => {
  const figure = (expected: number, actual: number) => ({
    program: "p",
    row: "",
    column: 0,
    expected,
    actual,
  });
  const errors = errorsOf([figure(10, 11), figure(100, 100), figure(100, 101), figure(100, 103)]);
  assert.deepEqual(errors, { figures: 3, median: 0.01, percentile95: 0.03, maximum: 0.03 });
});
