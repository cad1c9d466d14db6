// The pipeline of all harts: fetch, scoreboard, issue, write-back, one cycle an instruction where nothing is in the
// way (snitch-cluster.md, sections 2 and 8). A hart may be advanced past the present while what it does concerns
// nobody else; so the order in which harts are advanced cannot be seen.

import type { Region } from "../soc/memory_map.ts";
import * as kind from "./code.ts";
import { accessBytes, type CodeCache, discard } from "./code.ts";
import { causes, type Control } from "./control.ts";
import { csrNumbers } from "./csr_names.ts";
import { compute, second } from "./execute.ts";
import { askAgain, type InstructionCache } from "./instruction_cache.ts";
import { instructions, type SystemAction, type TransferAction } from "./instructions.ts";
import { type LoadStoreUnits, noRegister } from "./load_store.ts";
import { divisionCycles, multiplicationCycles, type OffloadUnits } from "./offload.ts";
import {
  atBarrier,
  type HartState,
  running,
  type StallCause,
  stallCauses,
  waitingForInterrupt,
} from "./state.ts";

/** How far a hart may be ahead of the others, in cycles. */
const lookahead = 64;
/** Cycles of a fetch that goes past the caches: from the TCDM, and from the boot ROM (section 4). */
const tcdmFetch = 8, romFetch = 13;
/** From the last arrival at the barrier to the next instruction of all (section 2.5). */
const barrierCycles = 2;
/** From an Xdma instruction to the cycle in which its result can be written back (section 2). */
const transferCycles = 3;

/** What the pipeline asks of the SoC around it. */
export interface HartEnvironment {
  /** The region of an address, if there is one. */
  find(address: number): Region | undefined;
  /** Ends the simulation if nobody would handle a trap of the hart. */
  checkTrap(hart: number, cause: number, pc: number): void;
  /** Does an Xdma instruction; undefined if it must wait for room in the queue. */
  transfer(hart: number, action: TransferAction, a: number, b: number, cycle: number): number | undefined;
  /** Ends the simulation: `what` the hart did that it must not. */
  fail(hart: number, what: string): never;
}

/** Features of harts that a target chooses. */
export interface PipelineOptions {
  readonly outstandingLoads: number;
  readonly outstandingMemory: number;
  /** Whether misaligned loads and stores trap; else memory splits them. */
  readonly trapMisaligned: boolean;
  /** Whether CSR 0x7c2 is the barrier. */
  readonly barrier: boolean;
  /** The hart with Xdma, or -1. */
  readonly dmaHart: number;
}

const [
  fetchStall,
  operandStall,
  memoryStall,
  offloadStall,
  fenceStall,
  barrierStall,
  wfiStall,
  transferStall,
] = stallCauses.keys() as unknown as number[];

const noLines = new Int32Array(0);

const systemActions = instructions.map(({ meaning }): SystemAction | undefined =>
  meaning.kind === "system" ? meaning.action : undefined
);
const transfers = instructions.map(({ meaning, writes }) =>
  meaning.kind === "transfer" ? { action: meaning.action, writes } : undefined
);
const csrUpdates = instructions.map(({ meaning }) => meaning.kind === "csr" ? meaning.update : undefined);
const divisionSigned = instructions.map(({ name }) => name === "div" || name === "rem");
const isReservation = instructions.map(({ meaning }) => meaning.kind === "reserve");
const csrFromRegister = instructions.map(({ format }) => format === "csr");

/** The parts that a pipeline works with. */
export interface PipelineParts {
  readonly state: HartState;
  readonly code: CodeCache;
  readonly control: Control;
  readonly loadStore: LoadStoreUnits;
  readonly offload: OffloadUnits;
  /** Absent: every fetch takes no time. */
  readonly cache?: InstructionCache;
}

/** The harts' pipelines. */
export class Pipeline {
  /** First cycle that the harts must not reach in this run. */
  limit = Infinity;

