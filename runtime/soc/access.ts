// What a granted memory access does: loads, stores and atomics of harts on memories and registers, reservations,
// and who has to know of a write: the decoded code, and watched words.

import type { CodeCache } from "../hart/code.ts";
import { modify } from "../hart/execute.ts";
import { instructions } from "../hart/instructions.ts";
import type { LoadStoreUnits } from "../hart/load_store.ts";
import type { HartState } from "../hart/state.ts";
import type { MemoryMap, Region } from "./memory_map.ts";

/** Access of each instruction of the table: 1 load, 2 store, 3 atomic, 4 reserve, 5 conditional store, else 0. */
const isLoad = 1, isStore = 2, isAtomic = 3, isReserve = 4, isConditional = 5;
const accessKinds = {
  load: isLoad,
  store: isStore,
  atomic: isAtomic,
  reserve: isReserve,
  conditional: isConditional,
};
const kinds = Uint8Array.from(
  instructions,
  ({ meaning }) => accessKinds[meaning.kind as keyof typeof accessKinds] ?? 0,
);
const bytesOf = Uint8Array.from(
  instructions,
  ({ meaning }) => meaning.kind === "load" || meaning.kind === "store" ? meaning.bytes : 4,
);
const isSigned = instructions.map(({ meaning }) => meaning.kind === "load" && meaning.signed);

/** Which reservation an access finds or makes; the TCDM's banks and the outside memory differ. */
export interface Reservations {
  reserve(hart: number, offset: number): void;
  /** Whether the hart's conditional store succeeds; ends the reservation as the hardware does. */
  claim(hart: number, offset: number): boolean;
  /** A write by a hart, or by -1 for anybody else. */
  written(hart: number, offset: number, bytes: number): void;
  /** The reservations that are held: harts, and offsets of what is reserved. */
  held(): [hart: number, offset: number][];
}

/** Words whose writing somebody wants to know of. */
export type WriteWatcher = (address: number, cycle: number) => void;

/** Who must hear of writes to where code is; and of words that are watched, if it does some writes by itself. */
export type CodeWatch = Pick<CodeCache, "invalidate"> & { guard?(address: number): void };

const pageHasCode = 1, pageIsWatched = 2;

/** Does the accesses of harts. */
export class MemoryAccess {
  /** Words that are watched. */
  readonly #watched = new Map<number, WriteWatcher[]>();
  readonly #pageFlags = new Uint8Array(2 ** 20);
  readonly #state: HartState;
  readonly #loadStore: LoadStoreUnits;
  readonly #map: MemoryMap;
  readonly #code: CodeWatch;

  /** @param code is told of what is written to where code is */
  constructor(
    state: HartState,
    loadStore: LoadStoreUnits,
    map: MemoryMap,
    code: CodeWatch,
  ) {
    this.#state = state;
    this.#loadStore = loadStore;
    this.#map = map;
    this.#code = code;
  }

