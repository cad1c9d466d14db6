// RequantizedMatMul on ITA: linear layers (activation times constant weights), their transposed form (constant times
// activation, which gives the values of an attention as weights) and products of two activations.
//
// A piece is a rectangle of tiles of one matrix. Constants are tables in tile layout, transposed where the hardware
// wants it and padded with zeros, so that whatever lies in the padding of the other operand counts for nothing.

import type { Node, Range, Tensor } from "../../../src/model/types.ts";
import type { Target } from "../../schema.ts";
import { broadcastBox, broadcastStrides } from "../cores/boxes.ts";
import {
  type AcceleratorJob,
  type AcceleratorSequence,
  type Box,
  type Cut,
  type KernelCall,
  type Mapping,
  type NodeView,
  wholeBox,
} from "../engine.ts";
import { biasLimits, type ItaRequant, translateRequant } from "./requantise.ts";
import {
  BiasTable,
  chainCycles,
  longest,
  packTiles,
  tileBytes,
  tileEdge,
  tileLayout,
  tilesOf,
  unsuitable,
} from "./tiles.ts";

interface Attributes {
  readonly transA: boolean;
  readonly transB: boolean;
  readonly axis: number;
  readonly shift: number;
  readonly signed: boolean;
  readonly levels: number;
}

/** What a node is for ITA, worked out once. */
interface Product {
  readonly attributes: Attributes;
  readonly a: Tensor;
  readonly b: Tensor;
  /** Inner dimension. */
  readonly depth: number;
  /** Shape of the result. */
  readonly shape: readonly number[];
  /** Bias values by position of the result, if there is a bias. */
  readonly bias?: { readonly at: (index: readonly number[]) => number; readonly byRow: boolean };
  /** Constants by position along `attributes.axis`; one entry if that is -1. */
  readonly requants: readonly ItaRequant[];
  /** The constant operand in tiles, matrix after matrix, strip after strip; made when first asked for. */
  packed?: Uint8Array;
  /** Parts of it that pieces have asked for, by offset and length: equal tables are one object. */
  readonly tables: Map<string, Uint8Array>;
}

type Outcome = { readonly product: Product } | { readonly reason: string };

const outcomes = new WeakMap<Node, Outcome>();

function outcomeOf(view: NodeView): Outcome {
  let outcome = outcomes.get(view.node);
  if (!outcome) outcomes.set(view.node, outcome = analyse(view));
  return outcome;
}

function analyse(view: NodeView): Outcome {
  const attributes = view.node.attributes as unknown as Attributes;
  const { transA, transB } = attributes;
  const [a, b, bias] = view.inputs as [Tensor, Tensor, Tensor | undefined];
  const { shape } = view.outputs[0];
  const depth = a.shape.at(transA ? -2 : -1)!;
  const operands = [["a", a], ["b", b]] as const;
  for (const [name, { dtype }] of operands) {
    if (dtype !== "int8" && dtype !== "uint8") {
      return { reason: `operand ${name} is ${dtype}, ITA multiplies int8` };
    }
  }
  if (shape.includes(0) || depth === 0) return { reason: "the product is empty" };
  if (depth > longest) {
    return { reason: `its inner dimension is ${depth}, ITA accumulates over at most ${longest}` };
  }
  const biasReason = bias && refuseBias(bias, shape);
  if (biasReason) return { reason: biasReason };
  const base = { attributes, a, b, depth, shape, bias: bias && accessBias(bias, shape) };
  const requants = requantsOf(view, base, bias?.range ?? { min: 0, max: 0 });
  if ("reason" in requants) return requants;
  // Last, for passes can often do something about these.
  for (const [name, { dtype }] of operands) {
    if (dtype !== "int8") return { reason: `operand ${name} is ${dtype}, ITA multiplies int8` };
  }
  if (transA && (!a.data || b.data)) return { reason: "operand a is stored by columns" };
  if (!transB && !b.data) return { reason: "operand b is an activation that is not stored by columns" };
  return { product: { ...base, requants, tables: new Map() } };
}

/** Strides of a bias along the axes of the result. */
function biasStrides(bias: Tensor, shape: readonly number[]): number[] {
  const strides = broadcastStrides(bias.shape, wholeBox(bias.shape), shape.length);
  return strides.map((stride, axis) => shape[axis] === 1 ? 0 : stride);
}

function refuseBias(bias: Tensor, shape: readonly number[]): string | undefined {
  const { min, max } = bias.range;
  if (min < biasLimits.min || max > biasLimits.max) return `its bias is ${min} … ${max}, ITA's has 24 bits`;
  const [row, column] = biasStrides(bias, shape).slice(-2);
  return row !== 0 && column !== 0
    ? `its bias of shape [${bias.shape.join(", ")}] differs along rows and columns`
    : undefined;
}

function accessBias(bias: Tensor, shape: readonly number[]): Product["bias"] {
  const strides = biasStrides(bias, shape);
  const at = (index: readonly number[]) =>
    bias.data![strides.reduce((offset, stride, axis) => offset + stride * index[axis], 0)];
  return { at, byRow: strides.at(-2) !== 0 };
}

