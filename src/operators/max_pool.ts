// MaxPool: the largest value in each position of a window over one or two spatial axes. Padding never wins.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount } from "../model/types.ts";
import { windowFields, windowPositions } from "./convolution.ts";
import { defineOperator } from "./operator.ts";
import { allocate, sameElements } from "./ranges.ts";

/** Attributes of {@link maxPool}. */
export const maxPoolAttributes = z.strictObject(windowFields);

/** Largest value in the window; positions in the padding do not count. */
export const maxPool = defineOperator({
  name: "MaxPool",
  summary: "y = max over the window",
  attributes: maxPoolAttributes,
  inputs: { min: 1, max: 1 },
  infer([x], attributes) {
    const positions = windowPositions(x!.shape, attributes);
    const axes = attributes.kernel.length;
    if (attributes.pads.some((pad, i) => pad >= attributes.kernel[i % axes])) {
      throw new AttoflowError("MaxPool's padding is as large as its kernel: windows would hold nothing");
    }
    return [sameElements(x!, [...x!.shape.slice(0, 2), ...positions])];
  },
  evaluate([x], { kernel, strides, pads }, [output]) {
    const pair = (list: readonly number[], fill: number) => list.length === 1 ? [fill, list[0]] : list;
    const [kernelY, kernelX] = pair(kernel, 1);
    const [strideY, strideX] = pair(strides, 1);
    const [top, left] = pair(pads.slice(0, pads.length / 2), 0);
    const [height, width] = pair(x!.shape.slice(2), 1);
    const [rows, columns] = pair(output.shape.slice(2), 1);
    const source = x!.data;
    const result = allocate(output.dtype, elementCount(output.shape));
    let to = 0;
    for (let plane = 0; plane < source.length; plane += height * width) {
      for (let row = 0; row < rows; row++) {
        const y0 = row * strideY - top;
        for (let column = 0; column < columns; column++) {
          const x0 = column * strideX - left;
          let best = -Infinity;
          for (let y = Math.max(y0, 0); y < Math.min(y0 + kernelY, height); y++) {
            for (let i = Math.max(x0, 0); i < Math.min(x0 + kernelX, width); i++) {
              const value = source[plane + y * width + i];
              if (value > best) best = value;
            }
          }
          result[to++] = best;
        }
      }
    }
    return [result];
  },
});
