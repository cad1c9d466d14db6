// Decides in which order the engines do their drafts, by playing the program through on a model of the engines:
// whatever can start first starts first. The order and the dependencies give each step what it has to wait for.

import type { Dependencies } from "./dependencies.ts";
import type { Draft } from "./lay_out.ts";
import type { Step, StepEngine } from "./program.ts";

/** The DMA may do a transfer ahead of so many older ones that cannot start yet. */
const lookAhead = 24;

/** The conductor hands out work so many cycles before it can start: these engines have queues. */
const queueAhead = { ita: 900, dma: 900 };

/** From the moment at which a step may start until it does: the conductor notices, publishes, wakes. */
const reactionCycles = 40;

interface Timed {
  readonly draft: Draft;
  readonly index: number;
  readonly start: number;
  readonly end: number;
  /** When the conductor should issue it, at the earliest. */
  readonly issue: number;
}

/**
 * Orders drafts.
 *
 * @returns steps in the order in which the conductor issues them
 */
export function orderOf(drafts: readonly Draft[], dependencies: readonly Dependencies[]): Step[] {
  const timed = play(drafts, dependencies);
  const issued = [...timed].sort((a, b) => a.issue - b.issue || a.start - b.start || a.index - b.index);
  ensureOrder(issued, dependencies);
  const position = new Int32Array(drafts.length);
  const count: Record<StepEngine, number> = { dma: 0, cores: 0, ita: 0 };
  const known: Record<StepEngine, number> = { dma: 0, cores: 0, ita: 0 };
  return issued.map(({ draft, index, start, end }): Step => {
    const after: Partial<Record<StepEngine, number>> = {};
    for (const dependency of dependencies[index].finished) {
      const engine = drafts[dependency].engine;
      if (engine === "ita" && draft.engine === "ita") continue; // its queue keeps the order
      after[engine] = Math.max(after[engine] ?? 0, position[dependency]);
    }
    // What the conductor has waited for once is finished for good.
    for (const engine of ["dma", "cores", "ita"] as const) {
      if (after[engine] === undefined) continue;
      if (after[engine]! <= known[engine]) delete after[engine];
      else known[engine] = after[engine]!;
    }
    position[index] = ++count[draft.engine];
    const { cycles: _, ...work } = draft;
    return { ...work, after, start: Math.round(start), end: Math.round(end) };
  });
}

/** Start and end of every draft. */
function play(drafts: readonly Draft[], dependencies: readonly Dependencies[]): Timed[] {
  const end = new Float64Array(drafts.length).fill(-1);
  const queues: Record<StepEngine, number[]> = { dma: [], cores: [], ita: [] };
  drafts.forEach((draft, index) => queues[draft.engine].push(index));
  const free: Record<StepEngine, number> = { dma: 0, cores: 0, ita: 0 };
  const issued: Record<StepEngine, number> = { dma: 0, cores: 0, ita: 0 };
  const result: Timed[] = [];
  const readyAt = (index: number): number => {
    let ready = 0;
    if (dependencies[index].begun.some((dependency) => end[dependency] < 0)) return Infinity;
    for (const dependency of dependencies[index].finished) {
      if (end[dependency] < 0) return Infinity;
      const handOver = drafts[dependency].engine === drafts[index].engine ? 0 : reactionCycles;
      ready = Math.max(ready, end[dependency] + handOver);
    }
    return ready;
  };
  while (result.length < drafts.length) {
    let best: { index: number; engine: StepEngine; place: number; start: number; ready: number } | undefined;
    for (const engine of ["ita", "cores", "dma"] as const) {
      const queue = queues[engine];
      const depth = engine === "dma" ? Math.min(queue.length, lookAhead) : Math.min(queue.length, 1);
      for (let place = 0; place < depth; place++) {
        const ready = readyAt(queue[place]);
        const start = Math.max(free[engine], ready);
        if (start < (best?.start ?? Infinity)) best = { index: queue[place], engine, place, start, ready };
      }
    }
    if (!best) throw new Error("the drafts depend on each other in a circle");
    const { index, engine, place, start, ready } = best;
    queues[engine].splice(place, 1);
    end[index] = start + drafts[index].cycles;
    free[engine] = end[index];
    // Accumulations and softmax live from job to job, and the workers have one list: both keep their order.
    const early = engine === "cores" ? ready : Math.max(ready, start - queueAhead[engine]);
    const issue = Math.max(early, issued[engine]);
    issued[engine] = issue;
    result.push({ draft: drafts[index], index, start, end: end[index], issue });
  }
  return result;
}

/** No step may stand in front of one that it waits for; equal times could have put it there. */
function ensureOrder(issued: Timed[], dependencies: readonly Dependencies[]) {
  const done = new Set<number>();
  const byIndex = new Map(issued.map((timed) => [timed.index, timed]));
  const ordered: Timed[] = [];
  const visit = (timed: Timed) => {
    if (done.has(timed.index)) return;
    done.add(timed.index);
    const { finished, begun } = dependencies[timed.index];
    for (const dependency of [...finished, ...begun]) visit(byIndex.get(dependency)!);
    ordered.push(timed);
  };
  for (const timed of issued) visit(timed);
  issued.splice(0, issued.length, ...ordered);
}
