// ITA as the compiler sees it: matrix products, attention, transposition. What it cannot do it says why, in one line that
// `analyze` prints; also for operators that look as if they were ITA's and are not.

import type { EngineMapping, Mapping, NodeView } from "../engine.ts";
import type { Target } from "../../schema.ts";
import { attentionMapping, softmaxDiffers } from "./mapping_attention.ts";
import { matmulMapping } from "./mapping_matmul.ts";
import { transposeMapping } from "./mapping_transpose.ts";
import { laneCount, longest, tileEdge, unsuitable } from "./tiles.ts";

/** A mapping that never takes a node, for a reason. */
function never(reason: (view: NodeView, target: Target) => string): Mapping {
  return {
    rejects: reason,
    cuts: () => [],
    piece: (view) => {
      throw new Error(`${view.node.operator} is not for ITA`);
    },
  };
}

/** A softmax that is still on its own behind the passes that look for attention. */
const softmaxAlone = never(({ node, inputs: [x] }, target) => {
  const { shift, fullScale, groupWidth } = node.attributes as {
    shift: number;
    fullScale: number;
    groupWidth: number;
  };
  const unfit = unsuitable(target) ?? softmaxDiffers({ shift, fullScale }, target);
  if (unfit) return unfit;
  const keys = x!.shape.at(-1) ?? 0;
  if (keys > longest) return `it has ${keys} keys, ITA's softmax takes at most ${longest}`;
  if (shift !== 0 && keys % tileEdge !== 0) {
    return `${keys} keys are no multiple of ${tileEdge}: with shift ${shift}, padding would count`;
  }
  if (groupWidth !== laneCount && keys > laneCount) {
    return `it takes ${groupWidth === 0 ? keys : groupWidth} columns at once, ITA's takes ${laneCount}`;
  }
  return "ITA's softmax works inside an attention only";
});

const unscaled = never(() => "its result is not requantised to 8 bits");

/** The accelerator: matrix products with requantisation, attention with ITA's softmax, transposition. */
export const itaMapping: EngineMapping = {
  name: "ita",
  mappings: new Map([
    ["RequantizedMatMul", matmulMapping],
    ["RequantizedProductSum", matmulMapping],
    ["RequantizedAttention", attentionMapping],
    ["Transpose", transposeMapping],
    ["MatMul", unscaled],
    ["Gemm", unscaled],
    ["ITAMax", softmaxAlone],
    ["ITAPartialMax", softmaxAlone],
    ["iSoftmax", never(() => "a polynomial softmax; ITA's is of powers of two")],
    ["iGELU", never(() => "ITA's GELU gives results of the opposite sign")],
  ]),
};