  /** Tells the access of code in the page of an address. */
  noteCode(address: number): void {
    // Where the page is known, so it is under its other addresses.
    if ((this.#pageFlags[address >>> 12] & pageHasCode) !== 0) return;
    for (const alias of this.#aliases(address)) this.#pageFlags[alias >>> 12] |= pageHasCode;
  }

  /** The addresses under which a memory's byte can be reached. */
  #aliases(address: number): number[] {
    const region = this.#map.find(address);
    if (!region) return [];
    const offset = (address >>> 0) - region.base;
    const same = (bytes: Uint8Array) =>
      bytes.length > 0 && bytes.buffer === region.bytes.buffer &&
      bytes.byteOffset === region.bytes.byteOffset;
    return this.#map.regions.filter(({ bytes }) => same(bytes)).map(({ base }) => base + offset);
  }

  /** Calls `watcher` on each write that touches the word at `address`, after it is done. Returns how to stop. */
  watch(address: number, watcher: WriteWatcher): () => void {
    const watchers = this.#watched.get(address) ?? [];
    this.#watched.set(address, [...watchers, watcher]);
    this.#pageFlags[address >>> 12] |= pageIsWatched;
    this.#code.guard?.(address);
    return () =>
      this.#watched.set(address, (this.#watched.get(address) ?? []).filter((each) => each !== watcher));
  }

  /** Must be called when bytes of a memory have been written by the host: nobody who watches is told. */
  changed(address: number, bytes: number): void {
    for (const alias of this.#aliases(address)) this.#code.invalidate(alias, bytes);
  }

  /** Must be called when bytes of a memory have been written by a device. */
  written(address: number, bytes: number, cycle: number): void {
    const flags = this.#pageFlags;
    const first = address >>> 12, last = (address + bytes - 1) >>> 12;
    for (let page = first; page <= last; page++) {
      if (flags[page] !== 0) {
        this.#noticed(address, bytes, cycle);
        return;
      }
    }
  }

  #noticed(address: number, bytes: number, cycle: number): void {
    const start = address >>> 0;
    this.changed(start, bytes);
    for (const [word, watchers] of this.#watched) {
      if (word < start + bytes && word + 4 > start) { for (const watcher of watchers) watcher(word, cycle); }
    }
  }

  /** Does the oldest request of a hart. */
  perform(hart: number, cycle: number, reservations: Reservations): void {
    const loadStore = this.#loadStore, place = loadStore.oldest(hart), region = loadStore.oldestRegion(hart);
    const index = loadStore.instruction[place], offset = loadStore.offset[place];
    const { registers } = this.#state, target = (hart << 6) + loadStore.register[place];
    switch (kinds[index]) {
      case isLoad:
        registers[target] = this.#load(region, offset, index, hart, cycle);
        return;
      case isStore:
        this.#store(region, offset, bytesOf[index], loadStore.value[place], hart, cycle);
        if (region.kind !== "registers") reservations.written(hart, offset, bytesOf[index]);
        break;
      case isReserve:
        registers[target] = this.#read32(region, offset, hart, cycle);
        reservations.reserve(hart, offset);
        return;
      case isConditional:
        if (!reservations.claim(hart, offset)) {
          registers[target] = 1;
          return;
        }
        registers[target] = 0;
        this.#write32(region, offset, modify(index, 0, loadStore.value[place]), hart, cycle);
        reservations.written(hart, offset, 4);
        break;
      case isAtomic: {
        const old = this.#read32(region, offset, hart, cycle);
        this.#write32(region, offset, modify(index, old, loadStore.value[place]), hart, cycle);
        registers[target] = old;
        reservations.written(hart, offset, 4);
        break;
      }
    }
    const at = region.base + offset;
    if (this.#pageFlags[at >>> 12] !== 0 && region.kind !== "registers") {
      this.#noticed(at, bytesOf[index], cycle);
    }
  }

  #load(region: Region, offset: number, index: number, hart: number, cycle: number): number {
    const bytes = bytesOf[index], signed = isSigned[index];
    if (region.isPlain) {
      if (bytes === 4 && (offset & 3) === 0) return region.words[offset >>> 2];
      if (bytes === 2 && (offset & 1) === 0) {
        return signed ? region.halves[offset >>> 1] : region.halves[offset >>> 1] & 0xffff;
      }
      if (bytes === 1) return signed ? region.bytes[offset] << 24 >> 24 : region.bytes[offset];
    }
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= this.#byte(region, offset + i, hart, cycle, i) << (8 * i);
    return signed && bytes < 4 ? value << (32 - 8 * bytes) >> (32 - 8 * bytes) : value;
  }

  #registerWord = 0;

  /** One byte of a load that is not aligned, or of a register. A register's word is read once a load. */
  #byte(region: Region, offset: number, hart: number, cycle: number, index: number): number {
    if (region.kind === "registers") {
      if (index === 0 || (offset & 3) === 0) {
        this.#registerWord = this.#read32(region, offset & ~3, hart, cycle);
      }
      return this.#registerWord >>> (8 * (offset & 3)) & 0xff;
    }
    return region.kind === "rom" || region.kind === "zero" ? 0 : region.bytes[offset] ?? 0;
  }

  #store(region: Region, offset: number, bytes: number, value: number, hart: number, cycle: number): void {
    if (region.isPlain) {
      if (bytes === 4 && (offset & 3) === 0) region.words[offset >>> 2] = value;
      else if (bytes === 2 && (offset & 1) === 0) region.halves[offset >>> 1] = value;
      else for (let i = 0; i < bytes; i++) region.bytes[offset + i] = value >>> (8 * i);
    } else if (region.kind === "registers") {
      const mask = bytes === 4 ? -1 : ((1 << 8 * bytes) - 1) << 8 * (offset & 3);
      region.device!.writeUint32(offset & ~3, value << 8 * (offset & 3), mask, cycle, hart);
    }
  }

  #read32(region: Region, offset: number, hart: number, cycle: number): number {
    if (region.kind === "registers") return region.device!.readUint32(offset, cycle, hart) | 0;
    return region.kind === "rom" || region.kind === "zero" ? 0 : region.words[offset >>> 2];
  }

  #write32(region: Region, offset: number, value: number, hart: number, cycle: number): void {
    if (region.kind === "registers") region.device!.writeUint32(offset, value, -1, cycle, hart);
    else if (region.isPlain) region.words[offset >>> 2] = value;
  }
}
