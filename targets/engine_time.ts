// Where the time of each engine goes: from the steps of a program with when each was done, planned or observed. Both
// halves read this page: `analyze` has the plan's times, `validate` those of the emulated run.

/** Engines that have steps of their own. */
export const stepEngines = ["ita", "cores", "dma"] as const;
export type StepEngine = (typeof stepEngines)[number];

/** The engine whose work is to bring data. */
const dataEngine: StepEngine = "dma";

/** A step and when it was done, in cycles from the start of the inference. */
export interface TimedStep {
  readonly engine: StepEngine;
  readonly start: number;
  readonly end: number;
  /** Cycles between start and end in which the engine worked. */
  readonly busy: number;
  /** When the conductor had handed all of it out; jobs that the queue has no place for make it wait. */
  readonly issued: number;
  /** Steps of each engine that had to be finished, counted from the first of the program. */
  readonly after: Readonly<Partial<Record<StepEngine, number>>>;
}

/** Cycles of one engine; they add up to the whole time. */
export interface EngineTime {
  readonly working: number;
  /** For transfers, and for work of other engines, that were not finished. */
  readonly waitingForData: number;
  readonly waitingForEngine: number;
  /** All was there, but the conductor had not come to hand it out. */
  readonly handOver: number;
  /** Behind the last step. */
  readonly idle: number;
}

/** Times by engine; an engine without steps is absent. */
export type EngineTimes = Readonly<Partial<Record<StepEngine, EngineTime>>>;

/** What an engine does in a stretch of time, or whom it waits for in the end. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly what: "works" | "conductor" | StepEngine;
}

/**
 * Where the time went. One conductor hands out all steps in their order and does not pass one before what it waits for
 * is finished; so a step waits for all that the steps in front of it had to wait for, and of that for what is finished
 * last. While that engine has not begun either, both wait for the same.
 *
 * @param steps in the order of the program
 * @param cycles the whole time
 */
export function engineTimes(steps: readonly TimedStep[], cycles: number): EngineTimes {
  const ends: Record<StepEngine, number[]> = { ita: [], cores: [], dma: [] };
  for (const { engine, end } of steps) ends[engine].push(end);
  const stretches: Record<StepEngine, Stretch[]> = { ita: [], cores: [], dma: [] };
  const times: Partial<Record<StepEngine, { -readonly [Field in keyof EngineTime]: number }>> = {};
  /** When all is finished that the conductor has had to wait for so far, and whose work is the last of it. */
  let ready = 0, last: StepEngine = dataEngine;
  const need = (finished: number, by: StepEngine) => {
    if (finished > ready) [ready, last] = [finished, by];
  };
  for (const { engine, start, end, busy, issued, after } of steps) {
    for (const other of stepEngines) if (after[other]) need(ends[other][after[other] - 1] ?? 0, other);
    const own = stretches[engine];
    const time = times[engine] ??= {
      working: 0,
      waitingForData: 0,
      waitingForEngine: 0,
      handOver: 0,
      idle: 0,
    };
    const from = own.at(-1)?.to ?? 0, begins = Math.max(start, from), stops = Math.max(end, begins);
    for (const stretch of waitsFor(last, stretches[last], from, Math.min(ready, begins))) {
      const { what } = stretch, waited = stretch.to - stretch.from;
      if (what === "conductor" || what === engine) time.handOver += waited;
      else if (what === dataEngine) time.waitingForData += waited;
      else time.waitingForEngine += waited;
      own.push(stretch);
    }
    const handedFrom = own.at(-1)?.to ?? 0, worked = Math.min(busy, stops - begins);
    time.handOver += begins - handedFrom + (stops - begins - worked);
    time.working += worked;
    if (begins > handedFrom) own.push({ from: handedFrom, to: begins, what: "conductor" });
    own.push({ from: begins, to: stops, what: "works" });
    // Jobs for which there is no place keep the conductor from what stands behind them.
    if (engine === "ita") need(issued, engine);
  }
  for (const engine of stepEngines) {
    const time = times[engine];
    if (time) time.idle = Math.max(0, cycles - (stretches[engine].at(-1)?.to ?? 0));
  }
  return times;
}

/** What one waits for who waits for an engine's work from `from` to `to`. */
function waitsFor(engine: StepEngine, stretches: readonly Stretch[], from: number, to: number): Stretch[] {
  if (from >= to) return [];
  let low = 0, high = stretches.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (stretches[middle].to <= from) low = middle + 1;
    else high = middle;
  }
  const waits: Stretch[] = [];
  let at = from;
  for (let i = low; i < stretches.length && at < to; i++) {
    const end = Math.min(stretches[i].to, to), { what } = stretches[i];
    waits.push({ from: at, to: end, what: what === "works" ? engine : what });
    at = end;
  }
  return waits;
}

/** The times of several inferences together. */
export function sumOfEngineTimes(all: readonly EngineTimes[]): EngineTimes {
  const sum: Partial<Record<StepEngine, EngineTime>> = {};
  for (const times of all) {
    for (const engine of stepEngines) {
      const time = times[engine], so = sum[engine];
      if (!time) continue;
      sum[engine] = so
        ? {
          working: so.working + time.working,
          waitingForData: so.waitingForData + time.waitingForData,
          waitingForEngine: so.waitingForEngine + time.waitingForEngine,
          handOver: so.handOver + time.handOver,
          idle: so.idle + time.idle,
        }
        : time;
    }
  }
  return sum;
}

/** A table for people: cycles and per cent of the time of each engine. */
export function engineTimeLines(times: EngineTimes): string[] {
  const heads = [
    "engine",
    "works",
    "waits for data",
    "for an engine",
    "for the conductor",
    "has no more to do",
  ];
  const rows = stepEngines.flatMap((engine) => {
    const time = times[engine];
    if (!time) return [];
    const { working, waitingForData, waitingForEngine, handOver, idle } = time;
    const all = [working, waitingForData, waitingForEngine, handOver, idle];
    const whole = all.reduce((a, b) => a + b, 0);
    const cell = (cycles: number) =>
      `${whole > 0 ? (100 * cycles / whole).toFixed(1) : "0.0"} % ${grouped(cycles).padStart(11)}`;
    return [[engine, ...all.map(cell)]];
  });
  if (rows.length === 0) return [];
  const table = [heads, ...rows];
  const widths = heads.map((_, i) => Math.max(...table.map((row) => row[i].length)));
  return table.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ").trimEnd()
  );
}

function grouped(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 }).replaceAll(",", " ");
}
