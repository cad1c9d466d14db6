// Gather: entries of a tensor along an axis, picked by a constant list of indices.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount } from "../model/types.ts";
import { defineOperator } from "./operator.ts";
import { allocate, sameElements } from "./ranges.ts";
import { shapeText } from "./shapes.ts";

/** Attributes of {@link gather}. Inputs: x and a constant tensor of indices, none negative. */
export const gatherAttributes = z.strictObject({ axis: z.number().int().min(0) });

/** The axis is replaced by the axes of the indices: a scalar index removes it. */
export const gather = defineOperator({
  name: "Gather",
  summary: "y = x[…, indices, …] along axis",
  attributes: gatherAttributes,
  inputs: { min: 2, max: 2 },
  infer([x, indices], { axis }) {
    const { shape } = x!;
    if (axis >= shape.length) throw new AttoflowError(`no axis ${axis} in ${shapeText(shape)}`);
    if (!indices!.data) throw new AttoflowError("Gather's indices must be constant");
    for (const index of indices!.data) {
      if (index < 0 || index >= shape[axis]) {
        throw new AttoflowError(`index ${index} is outside axis ${axis} of ${shapeText(shape)}`);
      }
    }
    return [sameElements(x!, [...shape.slice(0, axis), ...indices!.shape, ...shape.slice(axis + 1)])];
  },
  evaluate([x, indices], { axis }, [output]) {
    const { shape, data } = x!;
    const inner = elementCount(shape.slice(axis + 1));
    const outer = elementCount(shape.slice(0, axis));
    const result = allocate(output.dtype, elementCount(output.shape));
    let to = 0;
    for (let block = 0; block < outer; block++) {
      for (const index of indices!.data) {
        const from = (block * shape[axis] + index) * inner;
        for (let i = 0; i < inner; i++) result[to++] = data[from + i];
      }
    }
    return [result];
  },
});
