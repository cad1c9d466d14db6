// The bench of the cores' kernels: every workload is exact, faster than plain C, and costs about what the planner
// reckons with.

import assert from "node:assert/strict";
import { measureKernels } from "../src/cli/bench_kernels.ts";
import { loadTarget } from "../targets/load.ts";

Deno.test("kernels on eight cores: exact, fast, and as the planner expects", async () => {
  for (const m of await measureKernels(await loadTarget("snitch-ita"), undefined)) {
    assert.ok(m.bitExact, m.workload);
    assert.ok(m.cyclesPerElement < 0.75 * m.plainCyclesPerElement, `${m.workload}: ${m.cyclesPerElement}`);
    const ratio = m.estimatedCyclesPerElement / m.cyclesPerElement;
    assert.ok(
      ratio > 0.85 && ratio < 1.18,
      `${m.workload}: the estimate is ${ratio.toFixed(2)} of the cycles`,
    );
  }
});
