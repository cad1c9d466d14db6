// Stretches of a run under fast timing that go cycle by cycle: from where a hart comes to code that is not hot, or
// harts have met, until all that run have been at hot code for a while.

import { running } from "../hart/state.ts";
import type { EngineParts } from "./engine.ts";
import { outsideCycles } from "./contention.ts";
import { HotCode } from "./hot_code.ts";
import type { KeptReservations } from "./kept_reservations.ts";
import { Pace } from "./pace.ts";
import type { Stretch } from "./tiers.ts";

/** Cycles from one look at where the harts are to the next; no loop is likely to have such a round. */
const samplePeriod = 61;
/**
 * Samples that make code hot, by how many cycles have been run here: short programs are over before anything is, and
 * long ones must get on.
 */
const closeness = [[2 ** 20, 2 ** 15], [2 ** 22, 2 ** 13], [2 ** 24, 2 ** 11], [Infinity, 2 ** 9]] as const;
/** Times that the tiers stop in front of cold code before that alone makes it hot. */
const arrivals = 64;
/**
 * How long harts are looked at that have met or woken, do something else, or have not been looked at for long, be their
 * code hot or not: cycles at least, the part of the credit, and how many times that if they do not keep the pace that
 * was known of them.
 */
const shortestLook = 1024, lookForCredit = 1 / 64, longer = 4;
/** Cycles until queues are as full as they usually are, when the pipelines go on. */
const settling = 5 * samplePeriod;
/** Part of the pace by which harts may be off it. */
const tolerance = 0.04;
/**
 * Where little of the credit is left, ever fewer meetings of harts are looked at that keep their pace: 1 in 2 to the
 * power of this at least.
 */
const calmest = 7, little = 1 / 16;
/** The credit: cycles of such looks at first, and cycles on the tiers that earn one more. */
const firstCredit = 2 ** 21, cyclesForCredit = 3072;
/** Cycles on the tiers after which one looks how harts are doing, at first and in the end. */
const firstUnseen = 2 ** 17, longestUnseen = 2 ** 24;
/** Instructions of a stretch that tells how often the outside memory is reached; how often, where nothing is known. */
const fewest = 64, unknown = -128;
/** What a hart that waits for an answer is behind, when it is taken from the pipeline, in cycles. */
const underWay = 2;

/** What the tiers know of code. */
export interface CodeKnowledge {
  /** Says what the instructions around an address cost there. */
  estimate(pc: number): void;
  /** Whether a hart at an address waits for what others write. */
  isSpinning(pc: number): boolean;
}

/** Runs the exact pipelines for an engine. */
export class ExactStretches {
  readonly hot: HotCode;
  readonly pace: Pace;
  /** Whether the pipelines run now; they do from reset. */
  isOn = true;
  readonly #parts: EngineParts;
  readonly #code: CodeKnowledge;
  readonly #near: KeptReservations | undefined;
  readonly #far: KeptReservations;
  readonly #closely: number | undefined;
  /** Cycles that the pipelines have run. */
  #cycles = 0;
  /** Cycle of the last sample and of the next one; what each hart's instructions were estimated at up to the last. */
  #lastSample = 0;
  #nextSample = 0;
  readonly #estimated: Float64Array;
  readonly #noted: Float64Array;
  /** Whether each hart ran code of known cost at the last sample, and where. */
  readonly #wasKnown: Uint8Array;
  readonly #wasAt: Int32Array;
  #devicesFrom = 0;
  /** Meetings of the harts up to the last sample. */
  #meetings = 0;
  /** Cycle up to which harts are looked at whether or not their code is hot, and how long that may still be done. */
  #closeUntil = 0;
  /** Whether that look has found another pace; how many before it have not, and meetings passed over for that. */
  #hasDeviated = false;
  #calm = 0;
  #passed = 0;
  /** How often each hart has reached the outside memory of late, as a power of two. */
  readonly #share: Int8Array;
  /** Whether that begins when the pipelines go on. */
  #isWanted = false;
  /** Cycle from which on all harts run since the pipelines go on. */
  #togetherFrom = 0;
  #longestUntil = 0;
  /** How long from then on until they are in step again. */
  #settling = settling;
  /** What has become of what they did: they have met since, or do something else. */
  #change: "none" | "met" | "other" = "none";
  /** Whether the next look is one because the last was long ago. */
  #isLater = false;
  /** Whether harts have gone on from where they met, cycle by cycle. */
  #inStep = true;
  /** What harts have taken since the look began, in cycles, and would have taken at the pace known before. */
  #taken = 0;
  #expected = 0;
  /** Cycles that the tiers have run since, and after how many that is looked at: ever more. */
  #unseen = 0;
  #seldom = firstUnseen;
  #credit = firstCredit;

