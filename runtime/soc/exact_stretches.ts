// Stretches of a run under fast timing that go cycle by cycle: from where a hart comes to code that is not hot, or
// harts have met, until all that run have been at hot code for a while.

import { running } from "../hart/state.ts";
import type { EngineParts } from "./engine.ts";
import { HotCode } from "./hot_code.ts";
import type { KeptReservations } from "./kept_reservations.ts";

/** Cycles from one look at where the harts are to the next; no loop is likely to have such a round. */
const samplePeriod = 61;
/** Times that the tiers stop in front of cold code before that alone makes it hot. */
const arrivals = 16;
/** Cycles for which harts that have met or woken are looked at closely, be their code hot or not. */
const closeCycles = 4096;
/** Cycles of such looks at first, and cycles on the tiers that earn one more. */
const firstCredit = 2 ** 16, cyclesForCredit = 4096;
/** What a hart that waits for an answer is behind, when it is taken from the pipeline, in cycles. */
const underWay = 2;

/** Runs the exact pipelines for an engine. */
export class ExactStretches {
  readonly hot: HotCode;
  /** Whether the pipelines run now; they do from reset. */
  isOn = true;
  readonly #parts: EngineParts;
  readonly #near: KeptReservations | undefined;
  readonly #far: KeptReservations;
  readonly #closeness: number;
  #nextSample = 0;
  #devicesFrom = 0;
  /** Meetings of the harts up to the last sample. */
  #meetings = 0;
  /** Cycle up to which harts are looked at whether or not their code is hot, and how long that may still be done. */
  #closeUntil = 0;
  #credit = firstCredit;

  /** @param closeness samples that make code hot */
  constructor(
    parts: EngineParts,
    near: KeptReservations | undefined,
    far: KeptReservations,
    closeness: number,
  ) {
    this.#parts = parts;
    this.#near = near;
    this.#far = far;
    this.#closeness = closeness;
    this.hot = new HotCode(closeness);
  }

  /** The tiers have run for some cycles. */
  earn(cycles: number): void {
    this.#credit = Math.min(firstCredit, this.#credit + cycles / cyclesForCredit);
  }

  /**
   * Harts have met, or one has woken: what they do next they do together, or in another order than before.
   *
   * @returns whether that should be looked at
   */
  meet(now: number): boolean {
    this.#meetings = this.#parts.outward.meetings;
    this.#closeUntil = now + Math.min(closeCycles, this.#credit);
    return this.#credit >= samplePeriod;
  }

  /** The tiers have stopped in front of code that is not hot. */
  comeTo(pc: number): void {
    this.#heat(pc, Math.ceil(this.#closeness / arrivals));
  }

  /** Code in other places than the main memory is always for the pipelines. */
  #heat(pc: number, samples: number): void {
    if (this.#parts.outward.environment.find(pc)?.kind === "memory") this.hot.add(pc, samples);
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
    for (let hart = 0; hart < clock.length; hart++) {
      exact.resume(hart, activity[hart] === running ? Math.max(now, clock[hart]) : Infinity);
    }
    this.isOn = true;
    this.#devicesFrom = devicesFrom;
    this.#nextSample = now + samplePeriod;
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
    if (this.#meetings !== this.#parts.outward.meetings) this.meet(now);
    let isOver = now >= this.#devicesFrom, busy = 0;
    for (let hart = 0; hart < activity.length; hart++) {
      if (activity[hart] !== running) continue;
      busy++;
      this.#heat(pc[hart], 1);
      if (!this.hot.isHot(pc[hart])) isOver = false;
    }
    if (!isOver || now >= this.#closeUntil) return isOver;
    this.#credit -= samplePeriod * busy / activity.length;
    return this.#credit < samplePeriod;
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
