// Fast timing: harts run in quanta, each from one architectural point to another, on the interpreter and translator
// tiers. What they do is exact; when they do it is what their own instructions cost and what others keep them
// waiting. Code that is not hot yet runs on the exact pipelines. The result is the same on every host and for every
// division of labour between the tiers.

import { AttoflowError } from "../../targets/errors.ts";
import { hartCount } from "../../targets/parts.ts";
import type { Target } from "../../targets/schema.ts";
import { running, waitingForInterrupt } from "../hart/state.ts";
import type { Image } from "../image/types.ts";
import { Contention } from "./contention.ts";
import type { EngineParts, HartEngine } from "./engine.ts";
import { ExactStretches } from "./exact_stretches.ts";
import { stretchBits } from "./hot_code.ts";
import { paceBits } from "./pace.ts";
import { KeptReservations } from "./kept_reservations.ts";
import { SlowPath } from "./slow_path.ts";
import { LazyDevices } from "./lazy_devices.ts";
import { notOpen, type TierOptions, Tiers, type TierStatistics, usedUp } from "./tiers.ts";

/** How fast timing runs. */
export interface FastOptions extends TierOptions {
  /** Cycles that a hart runs before the next one does; by default 1000, and more where there is one hart only. */
  readonly quantum?: number;
  /**
   * How long code runs cycle by cycle before it is hot, in samples of 61 cycles; 0: never. By default it does where
   * harts share something or there is an instruction cache, the longer the shorter the program is.
   */
  readonly closely?: number;
}

const defaultQuantum = 1000,
  quantumOfOne = 2 ** 18,
  closeQuantum = 64,
  quantumBesideDevices = 200;
/** Paces that are kept at hand for a hart; a power of two. */
const pacesKept = 8, noStretch = -1;
/** From the last arrival at the barrier to the next instruction of all (snitch-cluster.md, 2.5). */
const barrierCycles = 2;

/** The engine of fast timing. */
export class FastHarts implements HartEngine {
  readonly space: ArrayBuffer;
  readonly #tiers: Tiers;
  readonly #quantum: number;
  /** Each hart's time. */
  readonly #clock: Float64Array;
  /** Parts of cycles that each hart is behind. */
  readonly #behind: Float64Array;
  readonly #contention: Contention;
  /** Samples that make code hot, if that is fixed; whether anything runs cycle by cycle at all. */
  readonly #closeness: number | undefined;
  readonly #isClose: boolean;
  readonly #hasCaches: boolean;
  #exact: ExactStretches | undefined;
  /** Whether the last hart has come to the barrier. */
  #released = false;
  /** Whether the pipelines go on behind this quantum. */
  #goesExact = false;
  #reservations: KeptReservations[] = [];
  /** Start and end of the quantum under way. */
  #from = 0;
  #until = 0;
  /** Harts that ran when it began, and whether a device was at work that takes banks from them. */
  #harts = 0;
  #isWide = false;
  /** Paces that were asked for since that changed, some for each hart: of which stretches of code, and the paces. */
  readonly #paceAt: Int32Array;
  readonly #paces: Float64Array;
  /** Length of the next quantum, growing to what it usually is. */
  #closely = closeQuantum;
  /** Beats of the DMA up to the last quantum. */
  #beats = 0;
  #parts!: EngineParts;
  #slow!: SlowPath;
  #devices!: LazyDevices;

