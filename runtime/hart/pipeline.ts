// The pipeline of all harts: fetch, scoreboard, issue, one cycle an instruction where nothing is in the way
// (snitch-cluster.md, sections 2 and 8). A hart may be advanced past the present while what it does concerns nobody
// else; so the order in which harts are advanced cannot be seen.

import * as kind from "./code.ts";
import { type CodeCache, discard } from "./code.ts";
import { causes } from "./control.ts";
import { compute } from "./execute.ts";
import { askAgain } from "./instruction_cache.ts";
import {
  causeIndex,
  done,
  flushed,
  type HartEnvironment,
  type HartOptions,
  type HartParts,
  Outward,
  parked,
  stalled,
  trapped,
} from "./outward.ts";
import { running, stallCauses, waitingForInterrupt } from "./state.ts";

export { describeBadAccess, type HartEnvironment, type HartOptions as PipelineOptions } from "./outward.ts";

/** How far a hart may be ahead of the others, in cycles. */
const lookahead = 64;
/** Cycles of a fetch that goes past the caches: from the TCDM, and from the boot ROM (section 4). */
const tcdmFetch = 8, romFetch = 13;

const fetchStall = causeIndex("fetch"), operandStall = causeIndex("operand");
const noLines = new Int32Array(0);
/** Marks that no word is being fetched past the caches; instructions lie at even addresses. */
const noPc = -1;

/** The harts' pipelines. Arrays are by hart. */
export class Pipeline {
  /** First cycle that the harts must not reach in this run. */
  limit = Infinity;

  readonly #parts: HartParts;
  readonly #code: CodeCache;
  /** What issues instructions that concern more than a hart's registers. */
  readonly outward: Outward;
  readonly #environment: HartEnvironment;
  /** Harts that issue nothing until something happens, as a mask; why, and from when on. */
  #stalled = 0;
  readonly #stallCause: Uint8Array;
  readonly #stallFrom: Float64Array;
  /** Address of a fetch past the caches, and when its word is there. */
  readonly #directPc: Int32Array;
  readonly #directReady: Float64Array;

  constructor(parts: HartParts, code: CodeCache, options: HartOptions, environment: HartEnvironment) {
    this.#parts = parts;
    this.#code = code;
    this.outward = new Outward(parts, options, environment);
    this.#environment = environment;
    const { count } = parts.state;
    this.#stallCause = new Uint8Array(count);
    this.#directPc = new Int32Array(count).fill(noPc);
    this.#directReady = new Float64Array(count);
    this.#stallFrom = new Float64Array(count);
    parts.offload.onGrant = (hart, cycle, ready) => this.granted(hart, cycle, ready);
    if (parts.cache) parts.cache.onFill = (hart, ready) => this.#wakeAt(hart, ready);
  }

