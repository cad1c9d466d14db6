// The fast tiers of all harts: memories that WebAssembly reaches, interpreter, translator, and what is kept of
// translated code between runs. Runs one hart for so many cycles and says what it has done.

import { AttoflowError } from "../../targets/errors.ts";
import { hartCount } from "../../targets/parts.ts";
import type { Target } from "../../targets/schema.ts";
import type { Cache } from "../cache.ts";
import { accesses, boundary } from "../hart/translate/block.ts";
import { BlockStore, type StoredBlock } from "../hart/translate/block_store.ts";
import type { CostParameters } from "../hart/translate/cost.ts";
import { guestPages, imports, interpreterModule } from "../hart/translate/interpreter.ts";
import {
  countingOfMany,
  countingOfOne,
  hartRecord,
  type Layout,
  layOut,
  never,
  pageBytes,
  reason,
} from "../hart/translate/layout.ts";
import { KeptBlocks, packBlocks } from "../hart/translate/kept_blocks.ts";
import { pack, unpack } from "../hart/translate/region_cache.ts";
import type { Span } from "../hart/translate/spans.ts";
import { Translator, type TranslatorStatistics } from "../hart/translate/translator.ts";
import type { Image } from "../image/types.ts";
import { sourceStamp, WordHash } from "../stamp.ts";

/** How the tiers divide the work, which changes nothing in what comes of it. */
export interface TierOptions {
  /** Whether hot code is translated; else it is interpreted. */
  readonly translate?: boolean;
  /** Instructions that are interpreted on behalf of a block before it is translated. */
  readonly patience?: number;
  /** Where translated code is kept between runs. */
  readonly cache?: Cache;
  /** Whether harts that wait for what others write are left to somebody else. */
  readonly leavesSpinning?: boolean;
}

/** What the tiers ask of the SoC around them. */
export interface TierSurroundings {
  /** Whether the tiers may execute the code at an address; else they stop in front of it. */
  isOpen(pc: number): boolean;
  /** Writes to the word at an address must be noticed from now on. */
  noteCode(address: number): void;
}

/** Why the tiers have stopped: the cycles are used up, the instruction is for the slow path, the code is not open. */
export const usedUp = 0, needsSlowPath = 1, notOpen = 2;

/** What has become of code. */
export interface TierStatistics extends TranslatorStatistics {
  /** Blocks that were read, and those taken over from an earlier run. */
  readonly blocks: number;
  readonly reusedBlocks: number;
}

/** What a stretch of execution has come to. */
export interface Stretch {
  pc: number;
  cycles: number;
  instructions: number;
  /** What harts share: accesses to the TCDM, cycles of multiplier and divider, accesses to the outside memory. */
  accesses: number;
  offloads: number;
  outside: number;
}

const fenceInstruction = 0x0000_100f;
const recordWords = hartRecord.bytes / 4;
const counterWord = hartRecord.counter / 4, pcWord = hartRecord.pc / 4, poorWord = hartRecord.poor / 4;

/** Folders whose sources decide what translated code looks like, from `runtime`. */
const sources = ["hart/", "hart/translate/", "wasm/"].map((folder) => `./${folder}`);

type Run = (core: number, interpret: number) => number;

/** The tiers of one SoC. */
export class Tiers {
  /** The guest's memory: the index is the address. */
  readonly space: ArrayBuffer;
  /** Most cycles that can be given at a time. */
  readonly longest: number;
  /** What the last call of `run` has come to. */
  readonly done: Stretch = { pc: 0, cycles: 0, instructions: 0, accesses: 0, offloads: 0, outside: 0 };
  readonly #guest: WebAssembly.Memory;
  readonly #own: WebAssembly.Memory;
  readonly #words: Int32Array;
  readonly #layout: Layout;
  readonly #store: BlockStore;
  readonly #translator: Translator;
  readonly #run: Run;
  readonly #alone: boolean;
  readonly #translate: boolean;
  readonly #cache: Cache | undefined;
  /** What tells this translator, on this target, from others in the cache; and where this image's code is. */
  readonly #key: string | undefined;
  #codeName: string | undefined;
  /** Regions translated and blocks read when they were last kept. */
  #saved = { regions: 0, blocks: 0 };
  /** Addresses that were asked for, and whether harts there wait for others. */
  readonly #spinning = new Map<number, boolean>();
  #surroundings!: TierSurroundings;

