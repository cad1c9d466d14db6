// `bench --networks` on a MobileBERT of one layer: what it measures fits together, and both forms of its output say so.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { buildMobileBert } from "../../examples/mobilebert/mobilebert.ts";
import { countMacs } from "../../examples/network_example.ts";
import { measureNetwork, networkLines } from "../../src/cli/bench_networks.ts";
import { loadTarget } from "../../targets/load.ts";

const target = await loadTarget("snitch-ita");
const example = buildMobileBert({ layers: 1 });

Deno.test("a network is measured from ONNX to outputs", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const m = await measureNetwork("mobilebert", () => example, { target, folder });
    ok(m.bitExact);
    strictEqual(m.inferences, 3);
    strictEqual(m.macs, countMacs(example.model));
    strictEqual(m.inferencesPerSecond, 425e6 / m.cycles);
    ok(Math.abs(m.gops - 2 * m.macs * m.inferencesPerSecond / 1e9) < 1e-9);
    ok(Math.abs(m.utilisation! - m.gops / (2 * 1024 * 0.425)) < 1e-9);
    ok(Math.abs(m.gopsPerJoule! * m.milliwatts! / 1000 - m.gops) < 1e-9);
    // ITA alone at its peak is the most that the estimate can come to.
    ok(m.milliwatts! > target.energy!.static.milliwatts && m.milliwatts! < 200, `${m.milliwatts} mW`);
    ok(m.l2LowerBound <= m.l2Bytes && m.l1Bytes <= 128 * 1024);
    const { ita, dma } = m.engines;
    ok(ita && dma && ita.working / m.cycles > m.utilisation! && ita.working < m.cycles);
    // What ITA does adds up to the time that it works, and its products are the network's.
    const { products, others, edges, stalled } = m.itaCycles!;
    ok(Math.abs(products + others + edges + stalled - ita.working) <= 0.01 * ita.working);
    ok(Math.abs(products - m.utilisation! * m.cycles) <= 0.01 * products);
    ok(others > 0 && edges > 0 && stalled >= 0);
    ok(m.l2ActivationsLowerBound <= m.l2Activations && m.l2Activations < m.l2Bytes);
    strictEqual(m.published.gops, 154);

    // One object a line: what JSON cannot say must not be in it.
    deepStrictEqual(JSON.parse(JSON.stringify(m)), m);
    const lines = networkLines([m], target);
    ok(lines[1].startsWith("mobilebert ") && lines[1].includes("3 of 3"), lines[1]);
    ok(lines[2].includes("published (the paper's abstract)") && lines[2].includes("2960"), lines[2]);
    ok(lines.some((line) => line.startsWith("ita ")));
    strictEqual(networkLines([{ ...m, bitExact: false }], target)[1].includes(" NO "), true);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
