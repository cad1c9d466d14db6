// Boxes of tensors as bytes: how a rectangular part of a row-major array breaks into strided rows, which is what
// a DMA can move.

import type { Box, Layout } from "../../targets/engines/engine.ts";
import { elementCount } from "../model/types.ts";
import { alignment } from "./budget.ts";

/** Rows of bytes that lie `stride` apart in the tensor and `packedStride` apart in the dense copy of the box. */
export interface Rows {
  /** Bytes from the start of the tensor to the first row. */
  readonly offset: number;
  /** Bytes from the start of the dense copy to the first row. */
  readonly packedOffset: number;
  readonly bytes: number;
  readonly rows: number;
  readonly stride: number;
  readonly packedStride: number;
}

/** So many bytes that lie together on both sides. */
export function oneRow(bytes: number, offset = 0): Rows {
  return { offset, packedOffset: 0, bytes, rows: 1, stride: bytes, packedStride: bytes };
}

/** Bytes of the dense copy of a box. */
function boxBytes(box: Box, elementBytes: number): number {
  return elementCount(box.shape) * elementBytes;
}

/** Bytes that a box takes in L1 in a layout, padding included. */
export function layoutBytes(box: Box, elementBytes: number, layout: Layout = "dense"): number {
  if (layout === "dense") return boxBytes(box, elementBytes);
  const [height, width] = box.shape.slice(-2);
  const matrices = elementCount(box.shape.slice(0, -2));
  const tiles = Math.ceil(height / layout.rows) * Math.ceil(width / layout.columns);
  return matrices * tiles * layout.rows * layout.columns * elementBytes;
}

/** Whether a layout has padding around the box. */
export function isPadded(box: Box, layout: Layout = "dense"): boolean {
  return layoutBytes(box, 1, layout) > boxBytes(box, 1);
}

/**
 * Rows of bytes between a tensor and the place of a box of it in L1, where it lies in a layout.
 *
 * @throws {RangeError} if the box is not inside the tensor
 */
export function rowsOfLayout(
  shape: readonly number[],
  elementBytes: number,
  box: Box,
  layout: Layout = "dense",
): Rows[] {
  if (layout === "dense") return rowsOfBox(shape, elementBytes, box);
  const { rows, columns } = layout;
  const pitch = columns * elementBytes;
  return tilesOf(box, layout).flatMap((tile, index) =>
    rowsOfBox(shape, elementBytes, tile).map((part) =>
      spread(part, tile.shape.at(-1)! * elementBytes, pitch, index * rows * pitch)
    )
  );
}

/** The tiles of a box in the order in which they lie in L1, without their padding. */
export function tilesOf(box: Box, { rows, columns }: Exclude<Layout, "dense">): Box[] {
  const [height, width] = box.shape.slice(-2);
  const matrices = elementCount(box.shape.slice(0, -2));
  const tiles: Box[] = [];
  for (let matrix = 0; matrix < matrices; matrix++) {
    const corner = cornerOf(box, matrix);
    for (let row = 0; row < height; row += rows) {
      for (let column = 0; column < width; column += columns) {
        tiles.push({
          start: [...corner, box.start.at(-2)! + row, box.start.at(-1)! + column],
          shape: [...corner.map(() => 1), Math.min(rows, height - row), Math.min(columns, width - column)],
        });
      }
    }
  }
  return tiles;
}

/** Where the `matrix`th matrix of a box starts, on the axes in front of its last two. */
function cornerOf(box: Box, matrix: number): number[] {
  const start = box.start.slice(0, -2);
  for (let axis = start.length - 1; axis >= 0; axis--) {
    start[axis] += matrix % box.shape[axis];
    matrix = Math.floor(matrix / box.shape[axis]);
  }
  return start;
}

/** Rows of a dense tile as rows of a tile whose lines are `pitch` bytes apart. */
function spread(part: Rows, lineBytes: number, pitch: number, at: number): Rows {
  if (lineBytes === pitch) return { ...part, packedOffset: at + part.packedOffset };
  // Lines that are contiguous in the tensor were merged into one row; taken apart again they are rows of a line.
  const lines = part.rows * part.bytes / lineBytes;
  return {
    offset: part.offset,
    packedOffset: at,
    bytes: lineBytes,
    rows: lines,
    stride: part.rows === 1 ? lineBytes : part.stride,
    packedStride: pitch,
  };
}

/** A string that two boxes share if and only if they are the same region. */
export function boxKey(box: Box): string {
  return `${box.start.join(",")}:${box.shape.join(",")}`;
}

/**
 * Breaks a box into the fewest groups of equally spaced rows: neighbouring axes that are contiguous are merged, of
 * the axes left the longest becomes the rows and the others are walked.
 *
 * @param shape shape of the tensor that the box is a part of
 * @throws {RangeError} if the box is not inside the tensor
 */
export function rowsOfBox(shape: readonly number[], elementBytes: number, box: Box): Rows[] {
  const inside = box.start.length === shape.length && box.shape.length === shape.length &&
    shape.every((size, axis) => box.start[axis] >= 0 && box.start[axis] + box.shape[axis] <= size);
  if (!inside) throw new RangeError(`box ${boxKey(box)} is not inside a tensor of shape [${shape}]`);
  if (elementCount(box.shape) === 0) return [];

  let offset = 0;
  let bytes = elementBytes;
  const axes: { count: number; stride: number; packed: number }[] = []; // innermost first
  let stride = elementBytes;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const count = box.shape[axis];
    offset += box.start[axis] * stride;
    if (count > 1) {
      const inner = axes.at(-1);
      if (!inner && stride === bytes) bytes *= count;
      else if (inner && stride === inner.stride * inner.count) inner.count *= count;
      else axes.push({ count, stride, packed: inner ? inner.packed * inner.count : bytes });
    }
    stride *= shape[axis];
  }

  const longest = axes.reduce((best, axis, i) => axis.count > axes[best].count ? i : best, 0);
  const [rows] = axes.length > 0 ? axes.splice(longest, 1) : [{ count: 1, stride: bytes, packed: bytes }];
  let corners = [{ offset, packedOffset: 0 }];
  for (const axis of axes.reverse()) {
    corners = corners.flatMap((corner) =>
      Array.from({ length: axis.count }, (_, i) => ({
        offset: corner.offset + i * axis.stride,
        packedOffset: corner.packedOffset + i * axis.packed,
      }))
    );
  }
  return corners.map((corner) => ({
    ...corner,
    bytes,
    rows: rows.count,
    stride: rows.stride,
    packedStride: rows.packed,
  }));
}

/** Visits the granules (see `alignment`) that rows of bytes touch, each once. */
export function forEachGranule(
  { offset, bytes, rows, stride }: Pick<Rows, "offset" | "bytes" | "rows" | "stride">,
  visit: (granule: number) => void,
) {
  if (bytes === 0) return;
  let next = 0;
  for (let row = 0; row < rows; row++) {
    const start = offset + row * stride;
    const last = Math.floor((start + bytes - 1) / alignment);
    for (let granule = Math.max(next, Math.floor(start / alignment)); granule <= last; granule++) {
      visit(granule);
    }
    next = last + 1;
  }
}