  /** @throws {AttoflowError} if this machine cannot set the address space aside */
  constructor(target: Target, options: TierOptions) {
    const harts = hartCount(target), { core } = target.harts;
    this.#alone = harts === 1;
    try {
      this.#guest = new WebAssembly.Memory({ initial: guestPages, maximum: guestPages });
    } catch (cause) {
      throw new AttoflowError("fast timing needs 4 GiB of address space, which this machine does not give", {
        hint: "Nothing is used but what programs touch. Lift the limit (ulimit -v), or use --timing exact.",
        cause,
      });
    }
    this.space = this.#guest.buffer as ArrayBuffer;
    const near = target.memories.filter(({ role }) => role === "l1");
    const far = target.memories.filter(({ role }) => role === "l2");
    this.#layout = layOut(harts, [
      ...near.map(({ base, size }) => ({ base, size, memory: "near" as const, code: false })),
      ...far.map(({ base, size }) => ({ base, size, memory: "far" as const, code: true })),
    ]);
    this.longest = this.#layout.counting.longest;
    const ownPages = this.#layout.end / 65536;
    this.#own = new WebAssembly.Memory({ initial: ownPages, maximum: ownPages });
    this.#words = new Int32Array(this.#own.buffer);
    const parameters: CostParameters = {
      outstandingLoads: core.outstandingLoads,
      outstandingMemory: core.outstandingMemory,
      farLatency: far[0]?.latency ?? 0,
      usual: this.#layout.windows[0].memory,
      mixed: near.length > 0,
    };
    this.#store = new BlockStore(this.#layout, this.#guest, this.#own, parameters, options.patience);
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 64 });
    const given = {
      [imports.module]: { [imports.guest]: this.#guest, [imports.own]: this.#own, [imports.regions]: table },
    };
    const stamp = options.cache && sourceStamp(sources);
    if (stamp !== undefined) {
      this.#cache = options.cache;
      const key = new WordHash();
      key.addText(JSON.stringify([stamp, this.#layout, parameters, options.leavesSpinning ?? false]));
      this.#key = key.text;
    }
    const interpreter = new WebAssembly.Module(this.#interpreter());
    this.#run = new WebAssembly.Instance(interpreter, given).exports.run as Run;
    this.#translator = new Translator(this.#layout, this.#store, this.#guest, this.#own, table);
    this.#translate = options.translate ?? true;
  }

  /** Must be called once, before anything runs. */
  attach(surroundings: TierSurroundings): void {
    this.#surroundings = surroundings;
    this.#translator.isOpen = (spans) => this.#allOpen(spans);
  }

  #allOpen(spans: readonly Span[]): boolean {
    return spans.every(([start, bytes]) => {
      for (let pc = start; pc < start + bytes; pc = Math.floor(pc / boundary + 1) * boundary) {
        if (!this.#surroundings.isOpen(pc)) return false;
      }
      return true;
    });
  }

  #interpreter(): Uint8Array<ArrayBuffer> {
    const name = `interpreter-${this.#key}`;
    const kept = this.#cache?.read(name);
    if (kept) return kept as Uint8Array<ArrayBuffer>;
    const made = interpreterModule(this.#layout);
    this.#cache?.write(name, made);
    return made;
  }

  /** What has been read and translated so far. */
  get translated(): TierStatistics {
    const { made, adopted } = this.#store;
    return { ...this.#translator.statistics, blocks: made, reusedBlocks: adopted };
  }

  /** The harts' registers, 64 words for each. */
  registers(harts: number): Int32Array {
    return this.#words.subarray(0, harts * recordWords);
  }

  /** An image has been loaded: takes what is kept of its code. */
  loaded(image: Image): void {
    this.#translator.expectCode(image);
    if (!this.#cache || !this.#translate) return;
    const hash = new WordHash();
    hash.add(Int32Array.of(image.entry));
    for (const { address, size } of codeOf(image)) {
      const start = address - address % 4;
      hash.add(this.#store.wordsIn([start, Math.ceil((address + size - start) / 4) * 4]));
    }
    this.#codeName = `code-${this.#key}-${hash.text}`;
    const bytes = this.#cache.read(this.#codeName), kept = bytes && unpack(bytes);
    if (!kept) return;
    this.#translator.offer(kept);
    this.#store.offer(new KeptBlocks(kept.blocks));
  }

  /** Keeps what has been translated and read, for later runs. */
  close(): void {
    const { regions } = this.#translator.statistics, { made } = this.#store;
    if (!this.#cache || this.#codeName === undefined) return;
    // A file is not written anew for a few blocks that were not in it.
    if (regions === this.#saved.regions && made - this.#saved.blocks <= this.#store.adopted) return;
    this.#saved = { regions, blocks: made };
    const blocks = packBlocks(this.#store.keep());
    this.#cache.write(this.#codeName, pack({ ...this.#translator.keep(), blocks }));
  }

  /** Memory has been written by somebody else than the tiers. */
  invalidate(address: number, bytes: number): void {
    if (!this.#store.isGuarded(address, bytes)) return;
    this.#translator.drop(address, bytes);
    this.#spinning.clear();
  }

  /** Writes to a word are for the slow path from now on. */
  guard(address: number): void {
    this.#translator.guard(address);
  }

  /** Somebody else has decoded the word at an address: writes to it must be noticed. */
  decoded(address: number): void {
    this.#translator.noteRead(address >>> 0);
  }

  /** Cycles of the steps of the block at an address; undefined if there is none. */
  costs(pc: number): readonly number[] | undefined {
    return this.#store.get(pc >>> 0)?.costs.cycles;
  }

  /** Whether a hart at an address waits there for what others write. */
  isSpinning(pc: number): boolean {
    const known = this.#spinning.get(pc);
    if (known !== undefined) return known;
    const spinning = this.#store.isSpinning(pc >>> 0);
    this.#spinning.set(pc, spinning);
    return spinning;
  }

  /**
   * What the words of a span cost on the tiers.
   *
   * @param refetch cycles of FENCE.I, which the slow path executes
   * @param note is told of each word: cycles, and cycles more where an access or a division takes longer
   */
  estimate(
    start: number,
    end: number,
    refetch: number,
    note: (pc: number, cycles: number, extra: number) => void,
  ): void {
    for (let pc = start; pc < end;) {
      const { block: { steps }, costs } = this.#store.read(pc);
      for (const [i, step] of steps.entries()) {
        const extra = accesses(step) ? costs.penalty[i] : costs.slack[i];
        if (step.pc < end) note(step.pc, costs.cycles[i], extra);
      }
      // Behind them is something for the slow path, or another block.
      pc += 4 * steps.length;
      if (steps.length > 0) continue;
      if (this.#store.fetch(pc) === fenceInstruction) note(pc, refetch, 0);
      pc += 4;
    }
  }

  /**
   * Runs a hart for some cycles, which it may exceed by a little; `done` tells what it has done.
   *
   * @param pc where it goes on, unsigned or signed
   * @param budget cycles, at most `longest`
   * @returns why it has stopped: {@link usedUp}, {@link needsSlowPath} or {@link notOpen}
   */
  run(hart: number, pc: number, budget: number): number {
    const words = this.#words, record = hart * recordWords, core = hart * hartRecord.bytes;
    this.#setCounter(record, budget);
    words[record + pcWord] = pc;
    let isOpen = true;
    let why = this.#run(core, 0);
    while (why !== reason.quantum && why !== reason.slow) {
      if (why === reason.poor) {
        this.#translator.translate(this.#store.withHeader(words[record + poorWord])!);
        why = this.#run(core, 1);
        continue;
      }
      const at = words[record + pcWord] >>> 0;
      if (why === reason.unknown && !this.#surroundings.isOpen(at)) {
        isOpen = false;
        break;
      }
      const block = this.#store.get(at);
      if (!block) {
        why = reason.slow;
        break;
      }
      if (why === reason.unknown) this.#noteCode(block);
      else if (!this.#translate) this.#store.setPatience(block, never);
      else if (!this.#reuse(block)) this.#translator.translate(block);
      why = this.#run(core, 0);
    }
    this.#account(record, budget);
    this.done.pc = words[record + pcWord];
    return !isOpen ? notOpen : why === reason.quantum ? usedUp : needsSlowPath;
  }

  /** Used up means negative: the last cycle of the budget is number 0. */
  #setCounter(record: number, budget: number): void {
    const left = budget - 1, words = this.#words;
    if (this.#alone) {
      words[record + counterWord] = left << countingOfOne.cycles;
      words[record + counterWord + 1] = Math.floor(left / 2 ** (32 - countingOfOne.cycles));
    } else {
      words[record + counterWord] = 0;
      words[record + counterWord + 1] = left << (countingOfMany.cycles - 32);
    }
  }

  /** Takes what a stretch has come to from the counter. */
  #account(record: number, budget: number): void {
    const { done } = this;
    const low = this.#words[record + counterWord], high = this.#words[record + counterWord + 1];
    if (this.#alone) {
      const { cycles: shift } = countingOfOne;
      done.cycles = budget - 1 - (high * 2 ** (32 - shift) + (low >>> shift));
      done.instructions = low & (2 ** shift - 1);
      return;
    }
    // 12 bits of instructions, 12 of accesses, 13 of offloads, 12 of accesses outside, 15 of cycles.
    done.cycles = budget - 1 - (high >> 17);
    done.instructions = low & 0xfff;
    done.accesses = low >>> 12 & 0xfff;
    done.offloads = low >>> 24 | (high & 0x1f) << 8;
    done.outside = high >>> 5 & 0xfff;
  }

  /** Sees to it that writes to what decides a block are noticed. */
  #noteCode(stored: StoredBlock): void {
    this.#noteSpans(stored.origin.reads);
    this.#translator.noteCode(stored);
    if (this.#translate) this.#reuse(stored);
  }

  #noteSpans(spans: readonly Span[]): void {
    const { noteCode } = this.#surroundings;
    for (const [from, bytes] of spans) {
      for (let page = from; page < from + bytes; page += pageBytes) noteCode(page);
      noteCode(from + bytes - 4);
    }
  }

  /** Lets a region of an earlier run start at a block, if there is one. */
  #reuse(stored: StoredBlock): boolean {
    const spans = this.#translator.reuse(stored);
    if (spans) this.#noteSpans(spans);
    return spans !== undefined;
  }
}

/** Where an image's code is: its functions, or all that it brings if it does not name them. */
function codeOf({ symbols, segments }: Image): { address: number; size: number }[] {
  const functions = symbols.filter(({ kind }) => kind === "function");
  return functions.length > 0
    ? functions
    : segments.map(({ address, bytes }) => ({ address, size: bytes.length }));
}
