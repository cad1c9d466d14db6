// When the engines worked in an inference: start and end of each transfer, job and task, and from them, with the steps
// that the manifest lists, where each engine's time went. The harts are not looked at, so nothing gets slower.

import { type EngineTimes, engineTimes, type StepEngine, type TimedStep } from "../../targets/engine_time.ts";
import { type Manifest, readStep } from "../../targets/manifest.ts";
import type { Transfer } from "../../targets/engines/dma/device.ts";
import type { Target } from "../../targets/schema.ts";
import type { Image, ImageSymbol } from "../image/types.ts";
import { findSymbol } from "../image/symbols.ts";
import type { FinishedJob } from "../soc/observer.ts";

/**
 * Object in L1 that the runtime keeps (targets/snitch-ita/runtime.c), in words: tasks published; for each slot the shares
 * of them that workers have finished; and one word more for each slot.
 */
const progressSymbol = "progress";

/** What was done by one engine, in order: cycles since reset. */
export interface Intervals {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** What all engines did. */
export interface Activity {
  readonly engines: Readonly<Record<StepEngine, Intervals>>;
  /** Jobs that the accelerator has room for. */
  readonly places: number;
}

interface Machine {
  readonly cycle: number;
  readUint32(address: number): number;
  watch(address: number, watcher: (address: number, cycle: number) => void): void;
}

/** Records what the devices and the workers of a SoC do. */
export class ActivityRecorder {
  readonly #workers: number;
  readonly #places: number;
  #engines = nothing();

  constructor({ harts, ita }: Pick<Target, "harts" | "ita">) {
    this.#workers = harts.workers;
    this.#places = ita?.contexts ?? 0;
  }

  /** Takes a finished transfer. */
  transfer({ issued }: Transfer, done: number): void {
    this.#engines.dma.starts.push(issued);
    this.#engines.dma.ends.push(done + 1);
  }

  /** Takes a finished job. */
  job({ start, end }: FinishedJob): void {
    this.#engines.ita.starts.push(start);
    this.#engines.ita.ends.push(end);
  }

  /** Watches the counts that the runtime of an image keeps of its tasks, if it has them. */
  watchTasks(machine: Machine, image: Image): void {
    const progress = findSymbol(image, progressSymbol);
    if (progress?.kind !== "object" || progress.size < 12) return;
    const { address } = progress, slots = slotsOf(progress);
    machine.watch(address, (_, cycle) => {
      const published = machine.readUint32(address);
      if (published > 0) this.#engines.cores.starts[published - 1] = cycle;
    });
    for (let slot = 0; slot < slots; slot++) {
      machine.watch(address + 4 + 4 * slot, (word, cycle) => {
        const shares = machine.readUint32(word);
        if (shares === 0 || shares % this.#workers !== 0) return;
        this.#engines.cores.ends[(shares / this.#workers - 1) * slots + slot] = cycle;
      });
    }
  }

  /** What was recorded since this was called before. */
  take(): Activity {
    const engines = this.#engines;
    this.#engines = nothing();
    return { engines, places: this.#places };
  }
}

function slotsOf({ size }: ImageSymbol): number {
  return Math.floor((size / 4 - 1) / 2);
}

function nothing(): Record<StepEngine, { starts: number[]; ends: number[] }> {
  return {
    ita: { starts: [], ends: [] },
    cores: { starts: [], ends: [] },
    dma: { starts: [], ends: [] },
  };
}

/**
 * Where the time of the engines went.
 *
 * @param from first cycle of the inference, and `to` the cycle behind its last
 * @returns undefined if the manifest lists no steps, or others than were done
 */
export function observedEngineTimes(
  { steps }: Pick<Manifest, "steps">,
  { engines, places }: Activity,
  from: number,
  to: number,
): EngineTimes | undefined {
  if (!steps || steps.length === 0) return undefined;
  const next: Record<StepEngine, number> = { ita: 0, cores: 0, dma: 0 };
  const timed: TimedStep[] = [];
  for (const { engine, parts, after } of steps.map(readStep)) {
    const { starts, ends } = engines[engine];
    const first = next[engine], last = first + parts - 1;
    if (parts === 0) continue;
    next[engine] += parts;
    let start = Infinity, busy = 0;
    for (let i = first; i <= last; i++) {
      // An engine takes what it is given one behind the other.
      const begin = Math.min(ends[i], Math.max(starts[i], i > 0 ? ends[i - 1] : 0));
      start = Math.min(start, begin);
      busy += ends[i] - begin;
    }
    const issued = engine === "ita" ? ends[last - places] ?? from : starts[last];
    timed.push({ engine, start: start - from, end: ends[last] - from, busy, issued: issued - from, after });
  }
  const all = (Object.keys(next) as StepEngine[]).every((engine) =>
    engines[engine].starts.length === next[engine] && engines[engine].ends.length === next[engine]
  );
  return all ? engineTimes(timed, to - from) : undefined;
}
