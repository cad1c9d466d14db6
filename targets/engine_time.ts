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

/** The conductor waits for an engine. */
interface Wait {
  readonly from: number;
  readonly to: number;
  readonly cause: StepEngine;
}

/** In this order the conductor looks at what a step needs (runtime.c). */
const waitOrder = ["cores", "ita", "dma"] as const;

/**
 * Where the time went. One conductor hands out all steps in their order and does not pass one before what it waits for
 * is finished; an engine without work waits for what the conductor waits for.
 *
 * @param steps in the order of the program
 * @param cycles the whole time
 */
export function engineTimes(steps: readonly TimedStep[], cycles: number): EngineTimes {
  const ends: Record<StepEngine, number[]> = { ita: [], cores: [], dma: [] };
  for (const { engine, end } of steps) ends[engine].push(end);
  const times: Partial<Record<StepEngine, { -readonly [Field in keyof EngineTime]: number }>> = {};
  const free: Record<StepEngine, number> = { ita: 0, cores: 0, dma: 0 };
  /** The conductor's waits so far, one behind the other, and the first that each engine has not come to. */
  const waits: Wait[] = [];
  const next: Record<StepEngine, number> = { ita: 0, cores: 0, dma: 0 };
  let now = 0;
  const wait = (to: number, cause: StepEngine) => {
    if (to > now) waits.push({ from: now, to, cause });
    now = Math.max(now, to);
  };
  for (const { engine, start, end, busy, issued, after } of steps) {
    for (const other of waitOrder) if (after[other]) wait(ends[other][after[other] - 1] ?? 0, other);
    if (engine === "ita") wait(issued, engine);
    else now = Math.max(now, issued);

    const time = times[engine] ??= {
      working: 0,
      waitingForData: 0,
      waitingForEngine: 0,
      handOver: 0,
      idle: 0,
    };
    const from = free[engine], begins = Math.max(start, from), stops = Math.max(end, begins);
    let unexplained = begins - from;
    for (let i = next[engine]; i < waits.length && waits[i].from < begins; i++) {
      const waited = Math.min(waits[i].to, begins) - Math.max(waits[i].from, from);
      if (waits[i].to <= begins) next[engine] = i + 1;
      if (waited <= 0 || waits[i].cause === engine) continue;
      unexplained -= waited;
      if (waits[i].cause === dataEngine) time.waitingForData += waited;
      else time.waitingForEngine += waited;
    }
    const worked = Math.min(busy, stops - begins);
    time.working += worked;
    time.handOver += unexplained + (stops - begins - worked);
    free[engine] = stops;
  }
  for (const engine of stepEngines) {
    const time = times[engine];
    if (time) time.idle = Math.max(0, cycles - free[engine]);
  }
  return times;
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
