// Who makes which bytes of which tensor. Every byte is made once, so the order of the work does not matter here.

import { forEachGranule } from "./boxes.ts";
import { alignment } from "./budget.ts";
import type { Content } from "./contents.ts";

/** Makers by the bytes that they store. */
export class Makers {
  /** The maker of each granule, -1 for none; where granules have several, the others. */
  readonly #first = new Map<string, Int32Array>();
  readonly #others = new Map<string, Map<number, Set<number>>>();

  /** Notes that `maker` stores a content. */
  add({ home }: Content, maker: number) {
    const { buffer, rows } = home!;
    const end = rows.reduce(
      (most, { offset, rows, stride, bytes }) => Math.max(most, offset + (rows - 1) * stride + bytes),
      0,
    );
    let first = this.#first.get(buffer);
    const length = Math.ceil(end / alignment) + 1;
    if (!first || first.length < length) {
      const longer = new Int32Array(Math.max(length, 2 * (first?.length ?? 0))).fill(-1);
      longer.set(first ?? []);
      this.#first.set(buffer, first = longer);
    }
    const note = (granule: number) => {
      if (first[granule] < 0) first[granule] = maker;
      else if (first[granule] !== maker) {
        const others = this.#others.get(buffer) ?? new Map<number, Set<number>>();
        this.#others.set(buffer, others.set(granule, (others.get(granule) ?? new Set()).add(maker)));
      }
    };
    for (const part of rows) forEachGranule(part, note);
  }

  /** All who make a part of a content; none for what is constant or comes from outside. */
  of({ home }: Content): Set<number> {
    const found = new Set<number>();
    const first = home && this.#first.get(home.buffer);
    if (!first) return found;
    const others = this.#others.get(home.buffer);
    const collect = (granule: number) => {
      const maker = first[granule] ?? -1;
      if (maker < 0) return;
      found.add(maker);
      for (const other of others?.get(granule) ?? []) found.add(other);
    };
    for (const part of home.rows) forEachGranule(part, collect);
    return found;
  }
}
