// The emulated SoC as what a debugger debugs, and the run loop: pieces of emulation, with looks at the outside between.
// A generated image has a host of its own, the session, which is served while the machine runs.

import { AttoflowError } from "../../../targets/errors.ts";
import { describeAddress } from "../../image/symbols.ts";
import type { Image } from "../../image/types.ts";
import { GuestFault } from "../../soc/fault.ts";
import type { MemoryMap, Region } from "../../soc/memory_map.ts";
import type { SocObserver } from "../../soc/observer.ts";
import type { RunResult, Soc } from "../../soc/soc.ts";
import { hartName } from "../names.ts";
import { turnOfEvents } from "../run.ts";
import type { Transport, Wake } from "../transport.ts";
import { monitor, type MonitorContext } from "./monitor.ts";
import { csrsOf, readRegister, writeRegister } from "./registers.ts";
import { SocDebugger } from "./soc_debugger.ts";
import type { DebugTarget, HartAction, Stop } from "./target.ts";

/** Cycles between looks at the outside, and milliseconds between turns for it. */
const pieceCycles = 1 << 14, turnMilliseconds = 20;

/** What is debugged. */
export interface MachineOptions {
  readonly image: Image;
  /** Builds the SoC, with this observer. */
  readonly build: (observer: SocObserver) => Soc;
  /** The host of a generated image: runs inferences through the machine. Deals with its own errors. */
  readonly host?: (machine: Transport) => Promise<void>;
  /** Names the layers for `monitor layer`. */
  readonly manifest?: MonitorContext["manifest"];
  /** Cycles after which the machine stops by itself. */
  readonly maxCycles?: number;
}

/** The machine. Between runs it stands still. */
export class DebugMachine implements DebugTarget {
  readonly harts: number;
  readonly csrs: readonly string[];
  readonly memories: DebugTarget["memories"];
  /** The SoC of now: a reset builds another. */
  soc!: Soc;

  readonly #options: MachineOptions;
  readonly #debugger = new SocDebugger();
  #host: HostSide | undefined;

  private constructor(options: MachineOptions) {
    this.#options = options;
    this.#debugger.nameAddresses((pc) => describeAddress(options.image, pc >>> 0));
    this.#build();
    const { target, state, map } = this.#debugger.parts;
    this.harts = state.count;
    this.csrs = csrsOf({ target });
    this.memories = memoriesOf(map);
  }

  /** Builds the machine and brings its host to where it waits for the image. */
  static async make(options: MachineOptions): Promise<DebugMachine> {
    const machine = new DebugMachine(options);
    await machine.#host?.idle();
    return machine;
  }

  #build(): void {
    this.soc = this.#options.build(this.#debugger);
    this.soc.load(this.#options.image);
    const { host } = this.#options;
    this.#host = host && new HostSide(this.soc, host);
  }