  readonly #parts: PipelineParts;
  readonly #options: PipelineOptions;
  readonly #environment: HartEnvironment;
  /** Registers with a result pending, as a mask. */
  readonly #scoreboard: Int32Array;
  /** First cycle in which the register file's write port is not known to be taken. */
  readonly #portFrom: Float64Array;
  /** Cycle before which no result of the hart is ready and no access answered; Infinity if none is known of. */
  readonly #due: Float64Array;
  readonly #lastIssue: Float64Array;
  readonly #stallCause: Uint8Array;
  /** 1 while a hart waits for room in a request register. */
  readonly #full: Uint8Array;
  /** Address of a fetch past the caches, and when its word is there. */
  readonly #directPc: Int32Array;
  readonly #directReady: Float64Array;
  /** Time up to which a hart's doings are settled; it cannot be called for an earlier one. */
  readonly #settled: Float64Array;
  #arrived = 0;

  constructor(parts: PipelineParts, options: PipelineOptions, environment: HartEnvironment) {
    this.#parts = parts;
    this.#options = options;
    this.#environment = environment;
    const { count } = parts.state;
    this.#scoreboard = new Int32Array(count);
    this.#portFrom = new Float64Array(count);
    this.#due = new Float64Array(count).fill(Infinity);
    this.#lastIssue = new Float64Array(count).fill(-1);
    this.#stallCause = new Uint8Array(count);
    this.#full = new Uint8Array(count);
    this.#directPc = new Int32Array(count).fill(-1);
    this.#directReady = new Float64Array(count);
    this.#settled = new Float64Array(count);
    parts.offload.onGrant = (hart, cycle, ready) => this.granted(hart, cycle, ready);
    if (parts.cache) parts.cache.onFill = (hart, ready) => this.#wakeAt(hart, ready);
  }

  /** A running hart that is stalled looks again in a cycle, if it is not to do so sooner. */
  #wakeAt(hart: number, cycle: number): void {
    const { activity, wake } = this.#parts.state;
    if (activity[hart] !== running || wake[hart] <= cycle) return;
    wake[hart] = Math.max(cycle, this.#settled[hart]);
  }

