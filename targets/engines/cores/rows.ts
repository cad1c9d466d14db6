// What operators over rows (the last axis) have in common on the worker cores, and the softmaxes (kernels/softmax.c).
// Rows are never cut.

import { elementCount } from "../../../src/model/types.ts";
import type { Box, KernelCall, Mapping, NodeView } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { estimateCycles, typeCode, type Work } from "./kernel_types.ts";

/** Why rows of floats are refused. */
export const integersOnly = ({ inputs }: NodeView) =>
  inputs.some((operand) => operand?.dtype === "float32") ? "the operands are float32" : undefined;

/** All axes but the last, first to last. */
export const outerAxes = ({ outputs: [y] }: NodeView) =>
  y.shape.slice(0, -1).map((_, axis) => ({ axis, granule: 1 }));

/** Rows and columns of a box. */
export function rowsOf({ shape }: Box) {
  return { rows: elementCount(shape.slice(0, -1)), columns: shape.at(-1)! };
}

/** Cycles of `rows` rows: whole rows go to one core, so the busiest core counts. */
export function rowCycles(rows: number, row: Work, target: Target): number {
  const { workers } = target.harts;
  const busiest = Math.ceil(rows / workers) * workers;
  return estimateCycles({
    instructions: row.instructions * busiest,
    products: (row.products ?? 0) * rows,
    divisions: (row.divisions ?? 0) * rows,
  }, target);
}

interface ItaAttributes {
  readonly shift: number;
  readonly fullScale: number;
  readonly groupWidth: number;
}

/** ITAMax and ITAPartialMax. */
export const itaMaxMapping: Mapping = {
  rejects: integersOnly,
  cuts: outerAxes,
  piece({ node, inputs: [x] }, box, target): KernelCall {
    const { shift, fullScale, groupWidth } = node.attributes as unknown as ItaAttributes;
    const { rows, columns } = rowsOf(box);
    return {
      kernel: "softmax_ita",
      source: "softmax.c",
      reads: [{ field: "x", input: 0, box }],
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        rows,
        columns,
        group: groupWidth === 0 ? Math.max(columns, 1) : groupWidth,
        x_type: typeCode[x!.dtype],
        shift,
        full_scale: fullScale,
      },
      macs: 0,
      cycles: rowCycles(rows, {
        instructions: columns * 26 + columns / (groupWidth || columns || 1) * 50 + 100,
        divisions: 15,
      }, target),
    };
  },
};

interface SoftmaxAttributes {
  readonly coeffA: number;
  readonly coeffB: number;
  readonly coeffC: number;
  readonly log2: number;
  readonly levels: number;
}

/** Longest table of terms by distance from the maximum; wider inputs have each term computed. */
const tableEntries = 256;

/** Terms of the polynomial softmax for distances 0, 1, … from the row's maximum. */
function softmaxTerms({ coeffA, coeffB, coeffC, log2 }: SoftmaxAttributes): Uint8Array {
  const terms = Uint32Array.from({ length: tableEntries }, (_, distance) => {
    const halvings = Math.floor(distance / log2);
    const p = halvings * log2 - distance;
    return Math.floor((coeffA * (p + coeffB) ** 2 + coeffC) / 2 ** halvings);
  });
  return new Uint8Array(terms.buffer);
}

/** iSoftmax. */
export const softmaxMapping: Mapping = {
  rejects: integersOnly,
  cuts: outerAxes,
  piece({ node, inputs: [x] }, box, target): KernelCall {
    const attributes = node.attributes as unknown as SoftmaxAttributes;
    const { rows, columns } = rowsOf(box);
    const common = {
      source: "softmax.c",
      reads: [{ field: "x", input: 0, box }],
      writes: [{ field: "y", output: 0, box }],
      macs: 0,
    };
    const parameters = { rows, columns, x_type: typeCode[x!.dtype], top: attributes.levels - 1 };
    if (x!.dtype === "int8" || x!.dtype === "uint8") {
      return {
        ...common,
        kernel: "softmax_table",
        tables: [{ field: "table", data: softmaxTerms(attributes) }],
        parameters,
        cycles: rowCycles(
          rows,
          { instructions: columns * 41 + 120, products: columns * 3, divisions: 30 },
          target,
        ),
      };
    }
    return {
      ...common,
      kernel: "softmax_polynomial",
      parameters: {
        ...parameters,
        coefficient_a: attributes.coeffA,
        coefficient_b: attributes.coeffB,
        coefficient_c: attributes.coeffC,
        log2: attributes.log2,
      },
      cycles: rowCycles(
        rows,
        { instructions: columns * 90, products: columns * 9, divisions: columns * 50 },
        target,
      ),
    };
  },
};