  nameOf(hart: number): string {
    return hartName(hart, this.#debugger.parts.target.harts.workers);
  }

  activityOf(hart: number): string {
    const { activity, symbol } = this.soc.statistics()[hart];
    const doing = { running: "at", wfi: "waits for an interrupt at", barrier: "waits at the barrier at" };
    return `${doing[activity]} ${symbol}`;
  }

  readRegister(hart: number, number: number): number | undefined {
    return readRegister(this.#debugger.parts, hart, number);
  }

  writeRegister(hart: number, number: number, value: number): boolean {
    return writeRegister(this.#debugger.parts, hart, number, value);
  }

  readMemory(address: number, length: number): Uint8Array {
    const { map } = this.#debugger.parts, bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const region = map.find(address + done);
      if (!region || address + done >= 2 ** 32) break;
      const read = this.#readRegion(region, address + done, length - done);
      if (!read) break;
      bytes.set(read, done);
      done += read.length;
    }
    return bytes.subarray(0, done);
  }

  #readRegion(region: Region, address: number, length: number): Uint8Array | undefined {
    const offset = address - region.base, inside = Math.min(length, region.size - offset);
    if (region.kind !== "registers") return region.bytes.slice(offset, offset + inside);
    // A register is read as the word that it is, once for each word.
    const bytes = Math.min(inside, 4 - (offset & 3));
    const word = attempt(() => this.soc.readUint32((address & ~3) >>> 0));
    return word === undefined
      ? undefined
      : Uint8Array.from({ length: bytes }, (_, i) => word >>> 8 * ((offset & 3) + i) & 0xff);
  }

  writeMemory(address: number, bytes: Uint8Array): boolean {
    const { map, now } = this.#debugger.parts;
    for (let done = 0; done < bytes.length;) {
      const at = address + done, region = map.find(at);
      if (!region || at >= 2 ** 32) return false;
      const offset = at - region.base, inside = Math.min(bytes.length - done, region.size - offset);
      if (region.kind !== "registers") {
        this.soc.writeBytes(at, bytes.subarray(done, done + inside));
        done += inside;
        continue;
      }
      const { device } = region;
      const count = Math.min(inside, 4 - (offset & 3));
      let word = 0, mask = 0;
      for (let i = 0; i < count; i++) {
        word |= bytes[done + i] << 8 * ((offset & 3) + i);
        mask |= 0xff << 8 * ((offset & 3) + i);
      }
      const write = () => device?.writeUint32(offset & ~3, word, mask, now(), -1) ?? true;
      if (!device || attempt(write) === undefined) return false;
      done += count;
    }
    return true;
  }

  insert(kind: number, address: number, length: number): boolean {
    return this.#debugger.breakpoints.insert(kind, address, length);
  }

  remove(kind: number, address: number, length: number): boolean {
    return this.#debugger.breakpoints.remove(kind, address, length);
  }

  /** Lets all harts go on, as if there were no debugger: breakpoints are gone, traps go to their handlers. */
  async runFree(): Promise<Stop> {
    const { catchesTraps, breakpoints } = this.#debugger;
    breakpoints.clear();
    this.#debugger.catchesTraps = false;
    try {
      return await this.resume(Array.from({ length: this.harts }, () => ({ kind: "continue" })));
    } finally {
      this.#debugger.catchesTraps = catchesTraps;
    }
  }

  interrupt(): void {
    this.#debugger.interrupt();
  }

  async resume(actions: readonly HartAction[]): Promise<Stop> {
    const { maxCycles = Infinity } = this.#options;
    this.#debugger.resume(actions);
    for (let turn = performance.now();;) {
      if (this.#debugger.stopped) return this.#debugger.stop!;
      let result: RunResult;
      try {
        const left = maxCycles - this.soc.cycle;
        result = this.soc.run({
          maxCycles: Math.max(1, Math.min(pieceCycles, left)),
          limitIsFault: left <= pieceCycles,
          stopOnWrite: this.#host?.watched ?? [],
        });
      } catch (error) {
        if (!(error instanceof GuestFault)) throw error;
        this.#debugger.stopForFault(error);
        return this.#debugger.stop!;
      }
      if (result.reason !== "limit") await this.#host?.serve(result);
      if (result.reason === "exit") return { kind: "exit", code: result.exitCode! };
      if (performance.now() - turn > turnMilliseconds) {
        await turnOfEvents();
        turn = performance.now();
      }
    }
  }

  async monitor(command: string): Promise<string> {
    return await monitor(command, {
      soc: this.soc,
      parts: this.#debugger.parts,
      manifest: this.#options.manifest,
      activities: Array.from(
        { length: this.harts },
        (_, hart) => `${this.nameOf(hart)}: ${this.activityOf(hart)}`,
      ),
      catching: (on) => {
        if (on !== undefined) this.#debugger.catchesTraps = on;
        return this.#debugger.catchesTraps;
      },
      reset: async () => {
        this.#build();
        await this.#host?.idle();
      },
    });
  }

  /** Why the machine stands still before anything has run. */
  get beginning(): Stop {
    return { kind: "stop", hart: 0, signal: 5 };
  }
}

/** The side of the host, a session, that the machine serves: it waits for words to be written. */
class HostSide implements Transport {
  readonly name = "emulator";
  readonly #soc: Soc;
  readonly #done: Promise<void>;
  #isDone = false;
  #wait:
    | { readonly address: number; readonly since: number; readonly wake: (wake: Wake) => void }
    | undefined;
  #changed: () => void = () => {};

  constructor(soc: Soc, host: (machine: Transport) => Promise<void>) {
    this.#soc = soc;
    this.#done = host(this).finally(() => {
      this.#isDone = true;
      this.#changed();
    });
  }

  /** Words that the host waits for. */
  get watched(): readonly number[] {
    return this.#wait ? [this.#wait.address] : [];
  }

  /** Resolves when the host waits for the machine, or has done all that it wanted. */
  async idle(): Promise<void> {
    while (!this.#wait && !this.#isDone) await new Promise<void>((resolve) => this.#changed = resolve);
    if (this.#isDone) await this.#done;
  }

  /** Tells the host what has happened and waits until it has done its part. */
  async serve({ reason, exitCode, cycle }: RunResult): Promise<void> {
    const wait = this.#wait;
    if (!wait) return;
    this.#wait = undefined;
    wait.wake({ reason, exitCode, cycles: cycle - wait.since });
    await this.idle();
  }

  load(): Promise<void> {
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

  wait(address: number): Promise<Wake> {
    return new Promise((wake) => {
      this.#wait = { address, since: this.#soc.cycle, wake };
      this.#changed();
    });
  }

  describe(): Promise<string> {
    return Promise.resolve(this.#soc.describe());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** What `work` gives, or undefined where a device or memory refuses. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof AttoflowError) return undefined;
    throw error;
  }
}

function memoriesOf(map: MemoryMap): DebugTarget["memories"] {
  return map.regions.map(({ base, size, kind }) => ({
    start: base,
    length: size,
    writable: kind !== "rom",
  }));
}
