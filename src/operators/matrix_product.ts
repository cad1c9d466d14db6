// The matrix product that MatMul, Gemm and RequantizedMatMul share: shapes, range, exact accumulators.

import { AttoflowError } from "../../targets/errors.ts";
import { elementCount, type Range, type TensorData } from "../model/types.ts";
import { isNarrow, type MatrixView, multiplyNarrow } from "./narrow_product.ts";
import type { Operand, TensorType, Value } from "./operator.ts";
import { asInt32, productRange, repeatRange } from "./ranges.ts";
import { broadcastShape, broadcastStrides, forEachRow, shapeText } from "./shapes.ts";

/** Which operands are read transposed (their last two axes exchanged). */
export interface Transposition {
  readonly transA: boolean;
  readonly transB: boolean;
}

/** No operand is transposed. */
export const untransposed: Transposition = { transA: false, transB: false };

/** Sizes of a matrix product a·b, batched over the axes in front of the last two. */
export interface ProductSizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Shape of the batch axes after broadcasting. */
  readonly batch: readonly number[];
  /** Shape of the product. */
  readonly shape: readonly number[];
}

/** Sizes of the product of two tensors of rank 2 or more. Throws {@link AttoflowError} if they do not fit. */
export function productSizes(
  a: readonly number[],
  b: readonly number[],
  { transA, transB }: Transposition,
): ProductSizes {
  if (a.length < 2 || b.length < 2) {
    throw new AttoflowError(
      `a matrix product needs matrices, not shapes ${shapeText(a)} and ${shapeText(b)}`,
    );
  }
  const [m, k] = transA ? [a.at(-1)!, a.at(-2)!] : [a.at(-2)!, a.at(-1)!];
  const [k2, n] = transB ? [b.at(-1)!, b.at(-2)!] : [b.at(-2)!, b.at(-1)!];
  if (k !== k2) {
    throw new AttoflowError(
      `a matrix product of shapes ${shapeText(a)} and ${
        shapeText(b)
      }: inner dimensions ${k} and ${k2} differ`,
    );
  }
  const batch = broadcastShape(a.slice(0, -2), b.slice(0, -2));
  return { m, n, k, batch, shape: [...batch, m, n] };
}

/** Values that the accumulators can take: by the columns (or rows) of a constant operand, else by its range. */
export function productInterval(a: Operand, b: Operand, { transA, transB }: Transposition): Range {
  const { k } = productSizes(a.shape, b.shape, { transA, transB });
  if (k === 0) return { min: 0, max: 0 };
  if (b.data) return constantInterval(b, a.range, !transB);
  if (a.data) return constantInterval(a, b.range, transA);
  return repeatRange(productRange(a.range, b.range), k);
}

/** Intervals by the elements of a constant: a model is inferred again behind each pass. */
const intervals = new WeakMap<TensorData, Map<string, Range>>();

/** Widest sum of a constant matrix's rows (columns if `columns`), each element times any value of `x`. */
function constantInterval({ data, shape }: Operand, x: Range, columns: boolean): Range {
  const [rows, width] = shape.slice(-2);
  const known = intervals.get(data!) ?? new Map<string, Range>();
  intervals.set(data!, known);
  const key = `${rows} ${width} ${columns} ${x.min} ${x.max}`;
  const interval = known.get(key) ?? widestSums(data!, rows, width, x, columns);
  known.set(key, interval);
  return interval;
}

function widestSums(data: TensorData, rows: number, width: number, x: Range, columns: boolean): Range {
  const sums = columns ? width : rows;
  let min = Infinity;
  let max = -Infinity;
  const low = new Float64Array(sums);
  const high = new Float64Array(sums);
  for (let start = 0; start < data.length; start += rows * width) {
    low.fill(0);
    high.fill(0);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < width; c++) {
        const w = data[start + r * width + c];
        const sum = columns ? c : r;
        low[sum] += w * (w > 0 ? x.min : x.max);
        high[sum] += w * (w > 0 ? x.max : x.min);
      }
    }
    for (let i = 0; i < sums; i++) {
      if (low[i] < min) min = low[i];
      if (high[i] > max) max = high[i];
    }
  }
  return min <= max ? { min, max } : { min: 0, max: 0 };
}

/** Accumulators of a·b, row major, wrapping to 32 bit. */
export function multiplyMatrices(a: Value, b: Value, { transA, transB }: Transposition): Int32Array {
  const { m, n, k, batch, shape } = productSizes(a.shape, b.shape, { transA, transB });
  const result = new Int32Array(elementCount(shape));
  if (result.length === 0) return result;
  // Batches are walked as the rows of a tensor with one element a matrix.
  const strides = [a, b].map((
    value,
  ) => [
    ...broadcastStrides(value.shape.slice(0, -2), batch).map((s) => s * elementCount(value.shape.slice(-2))),
    0,
  ]);
  const multiply = isNarrow(a.data, b.data, k) ? multiplyNarrow : multiplyWrapping;
  let to = 0;
  forEachRow([...batch, 1], strides, ([startA, startB]) => {
    const rows = matrixView(a, startA, m, k, transA);
    const columns = matrixView(b, startB, n, k, !transB);
    multiply(result, to, rows, columns, k);
    to += m * n;
  });
  return result;
}

/** One of a tensor's matrices as `lines` lines of `depth` elements, which may be stored across. */
function matrixView(
  { data }: Value,
  start: number,
  lines: number,
  depth: number,
  across: boolean,
): MatrixView {
  return across
    ? { data, start, lines, lineStride: 1, stride: lines }
    : { data, start, lines, lineStride: depth, stride: 1 };
}

/** As {@link multiplyNarrow}, for any integers: sums wrap to 32 bit. */
function multiplyWrapping(
  result: Int32Array,
  offset: number,
  a: MatrixView,
  b: MatrixView,
  depth: number,
): void {
  for (let row = 0; row < a.lines; row++) {
    for (let column = 0; column < b.lines; column++) {
      let x = a.start + row * a.lineStride;
      let y = b.start + column * b.lineStride;
      let sum = 0;
      for (let k = 0; k < depth; k++, x += a.stride, y += b.stride) {
        sum = (sum + Math.imul(a.data[x], b.data[y])) | 0;
      }
      result[offset++] = sum;
    }
  }
}

/** Adds a tensor that broadcasts to the accumulators' shape, `factor` times, wrapping to 32 bit. */
export function addBroadcast(
  accumulators: Int32Array,
  shape: readonly number[],
  addend: Value,
  factor = 1,
): void {
  const strides = broadcastStrides(addend.shape, shape);
  const data = asInt32(addend.data);
  const length = shape[shape.length - 1];
  const step = strides[shape.length - 1];
  let to = 0;
  forEachRow(shape, [strides], ([start]) => {
    for (let i = 0; i < length; i++, to++) {
      accumulators[to] += Math.imul(factor, data[start + i * step]);
    }
  });
}

/** Checks that a bias broadcasts to the shape without stretching it. Throws {@link AttoflowError}. */
export function checkBias(bias: readonly number[], shape: readonly number[]): void {
  const common = broadcastShape(shape, bias);
  if (common.length !== shape.length || common.some((dimension, axis) => dimension !== shape[axis])) {
    throw new AttoflowError(
      `a bias of shape ${shapeText(bias)} does not fit a result of shape ${shapeText(shape)}`,
    );
  }
}

/** Multiply-accumulates of the product. */
export function productMacs(
  [a, b]: readonly (TensorType | undefined)[],
  transposition: Transposition,
): number {
  const { shape, k } = productSizes(a!.shape, b!.shape, transposition);
  return elementCount(shape) * k;
}
