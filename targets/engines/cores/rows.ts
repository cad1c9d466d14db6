// Operators over rows (the last axis) on the worker cores: the softmaxes (kernels/softmax.c) and the
// normalisations (kernels/norm.c). Rows are never cut.

import { bytesPerElement, elementCount, type Tensor } from "../../../src/model/types.ts";
import { type Box, type KernelCall, type Mapping, type NodeView, wholeBox } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { broadcastBox, broadcastStrides, mergeAxes, numbered, walkAxes } from "./boxes.ts";
import { byColumn, type ColumnScaling, columnsCall, fitsWord } from "./columns.ts";
import { estimateCycles, typeCode, type Work } from "./kernel_types.ts";

const integersOnly = ({ inputs }: NodeView) =>
  inputs.some((operand) => operand?.dtype === "float32") ? "the operands are float32" : undefined;

/** All axes but the last, first to last. */
const outerAxes = ({ outputs: [y] }: NodeView) =>
  y.shape.slice(0, -1).map((_, axis) => ({ axis, granule: 1 }));

/** As outerAxes, but pieces have a row for each core where eight rows are little. */
function rowsForAll(view: NodeView) {
  const { shape, dtype } = view.outputs[0];
  const wide =
    shape.at(-1)! * Math.max(bytesPerElement[dtype], bytesPerElement[view.inputs[0]!.dtype]) > 1024;
  return outerAxes(view).map((cut) => cut.axis === shape.length - 2 && !wide ? { ...cut, granule: 8 } : cut);
}

/** Rows and columns of a box. */
function rowsOf({ shape }: Box) {
  return { rows: elementCount(shape.slice(0, -1)), columns: shape.at(-1)! };
}

/** Cycles of `rows` rows: whole rows go to one core, so the busiest core counts. */
function rowCycles(rows: number, row: Work, target: Target): number {
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

/** Limits of a signed result of so many levels. */
function signedLimits(levels: number) {
  const low = -Math.floor(levels / 2);
  return { low, high: low + levels - 1 };
}

/** Bytes of a table in kernels/norm_uniform.h. */
const normTableBytes = 512;

/** The one value of a constant; undefined if it has several. */
function onlyValue({ data }: Tensor): number | undefined {
  return data && data.length > 0 && data.every((value) => value === data[0]) ? data[0] : undefined;
}

/**
 * Factor and shift with which n / divisor is (n·factor) >> (32 + shift) for n < 2^31 and divisors up to 2^16
 * (kernels/norm_row.h); factor 0 for 1.
 */
function reciprocal(name: string, divisor: number): Record<string, number> {
  const shift = Math.max(0, 31 - Math.clz32(divisor - 1));
  const factor = divisor === 1 ? 0 : Math.floor(2 ** (32 + shift) / divisor) + 1;
  return { [`${name}_factor`]: factor | 0, [`${name}_shift`]: shift };
}

/** struct norm_memo in kernels/norm_uniform.h as a layer finds it. */
function normMemo(x: Tensor, parameters: readonly number[]): Uint8Array {
  const slots = 16;
  const head = 4 * (8 + 2 * slots);
  const memo = new Uint8Array(head + 2 * 256 + slots * normTableBytes);
  new Int32Array(memo.buffer, 0, 8).set(parameters);
  const least = x.dtype === "int8" ? -128 : 0;
  new Uint16Array(memo.buffer, head, 256).set(Array.from({ length: 256 }, (_, i) => (i + least) ** 2));
  return memo;
}

/** Columns from which on making a table for each row pays. */
const tableColumns = 160;

/** Weight and bias of a normalisation that kernels/norm_uniform.c can do; see there for the conditions. */
function uniformParameters({ node, inputs: [x, weight, bias], outputs: [y] }: NodeView) {
  const { shift, levels } = node.attributes as { shift: number; levels: number };
  const { low, high } = signedLimits(levels);
  const [w, b] = [onlyValue(weight!), bias ? onlyValue(bias) : 0];
  const columns = x!.shape.at(-1)!;
  const bytes = x!.dtype !== "int32" && y.dtype !== "int32";
  if (!bytes || columns < tableColumns || columns > 2 ** 15 || w === undefined || b === undefined) {
    return undefined;
  }
  const exact = shift <= 8 && w >= 1 && w < 2 ** (8 + shift) && b >> shift >= low && b >> shift <= high;
  return exact ? { weight: w, bias: b } : undefined;
}

/** iLayerNorm and iRMSNorm. */
export const normMapping: Mapping = {
  rejects: integersOnly,
  cuts: rowsForAll,
  piece(view, box, target): KernelCall {
    const { node, inputs: [x, weight, bias], outputs: [y] } = view;
    const { shift, levels } = node.attributes as { shift: number; levels: number };
    const { rows, columns } = rowsOf(box);
    const uniform = uniformParameters(view);
    if (uniform) {
      const { workers } = target.harts;
      return {
        kernel: "layer_norm_uniform",
        source: "norm_uniform.c",
        reads: [{ field: "x", input: 0, box }],
        writes: [{ field: "y", output: 0, box }],
        tables: [{
          field: "memo",
          data: normMemo(x!, [uniform.weight, uniform.bias, shift, levels, bias ? 1 : 0]),
        }],
        parameters: {
          rows,
          columns,
          x_type: typeCode[x!.dtype],
          centred: bias ? 1 : 0,
          ...uniform,
          ...reciprocal("columns", columns),
          ...reciprocal("weight", uniform.weight),
          shift,
          ...signedLimits(levels),
        },
        macs: 0,
        cycles: estimateCycles({
          instructions: workers *
            (Math.ceil(rows / workers) * (8.75 * columns + 330) + 3.5 * columns + 250),
        }, target),
      };
    }
    const reads = [{ field: "x", input: 0, box }, {
      field: "weight",
      input: 1,
      box: wholeBox(weight!.shape),
    }];
    if (bias) reads.push({ field: "bias", input: 2, box: wholeBox(bias.shape) });
    return {
      kernel: node.operator === "iLayerNorm" ? "layer_norm" : "rms_norm",
      source: "norm.c",
      reads,
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        rows,
        columns,
        x_type: typeCode[x!.dtype],
        y_type: typeCode[y.dtype],
        shift,
        ...signedLimits(levels),
      },
      macs: 0,
      cycles: rowCycles(
        rows,
        { instructions: columns * (bias ? 29 : 25) + 300, products: columns * 3, divisions: 80 },
        target,
      ),
    };
  },
};

