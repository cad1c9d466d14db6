// `emulate … --gdb`: the emulator as a target of GDB.

import { buildSoc } from "../../runtime/host/build_soc.ts";
import { DebugMachine, type MachineOptions } from "../../runtime/host/gdb/machine.ts";
import { GdbServer } from "../../runtime/host/gdb/server.ts";
import { Interrupted, stateLines } from "../../runtime/host/run.ts";
import { AttoflowError } from "../../targets/errors.ts";
import type { Target } from "../../targets/schema.ts";
import { say } from "./output.ts";

/** Clients come from this machine only: whoever is connected can do with the emulator what he likes. */
const host = "127.0.0.1";

/** What is served. */
export interface ServedProgram extends Omit<MachineOptions, "build"> {
  readonly target: Target;
  readonly testbench: boolean;
  /** Takes what the program prints. */
  readonly console: (bytes: Uint8Array) => void;
}

/**
 * Serves GDB until the program ends, a client kills it or the signal comes.
 *
 * @returns the program's exit code; 1 if a client has killed it
 */
export async function serveGdb(port: number, program: ServedProgram, signal: AbortSignal): Promise<number> {
  const decoder = new TextDecoder();
  const { target, testbench } = program;
  const clients: { server?: GdbServer } = {};
  const machine = await DebugMachine.make({
    ...program,
    build: (observer) =>
      buildSoc(target, {
        testbench,
        observer,
        console: (bytes) => {
          program.console(bytes);
          clients.server?.print(decoder.decode(bytes, { stream: true }));
        },
      }),
  });
  const server = clients.server = new GdbServer(machine, say);
  const listener = listen(port);
  const { port: taken } = listener.addr;
  say(`gdb: waiting on ${host}:${taken}; in gdb-multiarch, type: target remote :${taken}`);
  const result = await server.serve(listener, signal).catch((error) => {
    throw error instanceof Interrupted ? new Interrupted(error.status, stateLines(machine.soc)) : error;
  });
  if (result.kind === "exit") return result.code;
  say("gdb: killed by the client");
  return 1;
}

function listen(port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: host, port });
  } catch (cause) {
    const denied = cause instanceof Deno.errors.NotCapable;
    throw new AttoflowError(
      denied ? "this process may not listen on the network" : `cannot listen: ${(cause as Error).message}`,
      {
        where: `--gdb :${port}`,
        hint: denied
          ? `Run deno with --allow-net=${host}, as \`deno task emulate\` does.`
          : "Name another port.",
        cause,
      },
    );
  }
}
