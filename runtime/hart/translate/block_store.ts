// The blocks of all harts: read from the guest's memory when they are first executed, kept until a store hits
// them. Writes the interpreted form into memory 1 and keeps the map from addresses to blocks there.

import {
  accesses,
  amountsOf,
  type Block,
  decodeStep,
  isChecked,
  isForBlocks,
  readBlock,
  type Step,
  written,
} from "./block.ts";
import { type CostParameters, type Costs, costsOf } from "./cost.ts";
import {
  charge,
  exit,
  header,
  type Layout,
  lineBits,
  pageBytes,
  rememberedTargets,
  runOn,
  stepRecord,
  type Window,
} from "./layout.ts";

/** A block as the tiers share it. */
export interface StoredBlock {
  readonly block: Block;
  readonly costs: Costs;
  /** Address of its header in memory 1. */
  readonly address: number;
}

/** Instructions interpreted on behalf of a block before it is worth translating. */
const defaultPatience = 20_000;

export class BlockStore {
  readonly #layout: Layout;
  readonly #parameters: CostParameters;
  readonly #own: DataView;
  readonly #ownBytes: Uint8Array;
  readonly #ownWords: Int32Array;
  /** The guest's words, one view for each window. */
  readonly #words: readonly Int32Array[];
  readonly #stored = new Map<number, StoredBlock>();
  readonly #byAddress = new Map<number, StoredBlock>();
  /** Instructions decoded so far, with the words that they were. */
  readonly #decoded = new Map<number, { word: number; step: Step | undefined }>();
  #next: number;
  #news = false;

  /**
   * @param guest memory 0
   * @param own memory 1
   */
  constructor(
    layout: Layout,
    guest: WebAssembly.Memory,
    own: WebAssembly.Memory,
    parameters: CostParameters,
    readonly patience: number = defaultPatience,
  ) {
    this.#layout = layout;
    this.#parameters = parameters;
    this.#own = new DataView(own.buffer);
    this.#ownBytes = new Uint8Array(own.buffer);
    this.#ownWords = new Int32Array(own.buffer);
    this.#words = layout.windows.map(({ base, size }) => new Int32Array(guest.buffer, base, size >>> 2));
    this.#next = layout.arena;
    for (const window of layout.windows) this.free(window, window.base);
    this.#emptyPages();
  }

  /** The block at an address if it has been executed. */
  peek(start: number): StoredBlock | undefined {
    return this.#stored.get(start);
  }

  /** The block whose header is at an address of memory 1. */
  withHeader(address: number): StoredBlock | undefined {
    return this.#byAddress.get(address);
  }

  /** Number of blocks that are kept. */
  get size(): number {
    return this.#stored.size;
  }

  /** The window that an address is in. */
  windowOf(address: number): Window | undefined {
    return this.#layout.windows.find(({ base, size }) => address >= base && address - base < size);
  }

  /** The word of code at an address; undefined outside of the windows. */
  fetch(pc: number): number | undefined {
    for (let i = 0; i < this.#words.length; i++) {
      if (!this.#layout.windows[i].code) continue;
      const offset = pc - this.#layout.windows[i].base;
      if (offset >= 0 && offset < this.#layout.windows[i].size) return this.#words[i][offset >>> 2];
    }
    return undefined;
  }

  /** The instruction at an address, whoever executes it. */
  readonly #any = (pc: number): Step | undefined => {
    const word = this.fetch(pc);
    if (word === undefined) return undefined;
    const known = this.#decoded.get(pc);
    if (known?.word === word) return known.step;
    const step = decodeStep(pc, word);
    this.#decoded.set(pc, { word, step });
    return step;
  };

  readonly #source = (pc: number): Step | undefined => {
    const step = this.#any(pc);
    return step && isForBlocks(step) ? step : undefined;
  };