/** iNoNorm with constants by column: the product with mul is in them. */
function columnScaling(
  { node, inputs: [x, weight, bias], outputs: [y] }: NodeView,
): ColumnScaling | undefined {
  const { mul, shift, levels } = node.attributes as { mul: number; shift: number; levels: number };
  const columns = y.shape.at(-1) ?? 0;
  const [w, b] = [weight!, bias!].map((constant) => byColumn(constant, columns));
  if (!w || !b || y.dtype === "int32") return undefined;
  const times = (values: ArrayLike<number>) => Array.from(values, (value) => value * mul);
  const scaling = { mul: times(w), add: times(b), shift, ...signedLimits(levels) };
  // The sum without mul wraps by itself, were it too large.
  const plain = { ...scaling, mul: w, add: b };
  return fitsWord(x!.range, scaling) && fitsWord(x!.range, plain) ? scaling : undefined;
}

/** iNoNorm: element by element, with weight and bias that broadcast. */
export const noNormMapping: Mapping = {
  rejects(view) {
    const { shape } = view.outputs[0];
    const strides = view.inputs.slice(1).map((operand) =>
      broadcastStrides(operand!.shape, wholeBox(operand!.shape), shape.length)
    );
    if (mergeAxes(shape, strides).extents.length > walkAxes) {
      return `more than ${walkAxes} axes that broadcast differently`;
    }
    return integersOnly(view);
  },
  cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
  piece(view, box, target): KernelCall {
    const { node, inputs, outputs: [y] } = view;
    const scaling = columnScaling(view);
    if (scaling) return columnsCall(view, box, target, scaling);
    const { mul, shift, levels } = node.attributes as { mul: number; shift: number; levels: number };
    const [x, weight, bias] = inputs as Tensor[];
    const parts = [weight, bias].map((operand) => broadcastBox(operand.shape, box));
    const { extents, strides } = mergeAxes(
      box.shape,
      [weight, bias].map((operand, i) => broadcastStrides(operand.shape, parts[i], box.shape.length)),
    );
    const count = elementCount(box.shape);
    return {
      kernel: "no_norm",
      source: "norm.c",
      reads: [
        { field: "x", input: 0, box },
        { field: "weight", input: 1, box: parts[0] },
        { field: "bias", input: 2, box: parts[1] },
      ],
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        x_type: typeCode[x.dtype],
        y_type: typeCode[y.dtype],
        ...numbered("extent", extents, walkAxes, 1),
        ...numbered("weight_stride", strides[0], walkAxes, 0),
        ...numbered("bias_stride", strides[1], walkAxes, 0),
        mul,
        shift,
        ...signedLimits(levels),
      },
      macs: 0,
      cycles: estimateCycles({ instructions: count * 34, products: count * 3 }, target),
    };
  },
};
