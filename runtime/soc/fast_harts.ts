// Fast timing: harts run in quanta, each from one architectural point to another, on the interpreter and translator
// tiers. What they do is exact; when they do it is what their own instructions cost. The result is the same on every
// host and for every division of labour between the tiers.

import { AttoflowError } from "../../targets/errors.ts";
import { hartCount } from "../../targets/parts.ts";
import type { Target } from "../../targets/schema.ts";
import { BlockStore, type StoredBlock } from "../hart/translate/block_store.ts";
import { guestPages, imports, interpreterModule } from "../hart/translate/interpreter.ts";
import {
  counterShift,
  hartRecord,
  type Layout,
  layOut,
  longestQuantum,
  pageBytes,
  reason,
} from "../hart/translate/layout.ts";
import { packRegions, unpackRegions } from "../hart/translate/region_cache.ts";
import { Translator, type TranslatorStatistics } from "../hart/translate/translator.ts";
import type { Cache } from "../cache.ts";
import { atBarrier, running, waitingForInterrupt } from "../hart/state.ts";
import type { Image } from "../image/types.ts";
import { sourceStamp, WordHash } from "../stamp.ts";
import type { EngineParts, HartEngine } from "./engine.ts";
import { SlowPath } from "./slow_path.ts";

/** How fast timing runs. */
export interface FastOptions {
  /** Cycles that a hart runs before the next one does; by default 1000, and more where there is one hart only. */
  readonly quantum?: number;
  /** Whether hot code is translated; else it is interpreted. The result is the same. */
  readonly translate?: boolean;
  /** Instructions that are interpreted on behalf of a block before it is translated. */
  readonly patience?: number;
  /** Where translated code is kept between runs. */
  readonly cache?: Cache;
}

const defaultQuantum = 1000, quantumOfOne = 2 ** 18;
/** From the last arrival at the barrier to the next instruction of all (snitch-cluster.md, 2.5). */
const barrierCycles = 2;
const recordWords = hartRecord.bytes / 4;
const counterWord = hartRecord.counter / 4, pcWord = hartRecord.pc / 4, poorWord = hartRecord.poor / 4;
/** What of the cycles lies in the counter's low word. */
const lowBits = 32 - counterShift;

/** Folders whose sources decide what translated code looks like, from `runtime`. */
const sources = ["hart/", "hart/translate/", "wasm/"].map((folder) => `./${folder}`);
/** Patience that never ends. */
const never = 0x7fff_ffff;

type Run = (core: number, interpret: number) => number;

/** The engine of fast timing. */
export class FastHarts implements HartEngine {
  readonly space: ArrayBuffer;
  readonly #guest: WebAssembly.Memory;
  readonly #own: WebAssembly.Memory;
  readonly #words: Int32Array;
  readonly #layout: Layout;
  readonly #store: BlockStore;
  readonly #translator: Translator;
  readonly #run: Run;
  readonly #quantum: number;
  readonly #translate: boolean;
  readonly #cache: Cache | undefined;
  /** What tells this translator, on this target, from others in the cache; and where this image's regions are. */
  readonly #key: string | undefined;
  #regionsName: string | undefined;
  /** Regions translated when they were last kept. */
  #saved = 0;
  /** Each hart's time. */
  readonly #clock: Float64Array;
  /** Time of the latest arrival at the barrier that harts wait at. */
  #lastArrival = 0;
  /** Time up to which each device has been moved on. */
  #deviceTimes = new Float64Array(0);
  #parts!: EngineParts;
  #slow!: SlowPath;

