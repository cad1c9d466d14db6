// Normalisations on the worker cores: with one weight for all columns (kernels/norm_uniform.c), with constants by column
// (norm_columns.c, scale_columns.c), and any others (norm.c).

import { bytesPerElement, elementCount, type Tensor } from "../../../src/model/types.ts";
import { type Box, type KernelCall, type Mapping, type NodeView, wholeBox } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { broadcastBox, broadcastStrides, mergeAxes, numbered, walkAxes } from "./boxes.ts";
import { byColumn, type ColumnScaling, columnsCall, columnTable, fitsWord } from "./columns.ts";
import { estimateCycles, typeCode } from "./kernel_types.ts";
import { integersOnly, outerAxes, rowCycles, rowsOf } from "./rows.ts";

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

/** Squares of an 8-bit tensor's elements, from the least on: at most 255² fits 16 bits. */
function squaresOf(x: Tensor): Uint16Array {
  const least = x.dtype === "int8" ? -128 : 0;
  return Uint16Array.from({ length: 256 }, (_, i) => (i + least) ** 2);
}

/** The call of kernels/norm_columns.c, if it can do the node: constants known, and all in 32 bits. */
function columnsNorm(view: NodeView, box: Box, target: Target): KernelCall | undefined {
  const { node, inputs: [x, weight, bias], outputs: [y] } = view;
  const { shift, levels } = node.attributes as { shift: number; levels: number };
  const { rows, columns } = rowsOf(box);
  if (x!.dtype === "int32" || y.dtype === "int32" || !weight!.data || (bias && !bias.data)) return undefined;
  // Distances from the mean, or from 0.
  const reach = bias ? 255 : Math.max(Math.abs(x!.range.min), Math.abs(x!.range.max));
  const { min, max } = weight!.range;
  const most = Math.max(-min, max) * reach;
  if (most >= 2 ** 31 || columns > 2 ** 15) return undefined;
  const constants = columnTable(node, weight!.data, bias?.data ?? new Int32Array(columns));
  return {
    kernel: "layer_norm_columns",
    source: "norm_columns.c",
    reads: [{ field: "x", input: 0, box }],
    writes: [{ field: "y", output: 0, box }],
    tables: [
      { field: "constants", data: constants },
      { field: "squares", data: new Uint8Array(squaresOf(x!).buffer) },
    ],
    parameters: {
      rows,
      columns,
      x_type: typeCode[x!.dtype],
      centred: bias ? 1 : 0,
      most,
      shift,
      ...signedLimits(levels),
    },
    macs: 0,
    cycles: rowCycles(rows, { instructions: columns * 21 + 400, products: columns * 2.25 }, target),
  };
}

/** struct norm_memo in kernels/norm_uniform.h as a layer finds it. */
function normMemo(x: Tensor, parameters: readonly number[]): Uint8Array {
  const slots = 16;
  const head = 4 * (8 + 2 * slots);
  const memo = new Uint8Array(head + 2 * 256 + slots * normTableBytes);
  new Int32Array(memo.buffer, 0, 8).set(parameters);
  new Uint16Array(memo.buffer, head, 256).set(squaresOf(x));
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

/** The call of kernels/norm_uniform.c, if it can do the node. */
function uniformNorm(view: NodeView, box: Box, target: Target): KernelCall | undefined {
  const uniform = uniformParameters(view);
  if (!uniform) return undefined;
  const { node, inputs: [x, , bias] } = view;
  const { shift, levels } = node.attributes as { shift: number; levels: number };
  const { rows, columns } = rowsOf(box);
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
      instructions: workers * (Math.ceil(rows / workers) * (8.75 * columns + 330) + 3.5 * columns + 250),
    }, target),
  };
}

/** The call of kernels/norm.c, which can do any node. */
function anyNorm(
  { node, inputs: [x, weight, bias], outputs: [y] }: NodeView,
  box: Box,
  target: Target,
): KernelCall {
  const { shift, levels } = node.attributes as { shift: number; levels: number };
  const { rows, columns } = rowsOf(box);
  const reads = [{ field: "x", input: 0, box }, { field: "weight", input: 1, box: wholeBox(weight!.shape) }];
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
}

/** As outerAxes, but pieces have a row for each core where eight rows are little. */
function rowsForAll(view: NodeView) {
  const { shape, dtype } = view.outputs[0];
  const wide =
    shape.at(-1)! * Math.max(bytesPerElement[dtype], bytesPerElement[view.inputs[0]!.dtype]) > 1024;
  return outerAxes(view).map((cut) => cut.axis === shape.length - 2 && !wide ? { ...cut, granule: 8 } : cut);
}

/** iLayerNorm and iRMSNorm. */
export const normMapping: Mapping = {
  rejects: integersOnly,
  cuts: rowsForAll,
  piece: (view, box, target) =>
    uniformNorm(view, box, target) ?? columnsNorm(view, box, target) ?? anyNorm(view, box, target),
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
