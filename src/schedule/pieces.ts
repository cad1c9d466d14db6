// A layer's pieces as the choice of a tiling sees them: how many bytes their operands take where each field has places
// of its own, and what comes and goes for each piece. Where operands lie in the end is decided elsewhere (residency.ts).

import type { Box, Mapping, NodeView } from "../../targets/engines/engine.ts";
import type { Target } from "../../targets/schema.ts";
import { bytesPerElement, elementCount } from "../model/types.ts";
import { boxKey, isPadded, layoutBytes, oneRow, type Rows, rowsOfLayout } from "./boxes.ts";
import { aligned } from "./budget.ts";

/** How the first output is cut: sizes of a piece on every axis, and the cut axes from the outermost loop inwards. */
export interface Tiling {
  readonly shape: readonly number[];
  readonly order: readonly number[];
}

/** One piece of the work. */
export interface Piece {
  /** Cycles of its kernel. */
  readonly cycles: number;
  readonly loads: readonly Rows[];
  readonly stores: readonly Rows[];
}

/** All pieces of a layer, in the order in which they are done. */
export interface Pieces {
  /** Bytes of L1 that their operands take. */
  readonly bytes: number;
  /** They have kernels; if not, they are copies. */
  readonly hasKernels: boolean;
  readonly pieces: readonly Piece[];
}

/** A place in L1 that holds one operand at a time. */
interface Slot {
  bytes: number;
  key: string;
  lastUse: number;
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

/**
 * Places the operands of all pieces in slots: mostly two each, so that one is filled while the other is in use. What is
 * there already is not loaded again.
 *
 * @param single fields with one place instead of two: the next content is loaded when the last one is done with
 */
export function placePieces(
  view: NodeView,
  mapping: Mapping,
  tiling: Tiling,
  single: ReadonlySet<string>,
  target: Target,
): Pieces {
  const fields = new Map<string, Slot[]>();
  const tables = new TableNames();
  let hasKernels = false;
  const pieces = boxesOf(view.outputs[0].shape, tiling).map((box, index): Piece => {
    const call = mapping.piece(view, box, target);
    if (call.kernel !== "") hasKernels = true;
    const own = new Map<string, Slot>();
    const loads: Rows[] = [];
    const stores: Rows[] = [];

    /** Finds a slot for an operand; whether it is there already. */
    const hold = (field: string, key: string, bytes: number, most = single.has(field) ? 1 : 2): boolean => {
      const slots = fields.get(field) ?? [];
      fields.set(field, slots);
      const hit = slots.find((slot) => slot.key === key);
      const slot = hit ?? (slots.length < most ? { bytes: 0, key, lastUse: index } : oldestOf(slots));
      if (!slots.includes(slot)) slots.push(slot);
      Object.assign(slot, { bytes: Math.max(slot.bytes, bytes), key, lastUse: index });
      own.set(field, slot);
      return hit !== undefined;
    };

    for (const { field, input, box, layout, clear } of call.reads) {
      const { name, dtype, shape } = view.inputs[input]!;
      const bytes = layoutBytes(box, bytesPerElement[dtype], layout);
      if (hold(field, `${name}@${boxKey(box)}`, bytes)) continue;
      if (clear && isPadded(box, layout)) loads.push(oneRow(bytes));
      loads.push(...rowsOfLayout(shape, bytesPerElement[dtype], box, layout));
    }
    for (const { field, data } of call.tables ?? []) {
      const hit = hold(field, tables.nameOf(data), data.length);
      if (!hit && data.length > 0) loads.push(oneRow(data.length));
    }
    for (const { field, output, box, layout } of call.writes) {
      const { dtype, shape } = view.outputs[output];
      const bytes = layoutBytes(box, bytesPerElement[dtype], layout);
      // Copies store what they read.
      const read = own.get(field);
      if (read) read.bytes = Math.max(read.bytes, bytes);
      else hold(field, `piece ${index}`, bytes);
      stores.push(...rowsOfLayout(shape, bytesPerElement[dtype], box, layout));
    }
    for (const { field, bytes } of call.scratch ?? []) hold(field, "", bytes, 1);
    return { cycles: call.cycles, loads, stores };
  });
  const bytes = [...fields.values()].flat().reduce((sum, slot) => sum + aligned(slot.bytes), 0);
  return { bytes, hasKernels, pieces };
}

function oldestOf(slots: readonly Slot[]): Slot {
  return slots.reduce((a, b) => b.lastUse < a.lastUse ? b : a);
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
