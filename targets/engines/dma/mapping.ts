// What the DMA can do by itself: copy a box of a tensor to where it is dense. A piece is a load into L1 and a store
// from there; no kernel runs (`kernel` is empty), the one region read and the one written are the same bytes in L1.

import { z } from "zod";
import type { Box, EngineMapping, KernelCall, Mapping, NodeView } from "../engine.ts";

/** The piece that copies box `from` of input 0 to the box `to` of output 0; both have as many elements. */
function copy(from: Box, to: Box): KernelCall {
  return {
    kernel: "",
    source: "",
    reads: [{ field: "data", input: 0, box: from }],
    writes: [{ field: "data", output: 0, box: to }],
    parameters: {},
    macs: 0,
    cycles: 0,
  };
}

function everyAxis(view: NodeView) {
  return view.outputs[0].shape.map((_, axis) => ({ axis, granule: 1 }));
}

/** A copy of the whole tensor under another name. */
export const copyMapping: Mapping = {
  rejects: () => undefined,
  cuts: everyAxis,
  piece: (_view, box) => copy(box, box),
};

const sliceAttributes = z.object({ starts: z.array(z.number()), steps: z.array(z.number()) });

/** A part of a tensor; every element of it, for the DMA's rows have no gaps inside. */
const sliceMapping: Mapping = {
  rejects(view) {
    const { steps } = sliceAttributes.parse(view.node.attributes);
    return steps.every((step) => step === 1)
      ? undefined
      : "a row of the DMA has no gaps: every step must be 1";
  },
  cuts: everyAxis,
  piece(view, box) {
    const { starts } = sliceAttributes.parse(view.node.attributes);
    return copy({ start: box.start.map((start, axis) => start + starts[axis]), shape: box.shape }, box);
  },
};

/** The DMA as an engine. `Copy` is the planner's own operator: a tensor that must lie at a second place. */
export const dmaEngine: EngineMapping = {
  name: "dma",
  mappings: new Map([["Copy", copyMapping], ["Slice", sliceMapping]]),
};