  /** The block at an address, read now if need be; undefined if no window holds the address. */
  get(start: number): StoredBlock | undefined {
    const known = this.#stored.get(start);
    if (known) return known;
    const window = this.windowOf(start);
    if (!window?.code) return undefined;
    const { block, costs } = this.read(start);
    const bytes = header.bytes + (block.steps.length + 1) * stepRecord.bytes + rememberedTargets * 4;
    if (this.#next + bytes + pageBytes > this.#layout.end) this.#clear();
    const stored = { block, costs, address: this.#take(bytes) };
    this.#write(stored);
    this.#stored.set(start, stored);
    this.#byAddress.set(stored.address, stored);
    this.#ownWords[this.#entry(window, start)] = stored.address;
    this.guard(block.start, Math.max(block.end - block.start, 4));
    return stored;
  }

  /** The block at an address, which is not kept. */
  read(start: number): Pick<StoredBlock, "block" | "costs"> {
    const block = readBlock(start, this.#source);
    return { block, costs: costsOf(block, this.#parameters, this.#source, this.#any) };
  }

  /** Address in memory 1 of a block's step at `pc`. */
  stepAddress({ block, address }: StoredBlock, pc: number): number {
    return address + header.bytes + (pc - block.start) / 4 * stepRecord.bytes;
  }

  /** Names the slot of the region that starts at a block, or 0 for none. */
  setRegion({ address }: StoredBlock, slot: number): void {
    this.#ownWords[(address + header.region) >>> 2] = slot;
  }

  /** Sets how long a block is interpreted before its region is asked for. */
  setPatience({ address }: StoredBlock, patience: number): void {
    this.#ownWords[(address + header.patience) >>> 2] = patience;
  }

  /** What the interpreter has seen of an access, in a block and in the block that starts with it: see `seen`. */
  seen(stored: StoredBlock, pc: number): number {
    const alone = this.#stored.get(pc);
    const at = (block: StoredBlock) => this.#ownBytes[this.stepAddress(block, pc) + stepRecord.seen];
    return at(stored) | (alone ? at(alone) : 0);
  }

  /** Targets that a block's indirect jump has had. */
  targets({ block, address }: StoredBlock): number[] {
    const first = (address + header.bytes + (block.steps.length + 1) * stepRecord.bytes) >>> 2;
    const all = [...this.#ownWords.subarray(first, first + rememberedTargets)];
    return all.filter((target) => target !== 0).map((target) => target >>> 0);
  }

  /** Whether any line of a span is guarded. */
  isGuarded(address: number, bytes: number): boolean {
    const window = this.windowOf(address);
    return window !== undefined && this.#lines(window, address, bytes).some((line) => line !== 0);
  }

  /** Whether all lines of a span are guarded. */
  isAllGuarded(address: number, bytes: number): boolean {
    const window = this.windowOf(address);
    return window !== undefined && this.#lines(window, address, bytes).every((line) => line !== 0);
  }

  #lines(window: Window, address: number, bytes: number): Uint8Array {
    const first = (address - window.base) >>> lineBits;
    const last = (Math.min(address + bytes, window.base + window.size) - 1 - window.base) >>> lineBits;
    return this.#ownBytes.subarray(window.guarded + first, window.guarded + last + 1);
  }

  /** Sends writes to a span to the slow path from now on. */
  guard(address: number, bytes: number): void {
    const window = this.windowOf(address);
    if (!window) return;
    const first = (address - window.base) >>> lineBits,
      last = (address + bytes - 1 - window.base) >>> lineBits;
    this.#ownBytes.fill(1, window.guarded + first, window.guarded + last + 1);
    this.free(window, window.base + ((last + 1) << lineBits));
  }

  /** Address from which on no line of a window is guarded. */
  freeFrom(window: Window): number {
    return this.#ownWords[window.free >>> 2] >>> 0;
  }

  /** Expects guarded lines up to an address. */
  free(window: Window, from: number): void {
    if (from <= this.freeFrom(window)) return;
    this.#ownWords[window.free >>> 2] = from;
    this.#news = true;
  }

  /** Whether `freeFrom` has grown for any window since this was last asked. */
  takeNews(): boolean {
    const news = this.#news;
    this.#news = false;
    return news;
  }

  /** Forgets the blocks that read from a span, which has been or is about to be written. */
  drop(address: number, bytes: number): StoredBlock[] {
    const dropped = [...this.#stored.values()].filter(({ block }) =>
      block.start < address + bytes && address < Math.max(block.end, block.start + 4)
    );
    for (const each of dropped) this.#forget(each);
    return dropped;
  }

  #take(bytes: number): number {
    const address = this.#next;
    this.#next += bytes;
    return address;
  }

  /** Index of the word that names the block at an address; makes the map of its page. */
  #entry({ base, pages }: Window, start: number): number {
    const page = (pages >>> 2) + Math.floor((start - base) / pageBytes);
    if (this.#ownWords[page] === this.#layout.emptyMap) {
      const map = this.#ownWords[page] = this.#take(pageBytes);
      this.#ownWords.fill(0, map >>> 2, (map + pageBytes) >>> 2);
    }
    return (this.#ownWords[page] + (start - base) % pageBytes) >>> 2;
  }

  /** Forgets everything, for there is no room left. */
  #clear(): void {
    this.onClear();
    this.#stored.clear();
    this.#byAddress.clear();
    this.#decoded.clear();
    this.#next = this.#layout.arena;
    this.#emptyPages();
  }

  /** Called before everything is forgotten. */
  onClear = (): void => {};

  #emptyPages(): void {
    for (const { code, pages, size } of this.#layout.windows) {
      const first = pages >>> 2;
      if (code) this.#ownWords.fill(this.#layout.emptyMap, first, first + Math.ceil(size / pageBytes));
    }
  }

  #forget({ block: { start }, address }: StoredBlock): void {
    this.#stored.delete(start);
    this.#byAddress.delete(address);
    this.#ownWords[this.#entry(this.windowOf(start)!, start)] = 0;
  }

  #write({ block, costs, address }: StoredBlock): void {
    const view = this.#own, { steps } = block;
    const word = (offset: number, value: number) => view.setInt32(address + offset, value, true);
    const first = header.bytes, targets = first + (steps.length + 1) * stepRecord.bytes;
    word(header.patience, this.patience);
    word(header.region, 0);
    word(header.steps, steps.length);
    const last = steps.at(-1);
    const place = (to: number) => to | (last && isChecked(last, to) ? exit.checked : exit.on);
    word(header.target, place(block.target ?? 0));
    word(header.end, place(block.end));
    word(header.slow, steps.length === 0 ? 1 : 0);
    word(header.targets, address + targets);
    this.#ownWords.fill(0, (address + targets) >>> 2, ((address + targets) >>> 2) + rememberedTargets);
    let charged = 0n;
    for (const [i, step] of steps.entries()) {
      const { instruction, operands: { rd, rs1, rs2, imm } } = step;
      const at = first + i * stepRecord.bytes;
      const registers = (written(step) === 0 ? 32 : rd) << 10 | rs1 << 18 | rs2 << 26;
      word(at, instruction.index | registers);
      word(at + stepRecord.imm, imm);
      view.setBigInt64(address + at + stepRecord.prefix, charged, true);
      word(at + stepRecord.pc, step.pc);
      word(at + stepRecord.extra, accesses(step) ? costs.penalty[i] : costs.slack[i]);
      charged += charge(this.#layout.counting, amountsOf(step, costs.cycles[i]));
    }
    view.setBigInt64(address + header.charge, charged, true);
    word(first + steps.length * stepRecord.bytes, runOn);
  }
}
