// ITA's control registers, job contexts and queue (ita.md, section 3): who programs what, what runs next, what a
// read sees. Knows time only as the cycle of an access or event; executes nothing.

import {
  firstJobRegister,
  jobRegisterCount,
  JobRegisters,
  registers,
  triggerReadValue,
} from "./registers.ts";
import { riseAfterCommit } from "./timing.ts";

/** Cycles behind a soft clear in which register writes are lost (section 3.2). */
const softClearCycles = 4;

/** The register file with its queue of contexts. All reset values are 0. */
export class JobQueue {
  readonly #contexts: number;
  /** Registers of all contexts, 17 words each. */
  readonly #words: Uint32Array;
  readonly #status: Uint8Array;
  /** Hart that gets the event of a context's job. */
  readonly #owners: Int32Array;
  readonly #commitCycles: Float64Array;
  #programmed = 0;
  #running = 0;
  #pending = 0;
  #nextId = 0;
  #critical = false;
  /** Cycle of the write of 0 to TRIGGER that let jobs go; sticky until soft clear. */
  #triggered: number | undefined;
  #finished = 0;
  #finishedAccess = -Infinity;
  #completed = 0;
  #lastDone = -Infinity;
  /** Register writes up to this cycle are lost. */
  #writesLostUntil = -Infinity;

  constructor(contexts: number) {
    this.#contexts = contexts;
    this.#words = new Uint32Array(contexts * jobRegisterCount);
    this.#status = new Uint8Array(contexts);
    this.#owners = new Int32Array(contexts);
    this.#commitCycles = new Float64Array(contexts);
  }

  /** Context that register writes go to. */
  get programmed(): number {
    return this.#programmed;
  }

  /** Context of the running job, or of the next one: the one whose registers the engine sees. */
  get running(): number {
    return this.#running;
  }

  /** Jobs that are committed and not done. */
  get pending(): number {
    return this.#pending;
  }

  /** Whether as many jobs are committed as there are contexts. */
  get full(): boolean {
    return this.#pending >= this.#contexts;
  }

  /** Registers of the context that the engine sees; a live view. */
  get visible(): JobRegisters {
    return new JobRegisters(this.#context(this.#running));
  }

  /** Cycle in which busy rises for the next job, if there is one and nothing runs. */
  get launchCycle(): number {
    if (this.#pending === 0 || this.#triggered === undefined) return Infinity;
    return Math.max(
      this.#commitCycles[this.#running] + riseAfterCommit,
      this.#triggered + 1,
      this.#lastDone + 1,
    );
  }

  /** Reads a register; `offset` in bytes, bits 10:8 choose a context. */
  read(offset: number, cycle: number): number {
    const register = offset & 0xfc;
    if (register >= firstJobRegister) {
      const window = (offset >> 8) & 7;
      const context = window === 0 ? this.#programmed : (window - 1) % this.#contexts;
      return this.#words[this.#wordIndex(context, register)] ?? 0;
    }
    switch (register) {
      case registers.TRIGGER:
        return triggerReadValue;
      case registers.ACQUIRE:
        return this.#acquire();
      case registers.FINISHED: {
        const value = this.#finished;
        this.accessFinished(cycle);
        return value;
      }
      case registers.STATUS:
        return this.#status.reduce((word, bit, context) => word | (bit << (8 * context)), 0) >>> 0;
      case registers.RUNNING_JOB:
        // The counter follows its event two cycles late (section 3.4).
        return (this.#completed - (cycle - this.#lastDone < 2 ? 1 : 0)) & 0xff;
      default:
        return 0;
    }
  }

  /** Any access to FINISHED clears it, and swallows an event of the next cycle. */
  accessFinished(cycle: number): void {
    this.#finished = 0;
    this.#finishedAccess = cycle;
  }

  /** Writes a job register of the programmed context, byte by byte. */
  writeJobRegister(offset: number, value: number, mask: number, cycle: number): void {
    if (cycle <= this.#writesLostUntil) return;
    const index = this.#wordIndex(this.#programmed, offset & 0xfc);
    if (index < this.#words.length) this.#words[index] = (this.#words[index] & ~mask) | (value & mask);
  }

  /** A write to TRIGGER: commits the programmed context. `hart` -1 leaves the context's owner. */
  commit(value: number, cycle: number, hart: number): void {
    const context = this.#programmed;
    this.#commitCycles[context] = cycle;
    if (hart >= 0) this.#owners[context] = hart;
    if (value === 0) {
      this.#triggered ??= cycle;
      this.#status[context] = 1;
    }
    this.#programmed = (context + 1) % this.#contexts;
    this.#pending++;
    this.#critical = false;
  }

  /** The running job is done in `cycle`. Returns the hart that its event goes to. */
  complete(cycle: number): number {
    const context = this.#running;
    this.#status[context] = 0;
    if (this.#finishedAccess !== cycle - 1) this.#finished = Math.min(2, this.#finished + 1);
    this.#completed++;
    this.#lastDone = cycle;
    this.#running = (context + 1) % this.#contexts;
    this.#pending--;
    return this.#owners[context];
  }

  /** A write to SOFT_CLEAR: drops the queue; 0 clears registers and counters too. */
  softClear(value: number, cycle: number): void {
    this.#programmed = this.#running = this.#pending = 0;
    this.#critical = false;
    this.#triggered = undefined;
    if (value !== 0) return;
    this.#words.fill(0);
    this.#status.fill(0);
    this.#completed = this.#finished = this.#nextId = 0;
    this.#lastDone = -Infinity;
    this.#writesLostUntil = cycle + softClearCycles;
  }

  #acquire(): number {
    if (this.#critical) return 0xffff_fffe;
    if (this.full) return 0xffff_ffff;
    const id = this.#nextId;
    this.#nextId = (id + 1) & 0xff;
    this.#critical = true;
    return id;
  }

  #context(index: number): Uint32Array {
    return this.#words.subarray(index * jobRegisterCount, (index + 1) * jobRegisterCount);
  }

  /** Registers beyond the 17th of a context are those of the following one; beyond the last there is nothing. */
  #wordIndex(context: number, register: number): number {
    return context * jobRegisterCount + ((register - firstJobRegister) >> 2);
  }
}
