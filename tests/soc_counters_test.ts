// What the emulator counts of an inference: the same figures from two sides, and what fast timing leaves out.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { gemm } from "../examples/kernels.ts";
import { EmulatorTransport } from "../runtime/host/emulator.ts";
import { readGeneratedImage } from "../runtime/host/folder.ts";
import { openSession } from "../runtime/host/open.ts";
import { engineFor } from "../runtime/host/timing.ts";
import { countersBetween, energyEventsOf, sumOfCounters } from "../runtime/soc/counters.ts";
import { generate } from "../src/generate.ts";
import { exportModel } from "../src/onnx/export.ts";
import { loadTarget } from "../targets/load.ts";

const target = await loadTarget("snitch-ita");
const example = gemm(128, 128, 128);
const folder = await Deno.makeTempDir();
const { model } = example;
const bytes = exportModel(model);
const { program } = await generate({
  bytes,
  import: { name: model.name, softmaxShift: 0 },
  target,
  out: folder,
});
const image = await readGeneratedImage(folder);
await Deno.remove(folder, { recursive: true });

Deno.test("counters of an inference agree with its program", async () => {
  await using session = await openSession(image);
  const first = await session.infer(example.inputs);
  const { counters, cycles } = await session.infer(example.inputs);
  ok(counters && first.counters);
  const steps = program.layers.flatMap((layer) => layer.steps);
  const jobs = steps.flatMap((step) => step.engine === "ita" ? step.jobs : []);
  const kinds = counters.accelerator!.kinds;
  strictEqual(kinds.linear.jobs, jobs.length);
  strictEqual(kinds.linear.outputs, jobs.filter(({ output }) => output).length);
  strictEqual(kinds.QK.jobs + kinds.AV.jobs, 0);
  // 64 x 64 x 64 MACs take 256 cycles of the multipliers at least, and what comes on top is not idle time.
  ok(kinds.linear.cycles >= 256 * jobs.length && kinds.linear.cycles <= cycles);
  ok(kinds.linear.stalled >= 0 && kinds.linear.stalled < kinds.linear.cycles);

  const transfers = steps.flatMap((step) => step.engine === "dma" ? step.transfers : []);
  const planned = transfers.reduce((sum, { bytes, rows }) => sum + bytes * rows, 0);
  const moved = Object.values(counters.dma!.moved).flatMap((row) => Object.values(row));
  const args = steps.filter((step) => step.engine === "dma" && step.brings).length;
  strictEqual(counters.dma!.transfers, transfers.length + args);
  const all = moved.reduce((a, b) => a + b);
  ok(args === 0 ? all === planned : all > planned);
  // Every job reads two operands of 4 KiB, or 4 times 4 KiB where the weights are not held; nothing is free.
  ok(counters.l1!.accelerator > 2 * 4096 * jobs.length);

  // The window is the inference and a few hundred cycles of mailbox.
  ok(counters.cycles >= cycles && counters.cycles < cycles + 1000);
  strictEqual(counters.harts.length, 9);
  for (const { instructions, active, waiting, stalled } of counters.harts) {
    strictEqual(active! + waiting!, counters.cycles);
    // A hart may be as far ahead of the present as its pipeline looks.
    ok(Math.abs(active! - instructions - stalled!) <= 64);
  }
  // The conductor feeds ITA; the workers have nothing to do.
  ok(counters.harts[8].active! > 10 * counters.harts[3].active!);
});

Deno.test("counters add and subtract field by field", async () => {
  await using session = await openSession(image);
  const { counters: a } = await session.infer(example.inputs);
  const { counters: b } = await session.infer(example.inputs);
  deepStrictEqual(countersBetween(b!, sumOfCounters(a!, b!)), a);
  strictEqual(sumOfCounters(a!, b!).cycles, a!.cycles + b!.cycles);
});

Deno.test("fast timing leaves out what it does not know, and says nothing about energy", async () => {
  const engine = engineFor(target, "fast", { cache: false })!;
  const transport = new EmulatorTransport(target, { engine });
  await using session = await openSession(image, { transport });
  const { counters } = await session.infer(example.inputs);
  ok(counters);
  strictEqual(counters.harts[0].waiting, undefined);
  strictEqual(energyEventsOf(counters), undefined);
  ok(counters.accelerator!.kinds.linear.jobs > 0 && counters.harts[8].instructions > 0);
});
