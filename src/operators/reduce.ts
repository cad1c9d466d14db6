// ReduceSum and ReduceMean over integers. Sums wrap to 32 bit; means round half towards +infinity (dialect, section 4).

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount, type Range } from "../model/types.ts";
import { defineOperator, type Operator } from "./operator.ts";
import { allocate, integerOperand, integerType, repeatRange } from "./ranges.ts";
import { forEachRow, shapeText, stridesOf } from "./shapes.ts";

/** Attributes of {@link reduceSum} and {@link reduceMean}: which axes go, and whether they stay as size 1. */
export const reduceAttributes = z.strictObject({
  axes: z.array(z.number().int().min(0)),
  keepdims: z.boolean(),
});

function reduction(
  name: string,
  summary: string,
  range: (x: Range, count: number) => Range,
  finish: (sum: number, count: number) => number,
): Operator {
  return defineOperator({
    name,
    summary,
    attributes: reduceAttributes,
    inputs: { min: 1, max: 1 },
    infer(inputs, { axes, keepdims }) {
      const x = integerOperand(inputs, 0);
      if (new Set(axes).size !== axes.length || axes.some((axis) => axis >= x.shape.length)) {
        throw new AttoflowError(`axes [${axes.join(", ")}] do not fit ${shapeText(x.shape)}`);
      }
      const count = elementCount(axes.map((axis) => x.shape[axis]));
      if (count === 0) {
        throw new AttoflowError(`${name} over no elements: the input has shape ${shapeText(x.shape)}`);
      }
      const kept = x.shape.map((dimension, axis) => axes.includes(axis) ? 1 : dimension);
      const shape = keepdims ? kept : kept.filter((_, axis) => !axes.includes(axis));
      return [integerType(shape, range(x.range, count))];
    },
    evaluate([x], { axes }, [output]) {
      const count = elementCount(axes.map((axis) => x!.shape[axis]));
      const kept = stridesOf(x!.shape.map((dimension, axis) => axes.includes(axis) ? 1 : dimension));
      const target = kept.map((stride, axis) => axes.includes(axis) ? 0 : stride);
      const sums = new Int32Array(elementCount(output.shape));
      const length = x!.shape.at(-1) ?? 1;
      const step = target.at(-1) ?? 0;
      let from = 0;
      forEachRow(x!.shape, [target], ([start]) => {
        for (let i = 0; i < length; i++) sums[start + i * step] += x!.data[from++];
      });
      const result = allocate(output.dtype, sums.length);
      for (let i = 0; i < sums.length; i++) result[i] = finish(sums[i], count);
      return [result];
    },
  });
}

/** Sum, wrapping to 32 bit. */
export const reduceSum = reduction("ReduceSum", "y = Σ x over axes", repeatRange, (sum) => sum);

const mean = (sum: number, count: number) => Math.floor((2 * sum + count) / (2 * count));

/** floor(sum / count + 1/2). */
export const reduceMean = reduction(
  "ReduceMean",
  "y = floor(Σ x / n + 1/2) over axes",
  // A sum that leaves int32 wraps, and its mean is then anything that a wrapped sum can give.
  (x, count) => {
    const sums = integerType([], repeatRange(x, count)).range;
    return { min: mean(sums.min, count), max: mean(sums.max, count) };
  },
  mean,
);
