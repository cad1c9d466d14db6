// MatMul, Gemm and RequantizedMatMul on the worker cores: kernels/matmul.c, kernels/matmul_s32.c.

import { type DType, elementCount, type Node, type Range, type Tensor } from "../../../src/model/types.ts";
import { type Box, type KernelCall, type Mapping, type NodeView, wholeBox } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { broadcastBox, broadcastStrides, denseStrides, mergeAxes, numbered, type Walk } from "./boxes.ts";
import {
  constantReads,
  estimateCycles,
  needsWide,
  type Requantisation,
  requantParameters,
  typeCode,
  typeName,
  type Work,
} from "./kernel_types.ts";

/** Axes in front of the matrices that the kernel counts through, after joining. */
const batchAxes = 3;

/** Pairs of types of a and b for which there is a kernel of their own. */
const typed = new Set(["s8_s8", "s8_u8", "u8_s8", "u8_u8", "s32_s8", "s8_s32", "s32_s32"]);

interface Attributes {
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
  readonly beta: number;
  readonly requantisation?: Requantisation;
}

function attributesOf({ operator, attributes }: Node): Attributes {
  const { transA = false, transB = false, alpha = 1, beta = 1 } = attributes as Partial<Attributes>;
  const requantisation = operator === "RequantizedMatMul"
    ? attributes as unknown as Requantisation
    : undefined;
  return { transA, transB, alpha, beta, requantisation };
}

/** How an operand of the product is read: its part, and its strides along batch axes, rows and columns. */
interface Operand {
  readonly part: Box;
  readonly batch: readonly number[];
  readonly row: number;
  readonly column: number;
}

/** A matrix operand; `rows` and `columns` are the parts of the axes that its logical rows and columns take. */
function matrixOperand(
  tensor: Tensor,
  box: Box,
  rows: [number, number],
  columns: [number, number],
  transposed: boolean,
): Operand {
  const outer = tensor.shape.length - 2;
  const front = broadcastBox(tensor.shape.slice(0, -2), {
    start: box.start.slice(0, -2),
    shape: box.shape.slice(0, -2),
  });
  const axes = transposed ? [columns, rows] : [rows, columns];
  const part = {
    start: [...front.start, ...axes.map(([start]) => start)],
    shape: [...front.shape, ...axes.map(([, length]) => length)],
  };
  const own = denseStrides(part.shape);
  const batch = broadcastStrides([...tensor.shape.slice(0, -2), 2, 2], part, box.shape.length).slice(0, -2);
  const [first, second] = own.slice(outer);
  return { part, batch, row: transposed ? second : first, column: transposed ? first : second };
}

/** Sum of the magnitudes of a constant matrix's columns (rows if transposed), the largest of them. */
const columnSums = new WeakMap<Node, number>();

/** Values that the sums can take. */
function sumRange(view: NodeView, depth: number): Range {
  const [a, b] = view.inputs as Tensor[];
  const magnitude = ({ min, max }: Range) => Math.max(Math.abs(min), Math.abs(max));
  let largest = columnSums.get(view.node);
  if (largest === undefined) {
    largest = b.data ? largestColumn(b, attributesOf(view.node).transB) : depth * magnitude(b.range);
    columnSums.set(view.node, largest);
  }
  const sum = largest * magnitude(a.range);
  const bias = view.node.operator === "RequantizedMatMul" ? view.inputs[2]?.range : undefined;
  return { min: -sum + Math.min(bias?.min ?? 0, 0), max: sum + Math.max(bias?.max ?? 0, 0) };
}

function largestColumn({ data, shape }: Tensor, transposed: boolean): number {
  const [rows, columns] = shape.slice(-2);
  const sums = new Float64Array(transposed ? rows : columns);
  let largest = 0;
  for (let start = 0; start < data!.length; start += rows * columns) {
    sums.fill(0);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) sums[transposed ? r : c] += Math.abs(data![start + r * columns + c]);
    }
    for (const sum of sums) largest = Math.max(largest, sum);
  }
  return largest;
}

/** Into how many parts the columns are best divided so that all workers have work. */
function columnGroups(pairs: number, columnPairs: number, workers: number): number {
  let best = 1;
  let least = Infinity;
  for (let groups = 1; groups <= workers; groups++) {
    const rows = Math.ceil(pairs / Math.floor(workers / groups));
    const columns = Math.ceil(columnPairs / groups);
    // Products of a core: blocks of four, and the pair terms of its rows and columns.
    const cost = 4 * rows * columns + 2 * rows + 2 * columns;
    if (cost < least) [best, least] = [groups, cost];
  }
  return best;
}

