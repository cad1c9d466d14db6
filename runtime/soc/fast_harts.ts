// Fast timing: harts run in quanta, each from one architectural point to another, on the interpreter and translator
// tiers. What they do is exact; when they do it is what their own instructions cost. The result is the same on every
// host and for every division of labour between the tiers.

import { AttoflowError } from "../../targets/errors.ts";
import { hartCount } from "../../targets/parts.ts";
import type { Target } from "../../targets/schema.ts";
import { BlockStore, type StoredBlock } from "../hart/translate/block_store.ts";
import { guestPages, imports, interpreterModule } from "../hart/translate/interpreter.ts";
import {
  countingOfMany,
  countingOfOne,
  hartRecord,
  type Layout,
  layOut,
  pageBytes,
  reason,
} from "../hart/translate/layout.ts";
import { packRegions, unpackRegions } from "../hart/translate/region_cache.ts";
import { Translator, type TranslatorStatistics } from "../hart/translate/translator.ts";
import type { Cache } from "../cache.ts";
import { atBarrier, running, waitingForInterrupt } from "../hart/state.ts";
import type { Image } from "../image/types.ts";
import { sourceStamp, WordHash } from "../stamp.ts";
import { Contention } from "./contention.ts";
import type { EngineParts, HartEngine } from "./engine.ts";
import { KeptReservations } from "./kept_reservations.ts";
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

