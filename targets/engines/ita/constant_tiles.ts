// Constant operands of products as tiles (ita.md, section 4), made at compile time: transposed where the hardware wants
// it, padded with zeros, and without the tiles that are all zero, which add nothing to a sum.

import type { Tensor, TensorData } from "../../../src/model/types.ts";
import { tileBytes, tileEdge, tilesOf } from "./tiles.ts";

/** A tile of a strip: its place along the inner dimension, and in the table. */
export interface ConstantTile {
  /** Number of the tile along the inner dimension. */
  readonly inner: number;
  /** Bytes from the start of the table. */
  readonly offset: number;
  /** All zero; kept because the strip has no other. */
  readonly zero: boolean;
}

/** Some strips of a constant in L1. */
export interface TileTable {
  readonly data: Uint8Array;
  /** The tiles of each strip, in the order of the inner dimension; at least one. */
  readonly strips: readonly (readonly ConstantTile[])[];
}

/** A constant in tiles. A strip is what 64 rows of the input, or 64 columns of the weights, have along the inner dimension. */
export interface ConstantTiles {
  /** Number of tiles that are not all zero, by matrix and strip. */
  readonly counts: readonly (readonly number[])[];
  /** Strips `first … first + count - 1` of a matrix. Equal calls give the same bytes, one object. */
  table(matrix: number, first: number, count: number): TileTable;
}

/** Constants are asked for by several passes and by every piece. */
const known = new WeakMap<TensorData, Map<string, ConstantTiles>>();

function remembered(data: TensorData, key: string, make: () => ConstantTiles): ConstantTiles {
  const forms = known.get(data) ?? new Map<string, ConstantTiles>();
  known.set(data, forms);
  const found = forms.get(key) ?? make();
  forms.set(key, found);
  return found;
}

/**
 * The matrices of a constant operand.
 *
 * @param stored whether a line (a row of the input, a column of the weights) is a row or a column of the tensor
 */
export function matrixTiles({ data, shape }: Tensor, stored: "rows" | "columns"): ConstantTiles {
  const [height, width] = shape.slice(-2);
  return remembered(data!, `${stored} ${height} ${width}`, () => {
    const [lines, depth] = stored === "rows" ? [height, width] : [width, height];
    return pack(data!, lines, depth, stored);
  });
}

/** diag(scale) of so many columns: one tile a strip, and one for all strips where all columns have the same scale. */
export function diagonalTiles({ data }: Tensor, columns: number): ConstantTiles {
  return remembered(data!, `diagonal ${columns}`, () => {
    const uniform = data!.every((value) => value === data![0]);
    const made = uniform ? 1 : tilesOf(columns);
    const packed = new Uint8Array(made * tileBytes);
    for (let i = 0; i < (uniform ? tileEdge : columns); i++) {
      const at = i % tileEdge;
      packed[Math.floor(i / tileEdge) * tileBytes + at * tileEdge + at] = data![uniform ? 0 : i];
    }
    const zero = Array.from({ length: made }, (_, tile) => isZero(packed, tile * tileBytes));
    const strips = Array.from({ length: tilesOf(columns) }, (_, strip) => uniform ? 0 : strip);
    const tables = new Map<string, Uint8Array>();
    return {
      counts: [strips.map((tile) => zero[tile] ? 0 : 1)],
      table: (_matrix, first, count) => ({
        data: uniform ? packed : part(packed, first, count, tables),
        strips: strips.slice(first, first + count).map((tile, strip) => [
          { inner: first + strip, offset: uniform ? 0 : strip * tileBytes, zero: zero[tile] },
        ]),
      }),
    };
  });
}

function pack(data: TensorData, lines: number, depth: number, stored: "rows" | "columns"): ConstantTiles {
  const matrices = data.length / (lines * depth);
  const all = new Uint8Array(matrices * tilesOf(lines) * tilesOf(depth) * tileBytes);
  /** Tiles of each strip, of all matrices; offsets from the start of `all`. */
  const strips: ConstantTile[][] = [];
  let end = 0;
  for (let matrix = 0; matrix < matrices; matrix++) {
    const base = matrix * lines * depth;
    for (let line = 0; line < lines; line += tileEdge) {
      const tiles: ConstantTile[] = [];
      for (let k = 0; k < depth; k += tileEdge) {
        // Lines of the tile, elements of a line.
        const [count, length] = [Math.min(tileEdge, lines - line), Math.min(tileEdge, depth - k)];
        let any = 0;
        for (let row = 0; row < count; row++) {
          const step = stored === "rows" ? 1 : lines;
          let from = base + (stored === "rows" ? (line + row) * depth + k : k * lines + line + row);
          const to = end + row * tileEdge;
          for (let i = 0; i < length; i++, from += step) any |= all[to + i] = data[from];
        }
        const last = k + tileEdge >= depth;
        if (any === 0 && (tiles.length > 0 || !last)) continue;
        tiles.push({ inner: k / tileEdge, offset: end, zero: any === 0 });
        end += tileBytes;
      }
      strips.push(tiles);
    }
  }
  const packed = end === all.length ? all : all.slice(0, end);
  const perMatrix = tilesOf(lines);
  const tables = new Map<string, Uint8Array>();
  return {
    counts: Array.from(
      { length: matrices },
      (_, matrix) =>
        strips.slice(matrix * perMatrix, (matrix + 1) * perMatrix)
          .map((tiles) => tiles.filter(({ zero }) => !zero).length),
    ),
    table(matrix, first, count) {
      const own = strips.slice(matrix * perMatrix + first, matrix * perMatrix + first + count);
      const start = own[0][0].offset;
      const tiles = own.reduce((sum, strip) => sum + strip.length, 0);
      return {
        data: part(packed, start / tileBytes, tiles, tables),
        strips: own.map((strip) => strip.map((tile) => ({ ...tile, offset: tile.offset - start }))),
      };
    },
  };
}

/** Some tiles of a block; the same object each time, so that equal tables are seen to be equal at once. */
function part(packed: Uint8Array, first: number, count: number, made: Map<string, Uint8Array>): Uint8Array {
  const key = `${first} ${count}`;
  const table = made.get(key) ?? packed.subarray(first * tileBytes, (first + count) * tileBytes);
  made.set(key, table);
  return table;
}

function isZero(bytes: Uint8Array, offset: number): boolean {
  return bytes.subarray(offset, offset + tileBytes).every((byte) => byte === 0);
}
