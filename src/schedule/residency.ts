// Decides what lies where in L1 at every time. Units come in the order in which they are expected to run; what one
// wants and is not there is brought, to the place whose loss costs least: one that was done with long enough ago for the
// transfer to be through in time, and whose content is wanted again as late as possible, or never.

import type { Target } from "../../targets/schema.ts";
import { printName } from "../model/print.ts";
import { aligned } from "./budget.ts";
import type { Content, Use } from "./contents.ts";
import { type Draft, Drafter } from "./lay_out.ts";
import { Makers } from "./makers.ts";
import type { Buffer } from "./program.ts";
import type { TimedUnit } from "./sequence.ts";

/** What a layer wants at one time does not fit beside what must stay. */
export class Crowded extends Error {
  constructor(readonly layer: number, readonly reason: string) {
    super(reason);
  }
}

/** What the walk finds out: work in an order in which it could be done, and everything's place in L1. */
export interface Residency {
  readonly drafts: Draft[];
  readonly buffers: Buffer[];
  readonly arenaBytes: number;
}

/** A transfer that may start so many cycles before it is needed is never waited for. */
const slack = 1500;
/** What a kernel reads is brought so many cycles before it starts, if it is there. */
const lead = 5000;
/** From the end of the unit that makes a result until the result is stored. */
const storeTime = 300;
/** Bytes of a frame: what a tile of the accelerator takes. Losses are counted in these. */
const frame = 4096;
/** What it costs to bring a frame again: programming and stolen bank cycles. */
const reloadCost = 60;
/** And more if it is wanted again soon: this, divided by the cycles until then. Tried on products, attention and DINOv2. */
const soon = 5e5;
/** What it costs to take up one more frame of the grid on which tiles lie. */
const frameCost = 20;
/** The next so many jobs of the accelerator may not make the weights that the one before them prefetches. */
const quietJobs = 4;

interface Resident {
  readonly content: Content;
  readonly start: number;
  readonly end: number;
  readonly name: string;
  /** When the last one that used it is done with it. */
  lastEnd: number;
  /** Positions of the units that use its content, and which of them comes next. */
  readonly uses: readonly number[];
  next: number;
  /** It must stay: a result that is not stored yet, weights that a job fetches ahead. */
  result: boolean;
  ahead: boolean;
  /** Another content has been given (part of) its place. */
  gone: boolean;
  readonly layers: { first: number; last: number };
}

/**
 * Walks through the units.
 *
 * @param arena bytes of L1 for contents
 * @param zeros constant of so many zero bytes
 * @throws {Crowded} if what one unit wants does not fit
 */
export function residencyOf(
  units: readonly TimedUnit[],
  arena: number,
  target: Target,
  zeros: (bytes: number) => string,
): Residency {
  return new Walk(units, arena, target, zeros).run();
}

class Walk {
  readonly #drafter: Drafter;
  readonly #drafts: Draft[] = [];
  readonly #residents = new Map<string, Resident>();
  /** All places whose last use is not long ago, or that still hold something. */
  #places: Resident[] = [];
  readonly #buffers: Resident[] = [];
  /** What jobs leave for a kernel. */
  readonly #handed = new Set<string>();
  /** Positions of the units that use a content, in order. */
  readonly #uses = new Map<string, number[]>();
  /** Position of the accelerator's next job behind each unit; positions of who makes what. */
  readonly #nextJob: Int32Array;
  readonly #makers = new Makers();
  readonly #tile: number;
  /** The weights whose first block the accelerator holds. */
  readonly #chain = new Set<string>();

