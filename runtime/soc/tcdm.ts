// The TCDM's interconnect: one access a bank and cycle, a round-robin arbiter a bank, wide accesses before narrow
// ones, and a reservation in each bank (snitch-cluster.md, sections 1.9, 3 and 8, rule 2).

import { AttoflowError } from "../../targets/errors.ts";
import type { Memory } from "../../targets/schema.ts";
import { instructions } from "../hart/instructions.ts";
import type { LoadStoreUnits } from "../hart/load_store.ts";
import { lowestBit, nextPointer, winner } from "./arbiter.ts";
import type { MemoryAccess, Reservations } from "./access.ts";
import type { WidePort } from "./device.ts";
import type { Region } from "./memory_map.ts";

/** From a grant to the cycle in which the answer is back at the hart. */
const answerCycles = 2;
/** Cycles that an AMO keeps its bank from other narrow accesses, its own included. */
const atomicCycles = 3;

const isStore = instructions.map(({ latency }) => latency === "store");
const isAmo = instructions.map(({ meaning }) => meaning.kind === "atomic");

/** The interconnect and its banks. Offsets are bytes from the TCDM's base. */
export class Tcdm implements WidePort, Reservations {
  readonly bytes: Uint8Array;
  readonly base: number;
  /** Accesses of harts that were granted, and cycles in which one was not. */
  accesses = 0;
  conflicts = 0;
  /** Bytes of the DMA's beats and of the accelerator's accesses; cycles in which the accelerator was refused. */
  dmaBytes = 0;
  acceleratorBytes = 0;
  refusals = 0;

  /** Bytes of a bank's word: what one access of a hart reads or writes. */
  readonly wordBytes: number;
  readonly #size: number;
  readonly #width: number;
  readonly #bankMask: number;
  readonly #rowBits: number;
  readonly #levels: number;
  /** Cycle in which a wide access last took each bank; first cycle in which a hart can have each bank. */
  readonly #taken: Float64Array;
  readonly #free: Float64Array;
  readonly #pointers: Uint8Array;
  readonly #requests: Int32Array;
  /** Row that each bank has reserved, or -1, and for whom. */
  readonly #reservedRow: Int32Array;
  readonly #reservedBy: Uint8Array;
  readonly #loadStore: LoadStoreUnits;
  readonly #access: MemoryAccess;
  readonly #granted: (hart: number, cycle: number, ready: number) => void;

  constructor(
    memory: Memory,
    region: Region,
    harts: number,
    loadStore: LoadStoreUnits,
    access: MemoryAccess,
    granted: (hart: number, cycle: number, ready: number) => void,
  ) {
    const banks = memory.banks ?? { count: 2 ** Math.floor(Math.log2(memory.size / 8)), width: 8 };
    if (!isPowerOfTwo(banks.count) || !isPowerOfTwo(banks.width)) {
      throw new AttoflowError("the emulator serves banks in powers of two only", {
        where: `memory ${memory.name}, field banks`,
      });
    }
    this.base = memory.base;
    this.bytes = region.bytes;
    this.#size = memory.size;
    this.wordBytes = banks.width;
    this.#width = Math.log2(banks.width);
    this.#bankMask = banks.count - 1;
    this.#rowBits = this.#width + Math.log2(banks.count);
    this.#levels = Math.max(4, Math.ceil(Math.log2(harts)));
    this.#taken = new Float64Array(banks.count).fill(-1);
    this.#free = new Float64Array(banks.count);
    this.#pointers = new Uint8Array(banks.count);
    this.#requests = new Int32Array(banks.count);
    this.#reservedRow = new Int32Array(banks.count).fill(-1);
    this.#reservedBy = new Uint8Array(banks.count);
    this.#loadStore = loadStore;
    this.#access = access;
    this.#granted = granted;
  }

  #bank(offset: number): number {
    return (offset >>> this.#width) & this.#bankMask;
  }

