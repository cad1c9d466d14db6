// What a plan promises: time, power and where each engine's time goes, before anything has run.

import { type EnergyEstimate, type EnergyEvents, estimateEnergy } from "../../targets/energy.ts";
import type { EngineTimes } from "../../targets/engine_time.ts";
import { jobAccesses, portBytes } from "../../targets/engines/ita/timing.ts";
import type { Target } from "../../targets/schema.ts";
import { plannedCycles, plannedEngineTimes } from "./engine_time.ts";
import type { Job, Program, Step, Transfer } from "./program.ts";

/** A quarter of a kernel's cycles access a word in L1: 2.0 bytes a core and cycle, measured on int8 matrix products. */
const l1BytesPerCoreCycle = 2;

/** Figures of one inference. */
export interface PlanEstimate {
  readonly cycles: number;
  readonly seconds: number;
  /** 2 x MACs; absent where nothing is multiplied. */
  readonly gops?: number;
  /** Absent if the target has no coefficients. */
  readonly energy?: EnergyEstimate;
  /** Absent where one hart does everything itself. */
  readonly engines?: EngineTimes;
}

/** Estimates an inference from the times that the plan gives its steps. */
export function estimateOf(program: Program, target: Target): PlanEstimate {
  const { energy, clock } = target;
  const cycles = plannedCycles(program);
  const seconds = cycles / clock.hertz;
  return {
    cycles,
    seconds,
    ...(program.macs > 0 && cycles > 0 ? { gops: 2 * program.macs / seconds / 1e9 } : {}),
    ...(energy ? { energy: estimateEnergy({ energy, clock }, plannedEvents(program, target, cycles)) } : {}),
    ...(target.harts.dma ? { engines: plannedEngineTimes(program, target) } : {}),
  };
}

/** Events that the plan foresees. What the conductor reads for itself is left out: it is little. */
function plannedEvents(program: Program, target: Target, cycles: number): EnergyEvents {
  const { workers } = target.harts;
  const steps = program.layers.flatMap((layer) => layer.steps);
  const busy = (engine: Step["engine"]) =>
    steps.reduce((sum, step) => sum + (step.engine === engine ? step.end - step.start : 0), 0);
  const jobs = steps.flatMap((step) => step.engine === "ita" ? step.jobs : []);
  const transfers = steps.flatMap((step) => step.engine === "dma" ? step.transfers : []);
  const attention = cyclesOf(jobs, "single-attention");
  // The conductor is awake while it feeds the others.
  const conductor = target.harts.dma ? Math.min(cycles, busy("ita") + busy("dma")) : 0;
  const activeCore = workers * busy("cores") + conductor;
  const harts = workers + (target.harts.dma ? 1 : 0);
  const moved = sumOf(transfers, bytesOf);
  return {
    cycles,
    // Of a single attention's jobs half are QK's and half AV's (ita.md, section 7).
    accelerator: target.ita
      ? { linear: cyclesOf(jobs) - attention, QK: attention / 2, AV: attention / 2 }
      : {},
    activeCore,
    waitingCore: harts * cycles - activeCore,
    l1Bytes: sumOf(jobs, (job) => jobBytes(job, target)) + l1BytesPerCoreCycle * workers * busy("cores") +
      sumOf(transfers, (transfer) => bytesOf(transfer) * endsIn(transfer, "l1", program)),
    l2Bytes: sumOf(transfers, (transfer) => bytesOf(transfer) * endsIn(transfer, "l2", program)),
    dmaBytes: moved,
  };
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0);
}

function cyclesOf(jobs: readonly Job[], layer?: Job["sequence"]["layer"]): number {
  return sumOf(jobs, ({ sequence, cycles }) => layer === undefined || sequence.layer === layer ? cycles : 0);
}

function jobBytes({ nextWeights, bias, output }: Job, { ita }: Target): number {
  const traffic = {
    preload: false,
    nextload: nextWeights !== undefined,
    bias: bias !== undefined,
    output: output !== undefined,
  };
  return jobAccesses(ita!, traffic) * portBytes(ita!);
}

function bytesOf({ bytes, rows }: Transfer): number {
  return bytes * rows;
}

/** Ends of a transfer that lie in a memory. */
function endsIn({ source, destination }: Transfer, memory: "l1" | "l2", { buffers }: Program): number {
  return [source, destination].filter(({ buffer }) => buffers.get(buffer)?.memory === memory).length;
}

/** The estimate for people. */
export function estimateLines({ cycles, seconds, gops, energy }: PlanEstimate): string[] {
  const speed = gops === undefined ? "" : `, ${gops.toFixed(gops < 10 ? 2 : 0)} GOp/s (2 x MACs)`;
  const power = energy ? `, ${energy.milliwatts.toFixed(1)} mW, ${energy.microjoules.toFixed(1)} µJ` : "";
  return [
    `estimate    ${cycles.toLocaleString("en")} cycles, ${
      (1e3 * seconds).toPrecision(3)
    } ms${speed}${power}, ` +
    "by the plan; an emulated run says more exactly",
  ];
}
