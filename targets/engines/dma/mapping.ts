// What the DMA can do by itself: moves whose rows are long enough. A piece is loads into L1 and stores from there; no
// kernel runs (`kernel` is empty), and a region that is read (or a table) and the one of the same field that is written
// are the same bytes in L1.

import { z } from "zod";
import { bytesPerElement, type DType, elementCount, type TensorData } from "../../../src/model/types.ts";
import type { Box, EngineMapping, KernelCall, Mapping, NodeView } from "../engine.ts";

/** Below this a transfer's rows cost more than the cores' loops: up to 3 cycles each (timing.ts). */
const shortestRow = 32;

type Read = KernelCall["reads"][number];
type Write = KernelCall["writes"][number];
type Table = NonNullable<KernelCall["tables"]>[number];

function moves(reads: readonly Read[], writes: readonly Write[], tables: readonly Table[] = []): KernelCall {
  return { kernel: "", source: "", reads, writes, tables, parameters: {}, macs: 0, cycles: 0 };
}

function everyAxis(view: NodeView) {
  return view.outputs[0].shape.map((_, axis) => ({ axis, granule: 1 }));
}

/** A copy of the whole tensor under another name. */
export const copyMapping: Mapping = {
  rejects: () => undefined,
  cuts: everyAxis,
  piece: (_view, box) => moves([{ field: "data", input: 0, box }], [{ field: "data", output: 0, box }]),
};

/** Why a part of a tensor is not for the DMA: elements that lie side by side, of rows of `width` of `shape`. */
function shortRows(shape: readonly number[], part: readonly number[], dtype: DType): string | undefined {
  let bytes = bytesPerElement[dtype];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    bytes *= part[axis];
    if (part[axis] !== shape[axis]) break;
  }
  // What is moved in one row altogether cannot be moved in longer ones.
  const all = elementCount(part) * bytesPerElement[dtype];
  return bytes < Math.min(shortestRow, all)
    ? `its rows of ${bytes} bytes are shorter than ${shortestRow}, for which the DMA is worth while`
    : undefined;
}

const sliceAttributes = z.object({ starts: z.array(z.number()), steps: z.array(z.number()) });

/** A part of a tensor; every element of it, for the DMA's rows have no gaps inside. */
const sliceMapping: Mapping = {
  rejects({ node, inputs: [x], outputs: [y] }) {
    const { steps } = sliceAttributes.parse(node.attributes);
    return steps.every((step) => step === 1)
      ? shortRows(x!.shape, y.shape, x!.dtype)
      : "a row of the DMA has no gaps: every step must be 1";
  },
  cuts: everyAxis,
  piece(view, box) {
    const { starts } = sliceAttributes.parse(view.node.attributes);
    const from = { start: box.start.map((start, axis) => start + starts[axis]), shape: box.shape };
    return moves([{ field: "data", input: 0, box: from }], [{ field: "data", output: 0, box }]);
  },
};

/** The part of a box between two positions on an axis; undefined if there is none. */
function between({ start, shape }: Box, axis: number, from: number, to: number): Box | undefined {
  const low = Math.max(start[axis], from);
  const high = Math.min(start[axis] + shape[axis], to);
  return low < high ? { start: start.with(axis, low), shape: shape.with(axis, high - low) } : undefined;
}

const concatAttributes = z.object({ axis: z.number() });

/** Tensors one behind the other. */
const concatMapping: Mapping = {
  rejects({ inputs, outputs: [y] }) {
    if (inputs.some((input) => input!.dtype !== y.dtype)) return `not all of its inputs are ${y.dtype}`;
    return inputs.map((input) => shortRows(y.shape, input!.shape, y.dtype)).find((reason) => reason);
  },
  cuts: everyAxis,
  piece(view, box) {
    const { axis } = concatAttributes.parse(view.node.attributes);
    const reads: Read[] = [];
    const writes: Write[] = [];
    let at = 0;
    for (const [input, tensor] of view.inputs.entries()) {
      const part = between(box, axis, at, at + tensor!.shape[axis]);
      if (part) {
        const from = { start: part.start.with(axis, part.start[axis] - at), shape: part.shape };
        reads.push({ field: `data${input}`, input, box: from });
        writes.push({ field: `data${input}`, output: 0, box: part });
      }
      at += tensor!.shape[axis];
    }
    return moves(reads, writes);
  },
};

const padAttributes = z.object({ pads: z.array(z.number()), value: z.number() });

/** Bytes of a border that are kept as a constant, at most. */
const widestBorder = 4096;

/** A tensor with a border, which comes from a table. */
const padMapping: Mapping = {
  rejects({ node, inputs: [x], outputs: [y] }) {
    if (x!.dtype !== y.dtype) return `its border makes ${y.dtype} of ${x!.dtype}`;
    const border = (elementCount(y.shape) - elementCount(x!.shape)) * bytesPerElement[y.dtype];
    if (border > widestBorder) {
      return `its border has ${border} bytes, a constant of more than ${widestBorder}`;
    }
    const { pads } = padAttributes.parse(node.attributes);
    const borders = pads.map((count, i) => y.shape.with(i % y.shape.length, count));
    return [x!.shape, ...borders.filter((part) => elementCount(part) > 0)]
      .map((part) => shortRows(y.shape, part, y.dtype)).find((reason) => reason);
  },
  cuts: everyAxis,
  piece(view, box) {
    const { pads, value } = padAttributes.parse(view.node.attributes);
    const [x] = view.inputs;
    const tables: Table[] = [];
    const writes: Write[] = [];
    const border = (part: Box | undefined) => {
      if (!part) return;
      const field = `border${tables.length}`;
      tables.push({ field, data: filled(x!.dtype, elementCount(part.shape), value) });
      writes.push({ field, output: 0, box: part });
    };
    // Axis by axis: what lies in front of the tensor and behind it, then the next axis of what is left.
    let rest: Box | undefined = box;
    for (const [axis, size] of x!.shape.entries()) {
      if (!rest) break;
      const end = pads[axis] + size;
      border(between(rest, axis, 0, pads[axis]));
      border(between(rest, axis, end, Infinity));
      rest = between(rest, axis, pads[axis], end);
    }
    if (!rest) return moves([], writes, tables);
    const from = { start: rest.start.map((start, axis) => start - pads[axis]), shape: rest.shape };
    const read = { field: "data", input: 0, box: from };
    return moves([read], [...writes, { field: "data", output: 0, box: rest }], tables);
  },
};

const arrays: Readonly<Record<DType, new (length: number) => TensorData>> = {
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  float32: Float32Array,
};

function filled(dtype: DType, length: number, value: number): Uint8Array {
  return new Uint8Array(new arrays[dtype](length).fill(value).buffer as ArrayBuffer);
}

/** The DMA as an engine. `Copy` is the planner's own operator: a tensor that must lie at a second place. */
export const dmaEngine: EngineMapping = {
  name: "dma",
  mappings: new Map([
    ["Copy", copyMapping],
    ["Slice", sliceMapping],
    ["Concat", concatMapping],
    ["Pad", padMapping],
  ]),
};
