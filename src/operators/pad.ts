// Pad: a border of a constant value around a tensor.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount } from "../model/types.ts";
import { defineOperator } from "./operator.ts";
import { allocate, sameElements, union } from "./ranges.ts";
import { scatterStrided, stridesOf } from "./shapes.ts";

/** Attributes of {@link pad}; pads: begins of all axes, then ends of all axes. */
export const padAttributes = z.strictObject({
  pads: z.array(z.number().int().min(0)),
  value: z.number().default(0),
});

/** Puts `value` around x. */
export const pad = defineOperator({
  name: "Pad",
  summary: "y = x with a border of a constant",
  attributes: padAttributes,
  inputs: { min: 1, max: 1 },
  infer([x], { pads, value }) {
    const { shape, dtype, range } = x!;
    if (pads.length !== 2 * shape.length) {
      throw new AttoflowError(`${pads.length} pads for a tensor of rank ${shape.length}`);
    }
    if (dtype !== "float32" && !Number.isInteger(value)) {
      throw new AttoflowError(`the padding value ${value} of an integer tensor is not an integer`);
    }
    const padded = shape.map((dimension, axis) => pads[axis] + dimension + pads[axis + shape.length]);
    const border = pads.some((count) => count > 0);
    return [sameElements(x!, padded, border ? union(range, { min: value, max: value }) : range)];
  },
  evaluate([x], { pads, value }, [output]) {
    const strides = stridesOf(output.shape);
    const offset = strides.reduce((sum, stride, axis) => sum + stride * pads[axis], 0);
    const result = allocate(output.dtype, elementCount(output.shape)).fill(value);
    scatterStrided(result, strides, offset, x!.data, x!.shape);
    return [result];
  },
});
