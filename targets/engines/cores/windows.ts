// Operators with a window that slides over one or two spatial axes, on the worker cores: Conv and RequantizedConv
// (kernels/conv_patches.c and conv_direct.c; those of 1 x 1 are matrix products, kernels/matmul.h) and MaxPool (kernels/max_pool.c).

import { elementCount, type Node, type Range, type Tensor } from "../../../src/model/types.ts";
import type { Box, Cut, KernelCall, Mapping, NodeView } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { vectorBox } from "./boxes.ts";
import {
  constantReads,
  estimateCycles,
  needsWide,
  type Requantisation,
  requantParameters,
  typeCode,
  typeName,
} from "./kernel_types.ts";
import { isTyped, productCall } from "./matmul.ts";

interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations?: readonly number[];
}

/** One spatial axis of a box: which input elements its windows meet, and what the kernel must know. */
interface WindowAxis {
  readonly start: number;
  readonly extent: number;
  readonly results: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Padding in front of the part; negative if the first window starts behind the part's first element. */
  readonly pad: number;
}

/** The spatial axes of a box of the result, y then x; y is trivial where there is only one. */
function windowAxes(window: Window, input: readonly number[], box: Box): [WindowAxis, WindowAxis] {
  const axes = window.kernel.map((kernel, i): WindowAxis => {
    const stride = window.strides[i];
    const dilation = window.dilations?.[i] ?? 1;
    const results = box.shape[i + 2];
    const first = box.start[i + 2] * stride - window.pads[i];
    const behind = first + (results - 1) * stride + (kernel - 1) * dilation + 1;
    const start = Math.min(Math.max(first, 0), input[i + 2]);
    const end = Math.min(Math.max(behind, start), input[i + 2]);
    return { start, extent: end - start, results, kernel, stride, dilation, pad: start - first };
  });
  const trivial = { start: 0, extent: 1, results: 1, kernel: 1, stride: 1, dilation: 1, pad: 0 };
  return axes.length === 1 ? [trivial, axes[0]] : [axes[0], axes[1]];
}

/** The input's part: batches and channels as given, spatial axes as the windows need them. */
function inputPart(
  rank: number,
  batch: [number, number],
  channels: [number, number],
  axes: readonly WindowAxis[],
): Box {
  const spatial = axes.slice(4 - rank);
  return {
    start: [batch[0], channels[0], ...spatial.map(({ start }) => start)],
    shape: [batch[1], channels[1], ...spatial.map(({ extent }) => extent)],
  };
}

/** Parameters that all kernels with windows name alike. */
function windowParameters([y, x]: readonly WindowAxis[]) {
  return {
    // Windows that meet nothing but padding have an empty part: 0 x 0 for the kernel.
    height: x.extent === 0 ? 0 : y.extent,
    width: y.extent === 0 ? 0 : x.extent,
    rows: y.results,
    columns: x.results,
    kernel_y: y.kernel,
    kernel_x: x.kernel,
    stride_y: y.stride,
    stride_x: x.stride,
    pad_y: y.pad,
    pad_x: x.pad,
  };
}

/** Most of L1 that the cores' patches may take. */
const patchShare = 1 / 2;

/** Sum of the magnitudes of an output's weights, the largest of them. */
const weightSums = new WeakMap<Node, number>();

/** Values that the sums can take, bias included. */
function sumRange({ node, inputs: [x, w, bias] }: NodeView): Range {
  const magnitude = ({ min, max }: Range) => Math.max(Math.abs(min), Math.abs(max));
  let largest = weightSums.get(node);
  if (largest === undefined) {
    const terms = elementCount(w!.shape.slice(1));
    largest = w!.data ? 0 : terms * magnitude(w!.range);
    for (let start = 0; w!.data && start < w!.data.length; start += terms) {
      let sum = 0;
      for (let i = start; i < start + terms; i++) sum += Math.abs(w!.data[i]);
      largest = Math.max(largest, sum);
    }
    weightSums.set(node, largest);
  }
  const sum = largest * magnitude(x!.range);
  return { min: -sum + Math.min(bias?.range.min ?? 0, 0), max: sum + Math.max(bias?.range.max ?? 0, 0) };
}

/** A convolution's node, looked at as the kernels need it. */
function convolution(view: NodeView) {
  const { node, inputs: [x, w] } = view;
  const window = node.attributes as unknown as Window & { group: number };
  const requantisation = node.operator === "RequantizedConv"
    ? node.attributes as unknown as Requantisation
    : undefined;
  const { group } = window;
  return {
    window,
    requantisation,
    group,
    depth: w!.shape[1],
    outputs: w!.shape[0] / group,
    size: elementCount(w!.shape.slice(1)),
    /** A product of the weights [O, C] with each image [C, pixels]. */
    pointwise: group === 1 && window.kernel.every((k) => k === 1) && window.strides.every((s) => s === 1) &&
      window.pads.every((p) => p === 0) &&
      isTyped({ a: { dtype: w!.dtype, row: 0, depth: 1 }, b: { dtype: x!.dtype, depth: 0, column: 1 } }),
  };
}

