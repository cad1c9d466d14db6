// Operators that move elements, on the worker cores: Transpose, Slice, Concat, Pad, Gather (kernels/copy.c).
// Elements of 4 bytes may be float32: they are moved as words.

import { bytesPerElement, elementCount, type Tensor } from "../../../src/model/types.ts";
import { type Box, type KernelCall, type Mapping, type NodeView, wholeBox } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { denseStrides, mergeAxes, numbered, type Walk, walkAxes } from "./boxes.ts";
import { estimateCycles, typeCode } from "./kernel_types.ts";

const allAxes = ({ outputs: [y] }: NodeView) => y.shape.map((_, axis) => ({ axis, granule: 1 }));

/** Cycles to move `count` elements in runs of `run`, `each` for an element and `start` for a run. */
function moveCycles(count: number, run: number, each: number, start: number, target: Target): number {
  return estimateCycles({ instructions: count * each + (count / Math.max(run, 1)) * start }, target);
}

/** kernels/copy.c, copy_strided: a walk over the part `part` of the input. */
function stridedCopy(
  { inputs: [x], outputs: [y] }: NodeView,
  box: Box,
  part: Box,
  strides: readonly number[],
  offset: number,
  target: Target,
): KernelCall {
  const walk = mergeAxes(box.shape, [strides]);
  const rows = elementCount(box.shape) / (walk.extents[0] || 1);
  if (walk.strides[0][0] === 1 && x!.dtype === y.dtype && rows >= target.harts.workers) {
    return rowCopy(box, part, walk, offset * bytesPerElement[y.dtype], bytesPerElement[y.dtype], target);
  }
  return {
    kernel: "copy_strided",
    source: "copy.c",
    reads: [{ field: "x", input: 0, box: part }],
    writes: [{ field: "y", output: 0, box }],
    parameters: {
      x_type: typeCode[x!.dtype],
      y_type: typeCode[y.dtype],
      offset,
      ...numbered("extent", walk.extents, walkAxes, 1),
      ...numbered("stride", walk.strides[0], walkAxes, 0),
    },
    macs: 0,
    cycles: moveCycles(
      elementCount(box.shape),
      walk.extents[0] ?? 1,
      4,
      82,
      target,
    ),
  };
}

/** kernels/copy.c, copy_rows: the innermost axis of the walk is a row of bytes. Elements take `size` bytes each. */
function rowCopy(
  box: Box,
  part: Box,
  { extents: [row, ...extents], strides: [[, ...strides]] }: Walk,
  offset: number,
  size: number,
  target: Target,
): KernelCall {
  const run = row * size;
  const steps = strides.map((stride) => stride * size);
  const unit = [4, 2, 1].find((bytes) => [run, offset, ...steps].every((value) => value % bytes === 0))!;
  const rows = elementCount(box.shape) / row;
  const rest = [0, 5, 7, 7][(run / unit) % 4];
  return {
    kernel: "copy_rows",
    source: "copy.c",
    reads: [{ field: "x", input: 0, box: part }],
    writes: [{ field: "y", output: 0, box }],
    parameters: {
      run,
      offset,
      ...numbered("extent", extents, walkAxes, 1),
      ...numbered("stride", steps, walkAxes, 0),
    },
    macs: 0,
    cycles: estimateCycles({
      instructions: rows * ((unit === 4 ? 3.6 : 2.7) * run / unit + rest + 14) +
        rows / (extents[0] ?? 1) * 60,
    }, target),
  };
}

function tooManyAxes(shape: readonly number[], strides: readonly number[]): string | undefined {
  const { extents } = mergeAxes(shape, [strides]);
  return extents.length > walkAxes ? `more than ${walkAxes} axes that move apart` : undefined;
}

export const transposeMapping: Mapping = {
  rejects({ node, inputs: [x], outputs: [y] }) {
    const own = denseStrides(x!.shape);
    return tooManyAxes(y.shape, (node.attributes.perm as number[]).map((axis) => own[axis]));
  },
  cuts: allAxes,
  piece(view, box, target) {
    const perm = view.node.attributes.perm as number[];
    const part = { start: new Array<number>(perm.length), shape: new Array<number>(perm.length) };
    for (const [to, from] of perm.entries()) {
      part.start[from] = box.start[to];
      part.shape[from] = box.shape[to];
    }
    const own = denseStrides(part.shape);
    return stridedCopy(view, box, part, perm.map((axis) => own[axis]), 0, target);
  },
};