  /** @throws {AttoflowError} if this machine cannot set the address space aside */
  constructor(target: Target, options: FastOptions = {}) {
    const harts = hartCount(target), { core } = target.harts;
    try {
      this.#guest = new WebAssembly.Memory({ initial: guestPages, maximum: guestPages });
    } catch (cause) {
      throw new AttoflowError("fast timing needs 4 GiB of address space, which this machine does not give", {
        hint: "Nothing is used but what programs touch. Lift the limit (ulimit -v), or use --timing exact.",
        cause,
      });
    }
    this.space = this.#guest.buffer as ArrayBuffer;
    const near = target.memories.filter(({ role }) => role === "l1");
    const far = target.memories.filter(({ role }) => role === "l2");
    this.#layout = layOut(harts, [
      ...near.map(({ base, size }) => ({ base, size, memory: "near" as const, code: false })),
      ...far.map(({ base, size }) => ({ base, size, memory: "far" as const, code: true })),
    ]);
    const ownPages = this.#layout.end / 65536;
    this.#own = new WebAssembly.Memory({ initial: ownPages, maximum: ownPages });
    this.#words = new Int32Array(this.#own.buffer);
    this.#store = new BlockStore(this.#layout, this.#guest, this.#own, {
      outstandingLoads: core.outstandingLoads,
      outstandingMemory: core.outstandingMemory,
      farLatency: far[0]?.latency ?? 0,
      usual: this.#layout.windows[0].memory,
      mixed: near.length > 0,
    }, options.patience);
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 64 });
    const given = {
      [imports.module]: { [imports.guest]: this.#guest, [imports.own]: this.#own, [imports.regions]: table },
    };
    const stamp = options.cache && sourceStamp(sources);
    if (stamp !== undefined) {
      this.#cache = options.cache;
      const key = new WordHash();
      key.addText(JSON.stringify([stamp, this.#layout, core]));
      this.#key = key.text;
    }
    const interpreter = new WebAssembly.Module(this.#interpreter());
    this.#run = new WebAssembly.Instance(interpreter, given).exports.run as Run;
    this.#translator = new Translator(this.#layout, this.#store, this.#guest, this.#own, table);
    this.#translate = options.translate ?? true;
    this.#quantum = options.quantum ?? (harts === 1 ? quantumOfOne : defaultQuantum);
    if (this.#quantum < 1 || this.#quantum > longestQuantum) {
      throw new AttoflowError(`a quantum of ${this.#quantum} cycles is not between 1 and ${longestQuantum}`);
    }
    this.#clock = new Float64Array(harts);
  }

  #interpreter(): Uint8Array<ArrayBuffer> {
    const name = `interpreter-${this.#key}`;
    const kept = this.#cache?.read(name);
    if (kept) return kept as Uint8Array<ArrayBuffer>;
    const made = interpreterModule(this.#layout);
    this.#cache?.write(name, made);
    return made;
  }

  /** What has been translated so far. */
  get translated(): TranslatorStatistics {
    return this.#translator.statistics;
  }

  registers(harts: number): Int32Array {
    return this.#words.subarray(0, harts * recordWords);
  }

  attach(parts: EngineParts): void {
    this.#parts = parts;
    this.#slow = new SlowPath(parts);
    this.#deviceTimes = new Float64Array(parts.devices.length);
  }

  loaded(image: Image): void {
    this.#translator.expectCode(image);
    if (!this.#cache || !this.#translate) return;
    const hash = new WordHash();
    hash.add(image.entry);
    for (const { kind, address, size } of image.symbols) {
      if (kind !== "function") continue;
      for (let pc = address - address % 4; pc < address + size; pc += 4) hash.add(this.#store.fetch(pc) ?? 0);
    }
    this.#regionsName = `regions-${this.#key}-${hash.text}`;
    const kept = this.#cache.read(this.#regionsName);
    if (kept) this.#translator.offer(unpackRegions(kept));
  }

  /** Keeps what has been translated for later runs of the same image. */
  save(): void {
    const { regions } = this.#translator.statistics;
    if (!this.#cache || this.#regionsName === undefined || regions === this.#saved) return;
    this.#saved = regions;
    this.#cache.write(this.#regionsName, packRegions(this.#translator.keep()));
  }

  invalidate(address: number, bytes: number): void {
    this.#parts.code.invalidate(address, bytes);
    if (this.#store.isGuarded(address, bytes)) this.#translator.drop(address, bytes);
  }

  guard(address: number): void {
    this.#translator.guard(address);
  }

  interruptChanged(hart: number, cycle: number): void {
    const { state: { activity }, control } = this.#parts;
    if (activity[hart] !== waitingForInterrupt || !control.wakes(hart)) return;
    activity[hart] = running;
    this.#clock[hart] = Math.max(this.#clock[hart], cycle);
  }

  run(cycle: number, end: number): number {
    const { state: { activity, count }, lines, clint, devices, ended, setCycle } = this.#parts;
    let now = cycle;
    while (now < end && !ended()) {
      const change = Math.min(lines.next, clint ? clint.next : Infinity);
      const idle = !activity.includes(running), busy = devices.some((device) => device.busy());
      if (idle && !busy) {
        if (change === Infinity) this.#parts.deadlock();
        now = Math.max(now, Math.min(change, end));
      }
      // A quantum ends early where an interrupt line is known to change.
      const quantum = busy ? Math.min(this.#quantum, defaultQuantum) : this.#quantum;
      const until = Math.min(now + quantum, end, Math.max(now + 1, change));
      for (let again = true; again;) {
        for (let hart = 0; hart < count; hart++) {
          if (activity[hart] !== running || this.#clock[hart] >= until) continue;
          this.#slice(hart, until);
          if (ended()) {
            setCycle(this.#clock[hart]);
            return this.#clock[hart];
          }
        }
        this.#advanceDevices(until);
        again = this.#applyChanges(until);
      }
      now = until;
    }
    setCycle(now);
    return now;
  }

  /** Makes the changes of interrupt lines up to a cycle. Whether a hart must run that has not reached that cycle. */
  #applyChanges(until: number): boolean {
    const { state: { activity, count }, lines, clint } = this.#parts;
    if (clint && clint.next <= until) clint.update(until);
    while (lines.next <= until) lines.apply(lines.next);
    for (let hart = 0; hart < count; hart++) {
      if (activity[hart] === running && this.#clock[hart] < until) return true;
    }
    return false;
  }

  /** Runs a hart until a cycle, or until it waits for others or the run is over. */
  #slice(hart: number, until: number): void {
    const { state, control, ended, setCycle } = this.#parts;
    const clock = this.#clock, core = hart * hartRecord.bytes;
    while (clock[hart] < until) {
      if (control.interrupted[hart] !== 0) {
        clock[hart] += this.#slow.interrupt(hart);
        continue;
      }
      if (this.#runTiers(hart, core, until) === reason.quantum) continue;
      const issued = clock[hart];
      this.#advanceDevices(issued);
      setCycle(issued);
      clock[hart] += this.#slow.execute(hart, issued) || 1;
      if (this.#slow.parked) this.#park(hart, issued);
      if (state.activity[hart] !== running || ended()) return;
    }
  }

  /** Runs a hart on the tiers. Returns why they stopped: `quantum` or `slow`. */
  #runTiers(hart: number, core: number, until: number): number {
    const { pc, retired } = this.#parts.state;
    const words = this.#words, record = hart * recordWords;
    // Used up means negative: the last cycle of the quantum is number 0.
    const budget = until - this.#clock[hart] - 1;
    words[record + counterWord] = budget << counterShift;
    words[record + counterWord + 1] = Math.floor(budget / 2 ** lowBits);
    words[record + pcWord] = pc[hart];
    let why = this.#run(core, 0);
    while (why !== reason.quantum && why !== reason.slow) {
      if (why === reason.poor) {
        this.#translator.translate(this.#store.withHeader(words[record + poorWord])!);
        why = this.#run(core, 1);
        continue;
      }
      const block = this.#store.get(words[record + pcWord] >>> 0);
      if (!block) {
        why = reason.slow;
        break;
      }
      if (why === reason.unknown) this.#noteCode(block);
      else if (this.#translate) this.#translator.translate(block);
      else this.#store.setPatience(block, never);
      why = this.#run(core, 0);
    }
    const low = words[record + counterWord], high = words[record + counterWord + 1];
    this.#clock[hart] += budget - (high * 2 ** lowBits + (low >>> counterShift));
    retired[hart] += low & (2 ** counterShift - 1);
    pc[hart] = words[record + pcWord];
    return why;
  }

  /** Sees to it that writes to a block's code are noticed. */
  #noteCode(stored: StoredBlock): void {
    const { block: { start, end } } = stored;
    const { access } = this.#parts;
    access.noteCode(start);
    access.noteCode(end);
    this.#translator.noteCode(stored);
    for (const [from, bytes] of (this.#translate && this.#translator.reuse(stored)) || []) {
      for (let page = from; page < from + bytes; page += pageBytes) access.noteCode(page);
      access.noteCode(from + bytes - 4);
    }
  }

  /** A hart has come to the barrier or to a wfi. The last one to come need not be the last in time. */
  #park(hart: number, issued: number): void {
    const { activity } = this.#parts.state;
    if (activity[hart] === waitingForInterrupt) return;
    this.#lastArrival = Math.max(this.#lastArrival, issued);
    if (activity[hart] === atBarrier) return;
    this.#clock.fill(this.#lastArrival + barrierCycles);
    this.#lastArrival = 0;
  }

  /**
   * Moves devices on to a cycle. A device without work has no time of its own: what a hart gives it to do starts when
   * the hart says so, though other harts may be ahead.
   */
  #advanceDevices(cycle: number): void {
    const { devices, setCycle } = this.#parts, times = this.#deviceTimes;
    for (const [i, device] of devices.entries()) {
      while (device.busy() && times[i] < cycle) {
        setCycle(times[i]);
        device.tick(times[i]++);
      }
      if (!device.busy()) times[i] = cycle;
    }
  }
}