const defaultQuantum = 1000, quantumOfOne = 2 ** 18, closeQuantum = 64;
/** From the last arrival at the barrier to the next instruction of all (snitch-cluster.md, 2.5). */
const barrierCycles = 2;
const recordWords = hartRecord.bytes / 4;
const counterWord = hartRecord.counter / 4, pcWord = hartRecord.pc / 4, poorWord = hartRecord.poor / 4;

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
  readonly #contention: Contention;
  /** Whether the last hart has come to the barrier. */
  #released = false;
  #reservations: KeptReservations[] = [];
  /** Start and end of the quantum under way. */
  #from = 0;
  #until = 0;
  /** Length of the next quantum, growing to what it usually is. */
  #closely = closeQuantum;
  /** Beats of the DMA up to the last quantum. */
  #beats = 0;
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
    const { longest } = this.#layout.counting;
    if (!(this.#quantum >= 1 && this.#quantum <= longest)) {
      throw new AttoflowError(`a quantum of ${this.#quantum} cycles is not between 1 and ${longest}`);
    }
    this.#clock = new Float64Array(harts);
    this.#contention = new Contention(harts, core.multiplier === "shared");
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
    const near = parts.near && new KeptReservations(parts.near, parts.nearRegion!);
    const far = new KeptReservations(parts.far, parts.farRegion);
    this.#reservations = near ? [near, far] : [far];
    this.#slow = new SlowPath({ ...parts, near, far });
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

  close(): void {
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

  reached(hart: number): number {
    return this.#clock[hart];
  }

  interruptChanged(hart: number, cycle: number): void {
    const { state: { activity }, control } = this.#parts;
    if (activity[hart] !== waitingForInterrupt || !control.wakes(hart)) return;
    activity[hart] = running;
    this.#clock[hart] = Math.max(this.#clock[hart], cycle);
    this.#closely = closeQuantum;
  }

  run(cycle: number, end: number): number {
    const { state: { count }, ended, setCycle } = this.#parts;
    let now = cycle;
    while (now < end && !ended()) {
      now = this.#nextWork(now, end);
      this.#from = now;
      this.#until = Math.min(now + this.#nextQuantum(), Math.max(now + 1, this.#nextChange()));
      // Quanta of several harts stay whole, so that a run in pieces is the same as one in one piece.
      if (count === 1) this.#until = Math.min(this.#until, end);
      for (let again = true; again;) {
        for (let hart = 0; hart < count; hart++) {
          if (!this.#isDue(hart)) continue;
          this.#slice(hart);
          if (ended()) {
            setCycle(this.#clock[hart]);
            return this.#clock[hart];
          }
        }
        this.#advanceDevices(this.#until);
        again = this.#applyChange();
      }
      this.#settle();
      now = this.#until;
    }
    setCycle(now);
    return now;
  }

  /** Whether a hart has something to do in this quantum. Who has left the barrier waits for the quantum's end. */
  #isDue(hart: number): boolean {
    return this.#parts.state.activity[hart] === running && this.#clock[hart] < this.#until && !this.#released;
  }

  /** Cycle of the next known change of an interrupt line. */
  #nextChange(): number {
    const { lines, clint } = this.#parts;
    return Math.min(lines.next, clint ? clint.next : Infinity);
  }

  /** The cycle from which on there is something to do. */
  #nextWork(now: number, end: number): number {
    const { activity } = this.#parts.state;
    let next = this.#nextChange();
    for (let hart = 0; hart < activity.length; hart++) {
      if (activity[hart] === running && this.#clock[hart] < next) next = this.#clock[hart];
    }
    if (next > now && this.#isBusy()) return now;
    if (next === Infinity) this.#parts.deadlock();
    // Behind a barrier all go on from before the end of the last quantum.
    return Math.min(next, end);
  }

  #isBusy(): boolean {
    const { devices } = this.#parts;
    for (let i = 0; i < devices.length; i++) if (devices[i].busy()) return true;
    return false;
  }

  /** Cycles of the next quantum: harts that have just come together are looked at more closely. */
  #nextQuantum(): number {
    if (this.#clock.length === 1) return this.#quantum;
    const quantum = Math.min(this.#closely, this.#quantum);
    this.#closely = Math.min(2 * this.#closely, this.#quantum);
    return quantum;
  }

  /**
   * Makes the next change of an interrupt line that is due, and shortens the quantum to the one behind it: a hart that
   * wakes may change its line before that. Returns whether harts have something to do.
   */
  #applyChange(): boolean {
    const { state: { count }, lines, clint } = this.#parts;
    const change = this.#nextChange();
    if (change <= this.#until) {
      if (clint && clint.next <= change) clint.update(change);
      lines.apply(change);
      this.#until = Math.min(this.#until, Math.max(change, this.#nextChange()));
    }
    for (let hart = 0; hart < count; hart++) if (this.#isDue(hart)) return true;
    return change <= this.#until && this.#nextChange() <= this.#until;
  }

  /** Runs a hart until the end of the quantum, or until it waits for others or the run is over. */
  #slice(hart: number): void {
    const { control, ended, setCycle } = this.#parts;
    const clock = this.#clock;
    for (let i = 0; i < this.#reservations.length; i++) this.#reservations[i].enter();
    this.#contention.begin(hart, clock[hart]);
    while (clock[hart] < this.#until) {
      if (control.interrupted[hart] !== 0) {
        clock[hart] += this.#slow.interrupt(hart);
        continue;
      }
      if (this.#runTiers(hart) === reason.quantum) continue;
      const issued = clock[hart];
      if (this.#contention.hasUsed(hart) && this.#slow.readsTime(this.#parts.state.pc[hart])) {
        // The quantum ends here, so that the time that is read has others' doings in it.
        this.#until = Math.min(this.#until, Math.max(issued, this.#from + 1));
        break;
      }
      this.#advanceDevices(issued);
      setCycle(issued);
      clock[hart] += this.#execute(hart, issued);
      // What the instruction has set going may end the quantum early.
      this.#until = Math.min(this.#until, Math.max(this.#nextChange(), clock[hart]));
      if (this.#slow.parked) this.#park(hart);
      if (this.#slow.parked || ended()) break;
    }
    for (let i = 0; i < this.#reservations.length; i++) this.#reservations[i].leave(hart);
  }

  /** Executes an instruction on the slow path, or all of a loop that asks the DMA until the quantum ends. */
  #execute(hart: number, cycle: number): number {
    const { state: { pc }, setCycle } = this.#parts;
    const start = pc[hart], first = this.#slow.execute(hart, cycle) || 1;
    if (pc[hart] !== start + 4 || !this.#slow.polls(start)) return first;
    const branch = this.#store.get((start + 4) >>> 0);
    if (!branch) return first;
    // The branch costs what it would cost on the tiers.
    const cost = branch.costs.cycles[0];
    let spent = first;
    while (cycle + spent < this.#until) {
      this.#slow.execute(hart, cycle + spent);
      spent += cost;
      if (pc[hart] !== start || cycle + spent >= this.#until) break;
      this.#advanceDevices(cycle + spent);
      setCycle(cycle + spent);
      spent += this.#slow.execute(hart, cycle + spent) || 1;
    }
    return spent;
  }

  /** Runs a hart on the tiers. Returns why they stopped: `quantum` or `slow`. */
  #runTiers(hart: number): number {
    const { pc } = this.#parts.state;
    const words = this.#words, record = hart * recordWords, core = hart * hartRecord.bytes;
    const budget = Math.min(this.#until - this.#clock[hart], this.#layout.counting.longest);
    this.#setCounter(record, budget);
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
    this.#account(hart, record, budget);
    pc[hart] = words[record + pcWord];
    return why;
  }

  /** Used up means negative: the last cycle of the budget is number 0. */
  #setCounter(record: number, budget: number): void {
    const left = budget - 1, words = this.#words;
    if (this.#clock.length === 1) {
      words[record + counterWord] = left << countingOfOne.cycles;
      words[record + counterWord + 1] = Math.floor(left / 2 ** (32 - countingOfOne.cycles));
    } else {
      words[record + counterWord] = 0;
      words[record + counterWord + 1] = left << (countingOfMany.cycles - 32);
    }
  }

  /** Takes the time and the instructions of a stretch from the counter. */
  #account(hart: number, record: number, budget: number): void {
    const { retired } = this.#parts.state, clock = this.#clock;
    const low = this.#words[record + counterWord], high = this.#words[record + counterWord + 1];
    if (clock.length === 1) {
      const { cycles: shift } = countingOfOne;
      clock[hart] += budget - 1 - (high * 2 ** (32 - shift) + (low >>> shift));
      retired[hart] += low & (2 ** shift - 1);
      return;
    }
    // 12 bits of instructions, 12 of accesses, 13 of offloads, 12 of accesses outside, 15 of cycles.
    clock[hart] += budget - 1 - (high >> 17);
    retired[hart] += low & 0xfff;
    this.#contention.add(hart, low >>> 12 & 0xfff, low >>> 24 | (high & 0x1f) << 8, high >>> 5 & 0xfff);
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
  #park(hart: number): void {
    const { activity } = this.#parts.state;
    if (activity[hart] === waitingForInterrupt) return;
    if (activity[hart] === atBarrier) return;
    this.#released = true;
    this.#until = Math.min(this.#until, Math.max(...this.#clock));
  }

  /** Ends a quantum: what the harts have done in it makes some take longer. Then those at the barrier may leave it. */
  #settle(): void {
    const clock = this.#clock;
    if (clock.length === 1) return;
    const { dma, devices } = this.#parts;
    const beats = dma ? dma.counts.reads + dma.counts.writes : 0;
    const moved = (beats - this.#beats) / Math.max(1, this.#until - this.#from);
    this.#beats = beats;
    // The DMA is the first device, if there is one.
    const accelerator = devices[dma ? 1 : 0];
    this.#contention.settle(clock, Math.min(1, moved), accelerator?.busy() ? 1 : 0);
    if (!this.#released) return;
    // The barrier's instruction itself took a cycle.
    clock.fill(Math.max(...clock) - 1 + barrierCycles);
    this.#released = false;
    this.#closely = closeQuantum;
  }

  /**
   * Moves devices on to a cycle. A device without work has no time of its own: what a hart gives it to do starts when
   * the hart says so, though other harts may be ahead.
   */
  #advanceDevices(cycle: number): void {
    const { devices, setCycle } = this.#parts, times = this.#deviceTimes;
    for (let i = 0; i < devices.length; i++) {
      const device = devices[i];
      while (device.busy() && times[i] < cycle) {
        setCycle(times[i]);
        device.tick(times[i]++);
      }
      if (!device.busy()) times[i] = cycle;
    }
  }
}