function wide(
  { inputs: [, , , mul, add, shifts] }: NodeView,
  sums: Range,
  requantisation?: Requantisation,
): boolean {
  return requantisation !== undefined && needsWide(sums, mul!, add!, shifts, requantisation.shift);
}

function convolutionReads(view: NodeView, box: Box, part: Box, requantisation?: Requantisation) {
  const [, w, bias, ...constants] = view.inputs;
  const [first, count] = [box.start[1], box.shape[1]];
  return {
    w: { start: w!.shape.map((_, axis) => axis === 0 ? first : 0), shape: w!.shape.with(0, count) },
    x: part,
    others: [
      ...(bias ? [{ field: "bias", input: 2, box: vectorBox(bias, first, count) }] : []),
      ...(requantisation ? constantReads(constants, requantisation.axis, box, 3) : []),
    ],
  };
}

/** 1 x 1 without stride, padding and groups: a = weights, b = image. */
function pointwisePiece(view: NodeView, box: Box, target: Target): KernelCall {
  const { inputs: [x, w, bias], outputs: [y] } = view;
  const { depth, requantisation } = convolution(view);
  const pixels = elementCount(box.shape.slice(2));
  const part = { start: box.start.with(1, 0), shape: box.shape.with(1, depth) };
  const reads = convolutionReads(view, box, part, requantisation);
  return {
    reads: [{ field: "a", input: 1, box: reads.w }, { field: "b", input: 0, box: reads.x }, ...reads.others],
    writes: [{ field: "y", output: 0, box }],
    ...productCall({
      batch: { extents: [box.shape[0]], strides: [[0], [depth * pixels], [0], [0]] },
      rows: box.shape[1],
      columns: pixels,
      depth,
      a: { dtype: w!.dtype, row: depth, depth: 1 },
      b: { dtype: x!.dtype, depth: pixels, column: 1 },
      bias: bias && { dtype: bias.dtype, row: 1, column: 0 },
      scale: { row: requantisation?.axis === 1 ? 1 : 0, column: 0 },
      requantisation,
      wide: wide(view, sumRange(view), requantisation),
      y: y.dtype,
    }, target),
  };
}

/** Into how many parts the outputs are best divided so that all workers have work. */
function outputGroups(pixelPairs: number, outputPairs: number, workers: number): number {
  let best = 1;
  let least = Infinity;
  for (let groups = 1; groups <= workers; groups++) {
    const pixels = Math.ceil(pixelPairs / Math.floor(workers / groups));
    const outputs = Math.ceil(outputPairs / groups);
    // In units of half a patch's products: blocks of four, pair terms, and the copy of the patches.
    const cost = pixels * (4 * outputs + 4) + 2 * outputs;
    if (cost < least) [best, least] = [groups, cost];
  }
  return best;
}

