// RequantizedMatMul and RequantizedProductSum on ITA: linear layers (activation times constant weights), their transposed
// form (constant times activation, which gives the values of an attention as weights), products of two activations,
// and sums of these with int8 tensors that are scaled by columns, such as a residual connection.
//
// A piece is a rectangle of tiles of one matrix. Constants are tables in tile layout, transposed where the hardware
// wants it and padded with zeros, so that whatever lies in the padding of the other operand counts for nothing. A tile
// of the result is one accumulation, whose jobs may take their tiles from different operands: first those of one
// product, then those of the next; a tensor scaled by columns is one job, with the tile of a diagonal matrix. Tiles of
// constants that are all zero are no jobs.

import type { Tensor } from "../../../src/model/types.ts";
import type { Target } from "../../schema.ts";
import { broadcastBox } from "../cores/boxes.ts";
import type {
  AcceleratorJob,
  AcceleratorSequence,
  Box,
  KernelCall,
  Mapping,
  NodeView,
  OperandPlace,
} from "../engine.ts";
import { type Product, productOf, type Term } from "./products.ts";
import type { ItaRequant } from "./requantise.ts";
import {
  BiasTable,
  chainCycles,
  linearConstant,
  matrixCuts,
  tileBytes,
  tileEdge,
  tileLayout,
  tilesOf,
  unsuitable,
} from "./tiles.ts";

/** Which matrix of a tensor serves the matrix of the result at a position: its index, all batch axes flattened. */
function matrixIndex(operand: readonly number[], index: readonly number[]): number {
  const skipped = index.length - operand.length;
  return operand.slice(0, -2).reduce(
    (matrix, dimension, axis) => matrix * dimension + (dimension === 1 ? 0 : index[axis + skipped]),
    0,
  );
}

/** The part of an activation that a piece reads: some rows of one matrix, and all columns or some. */
function partOf(operand: Tensor, box: Box, rows: Span, columns?: Span): Box {
  const front = broadcastBox(operand.shape.slice(0, -2), {
    start: box.start.slice(0, -2),
    shape: box.shape.slice(0, -2),
  });
  return {
    start: [...front.start, rows.start, columns?.start ?? 0],
    shape: [...front.shape, rows.count, columns?.count ?? operand.shape.at(-1)!],
  };
}

interface Span {
  readonly start: number;
  readonly count: number;
}

/** Operands of one job; `zero`: it adds nothing. */
interface Pair {
  readonly input: OperandPlace;
  readonly weights: OperandPlace;
  readonly zero: boolean;
}

/** A term in a piece: what it needs in L1, and the jobs that it adds to a tile of the result. */
interface PlacedTerm {
  readonly reads: KernelCall["reads"];
  readonly tables: readonly { readonly field: string; readonly data: Uint8Array }[];
  readonly pairs: (row: number, column: number) => Pair[];
}

/** Tiles of a piece of the result: rows and columns, counted in tiles from the piece's corner. */
function placeTerm(term: Term, number: number, box: Box): PlacedTerm {
  const { a, b, depth, constant, diagonal, inputs } = term;
  const [rows, columns] = [box.shape.length - 2, box.shape.length - 1]
    .map((axis): Span => ({ start: box.start[axis], count: box.shape[axis] }));
  const inner = tilesOf(depth);
  const [fieldA, fieldB] = ["a", "b"].map((field) => number === 0 ? field : `${field}${number + 1}`);
  const read = (field: string, input: number, part: Box) => ({ field, input, box: part, layout: tileLayout });
  const place = (field: string, offset: number): OperandPlace => ({ field, offset });
  const inTable = (operand: Tensor, { start, count }: Span) =>
    constant!.tiles().table(
      diagonal ? 0 : matrixIndex(operand.shape, box.start),
      start / tileEdge,
      tilesOf(count),
    );

  if (diagonal) {
    const { data, strips } = inTable(b, columns);
    return {
      reads: [read(fieldA, inputs[0], partOf(a, box, rows, columns))],
      tables: [{ field: fieldB, data }],
      pairs: (row, column) =>
        strips[column].map(({ offset, zero }) => ({
          input: place(fieldA, (row * strips.length + column) * tileBytes),
          weights: place(fieldB, offset),
          zero,
        })),
    };
  }
  if (constant?.operand === "b") {
    const { data, strips } = inTable(b, columns);
    return {
      reads: [read(fieldA, inputs[0], partOf(a, box, rows))],
      tables: [{ field: fieldB, data }],
      pairs: (row, column) =>
        strips[column].map((tile) => ({
          input: place(fieldA, (row * inner + tile.inner) * tileBytes),
          weights: place(fieldB, tile.offset),
          zero: tile.zero,
        })),
    };
  }
  const weights = read(fieldB, inputs[1], partOf(b, box, columns));
  const weightsAt = (column: number, k: number) => place(fieldB, (column * inner + k) * tileBytes);
  if (constant) {
    const { data, strips } = inTable(a, rows);
    return {
      reads: [weights],
      tables: [{ field: fieldA, data }],
      pairs: (row, column) =>
        strips[row].map((tile) => ({
          input: place(fieldA, tile.offset),
          weights: weightsAt(column, tile.inner),
          zero: tile.zero,
        })),
    };
  }
  return {
    // Neither operand is a table with zeros in its padding.
    reads: [
      read(fieldA, inputs[0], partOf(a, box, rows)),
      depth % tileEdge === 0 ? weights : { ...weights, clear: true },
    ],
    tables: [],
    pairs: (row, column) =>
      Array.from({ length: inner }, (_, k) => ({
        input: place(fieldA, (row * inner + k) * tileBytes),
        weights: weightsAt(column, k),
        zero: false,
      })),
  };
}

