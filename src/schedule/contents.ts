// What lies in L1 for a while: a tile of a tensor or of a table, a whole operand, working data. Contents with the same
// key are the same bytes, so what is there already is not loaded again, whichever layer brought or made it.

import type { Box, Layout } from "../../targets/engines/engine.ts";
import { bytesPerElement, type Tensor } from "../model/types.ts";
import { isPadded, layoutBytes, oneRow, type Rows, rowsOfLayout } from "./boxes.ts";

/** Bytes that somebody wants in L1, in one run of addresses. */
export interface Content {
  readonly key: string;
  /** What it is called in the names of buffers: layer and field. */
  readonly label: string;
  readonly kind: "tile" | "scratch";
  readonly bytes: number;
  /** Buffer outside L1 that has it (or will have it), and where; absent for working data. */
  readonly home?: { readonly buffer: string; readonly rows: readonly Rows[] };
  /** It must be zero where the rows leave gaps. */
  readonly clear: boolean;
  /** The rows leave gaps that may hold anything. */
  readonly padded: boolean;
}

/** A part of a content that a unit of work touches. */
export interface Use {
  readonly content: Content;
  readonly offset: number;
  readonly bytes: number;
  readonly access: "read" | "write" | "scratch";
}

/** A box of a tensor that lies outside in `buffer`. */
export function tensorContent(
  label: string,
  buffer: string,
  tensor: Tensor,
  box: Box,
  layout: Layout | undefined,
  clear: boolean,
): Content {
  const element = bytesPerElement[tensor.dtype];
  const bytes = layoutBytes(box, element, layout);
  const rows = rowsOfLayout(tensor.shape, element, box, layout);
  const padded = isPadded(box, layout);
  const zeros = clear && padded;
  return {
    key: `${buffer} ${bytes} ${zeros} ${rows.map(rowsKey).join()}`,
    label,
    kind: "tile",
    bytes,
    home: { buffer, rows },
    clear: zeros,
    padded,
  };
}

/** Part of a table that lies in `buffer`. */
export function tableContent(label: string, buffer: string, offset: number, bytes: number): Content {
  const rows = bytes === 0 ? [] : [oneRow(bytes, offset)];
  return {
    key: `${buffer} ${bytes} false ${rows.map(rowsKey).join()}`,
    label,
    kind: "tile",
    bytes,
    home: { buffer, rows },
    clear: false,
    padded: false,
  };
}

/** Working data, named by who works in it. */
export function scratchContent(label: string, key: string, bytes: number): Content {
  return { key, label, kind: "scratch", bytes, clear: false, padded: false };
}

/** Where the rows lie outside and inside; a single row has no strides. */
function rowsKey({ offset, packedOffset, bytes, rows, stride, packedStride }: Rows): string {
  return rows === 1
    ? `${offset}:${packedOffset}:${bytes}`
    : `${offset}:${packedOffset}:${bytes}:${rows}:${stride}:${packedStride}`;
}
