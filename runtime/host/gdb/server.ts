// Serves GDB on a socket: clients one at a time. While a client is there, the machine moves only as it says; when it
// has detached, the machine runs by itself until another one comes; when its line broke, the machine stands still.

import { Conversation, type Line } from "./conversation.ts";
import type { DebugTarget, Stop } from "./target.ts";

/** A machine that can be let go of. */
export interface ServedMachine extends DebugTarget {
  /** Why it stands still before anything has run. */
  readonly beginning: Stop;
  /** Runs by itself, as if there were no debugger: nothing that one has set stops it. */
  runFree(): Promise<Stop>;
}

/** How serving has ended: the program has ended, or a client has ended it. */
export type ServerResult = { readonly kind: "exit"; readonly code: number } | { readonly kind: "killed" };

/** Where clients come from. A TCP listener is one. */
export interface Listener extends AsyncIterable<Line> {
  close(): void;
}

/** Milliseconds that a client who is leaving is waited for. */
const leaveMilliseconds = 500;

async function endsSoon(work: Promise<void>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), leaveMilliseconds);
  work.then(() => resolve(true));
  const ended = await promise;
  clearTimeout(timer);
  return ended;
}

/** The server. */
export class GdbServer {
  readonly #machine: ServedMachine;
  readonly #say: (line: string) => void;
  readonly #end = Promise.withResolvers<ServerResult>();
  /** Why the machine stands still, or will do so: it may run without a client. */
  #stop: Promise<Stop>;
  #current: Conversation | undefined;
  /** Ends when the client of now has left. */
  #busy: Promise<void> | undefined;

  /** @param say tells the person at the server's side what happens */
  constructor(machine: ServedMachine, say: (line: string) => void) {
    this.#machine = machine;
    this.#say = say;
    this.#stop = Promise.resolve(machine.beginning);
  }

  /** Shows text of the program on the client's console, if a client waits for the machine. */
  print(text: string): void {
    this.#current?.protocol.print(text);
  }

  /**
   * Serves until the program ends or a client ends it.
   *
   * @param signal ends the serving, too; its reason is thrown
   */
  async serve(listener: Listener, signal?: AbortSignal): Promise<ServerResult> {
    const abort = () => this.#end.reject(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    this.#accept(listener).catch(this.#end.reject);
    try {
      return await this.#end.promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      listener.close();
      this.#current?.close();
      this.#machine.interrupt();
      await this.#stop.catch(() => {});
    }
  }

  async #accept(listener: Listener): Promise<void> {
    for await (const line of listener) {
      if (this.#busy && !await endsSoon(this.#busy)) {
        this.#say("gdb: a second client is turned away");
        line.close();
        continue;
      }
      this.#busy = this.#converse(line).catch(this.#end.reject).finally(() => this.#busy = undefined);
    }
  }

  async #converse(line: Line): Promise<void> {
    this.#machine.interrupt();
    const stop = await this.#stop;
    this.#say("gdb: a client has connected");
    const conversation = this.#current = new Conversation(this.#machine, stop, line);
    const ending = await conversation.hold();
    this.#current = undefined;
    this.#stop = Promise.resolve(conversation.protocol.stop);
    if (ending === "killed") this.#end.resolve({ kind: "killed" });
    else if (ending === "detached") this.#letGo();
    else if (conversation.protocol.stop.kind === "exit") this.#end.resolve(conversation.protocol.stop);
    else this.#say("gdb: the connection is gone; the machine stands still and waits for another");
  }

  /** The client has let go of the machine: it runs by itself. */
  #letGo(): void {
    this.#say("gdb: the client has let go of the machine, which runs on");
    this.#stop = this.#machine.runFree();
    this.#stop.then((stop) => {
      if (stop.kind === "exit") this.#end.resolve(stop);
      else if (stop.text) this.#say(`gdb: the machine has stopped and waits for a client: ${stop.text}`);
    }).catch(this.#end.reject);
  }
}
