// Add, Sub, Mul (kernels/binary_kernel.h), Relu and Clip (kernels/clip.c) on the worker cores.

import { elementCount } from "../../../src/model/types.ts";
import { type Box, type KernelCall, type Mapping, wholeBox } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { broadcastBox, broadcastStrides, mergeAxes, numbered, walkAxes } from "./boxes.ts";
import { estimateCycles, typeCode } from "./kernel_types.ts";

/** An operator of two operands that broadcast against each other. */
function binary(source: string, kernel: string, products: number): Mapping {
  return {
    rejects({ inputs, outputs: [y] }) {
      if (inputs.some((operand) => operand!.dtype === "float32")) return "the operands are float32";
      const { shape } = y;
      const strides = inputs.map((operand) =>
        broadcastStrides(operand!.shape, wholeBox(operand!.shape), shape.length)
      );
      const { extents } = mergeAxes(shape, strides);
      return extents.length > walkAxes ? `more than ${walkAxes} axes that broadcast differently` : undefined;
    },
    cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
    piece({ inputs, outputs: [y] }, box: Box, target: Target): KernelCall {
      const [a, b] = inputs.map((operand) => operand!);
      const parts = [a, b].map((operand) => broadcastBox(operand.shape, box));
      const { extents, strides } = mergeAxes(
        box.shape,
        [a, b].map((operand, i) => broadcastStrides(operand.shape, parts[i], box.shape.length)),
      );
      const count = elementCount(box.shape);
      return {
        kernel,
        source,
        reads: [{ field: "a", input: 0, box: parts[0] }, { field: "b", input: 1, box: parts[1] }],
        writes: [{ field: "y", output: 0, box }],
        parameters: {
          a_type: typeCode[a.dtype],
          b_type: typeCode[b.dtype],
          y_type: typeCode[y.dtype],
          ...numbered("extent", extents, walkAxes, 1),
          ...numbered("a_stride", strides[0], walkAxes, 0),
          ...numbered("b_stride", strides[1], walkAxes, 0),
        },
        macs: 0,
        cycles: estimateCycles(
          { instructions: count * 7 + (count / (extents[0] || 1)) * 60, products: count * products },
          target,
        ),
      };
    },
  };
}

/** Kernel clip_elements with the limits that the node's attributes give. */
function clip(
  limits: (attributes: Readonly<Record<string, unknown>>) => { low: number; high: number },
): Mapping {
  return {
    rejects: ({ inputs: [x] }) => x!.dtype === "float32" ? "the operand is float32" : undefined,
    cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
    piece({ node, inputs: [x], outputs: [y] }, box: Box, target: Target): KernelCall {
      const count = elementCount(box.shape);
      return {
        kernel: "clip_elements",
        source: "clip.c",
        reads: [{ field: "x", input: 0, box }],
        writes: [{ field: "y", output: 0, box }],
        parameters: {
          count,
          x_type: typeCode[x!.dtype],
          y_type: typeCode[y.dtype],
          ...limits(node.attributes),
        },
        macs: 0,
        cycles: estimateCycles({ instructions: count * 6 }, target),
      };
    },
  };
}

export const addMapping = binary("add.c", "add_elements", 0);
export const subMapping = binary("subtract.c", "subtract_elements", 0);
export const mulMapping = binary("multiply.c", "multiply_elements", 1);
export const reluMapping = clip(() => ({ low: 0, high: 2 ** 31 - 1 }));
export const clipMapping = clip(({ min, max }) => ({ low: min as number, high: max as number }));
