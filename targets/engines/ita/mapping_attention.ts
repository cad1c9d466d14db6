// RequantizedAttention on ITA: QK with its streaming softmax, then AV, row block by row block (ita.md, sections 8 and 9.2).
//
// A piece is some row blocks of one head. The logits stay in L1, where the second product takes them.
//
// Keys that only fill the last tile must not enter the softmax. Their logits are driven to -128 by a bias of the QK
// step; with shift 0 a key at -128 adds nothing to the sum, and its own probability is 0, as long as the row's maximum
// is above -120 (256 >> 9 = 0, and inv >> 8 = 0 for inv ≤ 255). Rows without such a logit are computed again, exactly,
// by a kernel on the cores; it looks at every row, and hardly ever has to look at more than its first elements. With shift 5
// such keys always count, so that numbers of keys which are no multiple of 64 are refused.

import type { Node, Range, Tensor } from "../../../src/model/types.ts";
import type { Target } from "../../schema.ts";
import type {
  AcceleratorJob,
  AcceleratorSequence,
  Box,
  Cut,
  KernelCall,
  Mapping,
  NodeView,
} from "../engine.ts";
import { requantise } from "./arithmetic.ts";
import { biasLimits, type ItaRequant, limitsOf, translateRequant } from "./requantise.ts";
import {
  BiasTable,
  chainCycles,
  laneCount,
  longest,
  tileBytes,
  tileEdge,
  tileLayout,
  tilesOf,
  unsuitable,
} from "./tiles.ts";

/** A requantisation; its lists have one entry, or one for each head. */
interface HeadRequant {
  readonly mul: readonly number[];
  readonly add: readonly number[];
  readonly shift: readonly number[];
  readonly signed: boolean;
  readonly levels: number;
}

/** The operator's attributes (src/operators/requantized_attention.ts). */
interface Attributes {
  readonly heads: number;
  readonly split: { readonly query: boolean; readonly key: boolean; readonly output: boolean };
  readonly softmax: { readonly shift: number; readonly fullScale: number; readonly groupWidth: number };
  readonly logits: HeadRequant;
  readonly output: HeadRequant;
}

/** What a node is for ITA, worked out once. */
interface Attention {
  readonly attributes: Attributes;
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
  readonly valueWidth: number;
  /** Constants of each head. */
  readonly logits: readonly ItaRequant[];
  readonly output: readonly ItaRequant[];
  /** Whether the keys end inside a tile. */
  readonly padded: boolean;
  /** Whether the padding of the keys must be zero. */
  readonly clearKeys: boolean;
}

type Outcome = { readonly attention: Attention } | { readonly reason: string };

/** Bias that drives the logit of a key that is not there to -128. */
const maskingBias = biasLimits.min;

const outcomes = new WeakMap<Node, Outcome>();

function outcomeOf(view: NodeView): Outcome {
  let outcome = outcomes.get(view.node);
  if (!outcome) outcomes.set(view.node, outcome = analyse(view));
  return outcome;
}