  /** A request of a hart has been granted in `cycle`; its answer is there in cycle `ready`. */
  granted(hart: number, cycle: number, ready: number): void {
    if (this.#due[hart] > ready) this.#due[hart] = ready;
    const full = this.#full[hart] !== 0;
    this.#full[hart] = 0;
    this.#wakeAt(hart, full ? cycle + 1 : ready + 1);
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
    const { state, code, control, loadStore, offload, cache } = this.#parts;
    const { registers, wake, count, pc: counters } = state;
    const { slots } = code;
    const lineBits = cache ? cache.lineBits : 0;
    const current = cache ? cache.current : noLines, predicted = cache ? cache.predicted : noLines;
    const { interruptible } = control, { outstandingLoads, outstandingMemory } = this.#options;
    const latest = Math.min(now + lookahead, this.limit - 1);
    const scoreboard = this.#scoreboard, portFrom = this.#portFrom, lastIssue = this.#lastIssue;
    const { outstanding, queued } = loadStore, offloadQueued = offload.queued, due = this.#due;
    let { records } = code;

    harts: for (let hart = 0; hart < count; hart++) {
      if (wake[hart] > now) continue;
      const base = hart << 6;
      let pc = counters[hart], t = now;
      let last = lastIssue[hart], retired = 0;
      let horizon = queued[hart] + offloadQueued[hart] !== 0 && latest > now + 1 ? now + 1 : latest;
      if (interruptible[hart] !== 0) {
        horizon = now;
        if (control.interrupted[hart] !== 0) {
          pc = this.#trap(hart, control.interruptCause(hart), 0, pc);
          t++;
        }
      }

      let stalledAt = -1;
      while (t <= horizon) {
        stalledAt = -1;
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
          fields = records[i];
        }
        const what = fields >>> 23;
        // Only what concerns nobody else is done ahead of time.
        if (what > kind.jump && t !== now) break;
        if (cache !== undefined) {
          const target = records[i + 3];
          if (target < 0) {
            const ready = this.#directFetch(hart, pc, t, last);
            if (ready > t) {
              this.#stallCause[hart] = fetchStall;
              stalledAt = t;
              t = ready;
              continue;
            }
          } else if (pc >>> lineBits !== current[hart] || target !== predicted[hart]) {
            const ready = cache.fetch(hart, pc >>> lineBits, target, t, now);
            if (ready !== t) {
              if (ready === askAgain) break;
              this.#stallCause[hart] = fetchStall;
              stalledAt = t;
              t = ready;
              continue;
            }
          }
        }

        // Write-back of the cycles before this one, then the scoreboard.
        if (due[hart] < t) this.#writeBack(hart, t);
        if ((scoreboard[hart] & records[i + 2]) !== 0) {
          this.#stallCause[hart] = operandStall;
          stalledAt = t;
          t = this.#release(hart, t);
          continue;
        }

        const imm = records[i + 1];
        const index = fields & 127, rd = fields >>> 7 & 63;
        const a = registers[base + (fields >>> 13 & 31)], b = registers[base + (fields >>> 18 & 31)];
        let next = pc + 4 | 0;
        if (what === kind.alu) {
          registers[base + rd] = compute(index, a, b, imm, pc);
          if (rd !== discard) portFrom[hart] = t + 1;
        } else if (what === kind.branch) {
          if (compute(index, a, b, imm, pc) !== 0) {
            next = pc + imm | 0;
            if ((next & 3) !== 0) {
              if (t !== now) break;
              pc = this.#trap(hart, causes.instructionMisaligned, next, pc);
              t++;
              horizon = now;
              continue;
            }
          }
        } else if (what === kind.jump) {
          const target = compute(index, a, b, imm, pc);
          if ((target & 3) !== 0) {
            if (t !== now) break;
            pc = this.#trap(hart, causes.instructionMisaligned, target, pc);
            t++;
            horizon = now;
            continue;
          }
          registers[base + rd] = next;
          if (rd !== discard) portFrom[hart] = t + 1;
          next = target;
        } else {
          if (what === kind.multiply || what === kind.divide) {
            if (offloadQueued[hart] === 2) {
              this.#full[hart] = 1;
              this.#stallCause[hart] = offloadStall;
              stalledAt = t;
              t = this.#prefetchRetry(hart, t, Infinity);
              continue;
            }
            // The scoreboard hides the result until it is written back.
            registers[base + rd] = compute(index, a, b, imm, pc);
            const division = what === kind.divide;
            const cycles = division ? divisionCycles(a, b, divisionSigned[index]) : multiplicationCycles;
            offload.issue(hart, rd, cycles, division);
            if (rd !== discard) scoreboard[hart] |= 1 << rd;
          } else if (what === kind.load || what === kind.store || what === kind.atomic) {
            const isStore = what === kind.store;
            if (
              queued[hart] === 2 || outstanding[hart] >= outstandingMemory ||
              (!isStore && loadStore.loads[hart] >= outstandingLoads)
            ) {
              this.#stallCause[hart] = memoryStall;
              stalledAt = t;
              if (queued[hart] === 2) {
                this.#full[hart] = 1;
                stalledAt = t;
                t = this.#prefetchRetry(hart, t, Infinity);
              } else {
                t = this.#release(hart, t);
              }
              continue;
            }
            const address = compute(index, a, b, imm, pc);
            if (
              (address & (accessBytes[index] - 1)) !== 0 &&
              (what === kind.atomic || this.#options.trapMisaligned)
            ) {
              pc = this.#trap(hart, this.#misalignedCause(index, isStore), address, pc);
              t++;
              horizon = now;
              continue;
            }
            const region = this.#environment.find(address);
            if (
              region === undefined || (region.kind === "registers" && region.device === undefined) ||
              (what !== kind.load && region.kind === "rom")
            ) {
              counters[hart] = pc;
              this.#failAccess(hart, isStore, address, region);
            }
            loadStore.issue(hart, index, isStore ? noRegister : rd, address, b, region);
            if (!isStore && rd !== discard) scoreboard[hart] |= 1 << rd;
          } else if (what === kind.csr) {
            const number = imm >> 5;
            if (number === csrNumbers.barrier && this.#options.barrier) {
              registers[base + rd] = 0;
              counters[hart] = next;
              this.#account(hart, t, last, retired + 1);
              this.#arrive(hart, t);
              continue harts;
            }
            state.retired[hart] += retired;
            retired = 0;
            const source = csrFromRegister[index] ? a : imm & 31;
            const writes = csrUpdates[index] === "write" || (fields >>> 13 & 31) !== 0 || (imm & 31) !== 0;
            if (!this.#accessCsr(hart, index, number, source, writes, rd, t)) {
              pc = this.#trap(hart, causes.illegal, this.#word(pc), pc);
              t++;
              horizon = now;
              continue;
            }
            if (rd !== discard) portFrom[hart] = t + 1;
            horizon = now;
          } else if (what === kind.transfer && hart === this.#options.dmaHart) {
            const { action, writes } = transfers[index]!;
            counters[hart] = pc;
            const result = this.#environment.transfer(hart, action, a, second(index, b, imm), t);
            if (result === undefined) {
              this.#stallCause[hart] = transferStall;
              t++;
              continue;
            }
            if (writes) {
              registers[base + rd] = result;
              offload.result(hart, rd, t + transferCycles);
              if (due[hart] > t + transferCycles) due[hart] = t + transferCycles;
              if (rd !== discard) scoreboard[hart] |= 1 << rd;
            }
          } else if (what === kind.system) {
            horizon = now;
            const action = systemActions[index]!;
            if (action === "fence" || action === "fence.i") {
              // Behind FENCE.I the hart fetches what it has stored before, however busy the memory is.
              if (outstanding[hart] !== 0) {
                this.#stallCause[hart] = fenceStall;
                stalledAt = t;
                t = this.#release(hart, t);
                continue;
              }
              if (action === "fence.i" && cache !== undefined) {
                cache.flush(hart);
                // One set of the L1 is emptied each cycle (section 8, rule 8).
                if (t > last + 1) this.#countStall(hart, t - last - 1);
                last = t;
                retired++;
                pc = next;
                t += cache.sets;
                this.#stallCause[hart] = fetchStall;
                continue;
              }
            } else if (action === "wfi") {
              if (!control.wakes(hart)) {
                counters[hart] = next;
                this.#account(hart, t, last, retired + 1);
                this.#stallCause[hart] = wfiStall;
                state.activity[hart] = waitingForInterrupt;
                wake[hart] = Infinity;
                continue harts;
              }
            } else if (action === "mret") {
              const target = control.leave(hart);
              if (target === undefined) {
                pc = this.#trap(hart, causes.illegal, this.#word(pc), pc);
                t++;
                continue;
              }
              next = target;
            } else if (action !== "sfence.vma") {
              const call = control.privilege[hart] === 3 ? causes.machineCall : causes.userCall;
              pc = this.#trap(hart, action === "ecall" ? call : causes.breakpoint, 0, pc);
              t++;
              continue;
            }
          } else {
            pc = this.#trap(hart, causes.illegal, this.#word(pc), pc);
            t++;
            horizon = now;
            continue;
          }
          // What has been asked of others may be answered from the next cycle but one.
          if (horizon > now + 1) horizon = now + 1;
        }
        if (t > last + 1) this.#countStall(hart, t - last - 1);
        last = t;
        retired++;
        pc = next;
        t++;
      }
      counters[hart] = pc;
      wake[hart] = t;
      this.#settled[hart] = stalledAt < 0 ? t : stalledAt;
      lastIssue[hart] = last;
      state.retired[hart] += retired;
    }
  }

  #account(hart: number, t: number, last: number, retired: number): void {
    if (t > last + 1) this.#countStall(hart, t - last - 1);
    this.#lastIssue[hart] = t;
    this.#parts.state.retired[hart] += retired;
  }

