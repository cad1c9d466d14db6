// The translator: turns the region around a hot block into WebAssembly, and takes it back when code changes.

import type { Image } from "../../image/types.ts";
import { ModuleBuilder } from "../../wasm/module.ts";
import type { BlockStore, StoredBlock } from "./block_store.ts";
import { type Flow, order } from "./flow.ts";
import type { Bounds, Expectation } from "./guards.ts";
import { imports, memoryPages, regionType } from "./interpreter.ts";
import { amongGuarded, type Layout, leavingCost, type Window } from "./layout.ts";
import { collect, defaultLimits, type Placed, type RegionLimits } from "./region.ts";
import { RegionWriter } from "./region_writer.ts";

/** A region that may be called. */
interface Region {
  readonly root: StoredBlock;
  readonly slot: number;
  readonly blocks: ReadonlySet<StoredBlock>;
}

/** What the translator has done so far. */
export interface TranslatorStatistics {
  regions: number;
  instructions: number;
  bytes: number;
  /** Regions given up because code was written, or executed where only data was expected. */
  dropped: number;
}

/** Times that a region may leave for the interpreter before it is made anew, and how often it is. */
const leavings = 500, attempts = 4;
/** Patience that never ends. */
const never = 0x7fff_ffff;
/** Where code is executed beyond all that was known, more is expected right behind it: bytes. */
const margin = 4096;

export class Translator {
  readonly #layout: Layout;
  readonly #store: BlockStore;
  readonly #table: WebAssembly.Table;
  readonly #imports: WebAssembly.Imports;
  readonly #limits: RegionLimits;
  readonly #regions = new Map<StoredBlock, Region>();
  readonly #attempts = new Map<number, number>();
  readonly #freeSlots: number[] = [];
  #slots = 1;
  readonly statistics: TranslatorStatistics = { regions: 0, instructions: 0, bytes: 0, dropped: 0 };

  constructor(
    layout: Layout,
    store: BlockStore,
    guest: WebAssembly.Memory,
    own: WebAssembly.Memory,
    table: WebAssembly.Table,
    limits: RegionLimits = defaultLimits,
  ) {
    this.#layout = layout;
    this.#store = store;
    this.#table = table;
    this.#limits = limits;
    this.#imports = { [imports.module]: { [imports.guest]: guest, [imports.own]: own } };
  }

  /** Takes from an image where its code ends, so that stores beyond need not look out for code. */
  expectCode(image: Image): void {
    for (const window of this.#layout.windows.filter(({ code }) => code)) {
      const ends = image.symbols.filter(({ kind, address }) => kind === "function" && isIn(window, address))
        .map(({ address, size }) => address + size);
      if (ends.length > 0) this.#store.free(window, Math.ceil(Math.max(...ends) / 64) * 64);
    }
    this.#store.takeNews();
    this.#dropAll();
  }

  /** Sends stores to a word to the slow path. */
  guard(address: number): void {
    this.#store.guard(address, 4);
    if (this.#store.takeNews()) this.#dropAll();
  }

  /** Must be told of each block that the store has read. */
  noteCode({ block }: StoredBlock): void {
    if (!this.#store.takeNews()) return;
    const window = this.#store.windowOf(block.start)!;
    this.#store.free(window, Math.min(this.#store.freeFrom(window) + margin, window.base + window.size));
    this.#store.takeNews();
    this.#dropAll();
  }

  /** Translates the region that starts at a block, which has become hot, or whose region serves badly. */
  translate(root: StoredBlock): void {
    if (root.block.steps.length === 0) return this.#store.setPatience(root, never);
    const attempt = (this.#attempts.get(root.block.start) ?? 0) + 1;
    this.#attempts.set(root.block.start, attempt);
    const flow = order(collect(this.#store, root, this.#limits));
    const bytes = this.#moduleOf(flow);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports);
    const slot = this.#regions.get(root)?.slot ?? this.#takeSlot();
    this.#table.set(slot, instance.exports.f as () => void);
    this.#store.setRegion(root, slot);
    this.#store.setPatience(root, attempt < attempts ? leavings * leavingCost * 4 ** attempt : never);
    const blocks = new Set(flow.nodes.flatMap(({ placed }) => placed.map(({ stored }) => stored)));
    this.#regions.set(root, { root, slot, blocks });
    this.statistics.regions++;
    this.statistics.bytes += bytes.length;
    this.statistics.instructions += flow.nodes.reduce((sum, { placed }) => sum + placed.length, 0);
  }

  /** Forgets all code in a span, which has been written. */
  drop(address: number, bytes: number): void {
    const dropped = this.#store.drop(address, bytes);
    if (dropped.length === 0) return;
    for (const region of [...this.#regions.values()]) {
      if (dropped.some((block) => region.blocks.has(block))) this.#dropRegion(region);
    }
  }

  #dropAll(): void {
    for (const region of [...this.#regions.values()]) this.#dropRegion(region);
  }

  #dropRegion({ root, slot }: Region): void {
    this.#regions.delete(root);
    this.#freeSlots.push(slot);
    this.#store.setRegion(root, 0);
    this.#store.setPatience(root, this.#store.patience);
    this.statistics.dropped++;
  }

  #takeSlot(): number {
    const free = this.#freeSlots.pop();
    if (free !== undefined) return free;
    if (this.#slots === this.#table.length) this.#table.grow(this.#table.length);
    return this.#slots++;
  }

  #moduleOf(flow: Flow): Uint8Array<ArrayBuffer> {
    const module = new ModuleBuilder();
    module.importMemory(imports.module, imports.guest, memoryPages);
    module.importMemory(imports.module, imports.own, memoryPages);
    const context = {
      layout: this.#layout,
      expect: (access: Placed) => this.#expect(access),
      bounds: (window: number, stores: boolean) => this.#bounds(window, stores),
    };
    module.define({ ...regionType, export: "f" }, (body, core) => {
      new RegionWriter(body, core, flow, context).write();
    });
    return module.build();
  }

  #expect({ stored, step }: Placed): Expectation {
    const seen = this.#store.seen(stored, step.pc);
    const windows = this.#layout.windows.flatMap((_, i) => seen >>> i & 1 ? [i] : []);
    return { windows, amongGuarded: (seen & amongGuarded) !== 0 };
  }

  #bounds(index: number, stores: boolean): Bounds {
    const window = this.#layout.windows[index], { base, size } = window;
    if (!stores) return { base, size };
    const free = this.#store.freeFrom(window);
    return { base: free, size: base + size - free };
  }
}

function isIn({ base, size }: Window, address: number): boolean {
  return address >= base && address - base < size;
}