function convolutionPiece(view: NodeView, box: Box, target: Target): KernelCall {
  const { inputs: [x, w], outputs: [y] } = view;
  const { window, requantisation, group, depth, outputs, size, pointwise } = convolution(view);
  if (pointwise) return pointwisePiece(view, box, target);
  const { workers } = target.harts;
  const axes = windowAxes(window, x!.shape, box);
  // With groups, boxes hold whole ones.
  const groups = group === 1 ? 1 : box.shape[1] / outputs;
  const outputsHere = group === 1 ? box.shape[1] : outputs;
  const channels: [number, number] = group === 1
    ? [0, depth]
    : [box.start[1] / outputs * depth, groups * depth];
  const part = inputPart(box.shape.length, [box.start[0], box.shape[0]], channels, axes);
  const reads = convolutionReads(view, box, part, requantisation);
  const pixels = axes[0].results * axes[1].results;

  const types = `${typeName[x!.dtype]}_${typeName[w!.dtype]}`;
  const is8 = types === "s8_s8" || types === "u8_s8";
  const depthwise3x3 = is8 && depth === 1 &&
    axes.every(({ kernel, dilation }) => kernel === 3 && dilation === 1);
  const patchBytes = 4 * Math.ceil(size * (x!.dtype === "int32" ? 4 : 1) / 4);
  const l1 = target.memories.find(({ role }) => role === "l1")?.size ?? Infinity;
  const patches = !depthwise3x3 && w!.dtype === "int8" && outputs >= 3 &&
    2 * patchBytes * workers <= l1 * patchShare;
  const divisions = outputGroups(Math.ceil(pixels / 2), Math.ceil(outputsHere / 2), workers);
  const scratchPerCore = 2 * patchBytes + 8 * Math.ceil(outputsHere / 2 / divisions);

  const images = box.shape[0] * groups;
  const sums = images * pixels * outputsHere;
  const store = requantisation ? 16 : 10;
  const pairs = images * (pixels * divisions + outputsHere * Math.floor(workers / divisions)) * size / 2;
  const plain = depthwise3x3 && axes[1].stride === 1 ? 6 : 9;
  const work = patches
    ? {
      instructions: sums * (size * 3 + 20 + store) + images * pixels * divisions * (size * 10 + 100) +
        pairs * 5,
      products: sums * (size / 2 + 1) + pairs,
    }
    : depthwise3x3
    ? { instructions: sums * (plain === 6 ? 75 : 85), products: sums * (plain + 1) }
    : { instructions: sums * (size * (is8 ? 18 : 36) + 60), products: sums * size };
  return {
    ...(patches
      ? { kernel: `conv_patches_${types}`, source: "conv_patches.c" }
      : depthwise3x3
      ? { kernel: `conv_3x3_${types}`, source: "conv_3x3.c" }
      : { kernel: is8 ? `conv_direct_${types}` : "conv_direct_any", source: "conv_direct.c" }),
    reads: [{ field: "x", input: 0, box: reads.x }, { field: "w", input: 1, box: reads.w }, ...reads.others],
    writes: [{ field: "y", output: 0, box }],
    scratch: patches ? [{ field: "patches", bytes: workers * scratchPerCore }] : [],
    parameters: {
      batches: box.shape[0],
      groups,
      depth,
      outputs: outputsHere,
      ...windowParameters(axes),
      dilation_y: axes[0].dilation,
      dilation_x: axes[1].dilation,
      x_type: typeCode[x!.dtype],
      w_type: typeCode[w!.dtype],
      y_type: typeCode[y.dtype],
      finish: requantisation ? (wide(view, sumRange(view), requantisation) ? 2 : 1) : 0,
      scale_stride: requantisation?.axis === 1 ? 1 : 0,
      ...(requantisation ? requantParameters(requantisation) : { shift: 0, low: 0, high: 0 }),
      output_groups: divisions,
      scratch_per_core: scratchPerCore,
    },
    macs: sums * size,
    cycles: estimateCycles(work, target),
  };
}

/** Batches, then channels or rows first, columns last. */
function windowCuts(rank: number, channels: number, channelsFirst: boolean): Cut[] {
  const spatial = rank === 4 ? [2, 3] : [2];
  const order = channelsFirst ? [0, 1, ...spatial] : [0, 2, 1, ...spatial.slice(1)];
  return order.map((axis) => ({ axis, granule: axis === 1 ? channels : 1 }));
}

export const convMapping: Mapping = {
  rejects({ inputs }) {
    if (inputs.some((operand) => operand?.dtype === "float32")) return "the cores multiply integers only";
    const rank = inputs[0]!.shape.length;
    return rank === 3 || rank === 4 ? undefined : "only one or two spatial axes";
  },
  cuts(view) {
    const { group, outputs } = convolution(view);
    // Channels of a group stay together; pairs of outputs share what is read of the input.
    return windowCuts(view.outputs[0].shape.length, group === 1 ? 2 : outputs, group > 1);
  },
  piece: convolutionPiece,
};

export const maxPoolMapping: Mapping = {
  rejects: ({ inputs: [x] }) => x!.dtype === "float32" ? "the operand is float32" : undefined,
  cuts: ({ outputs: [y] }) => windowCuts(y.shape.length, 1, true),
  piece({ node, inputs, outputs: [y] }, box, target): KernelCall {
    const [x] = inputs as Tensor[];
    const axes = windowAxes(node.attributes as unknown as Window, x.shape, box);
    const [batch, channels] = [0, 1].map((axis): [number, number] => [box.start[axis], box.shape[axis]]);
    const results = elementCount(box.shape);
    const size = axes[0].kernel * axes[1].kernel;
    return {
      kernel: "max_pool",
      source: "max_pool.c",
      reads: [{ field: "x", input: 0, box: inputPart(box.shape.length, batch, channels, axes) }],
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        planes: box.shape[0] * box.shape[1],
        ...windowParameters(axes),
        x_type: typeCode[x.dtype],
        y_type: typeCode[y.dtype],
      },
      macs: 0,
      cycles: estimateCycles({ instructions: results * (size * 6 + axes[0].kernel * 8 + 28) }, target),
    };
  },
};
