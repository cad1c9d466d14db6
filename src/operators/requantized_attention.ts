// RequantizedAttention: the core of multi-head attention in one: logits, softmax, weighted sum of the values, with the
// requantisations between. Only passes make it.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount, integerLimits } from "../model/types.ts";
import { itaMaxAttributes, itaPartialMax } from "./ita_max.ts";
import { multiplyMatrices } from "./matrix_product.ts";
import { defineOperator, type Value } from "./operator.ts";
import { allocate, integerOperand, integerType } from "./ranges.ts";
import {
  largestShift,
  type RequantConstants,
  requantFields,
  requantizeAll,
  requantLimits,
  requantRange,
} from "./requant_shift.ts";
import { gatherStrided, scatterStrided, shapeText } from "./shapes.ts";

const int32 = z.number().int().min(integerLimits.int32.min).max(integerLimits.int32.max);

/** A requantisation: mul, add and shift have one entry for all heads, or one for each. */
const headRequant = z.strictObject({
  mul: z.array(int32).min(1),
  add: z.array(int32).min(1),
  shift: z.array(z.number().int().min(0).max(largestShift)).min(1),
  signed: requantFields.signed,
  levels: requantFields.levels,
});

/** A requantisation whose constants may differ from head to head. */
export type HeadRequant = z.output<typeof headRequant>;

/**
 * Attributes of {@link requantizedAttention}. Sizes: B batches, H heads, S queries, T keys, P elements of a query and a
 * key, W of a value.
 */
export const requantizedAttentionAttributes = z.strictObject({
  heads: z.number().int().min(1),
  /**
   * Where an operand's heads are: false: side by side in the rows (query [B, S, H·P], key [B, T, H·P], output
   * [B, S, H·W]); true: on an axis of their own (query [B, H, S, P], key [B, H, T, P], output [B, H, S, W]).
   * The values are always [B, H, W, T]: transposed, as the weights of a product are that runs over the keys.
   */
  split: z.strictObject({ query: z.boolean(), key: z.boolean(), output: z.boolean() }),
  softmax: itaMaxAttributes,
  logits: headRequant,
  output: headRequant,
});

/** Parsed attributes of {@link requantizedAttention}. */
export type AttentionAttributes = z.output<typeof requantizedAttentionAttributes>;

/** Sizes of an attention: see {@link requantizedAttentionAttributes}. */
export interface AttentionSizes {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
  readonly valueWidth: number;
}

/** Sizes that the operands' shapes give. Throws {@link AttoflowError} if they do not fit together. */
export function attentionSizes(
  [q, k, v]: readonly (readonly number[])[],
  { heads, split }: Pick<AttentionAttributes, "heads" | "split">,
): AttentionSizes {
  const query = headMatrix(q, split.query, heads, "query");
  const key = headMatrix(k, split.key, heads, "key");
  if (v.length !== 4 || v[1] !== heads) {
    throw new AttoflowError(`values of shape ${shapeText(v)} do not divide into ${heads} heads`);
  }
  const [batch, , valueWidth, keys] = v;
  if (
    query.batch !== batch || key.batch !== batch || key.rows !== keys || query.columns !== key.columns
  ) {
    throw new AttoflowError(
      `query ${shapeText(q)}, key ${shapeText(k)} and values ${shapeText(v)} do not fit together`,
    );
  }
  return {
    batch,
    heads,
    queries: query.rows,
    keys,
    width: query.columns,
    valueWidth,
  };
}

function headMatrix(shape: readonly number[], split: boolean, heads: number, what: string) {
  const fits = split ? shape.length === 4 && shape[1] === heads : shape.length === 3;
  const columns = shape[shape.length - 1] / (split ? 1 : heads);
  if (!fits || !Number.isInteger(columns)) {
    throw new AttoflowError(`a ${what} of shape ${shapeText(shape)} does not divide into ${heads} heads`);
  }
  return { batch: shape[0], rows: shape[shape.length - 2], columns };
}

/** The requantisation of one head. */
function constantsOf(requant: HeadRequant, head: number): RequantConstants {
  const entry = (list: readonly number[]) => [list[list.length === 1 ? 0 : head]];
  return {
    mul: entry(requant.mul),
    add: entry(requant.add),
    shift: entry(requant.shift),
    limits: requantLimits(requant),
  };
}

/** Values of a requantisation over an interval, for all heads. */
function headsRange(requant: HeadRequant, heads: number, x: { min: number; max: number }) {
  const ranges = Array.from({ length: heads }, (_, head) => requantRange(x, constantsOf(requant, head)));
  return {
    min: Math.min(...ranges.map((range) => range.min)),
    max: Math.max(...ranges.map((range) => range.max)),
  };
}

