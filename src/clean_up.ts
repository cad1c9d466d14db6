// What must not stay behind when somebody presses Ctrl-C.

const signals = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Cleans up if the process is interrupted while the result lives; the process then ends with the status that shells
 * expect.
 *
 * @param clean removes what must not stay; synchronous
 */
export function cleanUpOnInterrupt(clean: () => void): Disposable {
  const listeners = Object.entries(signals).map(([signal, status]) => {
    const listener = () => {
      clean();
      Deno.exit(status);
    };
    Deno.addSignalListener(signal as Deno.Signal, listener);
    return { signal: signal as Deno.Signal, listener };
  });
  return {
    [Symbol.dispose]() {
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
