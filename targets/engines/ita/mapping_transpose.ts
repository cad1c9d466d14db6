// Transposition of matrices of bytes on ITA: weights are read by columns (ita.md, section 4), so the product of an identity
// matrix and a tile is the tile transposed. The cores would pick byte by byte.

import type { AcceleratorJob, Box, KernelCall, Mapping, NodeView } from "../engine.ts";
import {
  chainCycles,
  linearConstant,
  matrixCuts,
  tileBytes,
  tileEdge,
  tileLayout,
  tilesOf,
  unsuitable,
  wasteOf,
} from "./tiles.ts";

/** A tile of the identity matrix, which is its own transpose. */
const identity = Uint8Array.from(
  { length: tileBytes },
  (_, i) => Math.floor(i / tileEdge) === i % tileEdge ? 1 : 0,
);

/** Exchanges the last two entries. */
const swapped = (list: readonly number[]) => [...list.slice(0, -2), list.at(-1)!, list.at(-2)!];

function piece(_view: NodeView, box: Box): KernelCall {
  const [down, across] = box.shape.slice(-2).map(tilesOf);
  const jobs = Array.from({ length: down * across }, (_, tile): AcceleratorJob => {
    const [row, column] = [Math.floor(tile / across), tile % across];
    return {
      input: { field: "identity", offset: 0 },
      weights: { field: "x", offset: (column * down + row) * tileBytes },
      output: { field: "y", offset: tile * tileBytes },
    };
  });
  const accelerator = [{
    layer: "linear" as const,
    tiles: { s: 1, e: 1, p: 1, f: 1 },
    multipliers: linearConstant(1),
    shifts: linearConstant(0),
    offsets: linearConstant(0),
    jobs,
  }];
  const from = { start: swapped(box.start), shape: swapped(box.shape) };
  return {
    accelerator,
    kernel: "",
    source: "",
    reads: [{ field: "x", input: 0, box: from, layout: tileLayout }],
    writes: [{ field: "y", output: 0, box, layout: tileLayout }],
    tables: [{ field: "identity", data: identity }],
    parameters: {},
    macs: 0,
    cycles: chainCycles(accelerator),
  };
}

/** Transpose of the last two axes. Bytes stay bytes, whether they are signed or not. */
export const transposeMapping: Mapping = {
  rejects({ node, inputs: [x], outputs: [{ shape }] }, target) {
    const unfit = unsuitable(target);
    if (unfit) return unfit;
    if (x!.dtype !== "int8" && x!.dtype !== "uint8") return `it moves ${x!.dtype}, ITA has 8 bits`;
    const { perm } = node.attributes as { perm: readonly number[] };
    const rank = shape.length;
    if (rank < 2 || swapped(perm).some((from, axis) => from !== axis)) {
      return "ITA exchanges the last two axes only";
    }
    return shape.includes(0) ? "there is nothing to move" : wasteOf(shape);
  },
  cuts: matrixCuts,
  piece,
};