/** Constants of ITA for each position along the requantisation's axis. */
function requantsOf(
  view: NodeView,
  product: Omit<Product, "requants" | "tables">,
  bias: Range,
): ItaRequant[] | { reason: string } {
  const { axis, shift, signed, levels } = product.attributes;
  const [mul, add, shifts] = view.inputs.slice(3).map((tensor) => tensor?.data);
  const low = signed ? -Math.floor(levels / 2) : 0;
  const limits = { min: low, max: low + levels - 1 };
  const positions = Array.from({ length: mul!.length }, (_, i) => ({
    mul: mul![i],
    add: add![i],
    shift: shifts ? shifts[i] : shift,
    limits,
  }));
  const keys = positions.map((position) => `${position.mul} ${position.add} ${position.shift}`);
  const rank = product.shape.length;
  if (axis >= rank - 2) {
    const changes = keys.findIndex((key, i) => i % tileEdge !== 0 && key !== keys[i - 1]);
    if (changes >= 0) {
      const what = axis === rank - 1 ? "column" : "row";
      return { reason: `its requantisation changes at ${what} ${changes}, inside a tile of ${tileEdge}` };
    }
  }
  const sums = sumRange(product);
  const accumulators = { min: sums.min + bias.min, max: sums.max + bias.max };
  const freedom = { min: biasLimits.min - bias.min, max: biasLimits.max - bias.max };
  const translated = new Map<string, ItaRequant>();
  for (const [i, key] of keys.entries()) {
    if (translated.has(key)) continue;
    const translation = translateRequant(positions[i], accumulators, freedom);
    if ("reason" in translation) return translation;
    translated.set(key, translation.constants);
  }
  return keys.map((key) => translated.get(key)!);
}

/** Values that the sums of products can take. */
function sumRange(
  { a, b, depth, attributes: { transA, transB } }: Omit<Product, "requants" | "tables">,
): Range {
  if (b.data) return constantRange(b, a.range, transB);
  if (a.data) return constantRange(a, b.range, !transA);
  const products = [a.range.min, a.range.max].flatMap((x) => [x * b.range.min, x * b.range.max]);
  return { min: depth * Math.min(...products), max: depth * Math.max(...products) };
}

/** Widest sum over the rows (columns unless `rows`) of a constant's matrices, each element times any value of `x`. */
function constantRange({ data, shape }: Tensor, x: Range, rows: boolean): Range {
  const [height, width] = shape.slice(-2);
  const count = rows ? height : width;
  const total = { min: Infinity, max: -Infinity };
  for (let start = 0; start < data!.length; start += height * width) {
    const low = new Float64Array(count);
    const high = new Float64Array(count);
    for (let i = 0; i < height * width; i++) {
      const w = data![start + i];
      const sum = rows ? Math.floor(i / width) : i % width;
      low[sum] += w * (w > 0 ? x.min : x.max);
      high[sum] += w * (w > 0 ? x.max : x.min);
    }
    for (let i = 0; i < count; i++) {
      total.min = Math.min(total.min, low[i]);
      total.max = Math.max(total.max, high[i]);
    }
  }
  return total;
}

/** Which matrix of a tensor serves the matrix of the result at a position: its index, all batch axes flattened. */
function matrixIndex(operand: readonly number[], index: readonly number[]): number {
  const skipped = index.length - operand.length;
  return operand.slice(0, -2).reduce(
    (matrix, dimension, axis) => matrix * dimension + (dimension === 1 ? 0 : index[axis + skipped]),
    0,
  );
}

/** A constant operand's rows (of input or weights) `start …` as a table of tiles. */
function constantTable(
  product: Product,
  operand: Tensor,
  stored: "rows" | "columns",
  index: readonly number[],
  start: number,
  count: number,
): Uint8Array {
  const { depth } = product;
  const lines = operand.shape.at(stored === "rows" ? -2 : -1)!;
  const stripBytes = tilesOf(depth) * tileBytes;
  const matrixBytes = tilesOf(lines) * stripBytes;
  if (!product.packed) {
    const elements = lines * depth;
    const data = operand.data!;
    product.packed = new Uint8Array(data.length / elements * matrixBytes);
    for (let matrix = 0; matrix * elements < data.length; matrix++) {
      const base = matrix * elements;
      const element = stored === "rows"
        ? (line: number, k: number) => data[base + line * depth + k]
        : (line: number, k: number) => data[base + k * lines + line];
      packTiles(lines, depth, element, product.packed, matrix * matrixBytes);
    }
  }
  const offset = matrixIndex(operand.shape, index) * matrixBytes + start / tileEdge * stripBytes;
  const bytes = tilesOf(count) * stripBytes;
  const key = `${offset} ${bytes}`;
  const table = product.tables.get(key) ?? product.packed.subarray(offset, offset + bytes);
  product.tables.set(key, table);
  return table;
}

/** The part of an activation that a piece reads: some rows of one matrix, and all of the inner dimension. */
function rowsOf(operand: Tensor, box: Box, start: number, count: number): Box {
  const front = broadcastBox(operand.shape.slice(0, -2), {
    start: box.start.slice(0, -2),
    shape: box.shape.slice(0, -2),
  });
  return {
    start: [...front.start, start, 0],
    shape: [...front.shape, count, operand.shape.at(-1)!],
  };
}

