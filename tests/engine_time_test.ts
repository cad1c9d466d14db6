// Where the engines' time goes: a program made by hand, and the emulator beside the plan.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { gemm } from "../examples/kernels.ts";
import { buildEncoder } from "../examples/encoder/encoder.ts";
import { readGeneratedImage } from "../runtime/host/folder.ts";
import { openSession } from "../runtime/host/open.ts";
import { type Intervals, observedEngineTimes } from "../runtime/trace/engine_activity.ts";
import { energyEventsOf } from "../runtime/soc/counters.ts";
import { generate } from "../src/generate.ts";
import type { Model } from "../src/model/types.ts";
import { exportModel } from "../src/onnx/export.ts";
import { estimateLines, estimateOf } from "../src/schedule/estimate.ts";
import { plannedCycles, plannedEngineTimes } from "../src/schedule/engine_time.ts";
import {
  type EngineTime,
  engineTimeLines,
  type EngineTimes,
  engineTimes,
  stepEngines,
  sumOfEngineTimes,
  type TimedStep,
} from "../targets/engine_time.ts";
import { estimateEnergy } from "../targets/energy.ts";
import { loadTarget } from "../targets/load.ts";
import { manifestSchema, readStep, stepAsText } from "../targets/manifest.ts";

const target = await loadTarget("snitch-ita");

const whole = ({ working, waitingForData, waitingForEngine, handOver, idle }: EngineTime) =>
  working + waitingForData + waitingForEngine + handOver + idle;

Deno.test("time is given to what is finished last, and to what that waits for", () => {
  const step = (engine: TimedStep["engine"], start: number, end: number, after: TimedStep["after"] = {}) => ({
    engine,
    start,
    end,
    busy: end - start,
    issued: 0,
    after,
  });
  const times = engineTimes([
    step("dma", 0, 100),
    step("ita", 110, 210, { dma: 1 }),
    step("cores", 215, 300, { ita: 1 }),
    // The transfer could have gone at once, but stands behind the conductor's wait for ITA.
    step("dma", 212, 250),
    step("ita", 320, 400, { cores: 1 }),
  ], 450);
  deepStrictEqual(times, {
    dma: { working: 138, waitingForData: 0, waitingForEngine: 100, handOver: 12, idle: 200 },
    ita: { working: 180, waitingForData: 100, waitingForEngine: 85, handOver: 35, idle: 50 },
    cores: { working: 85, waitingForData: 100, waitingForEngine: 100, handOver: 15, idle: 150 },
  });
  for (const time of Object.values(times)) strictEqual(whole(time), 450);
  const twice = sumOfEngineTimes([times, times]);
  strictEqual(twice.ita?.working, 360);
  ok(engineTimeLines(twice)[1].startsWith("ita     40.0 %"), engineTimeLines(twice)[1]);
});

Deno.test("pauses inside a step are the conductor's, and a full queue is ITA's", () => {
  const jobs = { engine: "ita", start: 10, end: 110, busy: 80, issued: 60, after: {} } as const;
  const move = { engine: "dma", start: 65, end: 75, busy: 10, issued: 65, after: {} } as const;
  const { ita, dma } = engineTimes([jobs, move], 110);
  deepStrictEqual(ita, { working: 80, waitingForData: 0, waitingForEngine: 0, handOver: 30, idle: 0 });
  deepStrictEqual(dma, { working: 10, waitingForData: 0, waitingForEngine: 50, handOver: 15, idle: 35 });
});

Deno.test("the text of a step reads back, and the manifest takes no other", () => {
  const step = { engine: "ita", parts: 4, after: { dma: 7, cores: 2 } } as const;
  strictEqual(stepAsText(step), "ita 4 dma:7 cores:2");
  deepStrictEqual(readStep(stepAsText(step)), step);
  deepStrictEqual(readStep("dma 12"), { engine: "dma", parts: 12, after: {} });
  const { steps } = manifestSchema.shape;
  ok(steps.safeParse(["ita 4 dma:7 cores:2"]).success);
  for (const bad of ["fpu 1", "ita", "ita 1 dma", "ita -1", "ita 1  dma:2"]) {
    ok(!steps.safeParse([bad]).success, bad);
  }
});

Deno.test("steps that were not done give no times", () => {
  const none: Intervals = { starts: [], ends: [] };
  const done = { starts: [10], ends: [20] };
  const activity = (dma: Intervals) => ({ engines: { ita: none, cores: none, dma }, places: 4 });
  strictEqual(observedEngineTimes({}, activity(none), 0, 100), undefined);
  strictEqual(observedEngineTimes({ steps: ["dma 1"] }, activity(none), 0, 100), undefined);
  strictEqual(observedEngineTimes({ steps: ["dma 1", "dma 1"] }, activity(done), 0, 100), undefined);
  const one: EngineTimes = observedEngineTimes({ steps: ["dma 1"] }, activity(done), 0, 100)!;
  deepStrictEqual(one, {
    dma: { working: 10, waitingForData: 0, waitingForEngine: 0, handOver: 10, idle: 80 },
  });
});

Deno.test("the emulated run gives each engine the work that the plan expects", async () => {
  const encoder = buildEncoder();
  for (
    const { model, inputs } of [gemm(256, 256, 256), { model: encoder.model, inputs: [encoder.images[0]] }]
  ) {
    const { program, observed, cycles, window, power } = await run(model, inputs);
    const promised = estimateOf(program, target);
    const planned = promised.engines!;
    deepStrictEqual(planned, plannedEngineTimes(program, target));
    const { milliwatts } = promised.energy!;
    ok(milliwatts > 0.75 * power && milliwatts < 1.25 * power, `${milliwatts} mW, measured ${power}`);
    const { energy, ...rest } = estimateOf(program, { ...target, energy: undefined });
    strictEqual(energy, undefined);
    ok(!estimateLines(rest)[0].includes("mW"));
    ok(estimateLines(promised)[0].includes(`${milliwatts.toFixed(1)} mW`));
    ok(plannedCycles(program) > 0.5 * cycles && plannedCycles(program) < 1.5 * cycles);
    for (const engine of stepEngines) {
      strictEqual(planned[engine] === undefined, observed[engine] === undefined, engine);
      const is = observed[engine], was = planned[engine];
      if (!is || !was) continue;
      strictEqual(whole(is), window, engine);
      strictEqual(whole(was), plannedCycles(program), engine);
      ok(
        is.working > 0.6 * was.working && is.working < 1.4 * was.working,
        `${engine}: ${is.working}, ${was.working}`,
      );
    }
  }
});

async function run(model: Model, inputs: readonly Int8Array[]) {
  const folder = await Deno.makeTempDir();
  try {
    const bytes = exportModel(model);
    const options = { bytes, import: { name: model.name, softmaxShift: 0 as const }, target, out: folder };
    const { program } = await generate(options);
    await using session = await openSession(await readGeneratedImage(folder));
    // The second inference's activity is its own.
    await session.infer(inputs);
    const { engines, counters, cycles } = await session.infer(inputs);
    strictEqual((await session.infer(inputs, { layers: true })).engines, undefined);
    ok(engines && counters);
    const { milliwatts } = estimateEnergy(
      { energy: target.energy!, clock: target.clock },
      energyEventsOf(counters)!,
    );
    return { program, observed: engines, cycles, window: counters.cycles, power: milliwatts };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
