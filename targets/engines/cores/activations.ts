// Table lookups on the worker cores (kernels/lookup.c): Lookup, LookupSum, and iGELU and iHardswish of 8-bit inputs;
// of wider ones they are computed.

import { elementCount, type Tensor } from "../../../src/model/types.ts";
import type { Box, KernelCall, Mapping, NodeView } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { estimateCycles, typeCode } from "./kernel_types.ts";

/** Reads a parameter of the node. */
type Attributes = Readonly<Record<string, number>>;

/** Values of a function of an 8-bit tensor's elements, by their bytes. */
function byByte(x: Tensor, f: (x: number) => number): number[] {
  return Array.from({ length: 256 }, (_, byte) => f(x.dtype === "int8" ? (byte << 24) >> 24 : byte));
}

/** Argument that entry 0 of an operator's table for an 8-bit tensor belongs to. */
const leastOf = (x: Tensor) => x.dtype === "int8" ? -128 : 0;

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
  const values = byByte(x!, f);
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
    cycles: estimateCycles({ instructions: count * 4.8 }, target),
  };
}

/** Lookup: the table is a constant of the network. */
export const lookupMapping: Mapping = {
  rejects: () => undefined,
  cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
  piece(view, box, target) {
    const [x, table] = view.inputs as Tensor[];
    return lookupCall(view, box, target, (value) => table.data![value - leastOf(x)]);
  },
};

/** LookupSum: the operands' tables hold bytes above the least term, so that the sum counts from 0. */
export const lookupSumMapping: Mapping = {
  rejects({ inputs, outputs: [y] }) {
    if (y.dtype !== "int8" && y.dtype !== "uint8") return "the result is wider than 8 bits";
    const wide = inputs.slice(3).some((table) =>
      table && Math.max(...table.data!) - Math.min(...table.data!) > 255
    );
    return wide ? "the terms of an operand span more than 8 bits" : undefined;
  },
  cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
  piece({ node, inputs }, box, target): KernelCall {
    const [a, b, table, tableA, tableB] = inputs as (Tensor | undefined)[];
    const first = node.attributes.first as number;
    const terms = [[a!, tableA], [b!, tableB]].map(([x, own]) => {
      // int8 operands are added as they are.
      if (!own && x!.dtype === "int8") return { base: 0 };
      const values = byByte(x!, own ? (value) => own.data![value - leastOf(x!)] : (value) => value);
      const base = Math.min(...values);
      return { base, data: Uint8Array.from(values, (value) => value - base) };
    });
    // Both operands with a table, or the first alone, or none: fewer kernels.
    const swapped = !terms[0].data && terms[1].data;
    const order = swapped ? [1, 0] : [0, 1];
    const fields = ["table_a", "table_b"];
    const count = elementCount(box.shape);
    const tables = order.flatMap((i, at) =>
      terms[i].data ? [{ field: fields[at], data: terms[i].data }] : []
    );
    return {
      kernel: ["sum_plain", "sum_table_plain", "sum_tables"][tables.length],
      source: "lookup.c",
      reads: order.map((input, at) => ({ field: ["a", "b"][at], input, box })),
      writes: [{ field: "y", output: 0, box }],
      tables: [...tables, { field: "table", data: Uint8Array.from(table!.data!, (value) => value & 0xff) }],
      parameters: { count, first: first - terms[0].base - terms[1].base },
      macs: 0,
      cycles: estimateCycles({ instructions: count * [7.6, 9.6, 11.7][tables.length] }, target),
    };
  },
};

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
