// ITAMax and ITAPartialMax: the base-2 softmax of the ITA accelerator in its three variants (dialect, section 5).
// Both share one formula; the importer resolves the variants into attributes.

import { z } from "zod";
import { elementCount } from "../model/types.ts";
import { defineOperator, type Operator, type Value } from "./operator.ts";
import { allocate, integerOperand, integerType } from "./ranges.ts";
import { AttoflowError } from "../../targets/errors.ts";

/** Attributes of {@link itaMax} and {@link itaPartialMax}. */
export const itaMaxAttributes = z.strictObject({
  /** Differences are divided by 2^shift, rounding half up, to give the exponent: 5 or 0. */
  shift: z.union([z.literal(0), z.literal(5)]),
  /** What a probability of 1 becomes: 255 or 127. */
  fullScale: z.number().int().min(1).max(255),
  /** Levels of the quantised output that the file names. */
  levels: z.number().int().min(2).max(256),
  /** Columns that the running maximum takes at once; 0: the whole row, as ITAMax does. */
  groupWidth: z.number().int().min(0),
});

/** Value of the largest element's term in the denominator; 2^8. */
const one = 256;

function itaSoftmax(name: string, summary: string): Operator {
  return defineOperator({
    name,
    summary,
    attributes: itaMaxAttributes,
    inputs: { min: 1, max: 1 },
    infer(inputs, { fullScale }) {
      const x = integerOperand(inputs, 0);
      if (x.shape.length === 0) throw new AttoflowError(`${name} needs rows; its input is a scalar`);
      return [integerType(x.shape, { min: 0, max: fullScale })];
    },
    evaluate: ([x], attributes, [output]) => [evaluateRows(x!, attributes, output.dtype)],
  });
}

function evaluateRows(
  { shape, data }: Value,
  { shift, fullScale, groupWidth }: z.output<typeof itaMaxAttributes>,
  dtype: Parameters<typeof allocate>[0],
) {
  const result = allocate(dtype, elementCount(shape));
  const length = shape[shape.length - 1];
  const width = groupWidth === 0 ? length : groupWidth;
  // floor(value / 2^e) with e = round(difference / 2^shift), half up. From e = 9 on nothing is left of 256;
  // e can be far beyond what >> takes.
  const halve = (value: number, difference: number) => {
    const exponent = shift === 0 ? difference : Math.floor((difference + 16) / 32);
    return exponent > 31 ? 0 : value >> exponent;
  };
  for (let start = 0; start < data.length; start += length) {
    let maximum = data[start];
    let denominator = 0;
    for (let group = start; group < start + length; group += width) {
      const end = Math.min(group + width, start + length);
      let current = data[group];
      for (let i = group + 1; i < end; i++) if (data[i] > current) current = data[i];
      if (current > maximum) {
        denominator = halve(denominator, current - maximum);
        maximum = current;
      }
      for (let i = group; i < end; i++) denominator += halve(one, maximum - data[i]);
    }
    const inverse = Math.floor(fullScale * one / denominator);
    for (let i = start; i < start + length; i++) result[i] = halve(inverse, maximum - data[i]);
  }
  return result;
}

/** Softmax of whole rows. */
export const itaMax = itaSoftmax("ITAMax", "y = base-2 softmax of ITA over the last axis");

/** Softmax whose maximum runs over groups of columns: earlier terms are halved when it rises. */
export const itaPartialMax = itaSoftmax(
  "ITAPartialMax",
  "y = base-2 softmax of ITA over the last axis, streamed in groups of columns",
);
