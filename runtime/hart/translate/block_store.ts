// The blocks of all harts: read from the guest's memory when they are first executed, or taken from an earlier run, and
// held until a store hits them. Keeps the map from addresses to their interpreted forms in memory 1.

import { type Block, decodeStep, isForBlocks, readBlock, type Step } from "./block.ts";
import { BlockForms, storedBytes } from "./block_form.ts";
import { type CostParameters, type Costs, costsOf } from "./cost.ts";
import { type KeptBlock, KeptBlocks, type Origin } from "./kept_blocks.ts";
import { header, type Layout, lineBits, pageBytes, stepRecord, type Window } from "./layout.ts";
import { joinSpans, type Span, touches } from "./spans.ts";
import { isSpinning } from "./spin.ts";

/** A block with what its steps cost. */
export interface ReadBlock {
  readonly block: Block;
  readonly costs: Costs;
}

/** A block as the tiers share it. Who only interprets it does not ask what its steps are. */
export class StoredBlock {
  readonly #read: () => ReadBlock;
  #known: ReadBlock | undefined;

  /**
   * @param address of its header in memory 1
   * @param origin the code that has decided what it is, and what it costs
   * @param read reads it when it is asked for
   */
  constructor(
    readonly start: number,
    readonly address: number,
    readonly origin: Origin,
    read: () => ReadBlock,
  ) {
    this.#read = read;
  }

  get block(): Block {
    return (this.#known ??= this.#read()).block;
  }

  get costs(): Costs {
    return (this.#known ??= this.#read()).costs;
  }
}

/** Instructions interpreted on behalf of a block before it is worth translating. */
const defaultPatience = 20_000;

export class BlockStore {
  readonly #layout: Layout;
  readonly #parameters: CostParameters;
  readonly #forms: BlockForms;
  readonly #ownBytes: Uint8Array;
  readonly #ownWords: Int32Array;
  /** The guest's words, one view for each window. */
  readonly #words: readonly Int32Array[];
  readonly #stored = new Map<number, StoredBlock>();
  readonly #byAddress = new Map<number, StoredBlock>();
  /** Instructions decoded so far, with the words that they were. */
  readonly #decoded = new Map<number, { word: number; step: Step | undefined }>();
  /** Where words have been looked at while a block is read. */
  #looked: [number, number][] | undefined;
  /** Blocks of earlier runs. */
  #kept = new KeptBlocks(new Int32Array(0));
  /** Blocks that were read, and those taken from an earlier run. */
  made = 0;
  adopted = 0;
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
    this.#forms = new BlockForms(layout.counting, own);
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
    const last = this.#looked?.[this.#looked.length - 1];
    if (last && last[0] + last[1] === pc) last[1] += 4;
    else this.#looked?.push([pc, 4]);
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
    const kept = this.#kept.get(start);
    const stored = kept && this.holds(kept) ? this.#adopt(kept) : this.#make(start);
    this.#stored.set(start, stored);
    this.#byAddress.set(stored.address, stored);
    this.#ownWords[this.#entry(window, start)] = stored.address;
    for (const [from, bytes] of stored.origin.reads) this.guard(from, bytes);
    return stored;
  }

  #make(start: number): StoredBlock {
    const looked: [number, number][] = this.#looked = [];
    const { block, costs } = this.read(start);
    this.#looked = undefined;
    const reads = joinSpans([[start, 4], ...looked]);
    const words = Int32Array.from(reads.flatMap((span) => [...this.wordsIn(span)]));
    const address = this.#takeBlock(block.steps.length);
    this.#forms.write(address, block, costs);
    this.#forms.begin(address, this.patience);
    this.made++;
    return new StoredBlock(start, address, { reads, words }, () => ({ block, costs }));
  }

