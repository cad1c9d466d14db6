// The translator: turns the region around a hot block into WebAssembly, and takes it back when code changes. Regions
// of earlier runs come from a cache.

import type { Image } from "../../image/types.ts";
import { WordHash } from "../../stamp.ts";
import { FunctionBuilder } from "../../wasm/function.ts";
import { Local } from "../../wasm/expression.ts";
import { ModuleBuilder } from "../../wasm/module.ts";
import type { BlockStore, StoredBlock } from "./block_store.ts";
import { type Flow, order } from "./flow.ts";
import type { Bounds, Expectation } from "./guards.ts";
import { importMemories, imports, regionType } from "./interpreter.ts";
import { amongGuarded, type Layout, leavingCost, never } from "./layout.ts";
import { collect, defaultLimits, lastStep, type Placed, type RegionLimits } from "./region.ts";
import type { KeptRegion, KeptRegions } from "./region_cache.ts";
import { RegionWriter } from "./region_writer.ts";
import { joinSpans, type Span, touches } from "./spans.ts";

/** A region that may be called. */
interface Region {
  readonly root: StoredBlock;
  readonly slot: number;
  readonly kept: KeptRegion;
}

/** What the translator has done so far. */
export interface TranslatorStatistics {
  /** Regions translated, with their instructions and their bytes of WebAssembly. */
  regions: number;
  instructions: number;
  bytes: number;
  /** Regions taken over from an earlier run. */
  reused: number;
  /** Regions given up because code was written, or executed where only data was expected. */
  dropped: number;
}