/** A tile of the result: its place in the piece, the constants that hold there, and what is added up. */
interface ResultTile {
  readonly row: number;
  readonly column: number;
  readonly constants: ItaRequant;
  readonly pairs: readonly Pair[];
}

function piece(view: NodeView, box: Box): KernelCall {
  const outcome = productOf(view);
  if ("reason" in outcome) throw new Error(`${view.node.operator} is not for ITA: ${outcome.reason}`);
  const { product } = outcome;
  if (box.shape.slice(0, -2).some((size) => size !== 1)) throw new Error("a piece for ITA is of one matrix");
  const [rows, columns] = box.shape.slice(-2);
  const terms = product.terms.map((term, number) => placeTerm(term, number, box));
  const biases = new BiasTable();

  const sequences: { constants: ItaRequant; length: number; jobs: AcceleratorJob[] }[] = [];
  for (const { row, column, constants, pairs } of resultTiles(product, terms, box)) {
    const last = sequences.at(-1);
    if (last?.constants !== constants || last.length !== pairs.length) {
      sequences.push({ constants, length: pairs.length, jobs: [] });
    }
    const end: Partial<AcceleratorJob> = {
      bias: placeBias(biases, product, box, row, column, constants),
      biasByRow: product.bias?.byRow ?? false,
      output: { field: "y", offset: (row * tilesOf(columns) + column) * tileBytes },
      ...(constants.relu ? { activation: "relu" } : product.gelu ? { activation: "gelu" } : {}),
    };
    sequences.at(-1)!.jobs.push(
      ...pairs.map(({ input, weights }, i) => ({ input, weights, ...(i < pairs.length - 1 ? {} : end) })),
    );
  }
  const accelerator = sequences.map(({ constants, length, jobs }): AcceleratorSequence => ({
    layer: "linear",
    // One sequence a tile of the result: the engine then needs no limit for their number.
    tiles: { s: 1, e: length, p: 1, f: 1 },
    multipliers: linearConstant(constants.multiplier),
    shifts: linearConstant(constants.shift),
    offsets: linearConstant(constants.offset),
    ...(product.gelu ? { gelu: { b: product.gelu.b, c: product.gelu.c } } : {}),
    activationRequant: constants.relu ? { multiplier: 1, shift: 0, offset: 0 } : product.gelu?.requant,
    jobs,
  }));
  const biasTable = biases.table();
  const tables = terms.flatMap((term) => term.tables);
  return {
    accelerator,
    kernel: "",
    source: "",
    reads: terms.flatMap((term) => term.reads),
    writes: [{ field: "y", output: 0, box, layout: tileLayout }],
    tables: biasTable ? [...tables, biasTable] : tables,
    parameters: {},
    macs: rows * columns *
      product.terms.reduce((sum, { depth, diagonal }) => diagonal ? sum : sum + depth, 0),
    cycles: chainCycles(accelerator),
  };
}

/** The piece's tiles in an order in which the engine's constants and numbers of jobs change seldom. */
function resultTiles(product: Product, terms: readonly PlacedTerm[], box: Box): ResultTile[] {
  const { axis, requants } = product;
  const rank = box.shape.length;
  const [down, across] = box.shape.slice(-2).map(tilesOf);
  const tileAt = (row: number, column: number): ResultTile => {
    const within = axis === rank - 1 ? column : axis === rank - 2 ? row : 0;
    const pairs = terms.flatMap((term) => term.pairs(row, column));
    const some = pairs.filter(({ zero }) => !zero);
    return {
      row,
      column,
      constants: requants[axis < 0 ? 0 : box.start[axis] + within * tileEdge],
      // Where nothing is left, one job has to write the bias.
      pairs: some.length > 0 ? some : pairs.slice(0, 1),
    };
  };
  const grid = Array.from(
    { length: down },
    (_, row) => Array.from({ length: across }, (_, c) => tileAt(row, c)),
  );
  const alike = (a: ResultTile, b: ResultTile) =>
    a.constants === b.constants && a.pairs.length === b.pairs.length;
  const byRows = grid.every((row) => row.every((tile) => alike(tile, row[0])));
  return byRows ? grid.flat() : Array.from({ length: across }, (_, c) => grid.map((row) => row[c])).flat();
}

/** Where the bias of a tile lies; undefined if it needs none. */
function placeBias(
  biases: BiasTable,
  { bias }: Product,
  box: Box,
  row: number,
  column: number,
  constants: ItaRequant,
): OperandPlace | undefined {
  if (!bias && constants.bias === 0) return undefined;
  const axis = box.shape.length - (bias?.byRow ? 2 : 1);
  const first = (bias?.byRow ? row : column) * tileEdge;
  const corner = box.start.with(-2, box.start.at(-2)! + row * tileEdge)
    .with(-1, box.start.at(-1)! + column * tileEdge);
  const values = Array.from({ length: Math.min(tileEdge, box.shape[axis] - first) }, (_, i) => {
    const index = corner.with(axis, corner[axis] + i);
    return (bias?.at(index) ?? 0) + constants.bias;
  });
  return { field: "bias", offset: biases.place(values) };
}

/** Matrix products, and sums of them, whose requantisation ITA can do exactly. */
export const matmulMapping: Mapping = {
  rejects(view, target: Target) {
    const unfit = unsuitable(target);
    if (unfit) return unfit;
    const outcome = productOf(view);
    return "reason" in outcome ? outcome.reason : undefined;
  },
  cuts: matrixCuts,
  piece,
};
