// Ctrl-C (or SIGTERM) while a machine runs: the first one asks the work to end and say where it stands, the second
// one ends the process at once.

import { Interrupted } from "../../runtime/host/run.ts";

/** Exit statuses of programs that these signals end, as shells report them. */
const statuses = { SIGINT: 130, SIGTERM: 143 } as const;

/** Runs `work` with a signal that Ctrl-C gives; what waits for the machine then throws {@link Interrupted}. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const listeners = Object.entries(statuses).map(([name, status]) => ({
    name: name as Deno.Signal,
    listener: () => {
      stopListening();
      controller.abort(new Interrupted(status));
    },
  }));
  const stopListening = () => {
    for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
  };
  for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
  try {
    return await work(controller.signal);
  } finally {
    stopListening();
  }
}
