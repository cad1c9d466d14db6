// Does the same work on many items in several Workers at a time, and gives the results in the order of the items.

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

  end(): void {
    this.#worker.terminate();
  }
}

/**
 * Sends each item to a Worker and yields the answers in the order of the items.
 *
 * @param module script of the Worker; it answers every message with exactly one
 * @param jobs Workers at most
 * @throws what a Worker did not catch; the others are ended
 */
export async function* answersInOrder<Item, Result>(
  module: URL,
  items: readonly Item[],
  jobs: number,
): AsyncGenerator<Result> {
  const workers = Array.from(
    { length: Math.min(jobs, items.length) },
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
  try {
    for (const worker of workers) void drain(worker);
    for (const { promise } of settled) yield await promise;
  } finally {
    // Nobody waits for what is left when the reader stops early.
    for (const { promise } of settled) promise.catch(() => {});
    for (const worker of workers) worker.end();
  }
}

/** Number of processors that this machine offers. */
export function processors(): number {
  return Math.max(1, navigator.hardwareConcurrency);
}
