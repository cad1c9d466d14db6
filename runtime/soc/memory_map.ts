// What stands at which address, built from a target: memories with their aliases and peripherals.
// One look-up by 4 KiB page serves harts, DMA, instruction fetch and host.

import { AttoflowError } from "../../targets/errors.ts";
import type { Memory, Target } from "../../targets/schema.ts";
import type { Peripheral } from "./device.ts";

/**
 * How an access to a region goes: through the TCDM's interconnect, to the outside memory, to registers; `rom` and
 * `zero` hang on the wide bus only, so that a hart's load does not reach them and reads 0 (snitch-cluster.md, 1.2).
 */
export type RegionKind = "tcdm" | "memory" | "rom" | "zero" | "registers";

/** Bytes or registers at an address. An alias is a region of its own on the same bytes. */
export interface Region {
  readonly name: string;
  readonly kind: RegionKind;
  readonly base: number;
  readonly size: number;
  /** Memories: the bytes, and views of them. Empty for registers. */
  readonly bytes: Uint8Array;
  readonly halves: Int16Array;
  readonly words: Int32Array;
  /** Cycles beyond the ideal memory. */
  readonly latency: number;
  /** Registers: the device, if one is there. */
  readonly device?: Peripheral;
  /** Registers of the SoC and not of the cluster are reached like outside memory. */
  readonly outside: boolean;
  /** Place in {@link MemoryMap.regions}. */
  readonly index: number;
  readonly isTcdm: boolean;
  /** Whether harts read and write its bytes: TCDM and outside memory. */
  readonly isPlain: boolean;
}

const pageBits = 12;
/** Table entry of a page that no region fills. */
const partial = 255;

/** All regions of a SoC. */
export class MemoryMap {
  readonly regions: Region[] = [];
  /** Regions by the entries of the page table; entry 0 is nothing. */
  readonly #byEntry: (Region | undefined)[] = [undefined];
  readonly #pages = new Uint8Array(2 ** (32 - pageBits));

  /** @param space a buffer of 4 GiB in which memories lie at their addresses; by default each has its own */
  constructor(target: Target, space?: ArrayBuffer) {
    for (const memory of target.memories) this.#addMemory(memory, space);
  }

  #addMemory(memory: Memory, space: ArrayBuffer | undefined): void {
    const kind = memory.role === "l1" ? "tcdm" : memory.role === "l2" ? "memory" : memory.role;
    const length = Math.ceil(memory.size / 8) * 8;
    const buffer = space ?? allocate(memory, length), start = space ? memory.base : 0;
    if (start % 8 !== 0) {
      throw new AttoflowError("fast timing serves memories at multiples of 8 only", {
        where: `memory ${memory.name}, field base`,
      });
    }
    for (const base of memory.alias === undefined ? [memory.base] : [memory.base, memory.alias]) {
      this.#add({
        name: memory.name,
        kind,
        base,
        size: memory.size,
        bytes: new Uint8Array(buffer, start, memory.size),
        halves: new Int16Array(buffer, start, length / 2),
        words: new Int32Array(buffer, start, length / 4),
        latency: memory.latency,
        outside: kind === "memory",
      });
    }
  }

  /** Adds a register block. Without a device an access is a fault that names it. */
  addRegisters(
    name: string,
    base: number,
    size: number,
    device: Peripheral | undefined,
    outside: boolean,
  ): void {
    this.#add({
      name,
      kind: "registers",
      base,
      size,
      bytes: new Uint8Array(0),
      halves: new Int16Array(0),
      words: new Int32Array(0),
      latency: 0,
      device,
      outside,
    });
  }

  #add(parts: Omit<Region, "index" | "isTcdm" | "isPlain">): void {
    const index = this.regions.length;
    const isTcdm = parts.kind === "tcdm", isPlain = isTcdm || parts.kind === "memory";
    const region: Region = { ...parts, device: parts.device, index, isTcdm, isPlain };
    this.regions.push(region);
    this.#byEntry.push(region);
    if (this.regions.length >= partial) {
      throw new AttoflowError("the target has too many memories and peripherals");
    }
    const end = region.base + region.size, pageBytes = 2 ** pageBits;
    this.#pages.fill(partial, Math.floor(region.base / pageBytes), Math.ceil(end / pageBytes));
    const first = Math.ceil(region.base / pageBytes), behind = Math.floor(end / pageBytes);
    if (first < behind) this.#pages.fill(this.regions.length, first, behind);
  }

  /** The region that an address is in, if any. `address` may be signed or unsigned. */
  find(address: number): Region | undefined {
    const entry = this.#pages[address >>> pageBits];
    return entry === partial
      ? this.regions.find((region) => contains(region, address))
      : this.#byEntry[entry];
  }

  /** The word at an address; undefined where there is no memory. `address` may be signed or unsigned. */
  wordAt(address: number): number | undefined {
    const region = this.find(address);
    return region?.words[((address >>> 0) - region.base) >>> 2];
  }

  /** The memory that holds all of a span; undefined if any of it is outside of one memory. */
  span(address: number, bytes: number): Region | undefined {
    const region = this.find(address);
    if (!region || region.kind === "registers") return undefined;
    return (address >>> 0) - region.base + bytes <= region.size ? region : undefined;
  }
}

function allocate({ name, size }: Memory, length: number): ArrayBuffer {
  try {
    return new ArrayBuffer(length);
  } catch (cause) {
    throw new AttoflowError(`this machine cannot hold the ${size} bytes of memory ${name}`, { cause });
  }
}

function contains(region: Region, address: number): boolean {
  return (address >>> 0) - region.base < region.size && (address >>> 0) >= region.base;
}
