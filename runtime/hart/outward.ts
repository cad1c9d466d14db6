// Instructions that concern more than their own registers: memory, multiplier and divider, CSRs, barrier, DMA,
// traps. The pipeline issues them in the present only, in the order of the harts.

import type { Region } from "../soc/memory_map.ts";
import * as kind from "./code.ts";
import { accessBytes, discard } from "./code.ts";
import { causes, type Control } from "./control.ts";
import { csrNumbers } from "./csr_names.ts";
import { addressOf, compute, second } from "./execute.ts";
import type { InstructionCache } from "./instruction_cache.ts";
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
import type { WriteBack } from "./write_back.ts";

/** From the last arrival at the barrier to the next instruction of all (section 2.5). */
const barrierCycles = 2;
/** From an Xdma instruction to the cycle in which its result can be written back (section 2). */
const transferCycles = 3;
/** Cycles of the quickest division from its grant (section 8, rule 3). */
const quickestDivision = 2;
/** Entries of a request register (section 8, rule 4). */
const requestPlaces = 2;

/** What the harts ask of the SoC around them. */
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
export interface HartOptions {
  readonly outstandingLoads: number;
  readonly outstandingMemory: number;
  /** Whether misaligned loads and stores trap; else memory splits them. */
  readonly trapMisaligned: boolean;
  /** Whether CSR 0x7c2 is the barrier. */
  readonly barrier: boolean;
  /** The hart with Xdma, or -1. */
  readonly dmaHart: number;
}

/** The parts that harts are made of. */
export interface HartParts {
  readonly state: HartState;
  readonly control: Control;
  readonly loadStore: LoadStoreUnits;
  readonly offload: OffloadUnits;
  readonly writeBack: WriteBack;
  /** Absent: every fetch takes no time. */
  readonly cache?: InstructionCache;
}

/**
 * What came of an instruction: it is done; it is done and may have changed what interrupts the hart; it waits until
 * `until` because of `cause`; it has trapped; the hart waits for others; it has flushed the instruction caches.
 */
export const done = 0, doneAndOpen = 1, stalled = 2, trapped = 3, parked = 4, flushed = 5;

/** Index of a cause of stalls. */
export function causeIndex(cause: StallCause): number {
  return stallCauses.indexOf(cause);
}
const memoryStall = causeIndex("memory queue"), offloadStall = causeIndex("offload queue");
const fenceStall = causeIndex("fence"), barrierStall = causeIndex("barrier");
const wfiStall = causeIndex("wfi"), transferStall = causeIndex("dma queue");

const systemActions = instructions.map(({ meaning }): SystemAction | undefined =>
  meaning.kind === "system" ? meaning.action : undefined
);
const transfers = instructions.map(({ meaning, writes }) =>
  meaning.kind === "transfer" ? { action: meaning.action, writes } : undefined
);
const csrUpdates = instructions.map(({ meaning }) => meaning.kind === "csr" ? meaning.update : undefined);
const csrFromRegister = instructions.map(({ format }) => format === "csr");
const divisionSigned = instructions.map(({ name }) => name === "div" || name === "rem");
const isReservation = instructions.map(({ meaning }) => meaning.kind === "reserve");

/** What a hart does that accesses an address where it must not. */
export function describeBadAccess(isStore: boolean, address: number, region: Region | undefined): string {
  const at = `0x${(address >>> 0).toString(16).padStart(8, "0")}`;
  const why = region === undefined
    ? "where there is neither memory nor a device"
    : region.kind === "rom"
    ? `the read-only memory ${region.name}`
    : `the registers of ${region.name}, a device that this emulator has not been given`;
  return `${isStore ? "stores to" : "loads from"} ${at}, ${why}`;
}

/** Issues the instructions of all harts that concern others. */
export class Outward {
  /** Of the last instruction: where the hart goes on, if it does. */
  next = 0;
  /** Of the last instruction that stalled: the cycle to try again, Infinity if others decide; and why. */
  until = 0;
  cause = 0;
  /** By hart: 1 while it waits for room in a request register. */
  readonly full: Uint8Array;
  /** What instructions have been estimated to cost so far, by hart, in cycles; absent: nobody wants to know. */
  estimated: Float64Array | undefined;
  /** Of the instruction to issue: the estimate of {@link CodeCache}. */
  estimate = 0;
  /** Times that all harts have met at the barrier. */
  meetings = 0;
  #arrived = 0;