/** What does not depend on the target. */
function analyse(view: NodeView): Outcome {
  const attributes = view.node.attributes as unknown as Attributes;
  const [query, key, value] = view.inputs as Tensor[];
  for (const [name, { dtype }] of [["query", query], ["key", key], ["values", value]] as const) {
    if (dtype !== "int8") return { reason: `the ${name} is ${dtype}, ITA multiplies int8` };
  }
  if (view.outputs[0].shape.includes(0)) return { reason: "the attention is empty" };
  const { heads, split, softmax } = attributes;
  const [batch, , valueWidth, keys] = value.shape;
  const queries = query.shape.at(-2)!;
  const width = query.shape.at(-1)! / (split.query ? 1 : heads);
  const sizes = { batch, queries, keys, width, valueWidth };
  if (keys === 0 || width === 0) return { reason: "the attention is empty" };
  if (keys > longest) return { reason: `it has ${keys} keys, ITA's softmax takes at most ${longest}` };
  if (width > longest) {
    return { reason: `a key has ${width} elements, ITA accumulates over at most ${longest}` };
  }
  if (tilesOf(width) !== tilesOf(valueWidth)) {
    return {
      reason: `keys have ${width} elements and values ${valueWidth}, which take different numbers of tiles`,
    };
  }
  // Where all keys are one group for both, the width of a group does not matter.
  const groups = softmax.groupWidth === 0 ? keys : softmax.groupWidth;
  if (groups !== laneCount && (keys > laneCount || keys > groups)) {
    return { reason: `its softmax takes ${groups} columns at once, ITA's takes ${laneCount}` };
  }
  const padded = keys % tileEdge !== 0;
  if (padded && softmax.shift !== 0) {
    return {
      reason:
        `${keys} keys are no multiple of ${tileEdge}: with a softmax of shift ${softmax.shift}, padding would count`,
    };
  }

  const products = [query.range.min, query.range.max].flatMap((x) => [x * key.range.min, x * key.range.max]);
  const logits = requantsOf(attributes.logits, "logits", heads, {
    min: width * Math.min(...products),
    max: width * Math.max(...products),
  });
  if ("reason" in logits) return logits;
  if (logits.constants.some((constants) => constants.relu)) {
    return { reason: "its logits are clipped at 0, and ITA's softmax sees them before that" };
  }
  const sum = largestProbabilitySum(softmax, keys);
  const output = requantsOf(attributes.output, "output", heads, {
    min: sum * Math.min(value.range.min, 0),
    max: sum * Math.max(value.range.max, 0),
  });
  if ("reason" in output) return output;

  // Whatever lies in the padding of the keys, their logits must come out as -128.
  const masks = (largest: number) =>
    logits.constants.every((constants) => requantise(largest + maskingBias, constants) === -128);
  if (padded && !masks(0)) {
    return { reason: `its logits have too small a multiplier to keep padding from ${keys} keys` };
  }
  return {
    attention: {
      attributes,
      ...sizes,
      logits: logits.constants,
      output: output.constants,
      padded,
      clearKeys: width % tileEdge !== 0 || (padded && !masks(width * 128 * 128)),
    },
  };
}

/** Constants of all heads. */
function requantsOf(
  requant: HeadRequant,
  what: string,
  heads: number,
  accumulators: Range,
): { readonly constants: ItaRequant[] } | { readonly reason: string } {
  const { mul, add, shift } = requant;
  const limits = limitsOf(requant);
  const entry = (list: readonly number[], head: number) => list[list.length === 1 ? 0 : head];
  const translated = new Map<string, ItaRequant>();
  const constants: ItaRequant[] = [];
  for (let head = 0; head < heads; head++) {
    const own = { mul: entry(mul, head), add: entry(add, head), shift: entry(shift, head), limits };
    const key = `${own.mul} ${own.add} ${own.shift}`;
    if (!translated.has(key)) {
      const translation = translateRequant(own, accumulators, biasLimits);
      if ("reason" in translation) {
        return { reason: `requantisation of its ${what}, head ${head}: ${translation.reason}` };
      }
      translated.set(key, translation.constants);
    }
    constants.push(translated.get(key)!);
  }
  return { constants };
}

/**
 * Most that the probabilities of a row add up to. With shift 0 it is the full scale: what the streaming softmax rounds
 * down it rounds down later than the sum of the terms would, so the denominator is never too small.
 */
function largestProbabilitySum({ shift, fullScale }: Attributes["softmax"], keys: number): number {
  return shift === 0 || keys <= laneCount ? fullScale : fullScale * keys;
}

/** Box of some rows of one head in an operand whose heads are side by side, or on an axis of their own. */
function headBox(split: boolean, batch: number, head: number, rows: [number, number], width: number): Box {
  const [start, count] = rows;
  return split
    ? { start: [batch, head, start, 0], shape: [1, 1, count, width] }
    : { start: [batch, start, head * width], shape: [1, count, width] };
}

