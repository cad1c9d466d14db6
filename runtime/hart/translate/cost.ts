// What instructions cost when nothing but the hart itself holds it up.
//
// Each instruction has a cost of its own, which the code around it in memory fixes: the straight-line code in which
// it stands (from the last transfer of control or boundary to the next) is walked through the pipeline once, and an
// instruction costs the cycles from its issue to the next one's. A loop that ends this code is walked round. So costs
// add up, wherever execution enters, and neither interpreter nor translator nor a cut can change them.

import {
  accesses,
  type Block,
  boundary,
  readBlock,
  type Step,
  type StepSource,
  transfers,
  written,
} from "./block.ts";
import { issueTimes, type MemoryClass, type PipelineParameters } from "./pipeline_model.ts";

/** What costs depend on. */
export interface CostParameters extends PipelineParameters {
  /** Class of accesses whose cost is part of the code's; others add a penalty. */
  readonly usual: MemoryClass;
  /** Whether there are others. */
  readonly mixed: boolean;
}

/** Costs of a block's steps. What only run time knows is left as an amount that the tiers add. */
export interface Costs {
  readonly cycles: readonly number[];
  /** Cycles that an access adds which does not reach the usual memory; 0 for other steps. */
  readonly penalty: readonly number[];
  /** Use latency of a division, in cycles, that the code hides; 0 for other steps. */
  readonly slack: readonly number[];
}

/** How far delays reach into what follows, and the longest loop that is walked round; in instructions. */
const lookAhead = 8, longestLoop = 64;
/** Instructions of a loop after which queues are as full as they get. */
const settled = 48;
/** Least use latency of a division. */
const quickDivision = 4;
/** Penalties and slacks fit a byte. */
const most = 255;

/**
 * The costs of a block's steps.
 *
 * @param source the code around the block, as blocks hold it
 * @param any the code around it, with what the slow path executes
 */
export function costsOf(
  block: Block,
  parameters: CostParameters,
  source: StepSource,
  any: StepSource,
): Costs {
  const { usual, mixed } = parameters, count = block.steps.length;
  if (count === 0) return { cycles: [], penalty: [], slack: [] };
  const before = stepsBefore(block.start, source);
  const run = [...before, ...block.steps], first = before.length;
  const cycles = runCosts(run, block, parameters, usual, source, any);
  const penalty = run.map(() => 0);
  if (mixed && run.some(accesses)) {
    const other = runCosts(run, block, parameters, usual === "near" ? "far" : "near", source, any);
    spread(run, sum(other) - sum(cycles), penalty);
  }
  const slack = slackOf(run, cycles);
  return { cycles: cycles.slice(first), penalty: penalty.slice(first), slack: slack.slice(first) };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** The straight-line code before an address, back to a transfer of control or a boundary. */
function stepsBefore(start: number, source: StepSource): Step[] {
  const steps: Step[] = [];
  for (let pc = start; pc % boundary !== 0;) {
    pc -= 4;
    const step = source(pc);
    if (!step || transfers(step)) break;
    steps.push(step);
  }
  return steps.reverse();
}

/** Cycles from each step of a run to the next, with accesses to one class of memory. */
function runCosts(
  run: readonly Step[],
  { start, end, ending, target }: Block,
  parameters: CostParameters,
  memory: MemoryClass,
  source: StepSource,
  any: StepSource,
): number[] {
  const loop = loopAround(start, source);
  if (loop) return loopCosts(run, loop, parameters, memory);
  const backward = target !== undefined && target < end;
  const follower = ending === "indirect"
    ? []
    : readBlock(backward || ending === "jump" ? target! : end, throughSlow(any), lookAhead).steps;
  const alone = issueTimes(follower, memory, parameters)[follower.length];
  const times = issueTimes([...run, ...follower], memory, parameters);
  const costs = run.map((_, i) => times[i + 1] - times[i]);
  // What the run has under way delays the code that follows.
  const total = times[times.length - 1] - alone - times[0];
  costs[run.length - 1] += Math.max(0, total - sum(costs));
  return costs;
}

/** The code behind a block, up to where the slow path may go elsewhere. */
function throughSlow(any: StepSource): StepSource {
  return (pc) => {
    const step = any(pc), meaning = step?.instruction.meaning;
    return meaning?.kind === "system" && meaning.action !== "fence" ? undefined : step;
  };
}

/** The straight-line loop whose end the code at an address runs into, if it does: the loop's body. */
function loopAround(start: number, source: StepSource): readonly Step[] | undefined {
  const { target, end } = readBlock(start, source, longestLoop);
  if (target === undefined || target >= end || end - target > 4 * longestLoop) return undefined;
  const body = readBlock(target, source, longestLoop);
  return body.end === end ? body.steps : undefined;
}

/** As `runCosts`, for a run that leads into a loop or lies in it: steps of the loop cost what they do in its rounds. */
function loopCosts(
  run: readonly Step[],
  body: readonly Step[],
  parameters: CostParameters,
  memory: MemoryClass,
): number[] {
  const count = Math.max(4, Math.ceil(settled / body.length));
  const rounds = issueTimes(Array.from({ length: count }, () => body).flat(), memory, parameters);
  const times = issueTimes(run, memory, parameters);
  // Rounds may come in pairs, a longer and a shorter one: each step takes what it does in two of them on average.
  const first = (count - 3) * body.length, second = first + body.length;
  const until = Array.from(
    { length: body.length + 1 },
    (_, k) => Math.round((rounds[first + k] - rounds[first] + rounds[second + k] - rounds[second]) / 2),
  );
  return run.map(({ pc }, i) => {
    const k = (pc - body[0].pc) / 4;
    return k >= 0 ? until[k + 1] - until[k] : times[i + 1] - times[i];
  });
}

/** Shares cycles among the accesses of a run. */
function spread(run: readonly Step[], cycles: number, penalty: number[]): void {
  const count = run.filter(accesses).length;
  let seen = 0, spent = 0;
  for (const [i, step] of run.entries()) {
    if (!accesses(step)) continue;
    const due = Math.trunc(Math.max(0, cycles) * ++seen / count);
    penalty[i] = Math.min(most, due - spent);
    spent = due;
  }
}

/** For each division: cycles between the end of its shortest latency and the first step that waits for it. */
function slackOf(run: readonly Step[], cycles: readonly number[]): number[] {
  return run.map((step, i) => {
    if (step.instruction.latency !== "divide") return 0;
    const rd = written(step);
    let wait = cycles[i];
    for (let j = i + 1; j < run.length && !waitsFor(run[j], rd); j++) wait += cycles[j];
    return Math.min(most, Math.max(0, wait - quickDivision));
  });
}

/** Whether a step cannot issue while a division into `rd` is under way. */
function waitsFor(step: Step, rd: number): boolean {
  return step.instruction.latency === "divide" || (step.waits & ~1 & 1 << rd) !== 0;
}
