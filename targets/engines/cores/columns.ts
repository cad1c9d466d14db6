// Scaling with constants for each position on the last axis (kernels/scale_columns.c): RequantShift and iNoNorm come
// to it where their constants are known and 32 bits hold everything.

import { elementCount, type Node, type Range, type Tensor } from "../../../src/model/types.ts";
import type { Box, KernelCall, NodeView } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { estimateCycles, typeCode, wrapped } from "./kernel_types.ts";

/** y = clip((x·mul + add) >> shift), by column. */
export interface ColumnScaling {
  readonly mul: ArrayLike<number>;
  /** With the rounding. */
  readonly add: ArrayLike<number>;
  readonly shift: number;
  readonly low: number;
  readonly high: number;
}

const fits = (value: number) => value >= -(2 ** 31) && value < 2 ** 31;

/** Whether x·mul + add fits in 32 bits for all x of the range and all columns, constants included. */
export function fitsWord(x: Range, { mul, add }: ColumnScaling): boolean {
  const { min, max } = wrapped(x);
  for (let i = 0; i < mul.length; i++) {
    const ends = [min * mul[i] + add[i], max * mul[i] + add[i]];
    if (![mul[i], add[i], ...ends].every(fits)) return false;
  }
  return true;
}

/** A constant that has an element for each column, as those; undefined if it varies along another axis. */
export function byColumn(constant: Tensor, columns: number): ArrayLike<number> | undefined {
  const { data, shape } = constant;
  if (!data) return undefined;
  if (data.length === 1) return new Array<number>(columns).fill(data[0]);
  return data.length === columns && shape.at(-1) === columns ? data : undefined;
}

const tables = new WeakMap<Node, Uint8Array>();

/** A kernel's table of two int32 for each column, by turns. It is made once for a node. */
export function columnTable(node: Node, first: ArrayLike<number>, second: ArrayLike<number>): Uint8Array {
  let table = tables.get(node);
  if (!table) {
    const pairs = Int32Array.from(
      { length: 2 * first.length },
      (_, i) => (i % 2 === 0 ? first : second)[i >> 1],
    );
    table = new Uint8Array(pairs.buffer);
    tables.set(node, table);
  }
  return table;
}

/** The call for a piece. */
export function columnsCall(
  { node, inputs: [x] }: NodeView,
  box: Box,
  target: Target,
  scaling: ColumnScaling,
): KernelCall {
  const { mul, add, shift, low, high } = scaling;
  const table = columnTable(node, mul, add);
  const columns = box.shape.at(-1)!;
  const first = box.start.at(-1)!;
  const count = elementCount(box.shape);
  return {
    kernel: "scale_columns",
    source: "scale_columns.c",
    reads: [{ field: "x", input: 0, box }],
    writes: [{ field: "y", output: 0, box }],
    tables: [{ field: "constants", data: table.subarray(8 * first, 8 * (first + columns)) }],
    parameters: {
      rows: columns === 0 ? 0 : count / columns,
      columns,
      x_type: typeCode[x!.dtype],
      shift,
      low,
      high,
    },
    macs: 0,
    cycles: estimateCycles({ instructions: count * 9.6, products: count }, target),
  };
}
