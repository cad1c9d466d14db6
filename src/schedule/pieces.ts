// A layer's pieces and where their operands go in L1, before any address is known: which slot holds which part of
// which tensor for which piece, and what must be loaded and stored for it.

import type { Box, KernelCall, Layout, Mapping, NodeView } from "../../targets/engines/engine.ts";
import type { Target } from "../../targets/schema.ts";
import { bytesPerElement, elementCount, type Tensor } from "../model/types.ts";
import { boxKey, isPadded, layoutBytes, type Rows, rowsOfLayout } from "./boxes.ts";
import { aligned } from "./budget.ts";

/** How the first output is cut: sizes of a piece on every axis, and the cut axes from the outermost loop inwards. */
export interface Tiling {
  readonly shape: readonly number[];
  readonly order: readonly number[];
  /** Fields with one place in L1 instead of two: the next content is loaded when the last one is done with. */
  readonly single: ReadonlySet<string>;
}

/** A place in L1 that holds one operand at a time. */
export interface Slot {
  readonly field: string;
  readonly index: number;
  readonly kind: "tile" | "scratch";
  bytes: number;
}

/** Bytes to move between a tensor (or a table) and a slot. */
export interface Move {
  readonly from: { readonly tensor: string } | { readonly table: Uint8Array };
  readonly slot: Slot;
  readonly rows: readonly Rows[];
}

/** Where an operand of a piece lies, and whether its layout has padding, which may hold anything. */
interface PlacedOperand {
  readonly slot: Slot;
  readonly bytes: number;
  readonly access: "read" | "write" | "scratch";
  readonly padded: boolean;
}

/** One piece of the work with its operands in slots. */
export interface Piece {
  readonly call: KernelCall;
  readonly operands: ReadonlyMap<string, PlacedOperand>;
  readonly loads: readonly Move[];
  readonly stores: readonly Move[];
}

/** All pieces of a layer, in the order in which they are done. */
export interface Pieces {
  readonly slots: readonly Slot[];
  readonly pieces: readonly Piece[];
}

/** Bytes of L1 that the slots take. */
export function slotBytes(slots: readonly Slot[]): number {
  return slots.reduce((sum, slot) => sum + aligned(slot.bytes), 0);
}

/** Boxes of the first output, one a piece, in the order of the tiling's loops. */
export function boxesOf(shape: readonly number[], tiling: Tiling): Box[] {
  if (elementCount(shape) === 0) return [];
  let boxes: { start: number[]; shape: number[] }[] = [{ start: shape.map(() => 0), shape: [...shape] }];
  for (const axis of tiling.order) {
    const size = tiling.shape[axis];
    boxes = boxes.flatMap((box) => {
      const cut = [];
      for (let start = 0; start < shape[axis]; start += size) {
        cut.push({
          start: box.start.with(axis, start),
          shape: box.shape.with(axis, Math.min(size, shape[axis] - start)),
        });
      }
      return cut;
    });
  }
  return boxes;
}

