// Quant and Dequant on the worker cores: kernels/quant.c, or a table for 8-bit inputs.

import { elementCount } from "../../../src/model/types.ts";
import type { KernelCall, Mapping } from "../engine.ts";
import { lookupCall } from "./activations.ts";
import { estimateCycles, typeCode } from "./kernel_types.ts";

/** Bits of a float32 number, as an int32 field of an args struct. */
const floatBits = (value: number) => new Int32Array(Float32Array.of(value).buffer)[0];

export const quantMapping: Mapping = {
  rejects: ({ inputs: [x] }) => x!.dtype === "float32" ? undefined : "the operand is not float32",
  cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
  piece({ node, outputs: [y] }, box, target): KernelCall {
    const { scale, zeroPoint, min, max } = node.attributes as Record<string, number>;
    const count = elementCount(box.shape);
    return {
      kernel: "quant",
      source: "quant.c",
      reads: [{ field: "x", input: 0, box }],
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        count,
        y_type: typeCode[y.dtype],
        scale: floatBits(scale),
        zero_point: floatBits(zeroPoint),
        low: min,
        high: max,
      },
      macs: 0,
      cycles: estimateCycles(
        { instructions: count * 420, products: count * 5, divisions: count * 45 },
        target,
      ),
    };
  },
};

export const dequantMapping: Mapping = {
  rejects: ({ inputs: [x] }) => x!.dtype === "float32" ? "the operand is float32" : undefined,
  cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
  piece(view, box, target): KernelCall {
    const { node, inputs: [x] } = view;
    const { scale, zeroPoint } = node.attributes as Record<string, number>;
    if (x!.dtype !== "int32") {
      // Both factors are float32 numbers; storing their product in the table rounds it to float32.
      return lookupCall(view, box, target, (value) => Math.fround((value - zeroPoint) | 0) * scale);
    }
    const count = elementCount(box.shape);
    return {
      kernel: "dequant",
      source: "quant.c",
      reads: [{ field: "x", input: 0, box }],
      writes: [{ field: "y", output: 0, box }],
      parameters: { count, x_type: typeCode[x!.dtype], zero_point: zeroPoint, scale: floatBits(scale) },
      macs: 0,
      cycles: estimateCycles({ instructions: count * 142, products: count * 2 }, target),
    };
  },
};
