// iGELU and iHardswish on the worker cores: a table of 256 values for 8-bit inputs, else computed (kernels/lookup.c).

import { elementCount } from "../../../src/model/types.ts";
import type { Box, KernelCall, Mapping, NodeView } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { estimateCycles, typeCode } from "./kernel_types.ts";

/** Reads a parameter of the node. */
type Attributes = Readonly<Record<string, number>>;

/**
 * The call of a table lookup: any function of one 8-bit element.
 *
 * @param f value (for float32 results, their number) for each value of the input
 */
export function lookupCall(
  { inputs: [x], outputs: [y] }: NodeView,
  box: Box,
  target: Target,
  f: (x: number) => number,
): KernelCall {
  const values = Array.from({ length: 256 }, (_, byte) => f(x!.dtype === "int8" ? (byte << 24) >> 24 : byte));
  const table = y.dtype === "float32"
    ? Float32Array.from(values)
    : y.dtype === "int32"
    ? Int32Array.from(values)
    : Uint8Array.from(values, (value) => value & 0xff);
  const count = elementCount(box.shape);
  return {
    kernel: table.BYTES_PER_ELEMENT === 1 ? "lookup_bytes" : "lookup_words",
    source: "lookup.c",
    reads: [{ field: "x", input: 0, box }],
    writes: [{ field: "y", output: 0, box }],
    tables: [{ field: "table", data: new Uint8Array(table.buffer) }],
    parameters: { count },
    macs: 0,
    cycles: estimateCycles({ instructions: count * 7.1 }, target),
  };
}

/** An activation: its formula for tables, and the kernel that computes it for int32 inputs. */
function activation(
  kernel: string,
  parameters: (attributes: Attributes) => Record<string, number>,
  formula: (x: number, attributes: Attributes) => number,
): Mapping {
  return {
    rejects: ({ inputs: [x] }) => x!.dtype === "float32" ? "the operand is float32" : undefined,
    cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
    piece(view, box, target) {
      const attributes = view.node.attributes as Attributes;
      if (view.inputs[0]!.dtype !== "int32") {
        return lookupCall(view, box, target, (x) => formula(x, attributes));
      }
      const count = elementCount(box.shape);
      return {
        kernel,
        source: "lookup.c",
        reads: [{ field: "x", input: 0, box }],
        writes: [{ field: "y", output: 0, box }],
        parameters: { count, y_type: typeCode[view.outputs[0].dtype], ...parameters(attributes) },
        macs: 0,
        cycles: estimateCycles({ instructions: count * 24, products: count * 2 }, target),
      };
    },
  };
}

/** y = x · floor((one ± (one - d²)) / 2), d = min(|x|, -b) + b; plus for positive x, minus for negative (I-BERT's GELU). */
export const geluMapping = activation(
  "gelu",
  ({ b, one }) => ({ b, one }),
  (x, { b, one }) => {
    const d = (x < 0 ? Math.max(x, b) * -1 : Math.min(x, -b)) + b;
    const l = x === 0 ? 0 : x > 0 ? one - d * d : d * d - one;
    return Math.imul(x, (one + l) >> 1);
  },
);

/** y = x · (clip(x + three, 0, six) · oneOverSix). */
export const hardswishMapping = activation(
  "hardswish",
  ({ oneOverSix, three, six }) => ({ one_over_six: oneOverSix, three, six }),
  (x, { oneOverSix, three, six }) => {
    const moved = (x + three) | 0;
    return Math.imul(x, Math.imul(moved < 0 ? 0 : moved > six ? six : moved, oneOverSix));
  },
);
