// IntegerDiv and TrueIntegerDiv on the worker cores: kernels/divide.c, or a table for 8-bit inputs.

import { elementCount, type Tensor } from "../../../src/model/types.ts";
import { type KernelCall, type Mapping, wholeBox } from "../engine.ts";
import { lookupCall } from "./activations.ts";
import { broadcastBox, broadcastStrides, mergeAxes, numbered, walkAxes } from "./boxes.ts";
import { estimateCycles, typeCode } from "./kernel_types.ts";

/** A 64-bit number as two fields of an args struct. */
function words(name: string, value: number): Record<string, number> {
  const [low, high] = new Int32Array(BigInt64Array.of(BigInt(value)).buffer);
  return { [`${name}_low`]: low, [`${name}_high`]: high };
}

export const integerDivMapping: Mapping = {
  rejects({ inputs, outputs: [y] }) {
    if (inputs.some((operand) => operand!.dtype === "float32")) return "the operands are float32";
    const strides = inputs.map((operand) =>
      broadcastStrides(operand!.shape, wholeBox(operand!.shape), y.shape.length)
    );
    return mergeAxes(y.shape, strides).extents.length > walkAxes
      ? `more than ${walkAxes} axes that broadcast differently`
      : undefined;
  },
  cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
  piece({ node, inputs, outputs: [y] }, box, target): KernelCall {
    const { numerator, eta, eps } = node.attributes as { numerator: number; eta: number; eps: number };
    const [a, b] = inputs as Tensor[];
    const parts = [a, b].map((operand) => broadcastBox(operand.shape, box));
    const { extents, strides } = mergeAxes(
      box.shape,
      [a, b].map((operand, i) => broadcastStrides(operand.shape, parts[i], box.shape.length)),
    );
    const count = elementCount(box.shape);
    return {
      kernel: "integer_div",
      source: "divide.c",
      reads: [{ field: "a", input: 0, box: parts[0] }, { field: "b", input: 1, box: parts[1] }],
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        a_type: typeCode[a.dtype],
        b_type: typeCode[b.dtype],
        y_type: typeCode[y.dtype],
        ...numbered("extent", extents, walkAxes, 1),
        ...numbered("a_stride", strides[0], walkAxes, 0),
        ...numbered("b_stride", strides[1], walkAxes, 0),
        ...words("numerator", numerator),
        eta,
        eps,
      },
      macs: 0,
      cycles: estimateCycles(
        { instructions: count * 240, products: count * 5, divisions: count * 15 },
        target,
      ),
    };
  },
};

export const trueIntegerDivMapping: Mapping = {
  rejects: ({ inputs: [x] }) => x!.dtype === "float32" ? "the operand is float32" : undefined,
  cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
  piece(view, box, target): KernelCall {
    const { node, inputs: [x], outputs: [y] } = view;
    const { numerator, denominator } = node.attributes as { numerator: number; denominator: number };
    if (x!.dtype !== "int32") {
      const [n, d] = [BigInt(numerator), BigInt(denominator)];
      return lookupCall(view, box, target, (value) => {
        const product = BigInt(value) * n;
        // BigInt division truncates; a divisor less one makes it the floor of a negative quotient.
        return Number(BigInt.asIntN(32, product < 0n ? (product - d + 1n) / d : product / d));
      });
    }
    const count = elementCount(box.shape);
    return {
      kernel: "true_integer_div",
      source: "divide.c",
      reads: [{ field: "x", input: 0, box }],
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        count,
        x_type: typeCode[x!.dtype],
        y_type: typeCode[y.dtype],
        ...words("numerator", numerator),
        ...words("denominator", denominator),
      },
      macs: 0,
      cycles: estimateCycles(
        { instructions: count * 300, products: count * 4, divisions: count * 15 },
        target,
      ),
    };
  },
};
