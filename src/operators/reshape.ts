// Reshape and its relatives: the same elements in the same order under another shape. No engine has work to do.
// Importers keep the relatives, so that a model prints as its file says; a pass turns them into Reshape.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount } from "../model/types.ts";
import { defineOperator, type Operator } from "./operator.ts";
import { sameElements } from "./ranges.ts";
import { shapeText } from "./shapes.ts";

const axes = z.array(z.number().int().min(0));

/** Attributes of {@link reshape}: the output's shape. */
export const reshapeAttributes = z.strictObject({ shape: z.array(z.number().int().min(0)) });
/** Attributes of {@link identity}: none. */
export const identityAttributes = z.strictObject({});
/** Attributes of {@link flatten}: the first axis of the second dimension of the result. */
export const flattenAttributes = z.strictObject({ axis: z.number().int().min(0) });
/** Attributes of {@link squeeze}: which axes (of size 1) go. */
export const squeezeAttributes = z.strictObject({ axes });
/** Attributes of {@link unsqueeze}: which axes of the output are new. */
export const unsqueezeAttributes = z.strictObject({ axes });

function reshaping<A extends object>(
  name: string,
  summary: string,
  attributes: z.ZodType<A>,
  shapeOf: (shape: readonly number[], attributes: A) => number[],
): Operator {
  return defineOperator({
    name,
    summary,
    attributes,
    inputs: { min: 1, max: 1 },
    infer([x], parsed) {
      const shape = shapeOf(x!.shape, parsed);
      if (elementCount(shape) !== elementCount(x!.shape)) {
        throw new AttoflowError(`${shapeText(x!.shape)} cannot take the shape ${shapeText(shape)}`);
      }
      return [sameElements(x!, shape)];
    },
    evaluate: ([x]) => [x!.data.slice()],
  });
}

/** The elements of x under the attribute's shape. */
export const reshape = reshaping(
  "Reshape",
  "y = x under another shape",
  reshapeAttributes,
  (_, { shape }) => [...shape],
);

/** x itself. */
export const identity = reshaping("Identity", "y = x", identityAttributes, (shape) => [...shape]);

/** Two dimensions: the axes before `axis`, and the others. */
export const flatten = reshaping(
  "Flatten",
  "y = x with two dimensions",
  flattenAttributes,
  (shape, { axis }) => {
    if (axis > shape.length) throw new AttoflowError(`no axis ${axis} in ${shapeText(shape)}`);
    return [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))];
  },
);

/** x without some axes of size 1. */
export const squeeze = reshaping(
  "Squeeze",
  "y = x without axes of size 1",
  squeezeAttributes,
  (shape, { axes }) => {
    for (const axis of axes) {
      if (shape[axis] !== 1) throw new AttoflowError(`axis ${axis} of ${shapeText(shape)} is not of size 1`);
    }
    return shape.filter((_, axis) => !axes.includes(axis));
  },
);

/** x with new axes of size 1. */
export const unsqueeze = reshaping(
  "Unsqueeze",
  "y = x with new axes of size 1",
  unsqueezeAttributes,
  (shape, { axes }) => {
    const rank = shape.length + axes.length;
    if (new Set(axes).size !== axes.length || axes.some((axis) => axis >= rank)) {
      throw new AttoflowError(`axes [${axes.join(", ")}] cannot be added to ${shapeText(shape)}`);
    }
    const old = [...shape];
    return Array.from({ length: rank }, (_, axis) => axes.includes(axis) ? 1 : old.shift()!);
  },
);
