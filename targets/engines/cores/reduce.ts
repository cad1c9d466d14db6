// ReduceSum and ReduceMean on the worker cores: kernels/reduce.c. Reduced axes are never cut.

import { elementCount } from "../../../src/model/types.ts";
import { type Box, type KernelCall, type Mapping, type NodeView, wholeBox } from "../engine.ts";
import { denseStrides, mergeAxes, numbered, walkAxes } from "./boxes.ts";
import { estimateCycles, typeCode } from "./kernel_types.ts";

/** Reduced axes that the kernel sums over, after joining. */
const reducedAxes = 4;

/** The input's part for a box of the result, and the walks over kept and reduced axes. */
function walks({ node, inputs: [x] }: NodeView, box: Box) {
  const { axes, keepdims } = node.attributes as { axes: number[]; keepdims: boolean };
  const { shape } = x!;
  const kept = [...shape.keys()].filter((axis) => !axes.includes(axis));
  const reduced = [...shape.keys()].filter((axis) => axes.includes(axis));
  const part = wholeBox(shape);
  const start = [...part.start];
  const size = [...shape];
  for (const [i, axis] of kept.entries()) {
    const from = keepdims ? axis : i;
    start[axis] = box.start[from];
    size[axis] = box.shape[from];
  }
  const own = denseStrides(size);
  return {
    part: { start, shape: size },
    kept: mergeAxes(kept.map((axis) => size[axis]), [kept.map((axis) => own[axis])]),
    reduced: mergeAxes(reduced.map((axis) => size[axis]), [reduced.map((axis) => own[axis])]),
  };
}

function reduction(kernel: string, divisions: number): Mapping {
  return {
    rejects(view) {
      if (view.inputs[0]!.dtype === "float32") return "the operand is float32";
      const { kept, reduced } = walks(view, wholeBox(view.outputs[0].shape));
      return kept.extents.length > walkAxes || reduced.extents.length > reducedAxes
        ? "too many axes that alternate between kept and reduced"
        : undefined;
    },
    cuts({ node, outputs: [y] }) {
      const { axes, keepdims } = node.attributes as { axes: number[]; keepdims: boolean };
      return [...y.shape.keys()]
        .filter((axis) => !keepdims || !axes.includes(axis))
        .map((axis) => ({ axis, granule: 1 }));
    },
    piece(view, box, target): KernelCall {
      const { part, kept, reduced } = walks(view, box);
      const results = elementCount(box.shape);
      const terms = elementCount(part.shape);
      // Neighbouring results are summed together where their terms are neighbours.
      const along = kept.strides[0][0] === 1 && reduced.extents.length < 2;
      const runs = terms / Math.max(reduced.extents[0] ?? 1, 1);
      return {
        kernel,
        source: "reduce.c",
        reads: [{ field: "x", input: 0, box: part }],
        writes: [{ field: "y", output: 0, box }],
        parameters: {
          x_type: typeCode[view.inputs[0]!.dtype],
          y_type: typeCode[view.outputs[0].dtype],
          ...numbered("extent", kept.extents, walkAxes, 1),
          ...numbered("stride", kept.strides[0], walkAxes, 0),
          ...numbered("over", reduced.extents, reducedAxes, 1),
          ...numbered("over_stride", reduced.strides[0], reducedAxes, 0),
        },
        macs: 0,
        cycles: estimateCycles({
          instructions: terms * 4 + (along ? results * 24 : runs * 30 + results * 90) + results * divisions,
          divisions: results * divisions,
        }, target),
      };
    },
  };
}

export const reduceSumMapping = reduction("reduce_sum", 0);
export const reduceMeanMapping = reduction("reduce_mean", 20);