  constructor(
    readonly parts: HartParts,
    readonly options: HartOptions,
    readonly environment: HartEnvironment,
  ) {
    this.full = new Uint8Array(parts.state.count);
  }

  /**
   * Issues an instruction in `cycle`. Its operands are ready, and the hart's pc is up to date.
   *
   * @param fields packed fields of its record
   * @param a contents of rs1, and `b` of rs2
   */
  issue(hart: number, fields: number, imm: number, a: number, b: number, pc: number, cycle: number): number {
    this.next = pc + 4 | 0;
    switch (fields >>> 23) {
      case kind.load:
      case kind.store:
      case kind.atomic:
        return this.access(hart, fields, imm, a, b, pc, cycle);
      case kind.multiply:
      case kind.divide:
        return this.#offload(hart, fields, imm, a, b, pc);
      case kind.csr:
        return this.#csr(hart, fields, imm, a, pc, cycle);
      case kind.system:
        return this.#system(hart, fields & 127, pc, cycle);
      case kind.transfer:
        if (hart === this.options.dmaHart) return this.#transfer(hart, fields, imm, a, b, cycle);
    }
    return this.trap(hart, causes.illegal, this.#word(pc), pc);
  }

  #stall(cause: number, until: number): number {
    this.cause = cause;
    this.until = until;
    return stalled;
  }

  /** Enters the trap handler. */
  trap(hart: number, cause: number, value: number, pc: number): number {
    this.parts.state.pc[hart] = pc;
    this.environment.checkTrap(hart, cause, pc);
    this.next = this.parts.control.trap(hart, cause, value, pc);
    return trapped;
  }

