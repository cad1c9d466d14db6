// Turns Gather with one index into Slice: picking one head, one row or one token is a rectangle.

import { elementCount } from "../model/types.ts";
import { type Pass, rebuild } from "./pass.ts";

/** Gather of one entry becomes Slice and, where the axis goes or indices have other axes, Reshape. */
export const lowerGather: Pass = {
  name: "lower-gather",
  summary: "Gather of one entry becomes Slice and Reshape",
  run: (model) =>
    rebuild(model, (node, [x, indices], builder) => {
      if (node.operator !== "Gather" || elementCount(indices!.shape) !== 1) return false;
      const axis = node.attributes.axis as number;
      const only = <T>(value: T, other: (axis: number) => T) =>
        x!.shape.map((_, i) => i === axis ? value : other(i));
      const part = builder.append({
        operator: "Slice",
        inputs: [x],
        attributes: {
          starts: only(indices!.data![0], () => 0),
          steps: only(1, () => 1),
          sizes: only(1, (i) => x!.shape[i]),
        },
        name: `${node.name}:slice`,
      });
      builder.append({
        operator: "Reshape",
        inputs: [part],
        attributes: { shape: [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)] },
        name: node.name,
        output: node.outputs[0],
      });
      return true;
    }),
};
