// What every mapping of the worker cores says of types, requantisation and cost.

import type { DType, Range, Tensor } from "../../../src/model/types.ts";
import { type Box, wholeBox } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { vectorBox } from "./boxes.ts";

/** Element type as it stands in a kernel's name. */
export const typeName = { int8: "s8", uint8: "u8", int32: "s32", float32: "f32" } as const;

/** Element type as it stands in an args struct (enum attoflow_type); kernels that only move data take float32 as int32. */
export const typeCode: Readonly<Record<DType, number>> = { int8: 0, uint8: 1, int32: 2, float32: 2 };

const int32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };

/** Whether all values of int32 that the range speaks of are in it; sums beyond wrap to anything. */
export function wrapped(range: Range): Range {
  return range.min < int32.min || range.max > int32.max ? int32 : range;
}

/** Attributes of an operator that requantises. */
export interface Requantisation {
  readonly axis: number;
  readonly shift: number;
  readonly signed: boolean;
  readonly levels: number;
}

/** Parameters `shift`, `low`, `high` of a kernel that requantises. */
export function requantParameters({ shift, signed, levels }: Requantisation) {
  const low = signed ? -Math.floor(levels / 2) : 0;
  return { shift: Math.max(shift, 0), low, high: low + levels - 1 };
}

/**
 * Whether x·mul + add + rounding can leave 32 bits for some x of the range, so that the kernel must compute
 * it in 64. Constants that are not known (or a range that wraps) count as wide.
 */
export function needsWide(
  x: Range,
  mul: Tensor,
  add: Tensor,
  shifts: Tensor | undefined,
  shift: number,
): boolean {
  if (!mul.data || !add.data || (shifts && !shifts.data)) return true;
  const { min, max } = wrapped(x);
  for (let i = 0; i < mul.data.length; i++) {
    const s = shifts ? shifts.data![i] : shift;
    const offset = add.data[i] + (s > 0 ? 2 ** (s - 1) : 0);
    const ends = [min * mul.data[i], max * mul.data[i]];
    if (Math.min(...ends) + offset < int32.min || Math.max(...ends) + offset > int32.max) return true;
  }
  return false;
}

/**
 * Reads of a requantisation's constants for a box of the result: vectors along `axis`, or one element each.
 *
 * @param constants mul, add and perhaps the tensor of shifts
 * @param first position of mul among the node's inputs
 */
export function constantReads(
  constants: readonly (Tensor | undefined)[],
  axis: number,
  box: Box,
  first: number,
): { field: string; input: number; box: Box }[] {
  return ["mul", "add", "shifts"].flatMap((field, i) => {
    const vector = constants[i];
    if (!vector) return [];
    const part = axis < 0 ? wholeBox(vector.shape) : vectorBox(vector, box.start[axis], box.shape[axis]);
    return [{ field, input: first + i, box: part }];
  });
}

/** What a piece of work asks of the cores, over all of them. */
export interface Work {
  /** Issue slots, stalls for load latency included. */
  readonly instructions: number;
  /** Products; one multiplier serves all cores, one a cycle (snitch-cluster.md, section 2.3). */
  readonly products?: number;
  /** Cycles in which the one divider is taken. */
  readonly divisions?: number;
}

/** Cycles from the call of a kernel to its first useful instruction and from its last to the return. */
const callCycles = 80;

/** Of the less busy of cores and multiplier, the share that is not hidden behind the other; measured. */
const unhidden = 0.1;

/**
 * Estimated cycles of a kernel whose work is spread evenly over the worker cores. The figures that the mappings
 * give have been fitted to the emulated cluster, operands in L1 (README.md); most estimates are within 15 %.
 */
export function estimateCycles({ instructions, products = 0, divisions = 0 }: Work, target: Target): number {
  const { workers, core } = target.harts;
  const units = core.multiplier === "shared" ? 1 : workers;
  const issue = instructions / workers;
  const arithmetic = Math.max(products, divisions) / units;
  return Math.ceil(callCycles + Math.max(issue, arithmetic) + unhidden * Math.min(issue, arithmetic));
}