  /**
   * @param closely samples that make code hot, if it is not to depend on the program's length
   * @param code what the tiers know of code
   */
  constructor(
    parts: EngineParts,
    near: KeptReservations | undefined,
    far: KeptReservations,
    closely: number | undefined,
    code: CodeKnowledge,
  ) {
    this.#code = code;
    this.#parts = parts;
    this.#near = near;
    this.#far = far;
    this.#closely = closely;
    this.hot = new HotCode(closely ?? closeness[0][1]);
    const { count } = parts.state;
    this.#estimated = parts.outward.estimated = new Float64Array(count);
    this.#noted = new Float64Array(count);
    this.pace = new Pace(count);
    this.#share = new Int8Array(count).fill(unknown);
    this.#wasKnown = new Uint8Array(count);
    this.#wasAt = new Int32Array(count);
  }

  /** The tiers go on: from here on harts are no longer where they would be to the cycle. */
  loseStep(): void {
    this.#inStep = false;
  }

  /** The tiers have run for some cycles. Returns whether it is time to look again how the harts are doing. */
  earn(now: number, cycles: number): boolean {
    this.#credit = Math.min(firstCredit, this.#credit + cycles / cyclesForCredit);
    this.#unseen += cycles;
    if (this.#unseen < this.#seldom || this.#credit < firstCredit / 2) return false;
    this.#seldom = Math.min(2 * this.#seldom, longestUnseen);
    return this.look(now, "later");
  }

  /**
   * What harts do next they do together, or in another order than before.
   *
   * @param all whether all have met; else one has woken
   * @returns whether that should be looked at
   */
  meet(now: number, all: boolean): boolean {
    this.#meetings = this.#parts.outward.meetings;
    if (all) this.#inStep = true;
    this.pace.forgetHarts();
    this.#seldom = firstUnseen;
    if (this.#credit < firstCredit * little && this.#passed < 2 ** this.#calm - 1) {
      this.#passed++;
      return false;
    }
    this.#passed = 0;
    return this.look(now, "met");
  }

  /**
   * What harts do next should be looked at.
   *
   * @param why they have met, they do something else than before, a place has come up of which nothing is known, or
   *   the last look was long ago
   * @returns whether it can be
   */
  look(now: number, why: "met" | "other" | "unknown" | "later"): boolean {
    if (this.#credit < samplePeriod) return false;
    if (why === "other" || (why === "met" && this.#change === "none")) this.#change = why;
    this.#isLater = why === "later";
    if (this.isOn) this.#beginLook(now);
    else this.#isWanted = true;
    return true;
  }

  /**
   * A hart has run a stretch on the tiers. Who reaches the outside memory much more or less often than before does
   * something else, be it with the same code. Returns whether it is time to look.
   */
  notice(
    hart: number,
    now: number,
    { instructions, outside }: Pick<Stretch, "instructions" | "outside">,
  ): boolean {
    if (instructions < fewest) return false;
    const share = outside === 0 ? 0 : 1 + Math.floor(Math.log2(64 * (1 + outside) / instructions));
    const before = this.#share[hart];
    this.#share[hart] = share;
    if (Math.abs(share - before) < 2 || before === unknown) return false;
    this.#seldom = firstUnseen;
    return this.look(now, "other");
  }

  #beginLook(now: number): void {
    // Harts that have been on the tiers are out of step, and need not fall into the same again: what they did when they
    // had just met tells more than what they do now.
    if (this.#change !== "none") this.pace.beginLook(this.#change === "other");
    this.#change = "none";
    if (this.#expected > 0) this.#calm = this.#hasDeviated ? 0 : Math.min(this.#calm + 1, calmest);
    this.#hasDeviated = false;
    this.#isWanted = false;
    const length = Math.max(shortestLook, Math.floor(this.#credit * lookForCredit));
    this.#settling = this.#isLater ? length : settling;
    this.#closeUntil = now + length + this.#settling;
    this.#longestUntil = now + longer * length + this.#settling;
    this.#taken = this.#expected = 0;
  }

  /** The tiers have stopped in front of code that is not hot. */
  comeTo(pc: number): void {
    this.#heat(pc, Math.ceil(this.hot.enough / arrivals));
  }

  /** Whether the tiers may run the code at an address: it is hot, and who is there does not wait for others. */
  isOpen(pc: number): boolean {
    return this.hot.isHot(pc) && !this.#code.isSpinning(pc);
  }

  /** Code in other places than the main memory is always for the pipelines. */
  #heat(pc: number, samples: number): void {
    if (this.#parts.outward.environment.find(pc)?.kind !== "memory") return;
    if (this.hot.add(pc, samples)) this.#code.estimate(pc);
  }

  /**
   * The pipelines go on from what the tiers have come to.
   *
   * @param clock each hart's time
   * @param devicesFrom cycle up to which devices have been moved on
   */
  enter(now: number, clock: Float64Array, devicesFrom: number): void {
    const { state: { activity }, exact } = this.#parts;
    for (const memory of [this.#near, this.#far]) memory?.enter();
    this.#togetherFrom = now;
    for (let hart = 0; hart < clock.length; hart++) {
      const isRunning = activity[hart] === running;
      exact.resume(hart, isRunning ? Math.max(now, clock[hart]) : Infinity);
      if (isRunning) this.#togetherFrom = Math.max(this.#togetherFrom, clock[hart]);
    }
    if (this.#isWanted) this.#beginLook(this.#togetherFrom);
    this.isOn = true;
    this.#unseen = 0;
    this.#devicesFrom = devicesFrom;
    this.#nextSample = now + samplePeriod;
    this.#wasKnown.fill(0);
  }

  /** Runs the pipelines until the next sample or `end`. Returns the cycle reached. */
  run(now: number, end: number): number {
    if (this.#nextSample <= now) this.#nextSample = now + samplePeriod;
    const reached = this.#parts.exact.run(now, Math.min(this.#nextSample, end), this.#devicesFrom);
    this.#cycles += reached - now;
    if (this.#closely === undefined) this.hot.enough = closeness.find(([until]) => this.#cycles < until)![1];
    return reached;
  }

  /** Looks at where the harts are, if it is time to. Returns whether the tiers can go on from here. */
  isOver(now: number): boolean {
    if (now < this.#nextSample) return false;
    const { activity, pc } = this.#parts.state;
    const together = this.#meetings !== this.#parts.outward.meetings;
    if (together) this.meet(now, true);
    // Before that some harts were ahead, and left what they share to the others.
    const areTogether = this.#lastSample >= this.#togetherFrom + this.#settling;
    const busy = this.running(), wide = this.isWide();
    let isOver = now >= this.#devicesFrom;
    for (let hart = 0; hart < activity.length; hart++) {
      const runs = activity[hart] === running, isOpen = runs && this.isOpen(pc[hart]);
      const isKnown = runs && this.hot.isKnown(pc[hart]);
      const estimated = this.#estimated[hart] - this.#noted[hart];
      this.#noted[hart] = this.#estimated[hart];
      if (isKnown && this.#wasKnown[hart] !== 0 && !together && areTogether) {
        this.#note(hart, this.#wasAt[hart], busy, wide, now - this.#lastSample, estimated);
      }
      this.#wasKnown[hart] = isKnown ? 1 : 0;
      this.#wasAt[hart] = pc[hart];
      if (!runs) continue;
      this.#heat(pc[hart], 1);
      if (!isOpen) isOver = false;
    }
    this.#lastSample = now;
    if (Math.abs(this.#taken - this.#expected) > tolerance * this.#taken) {
      this.#closeUntil = Math.min(this.#longestUntil, Math.max(this.#closeUntil, now + samplePeriod));
      this.#hasDeviated = true;
      if (this.#credit > firstCredit / 2) this.#seldom = firstUnseen;
    }
    if (!isOver || now >= this.#closeUntil) return isOver;
    this.#credit -= samplePeriod * busy / activity.length;
    return this.#credit < samplePeriod;
  }

  #note(hart: number, pc: number, harts: number, wide: boolean, exact: number, estimated: number): void {
    this.#taken += exact;
    this.#expected += estimated * (this.pace.of(hart, pc, harts, wide) ?? 0);
    this.pace.note(hart, pc, harts, wide, this.#inStep, exact, estimated);
  }

  /** Number of harts that run. */
  running(): number {
    const { activity } = this.#parts.state;
    let count = 0;
    for (let hart = 0; hart < activity.length; hart++) if (activity[hart] === running) count++;
    return count;
  }

  /** Whether a device is at work that takes banks from the harts. */
  isWide(): boolean {
    const { devices } = this.#parts;
    for (let i = 0; i < devices.length; i++) if (devices[i].busy()) return true;
    return false;
  }

  /** The tiers go on: ends all that is under way, and sets each hart's time. */
  leave(now: number, clock: Float64Array): void {
    const { state: { activity, wake }, outward } = this.#parts;
    const { parts: { loadStore, offload, writeBack }, full } = outward;
    const far = this.#queuedOutside();
    for (let hart = 0; hart < clock.length; hart++) {
      const owes = loadStore.queued[hart] > 0 && !loadStore.oldestRegion(hart).isTcdm;
      this.#finishAccesses(hart, now);
      loadStore.fresh = 0;
      offload.grantAll(hart, now);
      writeBack.settle(hart, Infinity);
      full[hart] = 0;
      const next = wake[hart] === Infinity ? now + underWay : wake[hart];
      clock[hart] = activity[hart] === running ? Math.max(now, next) : now;
      // Who goes on without waiting for its accesses would have them for nothing, each time.
      if (owes) clock[hart] += Math.floor(far * outsideCycles);
    }
    for (const memory of [this.#near, this.#far]) memory?.adopt();
    this.isOn = false;
  }

  /** Accesses to the outside memory that harts have queued. */
  #queuedOutside(): number {
    const { parts: { loadStore } } = this.#parts.outward, { queued } = loadStore;
    let sum = 0;
    for (let hart = 0; hart < queued.length; hart++) {
      if (queued[hart] > 0 && !loadStore.oldestRegion(hart).isTcdm) sum += queued[hart];
    }
    return sum;
  }

  #finishAccesses(hart: number, now: number): void {
    const { access, near, far, outward: { parts: { loadStore } } } = this.#parts;
    while (loadStore.queued[hart] > 0) {
      access.perform(hart, now, loadStore.oldestRegion(hart).isTcdm && near ? near : far);
      loadStore.grant(hart, now);
    }
  }
}