function piece(view: NodeView, box: Box): KernelCall {
  const outcome = outcomeOf(view);
  if ("reason" in outcome) throw new Error(`${view.node.operator} is not for ITA: ${outcome.reason}`);
  const { attention } = outcome;
  const { attributes: { split }, queries, keys, width, valueWidth, padded } = attention;
  const [batch] = box.start;
  const head = split.output ? box.start[1] : box.start[2] / valueWidth;
  if (box.shape[0] !== 1 || box.shape.at(-1) !== valueWidth || (split.output && box.shape[1] !== 1)) {
    throw new Error("a piece of attention for ITA is of one head");
  }
  const [firstRow, rows] = [box.start.at(-2)!, box.shape.at(-2)!];
  const blocks = tilesOf(rows);
  const [keyTiles, widthTiles] = [tilesOf(keys), tilesOf(width)];
  const biases = new BiasTable();
  const logits = attention.logits[head];
  const output = attention.output[head];
  const logitBias = Array.from({ length: keyTiles }, (_, tile) => {
    const real = Math.min(tileEdge, keys - tile * tileEdge);
    if (real === tileEdge && logits.bias === 0) return undefined;
    const values = Array.from({ length: tileEdge }, (_, i) => i < real ? logits.bias : maskingBias);
    return { field: "bias", offset: biases.place(values) };
  });
  const outputBias = output.bias === 0
    ? undefined
    : { field: "bias", offset: biases.place(new Array(tileEdge).fill(output.bias)) };

  /** The jobs of one row block; behind padding, the kernel wants the logits of all of them. */
  const blockJobs = (block: number): AcceleratorJob[] => {
    const logitsAt = (tile: number) => ({
      field: "logits",
      offset: ((padded ? block : 0) * keyTiles + tile) * tileBytes,
    });
    const jobs: AcceleratorJob[] = [];
    for (let tile = 0; tile < keyTiles; tile++) {
      for (let k = 0; k < widthTiles; k++) {
        jobs.push({
          input: { field: "q", offset: (block * widthTiles + k) * tileBytes },
          weights: { field: "k", offset: (tile * widthTiles + k) * tileBytes },
          ...(k < widthTiles - 1 ? {} : { bias: logitBias[tile], output: logitsAt(tile) }),
        });
      }
    }
    for (let column = 0; column < widthTiles; column++) {
      for (let tile = 0; tile < keyTiles; tile++) {
        jobs.push({
          input: logitsAt(tile),
          weights: { field: "v", offset: (column * keyTiles + tile) * tileBytes },
          ...(tile < keyTiles - 1 ? {} : {
            bias: outputBias,
            output: { field: "y", offset: (block * widthTiles + column) * tileBytes },
            ...(output.relu ? { activation: "relu" } : {}),
          }),
        });
      }
    }
    return jobs;
  };
  // The engine counts row blocks up to the number of key tiles before it is free for another layer. The layer's last
  // piece makes the count complete: it does its last block again, with the same result.
  const last = box.start.every((start, axis) => start + box.shape[axis] === view.outputs[0].shape[axis]);
  const all = attention.batch * attention.attributes.heads * tilesOf(queries);
  const repeats = last ? (keyTiles - all % keyTiles) % keyTiles : 0;
  const order = [
    ...Array.from({ length: blocks }, (_, block) => block),
    ...new Array<number>(repeats).fill(blocks - 1),
  ];
  const accelerator: AcceleratorSequence[] = [{
    layer: "single-attention",
    tiles: { s: keyTiles, e: 1, p: widthTiles, f: 1 },
    ...stepConstants(logits, output),
    activationRequant: output.relu ? { multiplier: 1, shift: 0, offset: 0 } : undefined,
    jobs: order.flatMap(blockJobs),
  }];
  const biasTable = biases.table();
  return {
    accelerator,
    ...(padded ? paddingKernel(attention, head, rows) : { kernel: "", source: "", parameters: {} }),
    reads: [
      {
        field: "q",
        input: 0,
        box: headBox(split.query, batch, head, [firstRow, rows], width),
        layout: tileLayout,
      },
      {
        field: "k",
        input: 1,
        box: headBox(split.key, batch, head, [0, keys], width),
        layout: tileLayout,
        ...(attention.clearKeys ? { clear: true } : {}),
      },
      { field: "v", input: 2, box: headBox(true, batch, head, [0, valueWidth], keys), layout: tileLayout },
    ],
    writes: [{ field: "y", output: 0, box, layout: tileLayout }],
    scratch: [{ field: "logits", bytes: (padded ? blocks : 1) * keyTiles * tileBytes }],
    tables: biasTable ? [biasTable] : [],
    macs: rows * keys * (width + valueWidth),
    cycles: chainCycles(accelerator),
  };
}