export const sliceMapping: Mapping = {
  rejects({ node, inputs: [x], outputs: [y] }) {
    const { steps } = node.attributes as { steps: number[] };
    return tooManyAxes(y.shape, denseStrides(x!.shape).map((stride, axis) => stride * steps[axis]));
  },
  cuts: allAxes,
  piece(view, box, target) {
    const { starts, steps } = view.node.attributes as { starts: number[]; steps: number[] };
    const first = starts.map((start, axis) => start + box.start[axis] * steps[axis]);
    const reach = steps.map((step, axis) => Math.max(box.shape[axis] - 1, 0) * step);
    const empty = elementCount(box.shape) === 0;
    const part = {
      start: first.map((index, axis) => empty ? 0 : Math.min(index, index + reach[axis])),
      shape: reach.map((distance) => empty ? 0 : Math.abs(distance) + 1),
    };
    const own = denseStrides(part.shape);
    const offset = own.reduce((sum, stride, axis) => sum + stride * (first[axis] - part.start[axis]), 0);
    return stridedCopy(view, box, part, own.map((stride, axis) => stride * steps[axis]), offset, target);
  },
};

/** Inputs that kernels/copy.c joins. */
const concatInputs = 8;

export const concatMapping: Mapping = {
  rejects: ({ inputs }) => inputs.length > concatInputs ? `more than ${concatInputs} inputs` : undefined,
  cuts({ node, outputs: [y] }) {
    const { axis: joined } = node.attributes as { axis: number };
    const others = [...y.shape.keys()].filter((axis) => axis !== joined);
    return [...others, joined].map((axis) => ({ axis, granule: 1 }));
  },
  piece({ node, inputs, outputs: [y] }, box, target): KernelCall {
    const { axis } = node.attributes as { axis: number };
    const inner = elementCount(box.shape.slice(axis + 1));
    const reads: { field: string; input: number; box: Box }[] = [];
    let before = 0;
    for (const [input, x] of (inputs as Tensor[]).entries()) {
      const length = x.shape[axis];
      const start = Math.min(Math.max(box.start[axis] - before, 0), length);
      const end = Math.min(Math.max(box.start[axis] + box.shape[axis] - before, start), length);
      const part = { start: box.start.with(axis, start), shape: box.shape.with(axis, end - start) };
      reads.push({ field: `x${input}`, input, box: part });
      before += length;
    }
    const count = elementCount(box.shape);
    return {
      kernel: "concat",
      source: "copy.c",
      reads,
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        outer: elementCount(box.shape.slice(0, axis)),
        ...numbered("length", reads.map(({ box }) => box.shape[axis] * inner), concatInputs, 0),
        ...numbered("type", inputs.map((x) => typeCode[x!.dtype]), concatInputs, 0),
        y_type: typeCode[y.dtype],
      },
      macs: 0,
      cycles: moveCycles(count, inner * box.shape[axis] / inputs.length, 2.5, 40, target),
    };
  },
};

/** Axes of a padded box after joining, innermost first. */
function joinedPads(box: Box, part: Box, before: readonly number[]) {
  const extents: number[] = [];
  const insides: number[] = [];
  const befores: number[] = [];
  for (let axis = box.shape.length - 1; axis >= 0; axis--) {
    const last = extents.length - 1;
    // An axis that is not padded is crossed with the one outside of it in one go.
    if (last >= 0 && befores[last] === 0 && insides[last] === extents[last]) {
      befores[last] = before[axis] * extents[last];
      insides[last] *= part.shape[axis];
      extents[last] *= box.shape[axis];
    } else {
      extents.push(box.shape[axis]);
      insides.push(part.shape[axis]);
      befores.push(before[axis]);
    }
  }
  return { extents, insides, befores };
}

