// One instruction of a hart, alone: what the fast tiers leave to the host. CSRs, traps, the barrier, waiting, Xdma,
// reservations, registers of devices, misaligned accesses, code outside of the main memory.
// Times are the issue and use latencies of snitch-cluster.md, section 2.

import * as kind from "../hart/code.ts";
import { type CodeCache, discard } from "../hart/code.ts";
import { causes, type Control } from "../hart/control.ts";
import { csrNumbers } from "../hart/csr_names.ts";
import { compute } from "../hart/execute.ts";
import { instructions } from "../hart/instructions.ts";
import { flushed, type Outward, parked, stalled, trapped } from "../hart/outward.ts";
import type { HartState } from "../hart/state.ts";
import type { MemoryAccess, Reservations } from "./access.ts";
import type { Region } from "./memory_map.ts";

/** Cycles of a fetch that goes past the caches: from the TCDM, and from the boot ROM (section 4). */
const fetchCycles: Partial<Record<Region["kind"], number>> = { tcdm: 8, rom: 13 };
/** FENCE.I until the next instruction has been fetched again, where there are caches to be emptied (section 4). */
const refetchCycles = 77;
/** Use latencies: of an Xdma result, and of what comes from the TCDM, a device in the cluster, the outside. */
const transferLatency = 4, nearLatency = 4, registerLatency = 8, farLatency = 11;

const isFenceInstruction = instructions.map(({ name }) => name === "fence.i");

/** What the slow path works on. */
export interface SlowPathParts {
  readonly state: HartState;
  readonly control: Control;
  readonly code: CodeCache;
  readonly outward: Outward;
  readonly access: MemoryAccess;
  /** Reservations in the TCDM, and in the outside memory. */
  readonly near: Reservations | undefined;
  readonly far: Reservations;
}

/** Executes single instructions. */
export class SlowPath {
  /** Whether the last instruction was one at which a hart waits for others. */
  parked = false;
  /** Cycles of FENCE.I. */
  readonly refetch: number;
  readonly #parts: SlowPathParts;
  /** Where the last access went. */
  #region: Region | undefined;

  /**
   * @param hasCaches whether instructions come from caches
   */
  constructor(parts: SlowPathParts, hasCaches: boolean) {
    this.#parts = parts;
    this.refetch = hasCaches ? refetchCycles : 1;
  }

  /** Index of the record of the instruction at an address, or -1 if there is nothing to fetch from. */
  #record(pc: number): number {
    const { code } = this.#parts;
    const at = (code.slots[pc >>> 12] << 12) + (pc & 0xffc);
    return code.records[at] === 0 ? code.decode(pc) : at;
  }

  /** Whether the instruction at an address reads a register, or writes it. */
  #waits(pc: number, register: number): boolean {
    const at = this.#record(pc);
    return at >= 0 && (this.#parts.code.records[at + 2] >>> register & 1) === 1;
  }

  /** Whether a loop of two instructions starts at an address: an Xdma instruction, and a branch back to it. */
  polls(pc: number): boolean {
    const { records } = this.#parts.code, at = this.#record(pc), behind = this.#record(pc + 4);
    return at >= 0 && behind >= 0 && records[at] >>> 23 === kind.transfer &&
      records[behind] >>> 23 === kind.branch && records[behind + 1] === -4;
  }

  /** Whether the instruction at an address reads the time. */
  readsTime(pc: number): boolean {
    const at = this.#record(pc);
    if (at < 0 || this.#parts.code.records[at] >>> 23 !== kind.csr) return false;
    const number = this.#parts.code.records[at + 1] >> 5;
    return number === csrNumbers.mcycle || number === csrNumbers.cycle;
  }

  /**
   * Executes the instruction at the hart's pc, which it moves on; may set the hart to waiting.
   *
   * @param cycle time at which the instruction issues
   * @returns cycles that it takes; 0 if it must be tried again
   */
  execute(hart: number, cycle: number): number {
    const { state, code, outward } = this.#parts;
    const { registers, retired, pc: counters } = state;
    const pc = counters[hart], at = this.#record(pc);
    this.parked = false;
    if (at < 0) {
      return outward.environment.fail(hart, "fetches an instruction from where there is no memory");
    }
    const fields = code.records[at], imm = code.records[at + 1], what = fields >>> 23;
    const fetch = fetchCycles[outward.environment.find(pc)!.kind] ?? 1;
    const base = hart << 6, index = fields & 127, rd = fields >>> 7 & 63;
    const a = registers[base + (fields >>> 13 & 31)], b = registers[base + (fields >>> 18 & 31)];
    let next = pc + 4 | 0;
    if (what === kind.alu) registers[base + rd] = compute(index, a, b, imm, pc);
    else if (what === kind.branch || what === kind.jump) {
      const value = compute(index, a, b, imm, pc);
      const target = what === kind.jump ? value : value !== 0 ? pc + imm | 0 : next;
      if ((target & 3) !== 0) return this.#trap(hart, causes.instructionMisaligned, target, fetch);
      if (what === kind.jump) registers[base + rd] = next;
      next = target;
    } else {
      const outcome = outward.issue(hart, fields, imm, a, b, pc, cycle);
      if (outcome === stalled) return 0;
      if (outcome === trapped) {
        counters[hart] = outward.next;
        return fetch;
      }
      next = outward.next;
      this.parked = outcome === parked;
      if (what === kind.load || what === kind.store || what === kind.atomic) {
        this.#finishAccess(hart, compute(index, a, b, imm, pc), cycle);
      }
      outward.parts.writeBack.settle(hart, Infinity);
      if (outcome === flushed || isFenceInstruction[index]) {
        counters[hart] = next;
        retired[hart]++;
        return this.refetch;
      }
    }
    counters[hart] = next;
    retired[hart]++;
    if (rd === discard || !this.#waits(next, rd)) return fetch;
    return Math.max(fetch, this.#latency(what));
  }

  /** Does the access that has been issued, at once. */
  #finishAccess(hart: number, address: number, cycle: number): void {
    const { access, outward: { parts: { loadStore }, environment }, near, far } = this.#parts;
    this.#region = environment.find(address)!;
    access.perform(hart, cycle, this.#region.kind === "tcdm" && near ? near : far);
    loadStore.grant(hart, cycle);
  }

  /** Cycles after which the instruction behind can use a result. */
  #latency(what: number): number {
    if (what === kind.transfer || what === kind.multiply || what === kind.divide) return transferLatency;
    if (what !== kind.load && what !== kind.atomic) return 1;
    const { kind: region, outside, latency } = this.#region!;
    if (region === "tcdm") return nearLatency;
    return outside ? farLatency + latency : registerLatency;
  }

  /** Enters the trap handler. The trapping instruction takes its issue slot. */
  #trap(hart: number, cause: number, value: number, cycles: number): number {
    const { outward, state } = this.#parts;
    outward.trap(hart, cause, value, state.pc[hart]);
    state.pc[hart] = outward.next;
    return cycles;
  }

  /** Takes the interrupt that is pending. */
  interrupt(hart: number): number {
    return this.#trap(hart, this.#parts.control.interruptCause(hart), 0, 1);
  }
}