/** Constants at the places of steps QK (3) and AV (4). */
function stepConstants(logits: ItaRequant, output: ItaRequant) {
  const list = (pick: (constants: ItaRequant) => number) => [0, 0, 0, pick(logits), pick(output), 0, 0, 0];
  return {
    multipliers: list((constants) => constants.multiplier),
    shifts: list((constants) => constants.shift),
    offsets: list((constants) => constants.offset),
  };
}

/**
 * Cycles of the kernel where no row has to be mended, by row: 581 for 128 rows and 106 for 64 were traced on eight
 * cores, most of it the instruction cache's misses.
 */
const mendCyclesOfRow = 4;

/** The call that mends rows in which padding keys count; it takes the network's own constants. */
function paddingKernel({ attributes, keys, valueWidth }: Attention, head: number, rows: number) {
  const { output, softmax } = attributes;
  const entry = (list: readonly number[]) => list[list.length === 1 ? 0 : head];
  const { min: low, max: high } = limitsOf(output);
  return {
    kernel: "attention_padding",
    source: "attention_padding.c",
    kernelCycles: mendCyclesOfRow * rows,
    parameters: {
      rows,
      keys,
      width: valueWidth,
      full_scale: softmax.fullScale,
      mul: entry(output.mul),
      add: entry(output.add),
      shift: entry(output.shift),
      low,
      high,
    },
  };
}

/** Why this target's ITA cannot do the softmax, which comes in revisions; undefined if it can. */
export function softmaxDiffers(
  { shift, fullScale }: { readonly shift: number; readonly fullScale: number },
  { ita }: Target,
): string | undefined {
  if (!ita || (ita.softmaxShift === shift && ita.softmaxFullScale === fullScale)) return undefined;
  return `its softmax has shift ${shift} and full scale ${fullScale}, this ITA's ${ita.softmaxShift} and ` +
    `${ita.softmaxFullScale}`;
}

/** Attention whose softmax is that of the target's ITA. */
export const attentionMapping: Mapping = {
  rejects(view, target) {
    const { softmax } = view.node.attributes as unknown as Attributes;
    const unfit = unsuitable(target) ?? softmaxDiffers(softmax, target);
    if (unfit) return unfit;
    const outcome = outcomeOf(view);
    return "reason" in outcome ? outcome.reason : undefined;
  },
  cuts(view): Cut[] {
    const { split } = view.node.attributes as unknown as Attributes;
    const width = view.inputs[2]!.shape[2];
    const heads: Cut[] = split.output
      ? [{ axis: 0, granule: 1, most: 1 }, { axis: 1, granule: 1, most: 1 }]
      : [{ axis: 0, granule: 1, most: 1 }, { axis: 2, granule: width, most: width }];
    return [...heads, { axis: split.output ? 2 : 1, granule: tileEdge }];
  },
  piece,
};