  #countStall(hart: number, cycles: number): void {
    this.#parts.state.stalls[hart * stallCauses.length + this.#stallCause[hart]] += cycles;
  }

  /** What a hart that issues nothing now is waiting for. */
  waitingFor(hart: number): StallCause {
    return stallCauses[this.#stallCause[hart]];
  }

  /** Cycle in which a word is there that no cache holds; `last` is the hart's last issue. */
  #directFetch(hart: number, pc: number, t: number, last: number): number {
    if (this.#directPc[hart] !== pc || this.#directReady[hart] <= last) {
      const region = this.#environment.find(pc);
      this.#directPc[hart] = pc;
      this.#directReady[hart] = t + (region?.kind === "rom" ? romFetch : tcdmFetch) - 1;
    }
    return this.#directReady[hart];
  }

  /** Writes back, one result a cycle, in the cycles before `t` in which the write port was free (section 2.1). */
  #writeBack(hart: number, t: number): void {
    const { state, loadStore, offload } = this.#parts;
    let free = this.#portFrom[hart], answer: number, result: number;
    for (;;) {
      answer = loadStore.nextReady(hart);
      result = offload.pending[hart] === 0 ? Infinity : offload.nextReady(hart);
      // The acknowledge of a store needs no port.
      if (answer < t && loadStore.nextRegister(hart) === noRegister) {
        loadStore.finish(hart, answer);
        continue;
      }
      const loaded = answer > free ? answer : free;
      const offloaded = result > free ? result : free;
      if (loaded <= offloaded && answer !== Infinity) {
        if (loaded >= t) break;
        this.#scoreboard[hart] &= ~(1 << loadStore.nextRegister(hart));
        loadStore.finish(hart, loaded);
        state.retiredLoads[hart]++;
        free = loaded + 1;
      } else {
        if (result === Infinity || offloaded >= t) break;
        this.#scoreboard[hart] &= ~(1 << offload.take(hart));
        state.retiredOffloads[hart]++;
        free = offloaded + 1;
      }
    }
    this.#portFrom[hart] = free;
    this.#due[hart] = Math.min(answer, result);
  }

  /** The cycle after the next write-back or acknowledge of a hart that issues nothing until then. */
  #release(hart: number, t: number): number {
    const { loadStore, offload } = this.#parts;
    const free = this.#portFrom[hart];
    let next = loadStore.nextReady(hart);
    if (next < free && loadStore.nextRegister(hart) !== noRegister) next = free;
    if (offload.pending[hart] !== 0) next = Math.min(next, Math.max(free, offload.nextReady(hart)));
    return this.#prefetchRetry(hart, t, Math.max(next, t) + 1);
  }

  /** The sooner of `until` and the cycle in which a stalled hart can launch a prefetch that it wants. */
  #prefetchRetry(hart: number, t: number, until: number): number {
    const { cache } = this.#parts;
    if (cache === undefined) return until;
    const retry = cache.retry[hart];
    return retry > t && retry < until ? retry : until;
  }

  #arrive(hart: number, t: number): void {
    const { activity, wake, count } = this.#parts.state;
    this.#stallCause[hart] = barrierStall;
    activity[hart] = atBarrier;
    wake[hart] = Infinity;
    if (++this.#arrived < count) return;
    this.#arrived = 0;
    for (let each = 0; each < count; each++) {
      activity[each] = running;
      wake[each] = t + barrierCycles;
    }
  }

  /** Does a CSR instruction; false if it is illegal. */
  #accessCsr(
    hart: number,
    index: number,
    number: number,
    source: number,
    writes: boolean,
    rd: number,
    t: number,
  ): boolean {
    const { state, control } = this.#parts;
    const value = control.read(hart, number, t);
    if (value === undefined) return false;
    if (writes) {
      const update = csrUpdates[index];
      const written = update === "write" ? source : update === "set" ? value | source : value & ~source;
      if (!control.write(hart, number, written, t)) return false;
    }
    // Snitch offloads SSR control: without SSR nobody answers, and rd keeps its value (section 1.5).
    if (number !== csrNumbers.sc) state.registers[(hart << 6) + rd] = value;
    return true;
  }

  #misalignedCause(index: number, isStore: boolean): number {
    const load = !isStore && (this.#options.trapMisaligned || isReservation[index]);
    return load ? causes.loadMisaligned : causes.storeMisaligned;
  }

  /** Enters the trap handler; returns its address. */
  #trap(hart: number, cause: number, value: number, pc: number): number {
    this.#parts.state.pc[hart] = pc;
    this.#environment.checkTrap(hart, cause, pc);
    return this.#parts.control.trap(hart, cause, value, pc);
  }

  #word(pc: number): number {
    const region = this.#environment.find(pc);
    return region ? region.words[((pc >>> 0) - region.base) >>> 2] : 0;
  }

  #failAccess(hart: number, isStore: boolean, address: number, region: Region | undefined): never {
    const at = `0x${(address >>> 0).toString(16).padStart(8, "0")}`;
    const action = isStore ? "stores to" : "loads from";
    const why = region === undefined
      ? "where there is neither memory nor a device"
      : region.kind === "rom"
      ? `the read-only memory ${region.name}`
      : `the registers of ${region.name}, a device that this emulator has not been given`;
    this.#environment.fail(hart, `${action} ${at}, ${why}`);
  }
}
