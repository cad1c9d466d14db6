// Does the same work on many items in several Workers at a time, and gives the results in the order of the items.

import type { Interrupted } from "../../runtime/host/run.ts";

/** What a Worker gets when the run is to end: it answers the item at hand as soon as it can. */
export interface StopMessage {
  /** Exit status of the process. */
  readonly stop: number;
}

/** Milliseconds that Workers have for that. */
const grace = 2000;

/** A Worker that answers every message with one message, one at a time. */
class Answerer<Item, Result> {
  readonly #worker: Worker;
  #settle?: { resolve(result: Result): void; reject(error: Error): void };

  constructor(module: URL) {
    this.#worker = new Worker(module, { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#settle?.resolve(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#settle?.reject(new Error(event.message));
    };
  }

  ask(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#worker.postMessage(item);
    });
  }

  /** Asks for an early answer. */
  stop(message: StopMessage): void {
    this.#worker.postMessage(message);
  }

  end(): void {
    this.#worker.terminate();
  }
}

/** Workers for each processor at most: more would finish nothing sooner, and each holds a whole machine. */
const mostForProcessor = 4;

/** How many Workers do so many items when `jobs` are asked for. */
export function workersFor(jobs: number, items: number): number {
  return Math.min(jobs, items, mostForProcessor * processors());
}

/**
 * Sends each item to a Worker and yields the answers in the order of the items.
 *
 * @param module script of the Worker; it answers every item with exactly one message
 * @param jobs Workers at most; see {@link workersFor}
 * @param signal ends the work, its reason being an {@link Interrupted}: Workers get a {@link StopMessage} and no more items. The answers to it are yielded, too
 * @throws what a Worker did not catch, or the signal's reason where no answer came; all Workers are ended
 */
export async function* answersInOrder<Item, Result>(
  module: URL,
  items: readonly Item[],
  jobs: number,
  signal?: AbortSignal,
): AsyncGenerator<Result> {
  const workers = Array.from(
    { length: workersFor(jobs, items.length) },
    () => new Answerer<Item, Result>(module),
  );
  const settled = items.map(() => Promise.withResolvers<Result>());
  let next = 0;
  const drain = async (worker: Answerer<Item, Result>) => {
    while (next < items.length) {
      const index = next++;
      await worker.ask(items[index]).then(settled[index].resolve, settled[index].reject);
    }
  };
  let impatient: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    next = items.length;
    for (const worker of workers) worker.stop({ stop: (signal!.reason as Interrupted).status });
    impatient = setTimeout(() => {
      for (const { reject } of settled) reject(signal!.reason);
    }, grace);
  };
  signal?.addEventListener("abort", stop);
  try {
    for (const worker of workers) void drain(worker);
    for (const { promise } of settled) yield await promise;
  } finally {
    signal?.removeEventListener("abort", stop);
    clearTimeout(impatient);
    // Nobody waits for what is left when the reader stops early.
    for (const { promise } of settled) promise.catch(() => {});
    for (const worker of workers) worker.end();
  }
}

/** Number of processors that this machine offers. */
export function processors(): number {
  return Math.max(1, navigator.hardwareConcurrency);
}