  /** Takes all banks of a span for a wide access in a cycle, whoever else wants them. */
  take(address: number, bytes: number, cycle: number): void {
    const first = (address - this.base) >>> this.#width,
      last = (address - this.base + bytes - 1) >>> this.#width;
    for (let word = first; word <= last; word++) {
      const bank = word & this.#bankMask;
      this.#taken[bank] = cycle;
      if (this.#free[bank] <= cycle) this.#free[bank] = cycle + 1;
    }
  }

  /** Whether no wide access has any bank of a span in a cycle. */
  isFree(address: number, bytes: number, cycle: number): boolean {
    const first = (address - this.base) >>> this.#width,
      last = (address - this.base + bytes - 1) >>> this.#width;
    for (let word = first; word <= last; word++) {
      if (this.#taken[word & this.#bankMask] === cycle) return false;
    }
    return true;
  }

  /** The accelerator's port: behind the DMA, before the harts. */
  request(address: number, bytes: number, write: boolean, cycle: number): boolean {
    if (!this.isFree(address, bytes, cycle)) {
      this.refusals++;
      return false;
    }
    this.acceleratorBytes += bytes;
    this.take(address, bytes, cycle);
    if (write) {
      const offset = address - this.base, inside = Math.min(bytes, this.#size - offset);
      if (offset >= 0 && inside > 0) {
        this.written(-1, offset, inside);
        this.#access.written(address, inside, cycle);
      }
    }
    return true;
  }

  /** Grants the harts' requests of a cycle. */
  arbitrate(cycle: number): void {
    const loadStore = this.#loadStore, { offset, instruction, loadsFrom, holding } = loadStore;
    let banks = 0;
    let only = -1;
    for (let rest = loadStore.tcdmRequests & ~loadStore.fresh; rest !== 0; rest &= rest - 1) {
      const hart = lowestBit(rest), place = loadStore.oldest(hart);
      if ((holding >>> hart & 1) === 1 && loadsFrom[hart] > cycle && !isStore[instruction[place]]) continue;
      const bank = this.#bank(offset[place]);
      if (this.#free[bank] > cycle) {
        this.conflicts++;
        continue;
      }
      if (this.#requests[bank] === 0) this.#touched[banks++] = bank;
      this.#requests[bank] |= 1 << hart;
      only = hart;
    }
    if (banks === 0) return;
    for (let i = 0; i < banks; i++) {
      const bank = this.#touched[i], requests = this.#requests[bank];
      this.#requests[bank] = 0;
      const single = (requests & (requests - 1)) === 0;
      const hart = single
        ? (banks === 1 ? only : lowestBit(requests))
        : winner(requests, this.#pointers[bank], this.#levels);
      if (!single) this.conflicts++;
      this.#pointers[bank] = single ? hart : nextPointer(requests, this.#pointers[bank]);
      this.#grant(hart, bank, cycle);
    }
  }

  readonly #touched = new Int32Array(32);

  #grant(hart: number, bank: number, cycle: number): void {
    const place = this.#loadStore.oldest(hart);
    if (isAmo[this.#loadStore.instruction[place]]) this.#free[bank] = cycle + atomicCycles;
    this.accesses++;
    this.#access.perform(hart, cycle, this);
    this.#loadStore.grant(hart, cycle + answerCycles);
    this.#granted(hart, cycle, cycle + answerCycles);
  }

  reserve(hart: number, offset: number): void {
    const bank = this.#bank(offset);
    if (this.#reservedRow[bank] !== -1 && this.#reservedBy[bank] !== hart) return;
    this.#reservedRow[bank] = offset >>> this.#rowBits;
    this.#reservedBy[bank] = hart;
  }

  claim(hart: number, offset: number): boolean {
    const bank = this.#bank(offset);
    if (this.#reservedRow[bank] === -1 || this.#reservedBy[bank] !== hart) return false;
    const holds = this.#reservedRow[bank] === offset >>> this.#rowBits;
    this.#reservedRow[bank] = -1;
    return holds;
  }

  held(): [hart: number, offset: number][] {
    const held: [number, number][] = [];
    for (const [bank, row] of this.#reservedRow.entries()) {
      if (row !== -1) held.push([this.#reservedBy[bank], (row << this.#rowBits) + (bank << this.#width)]);
    }
    return held;
  }

  written(hart: number, offset: number, bytes: number): void {
    const first = offset >>> this.#width, last = (offset + bytes - 1) >>> this.#width;
    for (let word = first; word <= last; word++) {
      const bank = word & this.#bankMask;
      if (
        this.#reservedRow[bank] === word << this.#width >>> this.#rowBits && this.#reservedBy[bank] !== hart
      ) {
        this.#reservedRow[bank] = -1;
      }
    }
  }
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}