/**
 * Most that a row's probabilities can add up to. A probability is inv >> e with inv = floor(fullScale·256 / den), so at
 * most inv / 2^e, and 0 for e > 8; the terms of den are 256 >> e, which is 256 / 2^e up to e = 8. If den is at least
 * their sum, the probabilities add up to at most inv·den / 256 ≤ fullScale. It is that sum where the row is one group;
 * with shift 0 it may be more (what is halved while streaming is rounded down once, not term by term); with shift 5 the
 * rounding of distances can make it less.
 */
function largestProbabilitySum({ softmax }: AttentionAttributes, keys: number): number {
  const { shift, fullScale, groupWidth } = softmax;
  return shift === 0 || groupWidth === 0 || groupWidth >= keys ? fullScale : fullScale * keys;
}

/** Places of one head's matrix in an operand: offset and row stride. */
function placeOf(split: boolean, sizes: AttentionSizes, rows: number, columns: number) {
  return (batch: number, head: number) => ({
    offset: split
      ? (batch * sizes.heads + head) * rows * columns
      : batch * rows * sizes.heads * columns + head * columns,
    strides: [split ? columns : sizes.heads * columns, 1],
  });
}

/** One head's matrix, dense. */
function cut(
  value: Value,
  place: { offset: number; strides: number[] },
  rows: number,
  columns: number,
): Value {
  const data = new Int32Array(rows * columns);
  gatherStrided(data, [rows, columns], value.data, place.strides, place.offset);
  return { shape: [rows, columns], data };
}

/** softmax(q · kᵀ) · v for each head. */
export const requantizedAttention = defineOperator({
  name: "RequantizedAttention",
  summary: "y = requantise(softmax(requantise(q · kᵀ)) · v) for each head",
  attributes: requantizedAttentionAttributes,
  inputs: { min: 3, max: 3 },
  infer(inputs, attributes) {
    const [q, k, v] = [0, 1, 2].map((i) => integerOperand(inputs, i));
    const sizes = attentionSizes([q.shape, k.shape, v.shape], attributes);
    const { heads, logits, output, split } = attributes;
    for (const { mul, add, shift } of [logits, output]) {
      if ([mul, add, shift].some((list) => list.length !== 1 && list.length !== heads)) {
        throw new AttoflowError(`a requantisation needs one entry, or one for each of ${heads} heads`);
      }
    }
    const bound = largestProbabilitySum(attributes, sizes.keys);
    const sums = { min: bound * Math.min(v.range.min, 0), max: bound * Math.max(v.range.max, 0) };
    const shape = split.output
      ? [sizes.batch, heads, sizes.queries, sizes.valueWidth]
      : [sizes.batch, sizes.queries, heads * sizes.valueWidth];
    return [integerType(shape, headsRange(output, heads, integerType(shape, sums).range))];
  },
  evaluate([q, k, v], attributes, [type]) {
    const sizes = attentionSizes([q!.shape, k!.shape, v!.shape], attributes);
    const { batch, heads, queries, keys, width, valueWidth } = sizes;
    const { split, softmax } = attributes;
    const result = allocate(type.dtype, elementCount(type.shape));
    const queryAt = placeOf(split.query, sizes, queries, width);
    const keyAt = placeOf(split.key, sizes, keys, width);
    const valueAt = placeOf(true, sizes, valueWidth, keys);
    const outputAt = placeOf(split.output, sizes, queries, valueWidth);
    const product = (a: Value, b: Value, requant: RequantConstants) => {
      const sums = multiplyMatrices(a, b, { transA: false, transB: true });
      requantizeAll(sums, sums, [sums.length], -1, requant);
      return sums;
    };
    for (let i = 0; i < batch; i++) {
      for (let head = 0; head < heads; head++) {
        const data = product(
          cut(q!, queryAt(i, head), queries, width),
          cut(k!, keyAt(i, head), keys, width),
          constantsOf(attributes.logits, head),
        );
        const shape = [queries, keys];
        const probabilityType = integerType(shape, { min: 0, max: softmax.fullScale });
        const [probabilities] = itaPartialMax.evaluate([{ shape, data }], softmax, [probabilityType]);
        const sums = product(
          { shape, data: probabilities },
          cut(v!, valueAt(i, head), valueWidth, keys),
          constantsOf(attributes.output, head),
        );
        const { offset, strides } = outputAt(i, head);
        scatterStrided(result, strides, offset, sums, [queries, valueWidth]);
      }
    }
    return [result];
  },
  macs([q, k, v], attributes) {
    const { batch, heads, queries, keys, width, valueWidth } = attentionSizes(
      [q!.shape, k!.shape, v!.shape],
      attributes,
    );
    return batch * heads * queries * keys * (width + valueWidth);
  },
});
