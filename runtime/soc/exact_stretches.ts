// Stretches of a run under fast timing that go cycle by cycle: from where a hart comes to code that is not hot, or
// harts have met, until all that run have been at hot code for a while.

import { running } from "../hart/state.ts";
import type { EngineParts } from "./engine.ts";
import { HotCode } from "./hot_code.ts";
import type { KeptReservations } from "./kept_reservations.ts";
import { Pace } from "./pace.ts";

/** Cycles from one look at where the harts are to the next; no loop is likely to have such a round. */
const samplePeriod = 61;
/** Times that the tiers stop in front of cold code before that alone makes it hot. */
const arrivals = 16;
/**
 * Cycles for which harts are looked at that have met or woken or have not been looked at for long, be their code hot
 * or not: if they keep the pace that is known of them, and if they do not.
 */
const shortLook = 488, longLook = 4096;
/** Cycles until queues are as full as they usually are, when the pipelines go on. */
const settling = 2 * samplePeriod;
/** Part of the pace by which harts may be off it. */
const tolerance = 0.04;
/** While harts keep their pace, ever fewer of their meetings are looked at: 1 in 2 to the power of this at least. */
const calmest = 7;
/** Cycles of such looks at first, and cycles on the tiers that earn one more. */
const firstCredit = 2 ** 17, cyclesForCredit = 4096;
/** Cycles on the tiers after which one looks how harts are doing, at first and in the end. */
const firstUnseen = 2 ** 13, longestUnseen = 2 ** 24;
/** What a hart that waits for an answer is behind, when it is taken from the pipeline, in cycles. */
const underWay = 2;

/** Runs the exact pipelines for an engine. */
export class ExactStretches {
  readonly hot: HotCode;
  readonly pace: Pace;
  /** Whether the pipelines run now; they do from reset. */
  isOn = true;
  readonly #parts: EngineParts;
  readonly #near: KeptReservations | undefined;
  readonly #far: KeptReservations;
  readonly #closeness: number;
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
  /** Whether that begins when the pipelines go on. */
  #isWanted = false;
  /** Cycle from which on all harts run since the pipelines go on. */
  #togetherFrom = 0;
  #longestUntil = 0;
  /** What harts have taken since the look began, in cycles, and would have taken at the pace known before. */
  #taken = 0;
  #expected = 0;
  /** Cycles that the tiers have run since, and after how many that is looked at: ever more. */
  #unseen = 0;
  #seldom = firstUnseen;
  #credit = firstCredit;

  /**
   * @param closeness samples that make code hot
   * @param estimate says what the instructions around an address cost on the tiers
   */
  constructor(
    parts: EngineParts,
    near: KeptReservations | undefined,
    far: KeptReservations,
    closeness: number,
    estimate: (pc: number) => void,
  ) {
    this.#estimate = estimate;
    this.#parts = parts;
    this.#near = near;
    this.#far = far;
    this.#closeness = closeness;
    this.hot = new HotCode(closeness);
    const { count } = parts.state;
    this.#estimated = parts.outward.estimated = new Float64Array(count);
    this.#noted = new Float64Array(count);
    this.pace = new Pace(count);
    this.#wasKnown = new Uint8Array(count);
    this.#wasAt = new Int32Array(count);
  }

  /** The tiers have run for some cycles. Returns whether it is time to look again how the harts are doing. */
  earn(now: number, cycles: number): boolean {
    this.#credit = Math.min(firstCredit, this.#credit + cycles / cyclesForCredit);
    this.#unseen += cycles;
    if (this.#unseen < this.#seldom || this.#credit < firstCredit / 2) return false;
    this.#seldom = Math.min(2 * this.#seldom, longestUnseen);
    return this.look(now);
  }

  /** Harts have met, or one has woken: what they do next they do together, or in another order than before. */
  meet(now: number): boolean {
    this.#meetings = this.#parts.outward.meetings;
    this.pace.forgetHarts();
    if (this.#passed < 2 ** this.#calm - 1) {
      this.#passed++;
      return false;
    }
    this.#passed = 0;
    return this.look(now);
  }

  /**
   * What harts do next should be looked at.
   *
   * @returns whether it can be
   */
  look(now: number): boolean {
    if (this.#credit < samplePeriod) return false;
    if (this.isOn) this.#beginLook(now);
    else this.#isWanted = true;
    return true;
  }

  #beginLook(now: number): void {
    if (this.#expected > 0) this.#calm = this.#hasDeviated ? 0 : Math.min(this.#calm + 1, calmest);
    this.#hasDeviated = false;
    this.#isWanted = false;
    this.#closeUntil = now + shortLook;
    this.#longestUntil = now + longLook;
    this.#taken = this.#expected = 0;
  }

  /** The tiers have stopped in front of code that is not hot. */
  comeTo(pc: number): void {
    this.#heat(pc, Math.ceil(this.#closeness / arrivals));
  }

  /** Code has become hot: says what its instructions cost on the tiers. */
  readonly #estimate: (pc: number) => void;

  /** Code in other places than the main memory is always for the pipelines. */
  #heat(pc: number, samples: number): void {
    if (this.#parts.outward.environment.find(pc)?.kind !== "memory") return;
    if (this.hot.add(pc, samples)) this.#estimate(pc);
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
    return this.#parts.exact.run(now, Math.min(this.#nextSample, end), this.#devicesFrom);
  }

  /** Looks at where the harts are, if it is time to. Returns whether the tiers can go on from here. */
  isOver(now: number): boolean {
    if (now < this.#nextSample) return false;
    const { activity, pc } = this.#parts.state;
    const together = this.#meetings !== this.#parts.outward.meetings;
    if (together) this.meet(now);
    // Before that some harts were ahead, and left what they share to the others.
    const areTogether = this.#lastSample >= this.#togetherFrom + settling;
    const busy = this.running(), wide = this.isWide();
    let isOver = now >= this.#devicesFrom;
    for (let hart = 0; hart < activity.length; hart++) {
      const runs = activity[hart] === running, isHot = runs && this.hot.isHot(pc[hart]);
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
      if (!isHot) isOver = false;
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
    this.pace.note(hart, pc, harts, wide, exact, estimated);
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
    for (let hart = 0; hart < clock.length; hart++) {
      this.#finishAccesses(hart, now);
      loadStore.fresh = 0;
      offload.grantAll(hart, now);
      writeBack.settle(hart, Infinity);
      full[hart] = 0;
      const next = wake[hart] === Infinity ? now + underWay : wake[hart];
      clock[hart] = activity[hart] === running ? Math.max(now, next) : now;
    }
    for (const memory of [this.#near, this.#far]) memory?.adopt();
    this.isOn = false;
  }

  #finishAccesses(hart: number, now: number): void {
    const { access, near, far, outward: { parts: { loadStore } } } = this.#parts;
    while (loadStore.queued[hart] > 0) {
      access.perform(hart, now, loadStore.oldestRegion(hart).isTcdm && near ? near : far);
      loadStore.grant(hart, now);
    }
  }
}
