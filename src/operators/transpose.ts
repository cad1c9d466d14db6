// Transpose: the axes in another order.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount } from "../model/types.ts";
import { defineOperator } from "./operator.ts";
import { allocate, sameElements } from "./ranges.ts";
import { gatherStrided, stridesOf } from "./shapes.ts";

/** Attributes of {@link transpose}; axis i of the output is axis perm[i] of the input. */
export const transposeAttributes = z.strictObject({ perm: z.array(z.number().int().min(0)) });

/** Axes in the order of `perm`. */
export const transpose = defineOperator({
  name: "Transpose",
  summary: "y = x with its axes in the order of perm",
  attributes: transposeAttributes,
  inputs: { min: 1, max: 1 },
  infer([x], { perm }) {
    const sorted = [...perm].sort((a, b) => a - b);
    if (perm.length !== x!.shape.length || sorted.some((axis, i) => axis !== i)) {
      throw new AttoflowError(`perm [${perm.join(", ")}] is no order of ${x!.shape.length} axes`);
    }
    return [sameElements(x!, perm.map((axis) => x!.shape[axis]))];
  },
  evaluate([x], { perm }, [output]) {
    const own = stridesOf(x!.shape);
    const result = allocate(output.dtype, elementCount(output.shape));
    gatherStrided(result, output.shape, x!.data, perm.map((axis) => own[axis]));
    return [result];
  },
});
