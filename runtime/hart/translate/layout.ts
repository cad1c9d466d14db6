// Memory 1 of the fast tiers' modules: what the emulator itself keeps where WebAssembly reaches it.
// Hart records, the map from code addresses to blocks, which lines are guarded, and the blocks in interpreted form.
// Memory 0 is the guest's: its index is the guest's physical address.

import { instructions } from "../instructions.ts";
import type { MemoryClass } from "./pipeline_model.ts";

/** A hart's record, byte offsets. x0 … x31 lie at 0 … 124; x0 stays 0 and writes to it go to `sink`. */
export const hartRecord = {
  registers: 0,
  sink: 128,
  /** i64, see {@link Counting}. */
  counter: 136,
  pc: 144,
  /** Header of the block whose region has left for the interpreter too often. */
  poor: 148,
  bytes: 256,
} as const;

/** What running some code adds up to. */
export interface Amounts {
  readonly cycles: number;
  readonly instructions?: number;
  /** Accesses to the usual memory; cycles of the shared multiplier and divider; accesses to the outside memory. */
  readonly accesses?: number;
  readonly offloads?: number;
  readonly outside?: number;
}

/**
 * How a hart's counter is divided: lowest bit of each field. On top are the cycles left of the quantum, at the bottom
 * the instructions done in it, between them what is shared with other harts. One subtraction accounts for all, and
 * the counter is negative when the quantum is used up.
 */
export interface Counting {
  readonly cycles: number;
  /** Absent where nothing is shared. */
  readonly shared?: { readonly accesses: number; readonly offloads: number; readonly outside: number };
  /** Longest quantum in cycles: every instruction takes at least one, so no field overflows. */
  readonly longest: number;
}

/** One hart has all for itself: 2^20 instructions fit, and charges fit 32 bits. */
export const countingOfOne: Counting = { cycles: 20, longest: 2 ** 19 };
export const countingOfMany: Counting = {
  cycles: 49,
  shared: { accesses: 12, offloads: 24, outside: 37 },
  longest: 2 ** 11,
};

/** What must be subtracted from the counter. */
export function charge({ cycles, shared }: Counting, amounts: Amounts): bigint {
  const field = (amount: number | undefined, bit: number) => BigInt(amount ?? 0) << BigInt(bit);
  const charged = field(amounts.cycles, cycles) - field(amounts.instructions, 0);
  if (!shared) return charged;
  return charged - field(amounts.accesses, shared.accesses) - field(amounts.offloads, shared.offloads) -
    field(amounts.outside, shared.outside);
}

/** The cycles in what `charge` has made of an instruction's amounts; all others together are less than one of them. */
export function chargedCycles({ cycles }: Counting, charge: bigint): number {
  return Number((charge + (1n << BigInt(cycles)) - 1n) >> BigInt(cycles));
}

/** Header of an interpreted block, byte offsets. */
export const header = {
  /** Instructions that may still be interpreted on behalf of this block before it is worth translating. */
  patience: 0,
  /** Slot of the region that starts here in the table of functions; 0 if there is none. */
  region: 4,
  /** i64: what the whole block subtracts from the counter. */
  charge: 8,
  steps: 16,
  /** Where the block goes on, as an `exit`: by its branch or jump, and otherwise. */
  target: 20,
  end: 24,
  /** 1 if there is no step at all: the instruction there is executed by the slow path. */
  slow: 28,
  /** Indirect jumps: address of {@link rememberedTargets} words, the targets seen. */
  targets: 32,
  bytes: 40,
} as const;

export const rememberedTargets = 16;

/** A step in interpreted form, byte offsets. Registers are offsets in the hart's record. */
export const stepRecord = {
  operation: 0,
  rd: 1,
  rs1: 2,
  rs2: 3,
  imm: 4,
  /** i64: the charge of the steps in front of this one. */
  prefix: 8,
  pc: 16,
  /** Accesses: cycles more if it is not the usual memory. Divisions: cycles hidden. */
  extra: 20,
  /** Windows that an access has reached, one bit each; and {@link amongGuarded}. */
  seen: 21,
  bytes: 24,
} as const;

/** Bit of `seen`: a store has gone below the window's `free` address. */
export const amongGuarded = 0x80;

/** Operation that ends a block which runs on. */
export const runOn = instructions.length;

/** A memory that blocks may access directly. */
export interface Window {
  readonly base: number;
  readonly size: number;
  readonly memory: MemoryClass;
  /** Whether the tiers run code from there. */
  readonly code: boolean;
  /**
   * Memory 1: one word for each page of the guest, the address of that page's map; only where code may be. A map has a
   * word for each guest word: the block that starts there, or 0.
   */
  readonly pages: number;
  /** Memory 1: one byte for each line, not 0 if writes to it are for the slow path: it holds code, or is watched. */
  readonly guarded: number;
  /** Memory 1: word with the address from which on no line is guarded. */
  readonly free: number;
}

/** Bytes of a line, as a power of two: how finely code and data are told apart. */
export const lineBits = 6;

/** What a run of a tier ends with: bits below an address, which is a multiple of 4. */
export const exit = {
  /** Goes on at the address. */
  on: 0,
  /** Goes on at the address, having passed a point at which the quantum may end. */
  checked: 1,
  /** Goes on at the address, where the interpreter runs at least one block: a region could not. */
  interpret: 2,
  /** The instruction at the address is for the slow path. */
  slow: 3,
} as const;

/** Why `run` returns to the host, with the hart's record up to date. */
export const reason = {
  /** The quantum is used up. */
  quantum: 0,
  /** No block has been read at pc. */
  unknown: 1,
  /** The instruction at pc is for the slow path. */
  slow: 2,
  /** The block at pc has been interpreted so often that a region should start there. */
  hot: 3,
  /** The region at the block `poor` leaves for the interpreter so often that it should be made anew. */
  poor: 4,
} as const;

/** Patience that never ends. */
export const never = 0x7fff_ffff;

/** What a region's leaving for the interpreter takes from its patience. */
export const leavingCost = 16;

/** Bytes of a guest's page, and of its map. */
export const pageBytes = 4096;

/** Where everything lies in memory 1. */
export interface Layout {
  readonly counting: Counting;
  readonly windows: readonly Window[];
  /** The map of pages without blocks: all zeros. */
  readonly emptyMap: number;
  /** First byte for blocks and maps, and the end of memory 1. */
  readonly arena: number;
  readonly end: number;
}

const memoryPage = 65536;
/** Room for blocks and maps: some tens of thousands of blocks. */
const arenaBytes = 16 << 20;

/** Lays memory 1 out for a number of harts and the memories that hold code and data. */
export function layOut(
  harts: number,
  memories: readonly Omit<Window, "pages" | "guarded" | "free">[],
): Layout {
  let at = harts * hartRecord.bytes;
  const take = (bytes: number) => {
    const start = Math.ceil(at / 64) * 64;
    at = start + bytes;
    return start;
  };
  const windows = memories.map((memory) => ({
    ...memory,
    pages: memory.code ? take(4 * Math.ceil(memory.size / pageBytes)) : 0,
    guarded: take((memory.size >>> lineBits) + 1),
    free: take(4),
  }));
  const emptyMap = take(pageBytes), arena = take(arenaBytes);
  const counting = harts === 1 ? countingOfOne : countingOfMany;
  return { counting, windows, emptyMap, arena, end: Math.ceil(at / memoryPage) * memoryPage };
}
