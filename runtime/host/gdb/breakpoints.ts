// Breakpoints and watchpoints of an emulated SoC: where they are, and what an instruction that has just been issued
// hits.

import { accessBytes } from "../../hart/code.ts";
import { decode, operandsOfWord } from "../../hart/encoding.ts";
import { addressOf } from "../../hart/execute.ts";
import type { ObservedParts } from "../../soc/observer.ts";
import { breakKinds } from "./target.ts";

/** Bytes that a watchpoint may span: each word of it is watched for devices that write. */
const longestWatch = 1 << 14;

/** A watchpoint that something has hit. */
export interface Hit {
  readonly kind: "write" | "read" | "access";
  readonly address: number;
}

interface Watchpoint {
  readonly kind: number;
  readonly address: number;
  readonly length: number;
  /** Addresses under which the same bytes are reached. */
  readonly starts: readonly number[];
  unwatch: () => void;
}

/** What is set. Survives a reset of the machine. */
export class Breakpoints {
  /** Kinds of breakpoints that are set at an address. */
  readonly #at = new Map<number, Set<number>>();
  readonly #pages = new Uint8Array(2 ** 20);
  readonly #watchpoints: Watchpoint[] = [];
  #parts!: ObservedParts;
  readonly #onDeviceWrite: (address: number, cycle: number) => void;

  /** @param onDeviceWrite is told of each write to watched words, by harts too */
  constructor(onDeviceWrite: (address: number, cycle: number) => void) {
    this.#onDeviceWrite = onDeviceWrite;
  }

  /** A machine has been built: what is set counts for it. */
  attach(parts: ObservedParts): void {
    this.#parts = parts;
    for (const watchpoint of this.#watchpoints) this.#watch(watchpoint);
  }

  /** Whether anything is watched. */
  get isWatching(): boolean {
    return this.#watchpoints.length > 0;
  }

  /** Which kind of breakpoint is at an address, if there is one. */
  at(pc: number): "software" | "hardware" | undefined {
    if (this.#pages[pc >>> 12] === 0) return undefined;
    const kinds = this.#at.get(pc >>> 0);
    return kinds && (kinds.has(breakKinds.software) ? "software" : "hardware");
  }

  /** Sets a breakpoint or watchpoint; false where there is nothing to break at. Setting it twice is setting it once. */
  insert(kind: number, address: number, length: number): boolean {
    if (kind <= breakKinds.hardware) {
      const region = this.#parts.map.find(address);
      if (!region || region.kind === "registers") return false;
      if (!this.#at.has(address)) this.#at.set(address, new Set());
      this.#at.get(address)!.add(kind);
      this.#pages[address >>> 12] = 1;
      return true;
    }
    const { map } = this.#parts;
    const region = map.span(address, length) ?? (map.find(address)?.device && map.find(address));
    if (!region || length < 1 || length > longestWatch) return false;
    if (this.#find(kind, address, length)) return true;
    const offset = address - region.base;
    const starts = map.regions
      .filter((other) =>
        other === region || (region.bytes.length > 0 && sameBytes(other.bytes, region.bytes))
      )
      .map(({ base }) => base + offset);
    const watchpoint = { kind, address, length, starts, unwatch: () => {} };
    this.#watchpoints.push(watchpoint);
    this.#watch(watchpoint);
    return true;
  }

  /** Removes it; removing what is not set is no error. */
  remove(kind: number, address: number, length: number): boolean {
    if (kind <= breakKinds.hardware) {
      const kinds = this.#at.get(address);
      kinds?.delete(kind);
      if (kinds?.size === 0) this.#at.delete(address);
      return true;
    }
    const found = this.#find(kind, address, length);
    found?.unwatch();
    if (found) this.#watchpoints.splice(this.#watchpoints.indexOf(found), 1);
    return true;
  }

  /** Removes everything: the client has gone. */
  clear(): void {
    this.#at.clear();
    this.#pages.fill(0);
    for (const { unwatch } of this.#watchpoints) unwatch();
    this.#watchpoints.length = 0;
  }

  #find(kind: number, address: number, length: number): Watchpoint | undefined {
    return this.#watchpoints.find((each) =>
      each.kind === kind && each.address === address && each.length === length
    );
  }

  #watch(watchpoint: Watchpoint): void {
    if (watchpoint.kind === breakKinds.read) return;
    const stops = watchpoint.starts.flatMap((start) => {
      const words: (() => void)[] = [];
      for (let word = start - start % 4; word < start + watchpoint.length; word += 4) {
        words.push(this.#parts.access.watch(word, this.#onDeviceWrite));
      }
      return words;
    });
    watchpoint.unwatch = () => {
      for (const stop of stops) stop();
    };
  }

  /** What the hart's access that the instruction at `pc` has just asked for hits. */
  hitBy(hart: number, pc: number): Hit | undefined {
    const { map, state } = this.#parts;
    const word = map.wordAt(pc) ?? 0;
    const instruction = decode(word);
    const kind = instruction?.meaning.kind;
    const reads = kind === "load" || kind === "reserve" || kind === "atomic";
    const writes = kind === "store" || kind === "conditional" || kind === "atomic";
    if (!instruction || !(reads || writes)) return undefined;
    const { rs1, imm } = operandsOfWord(word, instruction.format);
    // The access is still under way: rs1 is what it was, even where it is the destination.
    const address = addressOf(instruction.index, state.registers[hart * 64 + rs1], imm) >>> 0;
    return this.#hit(address, accessBytes[instruction.index], reads, writes);
  }

  /** What a device's write of the word at an address hits. */
  hitByDevice(word: number): Hit | undefined {
    return this.#hit(word >>> 0, 4, false, true);
  }

  #hit(address: number, bytes: number, reads: boolean, writes: boolean): Hit | undefined {
    for (const { kind, address: watched, length, starts } of this.#watchpoints) {
      const wanted = kind === breakKinds.access || (kind === breakKinds.read ? reads : writes);
      if (!wanted) continue;
      for (const start of starts) {
        if (address >= start + length || address + bytes <= start) continue;
        // GDB knows a watchpoint by its own address.
        const at = watched + Math.max(0, address - start);
        const name = kind === breakKinds.access ? "access" : kind === breakKinds.read ? "read" : "write";
        return { kind: name, address: at };
      }
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset;
}