  /** @throws {AttoflowError} if this machine cannot set the address space aside */
  constructor(target: Target, options: FastOptions = {}) {
    const harts = hartCount(target), { core } = target.harts;
    this.#closeness = options.closely;
    this.#hasCaches = core.instructionCache !== undefined;
    this.#isClose = (options.closely ?? (harts > 1 || this.#hasCaches ? 1 : 0)) > 0;
    this.#tiers = new Tiers(target, { ...options, leavesSpinning: this.#isClose });
    this.space = this.#tiers.space;
    this.#quantum = options.quantum ?? (harts === 1 ? quantumOfOne : defaultQuantum);
    const { longest } = this.#tiers;
    if (!(this.#quantum >= 1 && this.#quantum <= longest)) {
      throw new AttoflowError(`a quantum of ${this.#quantum} cycles is not between 1 and ${longest}`);
    }
    this.#clock = new Float64Array(harts);
    this.#behind = new Float64Array(harts);
    this.#paceAt = new Int32Array(harts * pacesKept).fill(noStretch);
    this.#paces = new Float64Array(harts * pacesKept);
    this.#contention = new Contention(harts, core.multiplier === "shared");
  }

  /** What has been read and translated so far. */
  get translated(): TierStatistics {
    return this.#tiers.translated;
  }

  registers(harts: number): Int32Array {
    return this.#tiers.registers(harts);
  }

  attach(parts: EngineParts): void {
    this.#parts = parts;
    const near = parts.near && new KeptReservations(parts.near, parts.nearRegion!);
    const far = new KeptReservations(parts.far, parts.farRegion);
    this.#reservations = near ? [near, far] : [far];
    this.#slow = new SlowPath({ ...parts, near, far }, this.#hasCaches);
    this.#devices = new LazyDevices(parts.devices, parts.setCycle);
    if (this.#isClose) {
      this.#exact = new ExactStretches(parts, near, far, this.#closeness, {
        estimate: (pc) => {
          const start = (pc >>> stretchBits << stretchBits) >>> 0;
          const note = parts.code.setEstimate.bind(parts.code);
          this.#tiers.estimate(start, start + 2 ** stretchBits, this.#slow.refetch, note);
        },
        isSpinning: (pc) => this.#tiers.isSpinning(pc),
      });
    }
    this.#tiers.attach({
      isOpen: (pc) => !this.#exact || this.#exact.isOpen(pc),
      noteCode: (address) => parts.access.noteCode(address),
    });
  }

  loaded(image: Image): void {
    this.#tiers.loaded(image);
  }

  close(): void {
    this.#tiers.close();
  }

  invalidate(address: number, bytes: number): void {
    this.#parts.code.invalidate(address, bytes);
    this.#tiers.invalidate(address, bytes);
  }

  guard(address: number): void {
    this.#tiers.guard(address);
  }

  decoded(address: number): void {
    this.#tiers.decoded(address);
  }

  /** While the pipelines run, that is how far the hart had come before. */
  reached(hart: number): number {
    return this.#clock[hart];
  }

  interruptChanged(hart: number, cycle: number): void {
    const { state: { activity }, control, exact } = this.#parts;
    const wakes = activity[hart] === waitingForInterrupt && control.wakes(hart);
    if (wakes && this.#exact?.meet(cycle, false)) this.#goesExact = true;
    if (this.#exact?.isOn) return exact.interruptChanged(hart, cycle);
    if (!wakes) return;
    activity[hart] = running;
    this.#clock[hart] = Math.max(this.#clock[hart], cycle);
    this.#closely = closeQuantum;
  }

  run(cycle: number, end: number): number {
    const { ended, setCycle } = this.#parts;
    let now = cycle;
    while (now < end && !ended()) {
      if (!this.#exact?.isOn) now = this.#runQuantum(now, end);
      else {
        now = this.#exact.run(now, end);
        if (!ended() && this.#exact.isOver(now)) this.#leaveExact(now);
      }
    }
    setCycle(now);
    return now;
  }

  /** Goes on with the tiers from what the pipelines have come to. */
  #leaveExact(now: number): void {
    this.#exact!.leave(now, this.#clock);
    this.#paceAt.fill(noStretch);
    this.#goesExact = false;
    this.#devices.wereAt(now);
    this.#beats = this.#beatsSoFar();
    this.#closely = closeQuantum;
  }

  /** Runs all harts for a quantum. Returns the cycle reached. */
  #runQuantum(now: number, end: number): number {
    const { state: { count }, ended } = this.#parts;
    now = this.#nextWork(now, end);
    if (now >= end) return now;
    this.#from = now;
    if (this.#exact) this.#lookAround(this.#exact);
    this.#until = Math.min(now + this.#nextQuantum(), Math.max(now + 1, this.#nextChange()));
    // Quanta stay whole, so that a run in pieces is the same as one in one piece: where one ends decides how long others
    // keep a hart waiting, and when the pipelines go on. One hart without an exact phase has neither.
    if (count === 1 && !this.#exact) this.#until = Math.min(this.#until, end);
    for (let again = true; again;) {
      for (let hart = 0; hart < count; hart++) {
        if (!this.#isDue(hart)) continue;
        this.#slice(hart);
        if (ended()) return this.#clock[hart];
      }
      this.#devices.advance(this.#until);
      again = this.#applyChange();
    }
    this.#settle();
    if (this.#exact?.earn(this.#until, this.#until - now)) this.#goesExact = true;
    if (this.#goesExact) this.#exact!.enter(this.#until, this.#clock, this.#devices.reached(this.#until));
    return this.#until;
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
    if (next > now && this.#devices.isBusy()) return now;
    if (next === Infinity) this.#parts.deadlock();
    // Behind a barrier all go on from before the end of the last quantum.
    return Math.min(next, end);
  }

  /** Cycles of the next quantum: harts that have just come together are looked at more closely. */
  #nextQuantum(): number {
    if (this.#clock.length === 1) return this.#quantum;
    // A device at work ends soon, and who waits for it goes on then: not when others have come to their quantum's end.
    const longest = this.#devices.isBusy() ? Math.min(quantumBesideDevices, this.#quantum) : this.#quantum;
    const quantum = Math.min(this.#closely, longest);
    this.#closely = Math.min(2 * this.#closely, this.#quantum);
    return quantum;
  }

  /**
   * Makes the next change of an interrupt line that is due, and shortens the quantum to the one behind it: a hart that
   * wakes may change its line before that. Returns whether harts have something to do.
   */
  #applyChange(): boolean {
    const { state: { count }, lines, clint } = this.#parts;
    // The pipelines go on from here.
    if (this.#goesExact) return false;
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
    const { control, ended, setCycle, state } = this.#parts;
    const clock = this.#clock;
    for (let i = 0; i < this.#reservations.length; i++) this.#reservations[i].enter();
    while (clock[hart] < this.#until) {
      if (control.interrupted[hart] !== 0) {
        clock[hart] += this.#slow.interrupt(hart);
        continue;
      }
      const why = this.#runTiers(hart);
      if (why === usedUp) continue;
      const issued = clock[hart];
      if (why === notOpen) {
        this.#exact!.comeTo(state.pc[hart]);
        this.#goesExact = true;
        this.#until = Math.min(this.#until, Math.max(issued, this.#from + 1));
        break;
      }
      if (this.#contention.hasUsed(hart) && this.#slow.readsTime(state.pc[hart])) {
        // The quantum ends here, so that the time that is read has others' doings in it.
        this.#until = Math.min(this.#until, Math.max(issued, this.#from + 1));
        break;
      }
      this.#devices.advance(issued);
      setCycle(issued);
      clock[hart] += this.#execute(hart, issued);
      // What the instruction has set going may end the quantum early.
      this.#until = Math.min(this.#until, Math.max(this.#nextChange(), clock[hart]));
      if (this.#slow.parked) this.#park(hart);
      if (this.#slow.parked || ended()) break;
    }
    for (let i = 0; i < this.#reservations.length; i++) this.#reservations[i].leave(hart);
  }

  /** Runs a hart on the tiers until the quantum is over or they stop. Returns why. */
  #runTiers(hart: number): number {
    const { state: { pc, retired } } = this.#parts,
      clock = this.#clock,
      tiers = this.#tiers,
      { done } = tiers;
    const stretch = pc[hart] >>> paceBits, slot = hart * pacesKept + (stretch & (pacesKept - 1));
    const pace = this.#paceAt[slot] === stretch ? this.#paces[slot] : this.#findPace(hart, stretch, slot);
    const left = this.#until - clock[hart], budget = pace === 0 || pace === 1 ? left : Math.ceil(left / pace);
    const why = tiers.run(hart, pc[hart], Math.min(budget, tiers.longest));
    pc[hart] = done.pc;
    retired[hart] += done.instructions;
    if (this.#exact?.notice(hart, this.#from, done)) this.#goesExact = true;
    if (pace === 1) clock[hart] += done.cycles;
    else if (pace === 0) {
      this.#contention.begin(hart, clock[hart]);
      clock[hart] += done.cycles;
      this.#contention.add(hart, done.accesses, done.offloads, done.outside);
    } else {
      const cycles = this.#behind[hart] + done.cycles * pace, whole = Math.floor(cycles);
      this.#behind[hart] = cycles - whole;
      clock[hart] += whole;
    }
    return why;
  }

  /** Cycles that a hart takes for one that its instructions cost; 0 if that has not been measured. */
  #findPace(hart: number, stretch: number, slot: number): number {
    const exact = this.#exact;
    if (!exact) return 0;
    const pc = this.#parts.state.pc[hart], { pace } = exact;
    const known = pace.of(hart, pc, this.#harts, this.#isWide);
    if (pace.isWanted(pc, this.#harts, this.#isWide) && exact.look(this.#from, "unknown")) {
      this.#goesExact = true;
    }
    if (known === undefined) return 0;
    this.#paceAt[slot] = stretch;
    return this.#paces[slot] = known;
  }

  /** Sees what runs beside each hart in this quantum, on which its pace depends. */
  #lookAround(exact: ExactStretches): void {
    exact.loseStep();
    const harts = exact.running(), isWide = exact.isWide();
    if (harts === this.#harts && isWide === this.#isWide) return;
    this.#harts = harts;
    this.#isWide = isWide;
    this.#paceAt.fill(noStretch);
  }

  /** Executes an instruction on the slow path, or all of a loop that asks the DMA until the quantum ends. */
  #execute(hart: number, cycle: number): number {
    const { state: { pc }, setCycle } = this.#parts;
    const start = pc[hart], first = this.#slow.execute(hart, cycle) || 1;
    if (pc[hart] !== start + 4 || !this.#slow.polls(start)) return first;
    const costs = this.#tiers.costs(start + 4);
    if (!costs) return first;
    // The branch costs what it would cost on the tiers.
    const cost = costs[0];
    let spent = first;
    while (cycle + spent < this.#until) {
      this.#slow.execute(hart, cycle + spent);
      spent += cost;
      if (pc[hart] !== start || cycle + spent >= this.#until) break;
      this.#devices.advance(cycle + spent);
      setCycle(cycle + spent);
      spent += this.#slow.execute(hart, cycle + spent) || 1;
    }
    return spent;
  }

  /** A hart has come to the barrier or to a wfi. The last one to come need not be the last in time. */
  #park(hart: number): void {
    if (this.#parts.state.activity[hart] !== running) return;
    this.#released = true;
    this.#until = Math.min(this.#until, Math.max(...this.#clock));
  }

  #beatsSoFar(): number {
    const { dma } = this.#parts;
    return dma ? dma.counts.reads + dma.counts.writes : 0;
  }

  /** Ends a quantum: what the harts have done in it makes some take longer. Then those at the barrier may leave it. */
  #settle(): void {
    const clock = this.#clock;
    if (clock.length === 1) return;
    const { dma, devices } = this.#parts;
    const beats = this.#beatsSoFar();
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
    if (this.#exact?.meet(clock[0], true)) this.#goesExact = true;
  }
}
