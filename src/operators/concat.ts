// Concat: tensors one behind the other along an axis.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount } from "../model/types.ts";
import { defineOperator } from "./operator.ts";
import { allocate, anyFloat, integerType, union } from "./ranges.ts";
import { scatterStrided, shapeText, stridesOf } from "./shapes.ts";

/** Attributes of {@link concat}. */
export const concatAttributes = z.strictObject({ axis: z.number().int().min(0) });

/** All inputs, one behind the other. */
export const concat = defineOperator({
  name: "Concat",
  summary: "y = inputs one behind the other along axis",
  attributes: concatAttributes,
  inputs: { min: 1, max: Infinity },
  infer(inputs, { axis }) {
    const parts = inputs.map((input) => input!);
    const [first] = parts;
    if (axis >= first.shape.length) throw new AttoflowError(`no axis ${axis} in ${shapeText(first.shape)}`);
    for (const { shape } of parts) {
      if (
        shape.length !== first.shape.length ||
        shape.some((dimension, other) => other !== axis && dimension !== first.shape[other])
      ) {
        throw new AttoflowError(
          `shapes ${shapeText(first.shape)} and ${shapeText(shape)} cannot be joined along axis ${axis}`,
        );
      }
    }
    const shape = [...first.shape];
    shape[axis] = parts.reduce((sum, part) => sum + part.shape[axis], 0);
    const floats = parts.filter((part) => part.dtype === "float32").length;
    if (floats > 0 && floats < parts.length) {
      throw new AttoflowError("Concat of integers and float32 numbers");
    }
    if (floats > 0) return [{ dtype: "float32", shape, range: anyFloat }];
    // Empty operands hold no values: their range must not widen the result's.
    const full = parts.filter((part) => elementCount(part.shape) > 0);
    const range = (full.length > 0 ? full : parts).map((part) => part.range).reduce(union);
    return [integerType(shape, range)];
  },
  evaluate(inputs, { axis }, [output]) {
    const strides = stridesOf(output.shape);
    const result = allocate(output.dtype, elementCount(output.shape));
    let offset = 0;
    for (const input of inputs) {
      scatterStrided(result, strides, offset * strides[axis], input!.data, input!.shape);
      offset += input!.shape[axis];
    }
    return [result];
  },
});