  constructor(
    readonly units: readonly TimedUnit[],
    readonly arena: number,
    readonly target: Target,
    zeros: (bytes: number) => string,
  ) {
    this.#tile = target.ita ? target.ita.elements * target.ita.elements : Infinity;
    const placeOf = (content: Content) => ({ buffer: this.#placeOf(content).name, offset: 0 });
    this.#drafter = new Drafter(target, placeOf, zeros);
    this.#nextJob = new Int32Array(units.length).fill(-1);
    let next = -1;
    for (let position = units.length - 1; position >= 0; position--) {
      this.#nextJob[position] = next;
      if (units[position].unit.job) next = position;
    }
    const made = new Set<string>();
    units.forEach(({ unit }, position) => {
      for (const key of new Set(unit.uses.map(({ content }) => content.key))) {
        const list = this.#uses.get(key);
        if (list) list.push(position);
        else this.#uses.set(key, [position]);
      }
      for (const { content, access } of unit.uses) {
        if (unit.job && access === "write") made.add(content.key);
        else if (unit.task && made.has(content.key)) this.#handed.add(content.key);
      }
      for (const content of unit.stores) this.#makers.add(content, position);
    });
  }

  run(): Residency {
    const events = this.units.flatMap(({ unit, start }, position) => [
      ...(unit.task && this.target.dma ? [{ position, time: this.#bringTime(position), run: false }] : []),
      { position, time: start, run: true },
    ]);
    // The sort is stable, and who makes something starts before it can be brought.
    for (const { position, time, run } of events.sort((a, b) => a.time - b.time)) {
      if (run) this.#visit(position);
      else this.#bringEarly(position, time);
    }
    const buffers = this.#buffers.map(({ name, content, start, layers }): Buffer => ({
      name,
      kind: content.kind,
      memory: "l1",
      offset: start,
      bytes: content.bytes,
      lifetime: layers,
    }));
    const arenaBytes = this.#buffers.reduce((most, { end }) => Math.max(most, end), 0);
    return { drafts: this.#drafts, buffers, arenaBytes };
  }

  /** When what a kernel reads can be brought: early, but not before it is made. */
  #bringTime(position: number): number {
    const { unit, start } = this.units[position];
    const reads = unit.uses.filter(({ access }) => access === "read");
    const made = reads.flatMap(({ content }) => [...this.#makers.of(content)])
      .reduce((latest, maker) => Math.max(latest, this.units[maker].end), 0);
    return Math.min(start, Math.max(made, start - lead));
  }

  /** Brings what a kernel reads ahead of it, as far as there is room. */
  #bringEarly(position: number, now: number) {
    const { unit } = this.units[position];
    const reads = unit.uses.flatMap(({ content, access }) => access === "read" ? [content] : []);
    const locked = new Set(reads.map(({ key }) => key));
    for (const content of this.#placeAll(reads, position, locked, { now }) ?? []) {
      this.#placeOf(content).ahead = true;
      this.#drafts.push(...this.#drafter.load(content, unit));
    }
  }

  /** Lets go of what was brought ahead: a kernel's operands can be brought again. */
  #letGo() {
    for (const place of this.#places) if (!this.#chain.has(place.content.key)) place.ahead = false;
  }

  #visit(position: number) {
    const { unit, start, end } = this.units[position];
    const nextWeights = this.#weightsBehind(position);
    const locked = new Set(unit.uses.map(({ content }) => content.key));
    if (nextWeights) locked.add(nextWeights.content.key);
    this.#places = this.#places.filter((place) => !place.gone || place.lastEnd + slack > start);

    const reads = new Set(unit.uses.filter(({ access }) => access === "read").map(({ content }) => content));
    const contents = unit.uses.map(({ content }) => content);
    const places = this.#placeAll(contents, position, locked, { now: start }) ??
      this.#placeTightly(contents, position, locked);
    if (!places) {
      const wanted = [...new Set(unit.uses.map(({ content }) => content))];
      const largest = wanted.reduce((a, b) => a.bytes >= b.bytes ? a : b);
      const bytes = wanted.reduce((sum, content) => sum + content.bytes, 0);
      throw new Crowded(
        unit.layer,
        `one step of it needs ${bytes} bytes of L1 beside what must stay there, there are ${this.arena} ` +
          `(largest operand: ${printName(largest.home?.buffer ?? largest.label)}, ${largest.bytes} bytes)`,
      );
    }
    const ahead = nextWeights && this.#placeAll([nextWeights.content], position, locked, { now: start });
    for (const content of [...places.filter((content) => reads.has(content)), ...ahead ?? []]) {
      this.#drafts.push(...this.#drafter.load(content, unit));
    }
    const chained = ahead !== undefined;
    this.#drafts.push(...this.#drafter.work(unit, chained ? nextWeights : undefined));
    for (const content of unit.stores) {
      const held = unit.engine === "dma" ? unit.uses[0].content : content;
      this.#drafts.push(...this.#drafter.store(content, held, unit));
    }

    for (const { content, access } of unit.uses) {
      const resident = this.#placeOf(content);
      while (resident.uses[resident.next] <= position) resident.next++;
      const stored = unit.stores.some(({ key }) => key === content.key);
      if (content.kind !== "scratch" && access === "write") resident.result = !stored;
      resident.lastEnd = Math.max(resident.lastEnd, end + (stored || unit.engine === "dma" ? storeTime : 0));
      touch(resident, unit.layer);
    }
    if (unit.job) this.#chain.clear();
    for (const { content } of unit.job ? [unit.job.weights] : unit.uses) {
      if (!this.#chain.has(content.key)) this.#placeOf(content).ahead = false;
    }
    if (nextWeights && chained) {
      const resident = this.#placeOf(nextWeights.content);
      resident.ahead = true;
      this.#chain.add(nextWeights.content.key);
      touch(resident, unit.layer);
    }
  }

  /** What the accelerator's next job has as weights, if this one may fetch the first block of them. */
  #weightsBehind(position: number): Use | undefined {
    const { unit } = this.units[position];
    const next = unit.job ? this.#nextJob[position] : -1;
    if (next < 0) return undefined;
    const { weights } = this.units[next].unit.job!;
    if (weights.content.kind === "scratch") return undefined;
    const made = [...this.#makers.of(weights.content)];
    return made.every((maker) => maker < position - quietJobs) ? weights : undefined;
  }

  #placeOf(content: Content): Resident {
    return this.#residents.get(content.key)!;
  }

  /** Another content may have its place. */
  #drop(resident: Resident) {
    resident.gone = true;
    this.#residents.delete(resident.content.key);
  }

  /** Gives places to those contents that have none and returns them; undefined if one finds no place. */
  #placeAll(
    contents: readonly Content[],
    position: number,
    locked: ReadonlySet<string>,
    how: { readonly now: number; readonly tight?: boolean },
  ): Content[] | undefined {
    const placed: Content[] = [];
    for (const content of contents) {
      if (this.#residents.has(content.key)) continue;
      const resident = this.#find(content, position, locked, how);
      if (!resident) {
        for (const content of placed) this.#drop(this.#placeOf(content));
        return undefined;
      }
      this.#residents.set(content.key, resident);
      this.#places.push(resident);
      this.#buffers.push(resident);
      placed.push(content);
    }
    return placed;
  }

  /** Begins anew with what is wanted at one time, one behind the other, where it did not fit between what is there. */
  #placeTightly(
    contents: readonly Content[],
    position: number,
    locked: ReadonlySet<string>,
  ): Content[] | undefined {
    this.#letGo();
    for (const { key } of contents) {
      const resident = this.#residents.get(key);
      if (resident && !isKept(resident)) this.#drop(resident);
    }
    const { start: now } = this.units[position];
    const sorted = contents.toSorted((a, b) => b.bytes - a.bytes);
    return this.#placeAll(sorted, position, locked, { now, tight: true });
  }

