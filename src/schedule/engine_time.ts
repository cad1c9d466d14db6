// Where the time of each engine is expected to go, from the times that the plan gives its steps.

import { type EngineTimes, engineTimes, type TimedStep } from "../../targets/engine_time.ts";
import type { Target } from "../../targets/schema.ts";
import type { Program, Step } from "./program.ts";

/** Cycles from the start of the inference to the end of the last step, as the plan expects them. */
export function plannedCycles({ layers }: Program): number {
  let cycles = 0;
  for (const { steps } of layers) for (const { end } of steps) cycles = Math.max(cycles, end);
  return cycles;
}

/** Where the engines' time goes by the plan; an engine without steps is absent. */
export function plannedEngineTimes(program: Program, { ita }: Pick<Target, "ita">): EngineTimes {
  const places = ita?.contexts ?? 0;
  const steps = program.layers.flatMap((layer) => layer.steps).map((step): TimedStep => ({
    engine: step.engine,
    start: step.start,
    end: step.end,
    busy: step.end - step.start,
    issued: issuedAt(step, places),
    after: step.after,
  }));
  return engineTimes(steps, plannedCycles(program));
}

/** When the last jobs of a step have found a place in the queue; all else waits for what it needs only. */
function issuedAt(step: Step, places: number): number {
  if (step.engine !== "ita" || step.jobs.length <= places) return 0;
  const queued = step.jobs.slice(-places).reduce((sum, { cycles }) => sum + cycles, 0);
  return Math.max(0, step.end - queued);
}