/** What a product asks of the cores when `groups` of them share the rows. */
function work(
  matrices: number,
  [rows, columns, depth]: [number, number, number],
  requantised: boolean,
  groups: number,
  workers: number,
): Work {
  const sums = matrices * rows * columns;
  const store = requantised ? 14 : 7;
  if (rows < 2 || columns < 2) {
    return { instructions: sums * (depth * 5.5 + 40 + store), products: sums * depth };
  }
  // Pair terms: those of a row in each group of columns, those of a column in each group of rows.
  const rowGroups = Math.min(Math.floor(workers / groups), Math.ceil(matrices * rows / 2));
  const terms = (matrices * rows * groups + matrices * columns * Math.max(rowGroups / matrices, 1)) * depth /
    2;
  const pairs = matrices * columns / 2 * Math.max(rowGroups / matrices, 1);
  return {
    instructions: sums * (depth * 3 + 24 + store) + terms * 5 + pairs * 200,
    products: sums * depth / 2 + terms + (requantised ? sums : 0),
  };
}

/** What a call of a kernel of kernels/matmul.h is made of. */
export interface Product {
  /** y is batch × rows × columns, dense; strides of a, b, bias and requantisation constants, in this order. */
  readonly batch: Walk;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly a: { readonly dtype: DType; readonly row: number; readonly depth: number };
  readonly b: { readonly dtype: DType; readonly depth: number; readonly column: number };
  readonly bias?: { readonly dtype: DType; readonly row: number; readonly column: number };
  readonly scale?: { readonly row: number; readonly column: number };
  readonly alpha?: number;
  readonly beta?: number;
  readonly requantisation?: Requantisation;
  /** Whether the requantisation needs 64 bits. */
  readonly wide: boolean;
  readonly y: DType;
}

/** Whether there is a kernel for these types (else only the slow one for any), given how the operands lie. */
export function isTyped({ a, b }: Pick<Product, "a" | "b">): boolean {
  return typed.has(`${typeName[a.dtype]}_${typeName[b.dtype]}`) && a.depth === 1 &&
    (b.depth === 1 || b.column === 1);
}

/** The kernel call of a product, but for the regions that it reads and writes. */
export function productCall(product: Product, target: Target): Omit<KernelCall, "reads" | "writes"> {
  const { batch, rows, columns, depth, a, b, bias, scale, alpha = 1, beta = 1, requantisation } = product;
  const { workers } = target.harts;
  const matrices = elementCount(batch.extents);
  const pairs = Math.ceil(rows / 2) * matrices;
  const groups = columnGroups(pairs, Math.ceil(columns / 2), workers);
  const pairsPerCore = Math.min(Math.ceil(rows / 2), Math.ceil(pairs / Math.floor(workers / groups)));
  const rowTerms = 2 * Math.max(pairsPerCore, 1);
  const fast = isTyped(product);
  const across = b.column === 1;
  const names = ["a", "b", "bias", "scale"];
  const sums = matrices * rows * columns;
  return {
    kernel: fast
      ? `matmul_${typeName[a.dtype]}_${typeName[b.dtype]}${across ? "" : "_transposed"}`
      : "matmul_any",
    source: fast && a.dtype !== "int32" && b.dtype !== "int32" ? "matmul.c" : "matmul_s32.c",
    scratch: fast ? [{ field: "row_terms", bytes: 4 * workers * rowTerms }] : [],
    parameters: {
      ...numbered("batch", batch.extents, batchAxes, 1),
      rows,
      columns,
      depth,
      a_type: typeCode[a.dtype],
      b_type: typeCode[b.dtype],
      bias_type: typeCode[bias?.dtype ?? "int32"],
      y_type: typeCode[product.y],
      ...Object.assign(
        {},
        ...names.map((name, i) => numbered(`${name}_batch`, batch.strides[i], batchAxes, 0)),
      ),
      a_row: a.row,
      a_depth: a.depth,
      b_depth: b.depth,
      b_column: b.column,
      bias_row: bias?.row ?? 0,
      bias_column: bias?.column ?? 0,
      scale_row: scale?.row ?? 0,
      scale_column: scale?.column ?? 0,
      alpha,
      beta,
      finish: requantisation ? (product.wide ? 2 : 1) : 0,
      ...(requantisation ? requantParameters(requantisation) : { shift: 0, low: 0, high: 0 }),
      column_groups: groups,
      row_terms_per_core: rowTerms,
    },
    macs: sums * depth,
    cycles: fast
      ? estimateCycles(
        work(matrices, [rows, columns, depth], requantisation !== undefined, groups, workers),
        target,
      )
      : estimateCycles({ instructions: sums * (40 + 30 * depth), products: sums * depth }, target),
  };
}