  /** The place whose loss costs least, taken from whoever has it. */
  #find(
    content: Content,
    position: number,
    locked: ReadonlySet<string>,
    { now, tight }: { readonly now: number; readonly tight?: boolean },
  ): Resident | undefined {
    const bytes = aligned(Math.max(1, content.bytes));
    const kept = this.#places.filter((place) =>
      !place.gone && (isKept(place) || locked.has(place.content.key))
    );
    const lasting = bytes === this.#tile && this.#handed.has(content.key);
    let best = { at: -1, cost: Infinity };
    for (const at of this.#candidates(bytes)) {
      if (kept.some(({ start, end }) => start < at + bytes && at < end)) continue;
      // What must stay for a while stays out of the way of larger contents.
      const cost = this.#costOf(at, at + bytes, now) + (lasting ? at / 20 : 0);
      if (cost < best.cost) best = { at, cost };
      if (tight) break;
    }
    if (best.at < 0) return undefined;
    for (const place of this.#places) {
      if (!place.gone && place.start < best.at + bytes && best.at < place.end) this.#drop(place);
    }
    const { layer } = this.units[position].unit;
    const uses = this.#uses.get(content.key)!;
    let next = 0;
    while (next < uses.length && uses[next] < position) next++;
    return {
      content,
      start: best.at,
      end: best.at + bytes,
      name: `${content.label}.${this.#buffers.length}`,
      lastEnd: now,
      uses,
      next,
      result: false,
      ahead: false,
      gone: false,
      layers: { first: layer, last: layer },
    };
  }

  /**
   * Tiles lie on a grid from the start, several in a row on a grid of their own size from the end, so that they leave
   * each other room; other contents beside those that are there, from the end.
   */
  *#candidates(bytes: number): Generator<number> {
    if (bytes % this.#tile === 0) {
      const top = Math.floor(this.arena / this.#tile) * this.#tile;
      if (bytes === this.#tile) { for (let at = 0; at + bytes <= top; at += bytes) yield at; }
      else for (let at = top - bytes; at >= 0; at -= bytes) yield at;
      return;
    }
    const edges = this.#places.flatMap(({ start, end }) => [start - bytes, end]);
    const within = (at: number) => at >= 0 && at + bytes <= this.arena;
    yield* [...new Set([this.arena - bytes, ...edges, 0])].filter(within).sort((a, b) => b - a);
  }

  /** Cycles that are lost if a new content takes these bytes. */
  #costOf(start: number, end: number, now: number): number {
    let late = 0;
    let loss = 0;
    let since = 0;
    for (const place of this.#places) {
      if (place.start >= end || start >= place.end) continue;
      late = Math.max(late, place.lastEnd + slack - now);
      since = Math.max(since, place.lastEnd);
      if (place.gone) continue;
      const next = place.uses[place.next];
      if (next === undefined) continue;
      const distance = Math.max(1, this.units[next].start - now);
      loss += (reloadCost + soon / distance) * Math.max(0.25, place.content.bytes / frame);
    }
    const frames = Math.ceil(end / frame) - Math.floor(start / frame);
    // Among equals: what was done with longest ago.
    return late + loss + frameCost * frames + 1e-6 * since;
  }
}

/** Results, what is fetched ahead, and working data that is still wanted. */
function isKept({ content, result, ahead, uses, next }: Resident): boolean {
  return result || ahead || (content.kind === "scratch" && next < uses.length);
}

function touch({ layers }: Resident, layer: number) {
  layers.first = Math.min(layers.first, layer);
  layers.last = Math.max(layers.last, layer);
}