  #adopt({ start, form, ...origin }: KeptBlock): StoredBlock {
    const address = this.#takeBlock(form[header.steps / 4]);
    this.#forms.put(address, form);
    this.#forms.begin(address, this.patience);
    this.adopted++;
    return new StoredBlock(start, address, origin, () => {
      const block = readBlock(start, this.#source);
      return { block, costs: this.#forms.costs(address, block) };
    });
  }

  /** The block at an address, which is not kept. */
  read(start: number): ReadBlock {
    const block = readBlock(start, this.#source);
    return { block, costs: costsOf(block, this.#parameters, this.#source, this.#any) };
  }

  /** Whether a hart at an address waits there for what others write. */
  isSpinning(pc: number): boolean {
    return isSpinning(pc, this.#source);
  }

  /** Keeps blocks of an earlier run in readiness. */
  offer(kept: KeptBlocks): void {
    this.#kept = kept;
  }

  /** The blocks worth keeping: those in use, and those of earlier runs that were not asked for. */
  *keep(): Generator<KeptBlock> {
    for (const { start, address, origin } of this.#stored.values()) {
      yield { start, ...origin, form: this.#forms.copy(address) };
    }
    for (const kept of this.#kept.all()) if (!this.#stored.has(kept.start)) yield kept;
  }

  /** Whether the code that a block was made of is what it was. */
  holds({ reads, words }: Origin): boolean {
    let at = 0;
    for (const span of reads) {
      const now = this.wordsIn(span);
      for (let i = 0; i < now.length; i++) if (now[i] !== words[at++]) return false;
    }
    return at === words.length;
  }

  /** The words of code in a span of whole words; 0 where there is no code. */
  wordsIn([start, bytes]: Span): Int32Array {
    const windows = this.#layout.windows;
    for (let i = 0; i < windows.length; i++) {
      const { base, size, code } = windows[i], first = (start - base) >>> 2;
      if (code && start >= base && start + bytes <= base + size) {
        return this.#words[i].subarray(first, first + (bytes >>> 2));
      }
    }
    return Int32Array.from({ length: bytes >>> 2 }, (_, i) => this.fetch(start + 4 * i) ?? 0);
  }

  /** Address in memory 1 of a block's step at `pc`. */
  stepAddress({ start, address }: StoredBlock, pc: number): number {
    return address + header.bytes + (pc - start) / 4 * stepRecord.bytes;
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
  targets({ address }: StoredBlock): number[] {
    return this.#forms.targets(address);
  }

  /** Whether any line of a span is guarded. */
  isGuarded(address: number, bytes: number): boolean {
    return this.#lines(address, bytes).some((lines) => lines.some((line) => line !== 0));
  }

  /** Whether all lines of a span are guarded. */
  isAllGuarded(address: number, bytes: number): boolean {
    const all = this.#lines(address, bytes);
    return all.length > 0 && all.every((lines) => lines.every((line) => line !== 0));
  }

  /** What memory 1 says of the lines of a span, for each window that it touches. */
  #lines(address: number, bytes: number): Uint8Array[] {
    return this.#parts(address, bytes).map(({ window: { guarded }, first, last }) =>
      this.#ownBytes.subarray(guarded + first, guarded + last + 1)
    );
  }

  /** First and last line of a span in each window that it touches. */
  #parts(address: number, bytes: number): { window: Window; first: number; last: number }[] {
    return this.#layout.windows.flatMap((window) => {
      const { base, size } = window;
      const start = Math.max(address, base) - base, end = Math.min(address + bytes, base + size) - base;
      return start < end ? [{ window, first: start >>> lineBits, last: (end - 1) >>> lineBits }] : [];
    });
  }

  /** Sends writes to a span to the slow path from now on. */
  guard(address: number, bytes: number): void {
    for (const { window, first, last } of this.#parts(address, bytes)) {
      this.#ownBytes.fill(1, window.guarded + first, window.guarded + last + 1);
      this.free(window, window.base + (last + 1) * 2 ** lineBits);
    }
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

  /** Forgets the blocks that a span decides, which has been or is about to be written. */
  drop(address: number, bytes: number): void {
    for (const stored of [...this.#stored.values()]) {
      if (touches(stored.origin.reads, address, bytes)) this.#forget(stored);
    }
  }

  /** Room for a block of so many steps. */
  #takeBlock(steps: number): number {
    const bytes = storedBytes(steps);
    if (this.#next + bytes + pageBytes > this.#layout.end) this.#clear();
    return this.#take(bytes);
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

  #forget({ start, address }: StoredBlock): void {
    this.#stored.delete(start);
    this.#byAddress.delete(address);
    this.#ownWords[this.#entry(this.windowOf(start)!, start)] = 0;
  }
}