  /** A running hart that is stalled looks again in a cycle, if it is not to do so sooner. */
  #wakeAt(hart: number, cycle: number): void {
    if ((this.#stalled >>> hart & 1) === 0) return;
    const { activity, wake } = this.#parts.state;
    if (activity[hart] !== running || wake[hart] <= cycle) return;
    wake[hart] = Math.max(cycle, this.#stallFrom[hart]);
  }

  /** A request of a hart has been granted in `cycle`; its answer is there in cycle `ready`. */
  granted(hart: number, cycle: number, ready: number): void {
    const { full } = this.outward;
    this.#parts.writeBack.expect(hart, ready);
    const wasFull = full[hart] !== 0;
    full[hart] = 0;
    this.#wakeAt(hart, wasFull ? cycle + 1 : ready + 1);
  }

  /** A hart that has been run in another way meanwhile goes on in a cycle; Infinity if it waits for others. */
  resume(hart: number, cycle: number): void {
    this.#stalled &= ~(1 << hart);
    this.#parts.state.wake[hart] = cycle;
    this.#directPc[hart] = noPc;
  }

  /** An interrupt line of a hart has changed. */
  interruptChanged(hart: number, cycle: number): void {
    const { state: { activity, wake }, control } = this.#parts;
    if (activity[hart] === waitingForInterrupt && control.wakes(hart)) {
      activity[hart] = running;
      wake[hart] = cycle;
    } else if (control.interrupted[hart] !== 0) this.#wakeAt(hart, cycle);
  }

  /**
   * Lets each hart whose time has come go on at time `now`, as far as it can without the others, and sets the cycle
   * in which it must go on again.
   */
  advance(now: number): void {
    const { state, control, loadStore, offload, cache, writeBack } = this.#parts;
    const code = this.#code, outward = this.outward;
    const { registers, wake, count, pc: counters } = state;
    const { slots } = code;
    const lineBits = cache ? cache.lineBits : 0;
    const current = cache ? cache.current : noLines, predicted = cache ? cache.predicted : noLines;
    const { interruptible } = control, { scoreboard, portFrom, due } = writeBack;
    const asking = loadStore.tcdmRequests | loadStore.outsideRequests | offload.requests;
    const latest = Math.min(now + lookahead, this.limit - 1);
    const { estimated } = outward;
    let { records, estimates } = code;

    for (let hart = 0; hart < count; hart++) {
      if (wake[hart] > now) continue;
      const base = hart << 6;
      let pc = counters[hart], t = now;
      let retired = 0;
      if ((this.#stalled >>> hart & 1) === 1) {
        this.#stalled &= ~(1 << hart);
        this.#countStall(hart, now - this.#stallFrom[hart]);
      }
      // What has been asked of others may be answered from the next cycle but one.
      let horizon = (asking >>> hart & 1) === 1 && latest > now + 1 ? now + 1 : latest;
      if ((interruptible >>> hart & 1) === 1) {
        horizon = now;
        if (control.interrupted[hart] !== 0) {
          outward.trap(hart, control.interruptCause(hart), 0, pc);
          pc = outward.next;
          t++;
        }
      }

      // From when on, and until when, the hart stalls; -1 if it does not.
      let stallFrom = -1, until = 0, isParked = false;
      while (t <= horizon) {
        if (stallFrom >= 0) {
          if (until > horizon) break;
          this.#countStall(hart, until - stallFrom);
          stallFrom = -1;
          t = until;
        }
        // Fetch.
        let i = (slots[pc >>> 12] << 12) + (pc & 0xffc);
        let fields = records[i];
        if (fields === 0) {
          i = code.decode(pc);
          if (i < 0) {
            if (t !== now) break;
            counters[hart] = pc;
            this.#environment.fail(hart, "fetches an instruction from where there is no memory");
          }
          records = code.records;
          estimates = code.estimates;
          fields = records[i];
        }
        const what = fields >>> 23;
        // Only what concerns nobody else is done ahead of time.
        if (what > kind.jump && t !== now) break;
        if (cache !== undefined) {
          const target = records[i + 3];
          if (target < 0 || pc >>> lineBits !== current[hart] || target !== predicted[hart]) {
            const ready = target < 0
              ? this.#directFetch(hart, pc, t)
              : cache.fetch(hart, pc >>> lineBits, target, t, now);
            if (ready === askAgain) break;
            if (ready !== t) {
              this.#stallCause[hart] = fetchStall;
              stallFrom = t;
              until = ready;
              continue;
            }
          }
        }

        // Write-back of the cycles before this one, then the scoreboard.
        if (due[hart] < t) writeBack.settle(hart, t);
        if ((scoreboard[hart] & records[i + 2]) !== 0) {
          this.#stallCause[hart] = operandStall;
          stallFrom = t;
          until = this.#prefetchRetry(hart, t, writeBack.next(hart, t));
          continue;
        }

        // Issue.
        const imm = records[i + 1];
        const index = fields & 127, rd = fields >>> 7 & 63;
        const a = registers[base + (fields >>> 13 & 31)], b = registers[base + (fields >>> 18 & 31)];
        let next = pc + 4 | 0, after = t + 1;
        if (what === kind.alu) {
          registers[base + rd] = compute(index, a, b, imm, pc);
          if (rd !== discard) portFrom[hart] = t + 1;
        } else if (what <= kind.jump) {
          const link = next;
          if (what === kind.jump) next = compute(index, a, b, imm, pc);
          else if (compute(index, a, b, imm, pc) !== 0) next = pc + imm | 0;
          if ((next & 3) !== 0) {
            if (t !== now) break;
            outward.trap(hart, causes.instructionMisaligned, next, pc);
            pc = outward.next;
            t++;
            horizon = now;
            continue;
          }
          if (what === kind.jump) {
            registers[base + rd] = link;
            if (rd !== discard) portFrom[hart] = t + 1;
          }
          if (next === pc) this.#directPc[hart] = noPc;
        } else {
          counters[hart] = pc;
          outward.estimate = estimates[i >>> 2];
          if (what === kind.csr) {
            state.retired[hart] += retired;
            retired = 0;
          }
          const outcome = what <= kind.atomic
            ? outward.access(hart, fields, imm, a, b, pc, t)
            : outward.issue(hart, fields, imm, a, b, pc, t);
          next = outward.next;
          if (outcome === done) {
            if (horizon > now + 1) horizon = now + 1;
          } else if (outcome === stalled) {
            this.#stallCause[hart] = outward.cause;
            stallFrom = t;
            until = this.#prefetchRetry(hart, t, outward.until);
            continue;
          } else {
            horizon = now;
            if (outcome === trapped) {
              pc = next;
              t++;
              continue;
            }
            isParked = outcome === parked;
            if (outcome === flushed) {
              // One set of the L1 is emptied each cycle (section 8, rule 8).
              after = t + cache!.sets;
              this.#stallCause[hart] = fetchStall;
              this.#countStall(hart, after - t - 1);
            }
          }
        }
        retired++;
        if (estimated !== undefined) estimated[hart] += estimates[i >>> 2] & 0xff;
        pc = next;
        t = after;
      }
      counters[hart] = pc;
      state.retired[hart] += retired;
      if (isParked) {
        this.#stallCause[hart] = outward.cause;
        stallFrom = t;
      } else wake[hart] = stallFrom < 0 ? t : until;
      if (stallFrom >= 0) {
        this.#stalled |= 1 << hart;
        this.#stallFrom[hart] = stallFrom;
      }
    }
  }

  /** Cycles up to `cycle` of the stall that a hart is in and that is not counted yet. */
  stallUnderWay(hart: number, cycle: number): { cause: number; cycles: number } {
    const isStalled = (this.#stalled >>> hart & 1) === 1;
    return {
      cause: this.#stallCause[hart],
      cycles: isStalled ? Math.max(0, cycle - this.#stallFrom[hart]) : 0,
    };
  }

  #countStall(hart: number, cycles: number): void {
    this.#parts.state.stalls[hart * stallCauses.length + this.#stallCause[hart]] += cycles;
  }

  /** Cycle in which a word is there that no cache holds. */
  #directFetch(hart: number, pc: number, t: number): number {
    if (this.#directPc[hart] !== pc) {
      const region = this.#environment.find(pc);
      this.#directPc[hart] = pc;
      this.#directReady[hart] = t + (region?.kind === "rom" ? romFetch : tcdmFetch) - 1;
    }
    return Math.max(t, this.#directReady[hart]);
  }

  /** The sooner of `until` and the cycle in which a stalled hart can launch a prefetch that it wants. */
  #prefetchRetry(hart: number, t: number, until: number): number {
    const { cache } = this.#parts;
    if (cache === undefined) return until;
    const retry = cache.retry[hart];
    return retry > t && retry < until ? retry : until;
  }
}