const eight = (value: number) => [value, 0, 0, 0, 0, 0, 0, 0];

function piece(view: NodeView, box: Box): KernelCall {
  const outcome = outcomeOf(view);
  if ("reason" in outcome) throw new Error(`${view.node.operator} is not for ITA: ${outcome.reason}`);
  const { product } = outcome;
  const { a, b, depth, bias, requants, attributes: { transA, transB, axis } } = product;
  const rank = box.shape.length;
  if (box.shape.slice(0, -2).some((size) => size !== 1)) throw new Error("a piece for ITA is of one matrix");
  const [firstRow, firstColumn] = box.start.slice(-2);
  const [rows, columns] = box.shape.slice(-2);
  const inner = tilesOf(depth);

  const reads: KernelCall["reads"][number][] = [];
  const tables: { field: string; data: Uint8Array }[] = [];
  const operand = (
    field: string,
    input: number,
    tensor: Tensor,
    transposed: boolean,
    start: number,
    count: number,
  ) => {
    if (tensor.data && (input === 1 || !b.data)) {
      const stored = transposed ? "columns" : "rows";
      tables.push({ field, data: constantTable(product, tensor, stored, box.start, start, count) });
    } else {
      reads.push({ field, input, box: rowsOf(tensor, box, start, count), layout: tileLayout });
    }
  };
  operand("a", 0, a, transA, firstRow, rows);
  operand("b", 1, b, !transB, firstColumn, columns);
  if (reads.length === 2 && depth % tileEdge !== 0) reads[1] = { ...reads[1], clear: true };

  const biases = new BiasTable();
  const biasAt = (row: number, column: number, constants: ItaRequant) => {
    if (!bias && constants.bias === 0) return undefined;
    const byRow = bias?.byRow ?? false;
    const count = Math.min(tileEdge, byRow ? rows - row : columns - column);
    const index = [...box.start];
    const values = Array.from({ length: count }, (_, i) => {
      index[rank - 2] = firstRow + row + (byRow ? i : 0);
      index[rank - 1] = firstColumn + column + (byRow ? 0 : i);
      return (bias?.at(index) ?? 0) + constants.bias;
    });
    return { field: "bias", offset: biases.place(values) };
  };

  const sequences: { constants: ItaRequant; jobs: AcceleratorJob[] }[] = [];
  for (let row = 0; row < rows; row += tileEdge) {
    for (let column = 0; column < columns; column += tileEdge) {
      const position = axis < 0
        ? 0
        : box.start[axis] + (axis === rank - 1 ? column : axis === rank - 2 ? row : 0);
      const constants = requants[position];
      if (sequences.at(-1)?.constants !== constants) sequences.push({ constants, jobs: [] });
      const { jobs } = sequences.at(-1)!;
      const tile = (row / tileEdge) * tilesOf(columns) + column / tileEdge;
      for (let k = 0; k < inner; k++) {
        jobs.push({
          input: { field: "a", offset: (row / tileEdge * inner + k) * tileBytes },
          weights: { field: "b", offset: (column / tileEdge * inner + k) * tileBytes },
          ...(k < inner - 1 ? {} : {
            bias: biasAt(row, column, constants),
            biasByRow: bias?.byRow ?? false,
            output: { field: "y", offset: tile * tileBytes },
            ...(constants.relu ? { activation: "relu" } : {}),
          }),
        });
      }
    }
  }
  const accelerator = sequences.map(({ constants, jobs }): AcceleratorSequence => ({
    layer: "linear",
    // One sequence a tile of the result: the engine then needs no limit for their number.
    tiles: { s: 1, e: inner, p: 1, f: 1 },
    multipliers: eight(constants.multiplier),
    shifts: eight(constants.shift),
    offsets: eight(constants.offset),
    activationRequant: constants.relu ? { multiplier: 1, shift: 0, offset: 0 } : undefined,
    jobs,
  }));
  const biasTable = biases.table();
  return {
    accelerator,
    kernel: "",
    source: "",
    reads,
    writes: [{ field: "y", output: 0, box, layout: tileLayout }],
    tables: biasTable ? [...tables, biasTable] : tables,
    parameters: {},
    macs: rows * columns * depth,
    cycles: chainCycles(accelerator),
  };
}

/** Matrix products whose requantisation ITA can do exactly. */
export const matmulMapping: Mapping = {
  rejects(view, target: Target) {
    const unfit = unsuitable(target);
    if (unfit) return unfit;
    const outcome = outcomeOf(view);
    return "reason" in outcome ? outcome.reason : undefined;
  },
  cuts({ outputs: [{ shape }] }): Cut[] {
    const rank = shape.length;
    return [
      ...shape.slice(0, -2).map((_, axis) => ({ axis, granule: 1, most: 1 })),
      { axis: rank - 2, granule: tileEdge },
      { axis: rank - 1, granule: tileEdge },
    ];
  },
  piece,
};
