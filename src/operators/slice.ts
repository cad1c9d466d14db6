// Slice: a rectangular part of a tensor, perhaps with steps.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount } from "../model/types.ts";
import { defineOperator } from "./operator.ts";
import { allocate, sameElements } from "./ranges.ts";
import { gatherStrided, shapeText, stridesOf } from "./shapes.ts";

/**
 * Attributes of {@link slice}, one entry for every axis of the input: index of the first element, distance to
 * the next (negative walks backwards) and number of elements, which is the output's shape.
 */
export const sliceAttributes = z.strictObject({
  starts: z.array(z.number().int().min(0)),
  steps: z.array(z.number().int().refine((step) => step !== 0, "a step must not be 0")),
  sizes: z.array(z.number().int().min(0)),
});

/** y[i, …] = x[starts[0] + i · steps[0], …]. */
export const slice = defineOperator({
  name: "Slice",
  summary: "y = a rectangular part of x, with steps",
  attributes: sliceAttributes,
  inputs: { min: 1, max: 1 },
  infer([x], { starts, steps, sizes }) {
    const { shape } = x!;
    if ([starts, steps, sizes].some((list) => list.length !== shape.length)) {
      throw new AttoflowError(
        `starts, steps and sizes must have an entry for each axis of ${shapeText(shape)}`,
      );
    }
    for (const [axis, dimension] of shape.entries()) {
      if (sizes[axis] === 0) continue;
      const last = starts[axis] + (sizes[axis] - 1) * steps[axis];
      if (starts[axis] >= dimension || last < 0 || last >= dimension) {
        throw new AttoflowError(
          `a slice from ${starts[axis]} to ${last} leaves axis ${axis} of ${shapeText(shape)}`,
        );
      }
    }
    return [sameElements(x!, sizes)];
  },
  evaluate([x], { starts, steps }, [output]) {
    const own = stridesOf(x!.shape);
    const offset = own.reduce((sum, stride, axis) => sum + stride * starts[axis], 0);
    const result = allocate(output.dtype, elementCount(output.shape));
    gatherStrided(result, output.shape, x!.data, own.map((stride, axis) => stride * steps[axis]), offset);
    return [result];
  },
});
