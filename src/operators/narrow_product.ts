// Exact products of matrices of small integers, quickly: the arithmetic behind MatMul where its sums are short enough.
//
// Two neighbouring columns are one double, low + high·2^26. Doubles hold integers below 2^53 exactly, so one
// multiplication and one addition advance two sums, as long as each stays below 2^25.

/** A matrix inside a tensor: element (line, k) is data[start + line·lineStride + k·stride]. */
export interface MatrixView {
  readonly data: ArrayLike<number>;
  readonly start: number;
  readonly lines: number;
  readonly lineStride: number;
  readonly stride: number;
}

const unit = 2 ** 26;
/** Lines of either operand that the inner loop takes at once. */
const group = 4;

/** Whether sums of `depth` products are short enough, whatever the elements' signs. */
export function isNarrow(a: ArrayLike<number>, b: ArrayLike<number>, depth: number): boolean {
  return largestMagnitude(a) * largestMagnitude(b) * depth < unit / 2;
}

function largestMagnitude(data: ArrayLike<number>): number {
  if (data instanceof Int8Array) return 128;
  if (data instanceof Uint8Array) return 255;
  let [min, max] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    if (data[i] < min) min = data[i];
    if (data[i] > max) max = data[i];
  }
  return Math.max(-min, max);
}

/**
 * Writes the products of all lines of `a` with all lines of `b`, row major from `offset` on.
 * Only for operands that {@link isNarrow} lets pass.
 */
export function multiplyNarrow(
  result: Int32Array,
  offset: number,
  a: MatrixView,
  b: MatrixView,
  depth: number,
): void {
  const rows = interleavedRows(a, depth);
  const columns = packedColumns(b, depth);
  // Sums of one group of rows with one group of columns, two columns in each.
  const sums = new Float64Array(2 * group);
  for (let row = 0; row < a.lines; row += group) {
    for (let column = 0; column < b.lines; column += group) {
      multiplyGroup(sums, rows, row * depth, columns, column / 2 * depth, depth);
      const rowCount = Math.min(group, a.lines - row);
      const columnCount = Math.min(group, b.lines - column);
      for (let r = 0; r < rowCount; r++) {
        const to = offset + (row + r) * b.lines + column;
        for (let c = 0; c < columnCount; c += 2) {
          const pair = sums[2 * r + c / 2];
          const high = Math.round(pair / unit);
          result[to + c] = pair - high * unit;
          if (c + 1 < columnCount) result[to + c + 1] = high;
        }
      }
    }
  }
}

/** Four rows by two pairs of columns; eight sums stay in registers. */
function multiplyGroup(
  sums: Float64Array,
  rows: Float64Array,
  x: number,
  columns: Float64Array,
  y: number,
  depth: number,
): void {
  let [s0, s1, s2, s3, t0, t1, t2, t3] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let k = 0; k < depth; k++, x += 4, y += 2) {
    const left = columns[y];
    const right = columns[y + 1];
    s0 += rows[x] * left;
    t0 += rows[x] * right;
    s1 += rows[x + 1] * left;
    t1 += rows[x + 1] * right;
    s2 += rows[x + 2] * left;
    t2 += rows[x + 2] * right;
    s3 += rows[x + 3] * left;
    t3 += rows[x + 3] * right;
  }
  sums[0] = s0;
  sums[1] = t0;
  sums[2] = s1;
  sums[3] = t1;
  sums[4] = s2;
  sums[5] = t2;
  sums[6] = s3;
  sums[7] = t3;
}

/** Groups of four lines, element by element side by side; absent lines are zero. */
function interleavedRows(
  { data, start, lines, lineStride, stride }: MatrixView,
  depth: number,
): Float64Array {
  const result = new Float64Array(Math.ceil(lines / group) * group * depth);
  for (let line = 0; line < lines; line++) {
    let from = start + line * lineStride;
    let to = (line - line % group) * depth + line % group;
    for (let k = 0; k < depth; k++, from += stride, to += group) result[to] = data[from];
  }
  return result;
}

/** Groups of four lines as two pairs: line 0 + line 1·2^26 and line 2 + line 3·2^26, element by element. */
function packedColumns({ data, start, lines, lineStride, stride }: MatrixView, depth: number): Float64Array {
  const result = new Float64Array(Math.ceil(lines / group) * 2 * depth);
  for (let line = 0; line < lines; line++) {
    const weight = line % 2 === 0 ? 1 : unit;
    let from = start + line * lineStride;
    let to = (line - line % group) / 2 * depth + (line % group >> 1);
    for (let k = 0; k < depth; k++, from += stride, to += 2) result[to] += data[from] * weight;
  }
  return result;
}
