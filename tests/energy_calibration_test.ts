// The energy coefficients of snitch-ita against the published points (targets/snitch-ita/ENERGY.md): the workloads run
// on the emulator, time is stretched to the published speed, and the estimate must give the published power.

import { ok, strictEqual } from "node:assert/strict";
import { attention, gemm, type KernelExample } from "../examples/kernels.ts";
import { readGeneratedImage } from "../runtime/host/folder.ts";
import { openSession } from "../runtime/host/open.ts";
import { energyEventsOf } from "../runtime/soc/counters.ts";
import { generate } from "../src/generate.ts";
import { exportModel } from "../src/onnx/export.ts";
import { type EnergyEvents, estimateEnergy } from "../targets/energy.ts";
import { hartCount, loadTarget } from "../targets/load.ts";
import type { Target } from "../targets/schema.ts";

const target = await loadTarget("snitch-ita");
const { energy, clock } = target;
if (!energy) throw new Error("snitch-ita has no energy coefficients");

/** Recalled from the paper's body (soc.md): GOp/s, and GOp/s by GOp/J in milliwatts. */
const published = {
  gemm: { gops: 741, milliwatts: 741 / 5.42 },
  attention: { gops: 663, milliwatts: 663 / 6.35 },
  cores: { milliwatts: 0.74 / 28.9 * 1000 },
  /** From the paper's abstract. */
  mobilebert: { gops: 154, milliwatts: 52.0 },
};

/** Events of an inference with code in the instruction cache, and MACs. */
async function events(example: KernelExample, on: Target): Promise<{ events: EnergyEvents; macs: number }> {
  const { model, inputs } = example;
  const folder = await Deno.makeTempDir();
  try {
    const bytes = exportModel(model);
    await generate({ bytes, import: { name: model.name, softmaxShift: 0 }, target: on, out: folder });
    const image = await readGeneratedImage(folder);
    await using session = await openSession(image);
    await session.infer(inputs);
    const { counters } = await session.infer(inputs);
    return { events: energyEventsOf(counters!)!, macs: image.manifest.macs };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The same events in the time that the published speed gives them; the harts sleep longer. */
function atSpeed({ events, macs }: { events: EnergyEvents; macs: number }, gops: number): EnergyEvents {
  const cycles = 2 * macs / (gops * 1e9) * clock.hertz;
  const waitingCore = events.waitingCore + (cycles - events.cycles) * hartCount(target);
  return { ...events, cycles, waitingCore };
}

function near(actual: number, wanted: number, part: number, what: string): void {
  ok(Math.abs(actual - wanted) <= part * wanted, `${what}: ${actual.toFixed(1)} mW, published ${wanted} mW`);
}

const power = (of: EnergyEvents) => estimateEnergy({ energy, clock }, of).milliwatts;

Deno.test("the energy estimate gives the published points", async () => {
  const withoutIta = { ...target, engines: target.engines.filter((engine) => engine !== "ita") };
  const product = atSpeed(await events(gemm(512, 512, 512), target), published.gemm.gops);
  const head = { tokens: 512, embedding: 128, width: 64, heads: 1 };
  const attended = atSpeed(await events(attention(head), target), published.attention.gops);
  const { events: alone } = await events(gemm(128, 128, 128), withoutIta);

  // The cores do nothing but their work, and ITA nothing at all.
  strictEqual(Object.values(alone.accelerator).reduce((a, b) => a + b), 0);
  ok(alone.activeCore > 7.5 * alone.cycles && alone.activeCore <= 9 * alone.cycles);
  ok(product.accelerator.linear > 0.85 * product.cycles && product.accelerator.linear <= product.cycles);

  near(power(product), published.gemm.milliwatts, 0.1, "GEMM");
  near(power(attended), published.attention.milliwatts, 0.1, "attention");
  near(power(alone), published.cores.milliwatts, 0.1, "the cores alone");
  const duty = published.mobilebert.gops / published.gemm.gops;
  const mixed = duty * power(product) + (1 - duty) * power(alone);
  near(mixed, published.mobilebert.milliwatts, 0.1, "MobileBERT's mix");
});

Deno.test("energy by parts adds up, and a slower run of the same events takes more for being there", () => {
  const some: EnergyEvents = {
    cycles: 425_000,
    accelerator: { linear: 1e5, QK: 1e4, AV: 2e4 },
    activeCore: 1e6,
    waitingCore: 2e6,
    l1Bytes: 1e7,
    l2Bytes: 1e6,
    dmaBytes: 5e5,
  };
  const { microjoules, milliwatts, parts } = estimateEnergy({ energy, clock }, some);
  // 425 000 cycles are a millisecond: microjoules in a millisecond are milliwatts.
  ok(Math.abs(microjoules - milliwatts) < 1e-9);
  ok(Math.abs(Object.values(parts).reduce((a, b) => a + b) - microjoules) < 1e-9);
  strictEqual(parts.static, energy.static.milliwatts);
  const slower = estimateEnergy({ energy, clock }, { ...some, cycles: 850_000 });
  ok(Math.abs(slower.microjoules - microjoules - energy.static.milliwatts) < 1e-9);
  ok(slower.milliwatts < milliwatts);
});
