// The emulator as a machine for a session. It runs in this process: waiting is emulating.

import type { Target } from "../../targets/schema.ts";
import type { Image } from "../image/types.ts";
import type { Counters } from "../soc/counters.ts";
import type { HartEngine } from "../soc/engine.ts";
import type { SocObserver } from "../soc/observer.ts";
import type { Soc } from "../soc/soc.ts";
import type { HartStatistics } from "../soc/statistics.ts";
import { type Activity, ActivityRecorder } from "../trace/engine_activity.ts";
import { buildSoc } from "./build_soc.ts";
import { runSoc } from "./run.ts";
import type { Transport, Wake } from "./transport.ts";

/** What a session's emulator can be given. */
export interface EmulatorOptions {
  /** Takes what programs print; by default that is dropped. */
  readonly console?: (text: string) => void;
  /** Looks on while the program runs. */
  readonly observer?: SocObserver;
  /** Runs the harts under fast timing; by default they run cycle by cycle. */
  readonly engine?: HartEngine;
  /** Breaks a wait off: it then rejects with {@link Interrupted}. */
  readonly signal?: AbortSignal;
}

/** A session's machine that is an emulated SoC. */
export class EmulatorTransport implements Transport {
  readonly name = "emulator";
  readonly #soc: Soc;
  readonly #signal: AbortSignal | undefined;
  readonly #engine: HartEngine | undefined;
  readonly #recorder: ActivityRecorder;

  constructor(target: Target, options: EmulatorOptions = {}) {
    const decoder = new TextDecoder();
    const { console: take, observer, engine, signal } = options;
    this.#signal = signal;
    this.#engine = engine;
    const recorder = this.#recorder = new ActivityRecorder(target);
    this.#soc = buildSoc(target, {
      transfer: (transfer, done) => recorder.transfer(transfer, done),
      job: (job) => recorder.job(job),
      ...(observer ? { observer } : {}),
      ...(engine ? { engine } : {}),
      ...(take ? { console: (bytes) => take(decoder.decode(bytes, { stream: true })) } : {}),
    });
  }

  load(image: Image): Promise<void> {
    this.#soc.load(image);
    // Under fast timing a watched word costs time at every access to its neighbourhood.
    if (!this.#engine) this.#recorder.watchTasks(this.#soc, image);
    return Promise.resolve();
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  read(address: number, bytes: number): Promise<Uint8Array> {
    return Promise.resolve(this.#soc.readBytes(address, bytes));
  }

  write(address: number, data: Uint8Array): Promise<void> {
    this.#soc.writeBytes(address, data);
    return Promise.resolve();
  }

  async wait(address: number, cycles: number): Promise<Wake> {
    const before = this.#soc.cycle;
    const { reason, exitCode, cycle } = await runSoc(
      this.#soc,
      { maxCycles: cycles, stopOnWrite: [address] },
      this.#signal,
    );
    return { reason, exitCode, cycles: cycle - before };
  }

  describe(): Promise<string> {
    return Promise.resolve(this.#soc.describe());
  }

  /** What the harts have done since reset. */
  statistics(): HartStatistics[] {
    return this.#soc.statistics();
  }

  counters(): Counters {
    return this.#soc.counters();
  }

  activity(): Activity {
    return this.#recorder.take();
  }

  close(): Promise<void> {
    this.#engine?.close();
    return Promise.resolve();
  }
}