  #word(pc: number): number {
    const region = this.environment.find(pc);
    return region ? region.words[((pc >>> 0) - region.base) >>> 2] : 0;
  }

  /** As {@link issue}, for loads, stores and atomics. */
  access(
    hart: number,
    fields: number,
    imm: number,
    a: number,
    b: number,
    pc: number,
    cycle: number,
  ): number {
    this.next = pc + 4 | 0;
    const { loadStore, writeBack } = this.parts, { options } = this;
    const index = fields & 127, rd = fields >>> 7 & 63, what = fields >>> 23;
    const isStore = what === kind.store;
    if (loadStore.queued[hart] === requestPlaces) {
      this.full[hart] = 1;
      return this.#stall(memoryStall, Infinity);
    }
    if (
      loadStore.outstanding[hart] >= options.outstandingMemory ||
      (!isStore && loadStore.loads[hart] >= options.outstandingLoads)
    ) return this.#stall(memoryStall, writeBack.next(hart, cycle));
    const address = addressOf(index, a, imm);
    if ((address & (accessBytes[index] - 1)) !== 0 && (what === kind.atomic || options.trapMisaligned)) {
      const asLoad = !isStore && (options.trapMisaligned || isReservation[index]);
      return this.trap(hart, asLoad ? causes.loadMisaligned : causes.storeMisaligned, address, pc);
    }
    const region = this.environment.find(address);
    if (
      region === undefined || (region.kind === "registers" && region.device === undefined) ||
      (what !== kind.load && region.kind === "rom")
    ) {
      return this.environment.fail(hart, describeBadAccess(isStore, address, region));
    }
    if (this.estimated !== undefined && region.kind === "memory") this.estimated[hart] += this.estimate >>> 8;
    loadStore.issue(hart, index, isStore ? noRegister : rd, address, b, region);
    if (!isStore && rd !== discard) writeBack.scoreboard[hart] |= 1 << rd;
    return done;
  }

  #offload(hart: number, fields: number, imm: number, a: number, b: number, pc: number): number {
    const { offload, state, writeBack } = this.parts;
    if (offload.queued[hart] === requestPlaces) {
      this.full[hart] = 1;
      return this.#stall(offloadStall, Infinity);
    }
    const index = fields & 127, rd = fields >>> 7 & 63;
    const division = fields >>> 23 === kind.divide;
    // The scoreboard hides the result until it is written back.
    state.registers[(hart << 6) + rd] = compute(index, a, b, imm, pc);
    const cycles = division ? divisionCycles(a, b, divisionSigned[index]) : multiplicationCycles;
    if (division && this.estimated !== undefined) {
      this.estimated[hart] += Math.max(0, cycles - quickestDivision - (this.estimate >>> 8));
    }
    offload.issue(hart, rd, cycles, division);
    if (rd !== discard) writeBack.scoreboard[hart] |= 1 << rd;
    return done;
  }

  #transfer(hart: number, fields: number, imm: number, a: number, b: number, cycle: number): number {
    const { offload, state, writeBack } = this.parts;
    const index = fields & 127, rd = fields >>> 7 & 63;
    const { action, writes } = transfers[index]!;
    const result = this.environment.transfer(hart, action, a, second(index, b, imm), cycle);
    if (result === undefined) return this.#stall(transferStall, cycle + 1);
    if (writes) {
      state.registers[(hart << 6) + rd] = result;
      offload.result(hart, rd, cycle + transferCycles);
      writeBack.expect(hart, cycle + transferCycles);
      if (rd !== discard) writeBack.scoreboard[hart] |= 1 << rd;
    }
    return done;
  }

  #csr(hart: number, fields: number, imm: number, a: number, pc: number, cycle: number): number {
    const { control, state, writeBack } = this.parts;
    const index = fields & 127, rd = fields >>> 7 & 63, number = imm >> 5, register = (hart << 6) + rd;
    if (number === csrNumbers.barrier && this.options.barrier) {
      state.registers[register] = 0;
      return this.#arrive(hart, cycle);
    }
    const value = control.read(hart, number, cycle);
    let legal = value !== undefined;
    const update = csrUpdates[index];
    if (value !== undefined && (update === "write" || (fields >>> 13 & 31) !== 0 || (imm & 31) !== 0)) {
      const source = csrFromRegister[index] ? a : imm & 31;
      const written = update === "write" ? source : update === "set" ? value | source : value & ~source;
      legal = control.write(hart, number, written, cycle);
    }
    if (!legal) return this.trap(hart, causes.illegal, this.#word(pc), pc);
    // Snitch offloads SSR control: without SSR nobody answers, and rd keeps its value (section 1.5).
    if (number !== csrNumbers.sc) state.registers[register] = value!;
    if (rd !== discard) writeBack.portFrom[hart] = cycle + 1;
    return doneAndOpen;
  }

  #arrive(hart: number, cycle: number): number {
    const { activity, wake, count } = this.parts.state;
    this.cause = barrierStall;
    activity[hart] = atBarrier;
    wake[hart] = Infinity;
    if (++this.#arrived === count) {
      this.#arrived = 0;
      this.meetings++;
      activity.fill(running);
      wake.fill(cycle + barrierCycles);
    }
    return parked;
  }

  #system(hart: number, index: number, pc: number, cycle: number): number {
    const { control, loadStore, state, cache, writeBack } = this.parts;
    switch (systemActions[index]) {
      case "fence":
      case "fence.i":
        // Behind FENCE.I too: the hart fetches what it has stored before, however busy the memory is.
        if (loadStore.outstanding[hart] !== 0) {
          return this.#stall(fenceStall, writeBack.next(hart, cycle));
        }
        if (systemActions[index] === "fence" || cache === undefined) return doneAndOpen;
        cache.flush(hart);
        return flushed;
      case "wfi":
        if (control.wakes(hart)) return doneAndOpen;
        this.cause = wfiStall;
        state.activity[hart] = waitingForInterrupt;
        state.wake[hart] = Infinity;
        return parked;
      case "mret": {
        const target = control.leave(hart);
        if (target === undefined) return this.trap(hart, causes.illegal, this.#word(pc), pc);
        this.next = target;
        return doneAndOpen;
      }
      case "ecall": {
        const isMachine = control.privilege[hart] === 3;
        return this.trap(hart, isMachine ? causes.machineCall : causes.userCall, 0, pc);
      }
      case "ebreak":
        return this.trap(hart, causes.breakpoint, 0, pc);
      default:
        return doneAndOpen;
    }
  }
}