/** Places the operands of all pieces in slots: mostly two each, so that one is filled while the other is in use. */
export function placePieces(view: NodeView, mapping: Mapping, tiling: Tiling, target: Target): Pieces {
  const slots: Slot[] = [];
  const cached = new Map<string, CachedField>();
  const fieldOf = (field: string) => {
    const known = cached.get(field) ?? new CachedField(field, slots, tiling.single.has(field) ? 1 : 2);
    cached.set(field, known);
    return known;
  };
  const tables = new TableNames();
  const outputs = new Map<string, Slot[]>();

  const pieces = boxesOf(view.outputs[0].shape, tiling).map((box, index): Piece => {
    const call = mapping.piece(view, box, target);
    const operands = new Map<string, PlacedOperand>();
    const loads: Move[] = [];
    const stores: Move[] = [];

    for (const read of call.reads) {
      const tensor = present(view.inputs[read.input], view, `input ${read.input}`);
      const bytes = layoutBytes(read.box, bytesPerElement[tensor.dtype], read.layout);
      const { slot, hit } = fieldOf(read.field).place(`${tensor.name}@${boxKey(read.box)}`, bytes, index);
      const padded = isPadded(read.box, read.layout);
      operands.set(read.field, { slot, bytes, access: "read", padded });
      const rows = rowsOf(tensor, read.box, read.layout);
      if (!hit && read.clear && padded) {
        loads.push({ from: { table: new Uint8Array(bytes) }, slot, rows: [wholeRow(bytes)] });
      }
      if (!hit && rows.length > 0) loads.push({ from: { tensor: tensor.name }, slot, rows });
    }
    for (const { field, data } of call.tables ?? []) {
      const { slot, hit } = fieldOf(field).place(tables.nameOf(data), data.length, index);
      operands.set(field, { slot, bytes: data.length, access: "read", padded: false });
      if (!hit && data.length > 0) loads.push({ from: { table: data }, slot, rows: [wholeRow(data.length)] });
    }
    for (const write of call.writes) {
      const tensor = present(view.outputs[write.output], view, `output ${write.output}`);
      const bytes = layoutBytes(write.box, bytesPerElement[tensor.dtype], write.layout);
      const slot = operands.get(write.field)?.slot ??
        ringSlot(outputs, slots, write.field, tiling.single.has(write.field) ? 0 : index % 2);
      slot.bytes = Math.max(slot.bytes, bytes);
      operands.set(write.field, { slot, bytes, access: "write", padded: isPadded(write.box, write.layout) });
      const rows = rowsOf(tensor, write.box, write.layout);
      if (rows.length > 0) stores.push({ from: { tensor: tensor.name }, slot, rows });
    }
    for (const { field, bytes } of call.scratch ?? []) {
      const known = slots.find((slot) => slot.kind === "scratch" && slot.field === field);
      const slot: Slot = known ?? { field, index: 0, kind: "scratch", bytes: 0 };
      if (!known) slots.push(slot);
      slot.bytes = Math.max(slot.bytes, bytes);
      operands.set(field, { slot, bytes, access: "scratch", padded: false });
    }
    return { call, operands, loads, stores };
  });
  return { slots, pieces };
}

/** A field that is read: remembers what its slots hold, so that what is there already is not loaded again. */
class CachedField {
  readonly #slots: { slot: Slot; key: string; lastUse: number }[] = [];

  constructor(readonly field: string, readonly all: Slot[], readonly places: number) {}

  /** The slot that holds `key` for piece `index`, and whether it holds it already. */
  place(key: string, bytes: number, index: number): { slot: Slot; hit: boolean } {
    const hit = this.#slots.find((entry) => entry.key === key);
    const oldest = () => this.#slots.reduce((a, b) => b.lastUse < a.lastUse ? b : a);
    const entry = hit ?? (this.#slots.length < this.places ? this.#grow() : oldest());
    entry.key = key;
    entry.lastUse = index;
    entry.slot.bytes = Math.max(entry.slot.bytes, bytes);
    return { slot: entry.slot, hit: hit !== undefined };
  }

  #grow() {
    const slot: Slot = { field: this.field, index: this.#slots.length, kind: "tile", bytes: 0 };
    this.all.push(slot);
    const entry = { slot, key: "", lastUse: -1 };
    this.#slots.push(entry);
    return entry;
  }
}

/** Names tables by their content: mappings may make the same table anew for each piece. */
class TableNames {
  readonly #seen: Uint8Array[] = [];

  nameOf(data: Uint8Array): string {
    let index = this.#seen.findIndex((seen) => sameBytes(seen, data));
    if (index < 0) index = this.#seen.push(data) - 1;
    return `table ${index}`;
  }
}

/** Whether two tables are the same bytes; tables of a mapping are often parts of one array. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  return (a.buffer === b.buffer && a.byteOffset === b.byteOffset) || a.every((byte, i) => byte === b[i]);
}

/** Slot of a written field: mostly two, in turn. */
function ringSlot(rings: Map<string, Slot[]>, all: Slot[], field: string, turn: number): Slot {
  const ring = rings.get(field) ?? [];
  rings.set(field, ring);
  while (ring.length <= turn) {
    const slot: Slot = { field, index: ring.length, kind: "tile", bytes: 0 };
    ring.push(slot);
    all.push(slot);
  }
  return ring[turn];
}

function rowsOf(tensor: Tensor, box: Box, layout?: Layout): Rows[] {
  return rowsOfLayout(tensor.shape, bytesPerElement[tensor.dtype], box, layout);
}

function wholeRow(bytes: number): Rows {
  return { offset: 0, packedOffset: 0, bytes, rows: 1, stride: bytes, packedStride: bytes };
}

function present(tensor: Tensor | undefined, view: NodeView, what: string): Tensor {
  if (!tensor) throw new Error(`the mapping of ${view.node.operator} asks for ${what}, which is absent`);
  return tensor;
}
