// Boxes of tensors as bytes: how a rectangular part of a row-major array breaks into strided rows, which is what
// a DMA can move.

import type { Box } from "../../targets/engines/engine.ts";
import { elementCount } from "../model/types.ts";

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

/** Bytes of the dense copy of a box. */
export function boxBytes(box: Box, elementBytes: number): number {
  return elementCount(box.shape) * elementBytes;
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