/** Times that a region may leave for the interpreter before it is made anew, and how often it is. */
const leavings = 500, attempts = 4;
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
  /** Regions of earlier runs by root, and their module once it has been made. */
  readonly #kept = new Map<number, { region: KeptRegion; name: string }>();
  #keptModule: Uint8Array = new Uint8Array(0);
  #keptExports: WebAssembly.Exports | undefined;
  readonly statistics: TranslatorStatistics = {
    regions: 0,
    instructions: 0,
    bytes: 0,
    reused: 0,
    dropped: 0,
  };

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
    store.onClear = () => this.#dropAll();
    this.#imports = { [imports.module]: { [imports.guest]: guest, [imports.own]: own } };
  }

  /** Takes from an image where its code is, so that stores beyond need not look out for code. */
  expectCode(image: Image): void {
    for (const { kind, address, size } of image.symbols) {
      if (kind === "function" && size > 0 && this.#store.windowOf(address)?.code) {
        this.#store.guard(address, size);
      }
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
  noteCode({ start }: StoredBlock): void {
    this.#expectMore(start);
  }

  /** Must be told of each word that has been decoded for others than the tiers. */
  noteRead(address: number): void {
    if (!this.#store.windowOf(address)?.code || this.#store.isAllGuarded(address, 4)) return;
    this.#store.guard(address, 4);
    this.#expectMore(address);
  }

  #expectMore(address: number): void {
    if (!this.#store.takeNews()) return;
    const window = this.#store.windowOf(address)!;
    this.#store.free(window, Math.min(this.#store.freeFrom(window) + margin, window.base + window.size));
    this.#store.takeNews();
    this.#dropAll();
  }

  /** Translates the region that starts at a block, which has become hot, or whose region serves badly. */
  translate(root: StoredBlock): void {
    if (root.block.steps.length === 0) return this.#store.setPatience(root, never);
    const attempt = (this.#attempts.get(root.start) ?? 0) + 1;
    this.#attempts.set(root.start, attempt);
    const flow = order(collect(this.#store, root, this.#limits));
    const kept = this.#write(root, flow);
    const bytes = this.#moduleOf([{ region: kept, name: "f" }]);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports);
    this.#install(root, kept, exports.f as () => void);
    this.#store.setPatience(root, attempt < attempts ? leavings * leavingCost * 4 ** attempt : never);
    this.statistics.regions++;
    this.statistics.bytes += bytes.length;
    this.statistics.instructions += kept.instructions;
  }

  /** Keeps regions of an earlier run in readiness, instead of those that were. */
  offer({ regions, module }: KeptRegions): void {
    this.#keptModule = module;
    this.#keptExports = undefined;
    this.#kept.clear();
    for (const [i, region] of regions.entries()) this.#kept.set(region.root, { region, name: `f${i}` });
  }

  /** Lets a block start a region of an earlier run if there is one and it still holds. Returns what decides it. */
  reuse(root: StoredBlock): readonly Span[] | undefined {
    const found = this.#kept.get(root.start);
    if (!found || !this.#holds(found.region)) return undefined;
    this.#keptExports ??= new WebAssembly.Instance(
      new WebAssembly.Module(this.#keptModule as Uint8Array<ArrayBuffer>),
      this.#imports,
    ).exports;
    this.#install(root, found.region, this.#keptExports[found.name] as () => void);
    this.#store.setPatience(root, leavings * leavingCost);
    this.statistics.reused++;
    return found.region.reads;
  }

  /** The regions worth keeping: those in use, and those of earlier runs that were not asked for. */
  keep(): KeptRegions {
    const all = new Map([...this.#kept].map(([root, { region }]) => [root, region]));
    for (const { kept } of this.#regions.values()) all.set(kept.root, kept);
    const regions = [...all.values()];
    return { regions, module: this.#moduleOf(regions.map((region, i) => ({ region, name: `f${i}` }))) };
  }

  /** Forgets all code in a span, which has been written. */
  drop(address: number, bytes: number): void {
    this.#store.drop(address, bytes);
    for (const region of [...this.#regions.values()]) {
      if (touches(region.kept.reads, address, bytes)) this.#dropRegion(region);
    }
  }

  /** Whether the tiers may execute all code of some spans. */
  isOpen = (_spans: readonly Span[]): boolean => true;

  /** Whether a region's code is what it was, open, all guarded, and its stores stay clear of guarded lines. */
  #holds({ spans, reads, code, free }: KeptRegion): boolean {
    return this.isOpen(spans) &&
      this.#layout.windows.every((window, i) => this.#store.freeFrom(window) <= free[i]) &&
      reads.every(([start, bytes]) => this.#store.isAllGuarded(start, bytes)) &&
      this.#hash(reads) === code;
  }

  #hash(spans: readonly Span[]): string {
    const hash = new WordHash();
    for (const span of spans) hash.add(this.#store.wordsIn(span));
    return hash.text;
  }

  #install(root: StoredBlock, kept: KeptRegion, run: () => void): void {
    const slot = this.#regions.get(root)?.slot ?? this.#takeSlot();
    this.#table.set(slot, run);
    this.#store.setRegion(root, slot);
    this.#regions.set(root, { root, slot, kept });
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

  #write(root: StoredBlock, flow: Flow): KeptRegion {
    const body = new FunctionBuilder(regionType.parameters);
    const context = {
      layout: this.#layout,
      expect: (access: Placed) => this.#expect(access),
      bounds: (window: number, stores: boolean) => this.#bounds(window, stores),
    };
    new RegionWriter(body, new Local("i32", 0), flow, context).write();
    body.unreachable();
    const spans = joinSpans(flow.nodes.map((node): Span => [node.start, lastStep(node).pc + 4 - node.start]));
    const blocks = new Set(flow.nodes.flatMap(({ placed }) => placed.map(({ stored }) => stored)));
    const reads = joinSpans([...blocks].flatMap(({ origin }) => origin.reads));
    return {
      root: root.start,
      made: body.finish(),
      spans,
      reads,
      code: this.#hash(reads),
      free: this.#layout.windows.map((window) => this.#store.freeFrom(window)),
      instructions: flow.nodes.reduce((sum, { placed }) => sum + placed.length, 0),
    };
  }

  #moduleOf(regions: readonly { region: KeptRegion; name: string }[]): Uint8Array<ArrayBuffer> {
    const module = new ModuleBuilder();
    importMemories(module);
    for (const { region, name } of regions) module.adopt({ ...regionType, export: name }, region.made);
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