function piece(view: NodeView, box: Box, target: Target): KernelCall {
  const { transA, transB, alpha, beta, requantisation } = attributesOf(view.node);
  const [a, b, bias, mul, add, shifts] = view.inputs;
  const rank = box.shape.length;
  const [rows, columns] = box.shape.slice(-2);
  const [row, column] = box.start.slice(-2);
  const depth = a!.shape.at(transA ? -2 : -1)!;

  const left = matrixOperand(a!, box, [row, rows], [0, depth], transA);
  const right = matrixOperand(b!, box, [0, depth], [column, columns], transB);
  const reads = [
    { field: "a", input: 0, box: left.part },
    { field: "b", input: 1, box: right.part },
  ];
  let biasStrides = box.shape.map(() => 0);
  if (bias) {
    const part = broadcastBox(bias.shape, box);
    reads.push({ field: "bias", input: 2, box: part });
    biasStrides = broadcastStrides(bias.shape, part, rank);
  }
  const scaleStrides = box.shape.map(() => 0);
  if (requantisation) {
    if (requantisation.axis >= 0) scaleStrides[requantisation.axis] = 1;
    reads.push(...constantReads([mul, add, shifts], requantisation.axis, box, 3));
  }
  const strides = [left.batch, right.batch, biasStrides.slice(0, -2), scaleStrides.slice(0, -2)];
  return {
    reads,
    writes: [{ field: "y", output: 0, box }],
    ...productCall({
      batch: mergeAxes(box.shape.slice(0, -2), strides),
      rows,
      columns,
      depth,
      a: { dtype: a!.dtype, row: left.row, depth: left.column },
      b: { dtype: b!.dtype, depth: right.row, column: right.column },
      bias: bias && { dtype: bias.dtype, row: biasStrides[rank - 2], column: biasStrides[rank - 1] },
      scale: { row: scaleStrides[rank - 2], column: scaleStrides[rank - 1] },
      alpha,
      beta,
      requantisation,
      wide: requantisation !== undefined &&
        needsWide(sumRange(view, depth), mul!, add!, shifts, requantisation.shift),
      y: view.outputs[0].dtype,
    }, target),
  };
}

/** Matrix products with batches, bias and requantisation. The depth is never cut. */
export const matmulMapping: Mapping = {
  rejects(view) {
    const [a, b, bias] = view.inputs;
    if (!a || !b || a.shape.length < 2 || b.shape.length < 2) return "the operands are not matrices";
    if ([a, b, bias].some((operand) => operand?.dtype === "float32")) {
      return "the cores multiply integers only";
    }
    const shape = view.outputs[0].shape;
    const strides = [a.shape, b.shape].map((operand) =>
      broadcastStrides(operand, wholeBox(operand), shape.length).slice(0, -2)
    );
    const { axis = -1 } = view.node.attributes as { axis?: number };
    strides.push(shape.slice(0, -2).map((_, i) => i === axis ? 1 : 0));
    if (bias) strides.push(broadcastStrides(bias.shape, wholeBox(bias.shape), shape.length).slice(0, -2));
    const { extents } = mergeAxes(shape.slice(0, -2), strides);
    return extents.length > batchAxes
      ? `more than ${batchAxes} batch axes that broadcast differently`
      : undefined;
  },
  cuts(view) {
    const { shape } = view.outputs[0];
    const { transA } = attributesOf(view.node);
    const depth = view.inputs[0]!.shape.at(transA ? -2 : -1)!;
    // Long rows leave room for few of them; short ones should come in numbers that fill blocks and cores.
    const [rows, columns] = depth > 8192 ? [1, 1] : depth > 2048 ? [2, 2] : [2, 8];
    const rank = shape.length;
    return [
      ...shape.slice(0, -2).map((_, axis) => ({ axis, granule: 1 })),
      { axis: rank - 2, granule: rows },
      { axis: rank - 1, granule: columns },
    ];
  },
  piece,
};