/** The part of a padded tensor's input that lies in `box`, and how much padding is before it. */
function unpadded(shape: readonly number[], pads: readonly number[], box: Box) {
  const start = shape.map((dimension, axis) =>
    Math.min(Math.max(box.start[axis] - pads[axis], 0), dimension)
  );
  const end = shape.map((dimension, axis) =>
    Math.min(Math.max(box.start[axis] + box.shape[axis] - pads[axis], start[axis]), dimension)
  );
  const part = { start, shape: start.map((first, axis) => end[axis] - first) };
  const before = start.map((first, axis) => Math.min(first + pads[axis] - box.start[axis], box.shape[axis]));
  return { part, before };
}

export const padMapping: Mapping = {
  rejects({ node, inputs: [x], outputs: [y] }) {
    const { part, before } = unpadded(x!.shape, node.attributes.pads as number[], wholeBox(y.shape));
    const { extents } = joinedPads(wholeBox(y.shape), part, before);
    return extents.length > walkAxes ? `more than ${walkAxes} axes are padded` : undefined;
  },
  cuts: allAxes,
  piece({ node, inputs: [x], outputs: [y] }, box, target): KernelCall {
    const { pads, value } = node.attributes as { pads: number[]; value: number };
    const { part, before } = unpadded(x!.shape, pads, box);
    const { extents, insides, befores } = joinedPads(box, part, before);
    const word = y.dtype === "float32" ? new Int32Array(Float32Array.of(value).buffer)[0] : value;
    return {
      kernel: "pad",
      source: "copy.c",
      reads: [{ field: "x", input: 0, box: part }],
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        x_type: typeCode[x!.dtype],
        y_type: typeCode[y.dtype],
        value: word,
        ...numbered("extent", extents, walkAxes, 1),
        ...numbered("before", befores, walkAxes, 0),
        ...numbered("inside", insides, walkAxes, 1),
      },
      macs: 0,
      cycles: moveCycles(elementCount(box.shape), extents[0] ?? 1, 6, 120, target),
    };
  },
};

export const gatherMapping: Mapping = {
  rejects: ({ inputs: [, indices] }) => indices!.data ? undefined : "the indices are not constant",
  cuts: allAxes,
  piece({ node, inputs, outputs: [y] }, box, target): KernelCall {
    const { axis } = node.attributes as { axis: number };
    const [x, indices] = inputs as Tensor[];
    const rank = indices.shape.length;
    const behind = axis + rank;
    const list = { start: box.start.slice(axis, behind), shape: box.shape.slice(axis, behind) };
    const { least, most } = indexRange(indices, list);
    const part = {
      start: [...box.start.slice(0, axis), least, ...box.start.slice(behind)],
      shape: [...box.shape.slice(0, axis), most - least + 1, ...box.shape.slice(behind)],
    };
    const inner = elementCount(box.shape.slice(behind));
    return {
      kernel: "gather",
      source: "copy.c",
      reads: [{ field: "x", input: 0, box: part }, { field: "indices", input: 1, box: list }],
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        outer: elementCount(box.shape.slice(0, axis)),
        count: elementCount(list.shape),
        extent: most - least + 1,
        inner,
        base: least,
        x_type: typeCode[x.dtype],
        y_type: typeCode[y.dtype],
        index_type: typeCode[indices.dtype],
      },
      macs: 0,
      cycles: moveCycles(elementCount(box.shape), inner, 3, 60, target),
    };
  },
};

/** Smallest and largest index in a part of a list of indices; an empty part needs nothing. */
function indexRange(indices: Tensor, part: Box): { least: number; most: number } {
  const strides = denseStrides(indices.shape);
  let least = Infinity;
  let most = -Infinity;
  const visit = (axis: number, offset: number) => {
    if (axis === part.shape.length) {
      least = Math.min(least, indices.data![offset]);
      most = Math.max(most, indices.data![offset]);
      return;
    }
    for (let i = 0; i < part.shape[axis]; i++) {
      visit(axis + 1, offset + (part.start[axis] + i) * strides[axis]);
    }
  };
  visit(0, 0);
  return least <= most ? { least, most } : { least: 0, most: -1 };
}
