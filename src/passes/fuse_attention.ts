// Finds attention with ITA's softmax and makes RequantizedAttention of it, where the target's ITA can run that exactly.
//
// Files have the heads as batches of a matrix product, behind reshapes and transposes, or picked one by one by Slice; the
// bias first or second; one requantisation for all heads or one for each. What they have in common is
//     RequantizedMatMul → ITAPartialMax or ITAMax → RequantizedMatMul.
// The operands are followed back through everything that only moves elements, to where their heads lie side by side in
// the rows of a tensor or one behind the other: there the fused operator takes them. Values have to be transposed; a
// linear layer that makes them is turned round at compile time.

import type { NodeView } from "../../targets/engines/engine.ts";
import { attentionMapping } from "../../targets/engines/ita/mapping_attention.ts";
import type { Target } from "../../targets/schema.ts";
import type { ModelBuilder } from "../model/builder.ts";
import { elementCount, integerLimits, type Node, type Tensor } from "../model/types.ts";
import type { RequantAttributes } from "../operators/requant_shift.ts";
import type { AttentionAttributes, AttentionSizes, HeadRequant } from "../operators/requantized_attention.ts";
import { sameShape } from "../operators/shapes.ts";
import { candidateView } from "./candidate.ts";
import {
  appendLayer,
  appendTurned,
  cutLayer,
  type LinearLayer,
  linearLayer,
  reshaped,
  uniformHeads,
  uniformLayer,
} from "./linear_layer.ts";
import { type FusionOptions, Graph, type Pass, rebuild } from "./pass.ts";
import {
  hasStrides,
  moveView,
  reshapeView,
  type StridedView,
  swapView,
  viewsOf,
  wholeView,
} from "./strided_view.ts";

/**
 * Where the matrices of an operand's heads, [rows, width], lie in a tensor.
 * `packed`: side by side in its rows, which may be longer: `row` elements, of which the heads take those from `start` on.
 * `split`: one behind the other. `transposed`: as `split`, each matrix [width, rows].
 */
interface Operand {
  readonly form: "packed" | "split" | "transposed";
  readonly source: Tensor;
  readonly rows: number;
  readonly width: number;
  readonly start: number;
  readonly row: number;
}

/** An attention, found. */
interface Match {
  readonly sizes: AttentionSizes;
  readonly query: Operand;
  readonly key: Operand;
  readonly value: Operand;
  readonly attributes: AttentionAttributes;
  /** The softmax, by whose name the fused node goes. */
  readonly softmax: Node;
  /** The second product, in whose place the fused node stands. */
  readonly weighted: Node;
  /** The tensor that the fused node's result replaces, and the node that made it. */
  readonly result: Tensor;
  readonly resultNode: Node;
  /** Nodes that go. */
  readonly members: readonly Node[];
}

/** Attention that the target's ITA can run becomes one node. */
export function fuseAttention(target: Target, { unfused, note = () => {} }: FusionOptions = {}): Pass {
  return {
    name: "fuse-attention",
    summary: "the products and the softmax of an attention become RequantizedAttention",
    run(model) {
      const graph = new Graph(model);
      const matches = new Map<Node, Match>();
      const members = new Set<Node>();
      for (const node of model.nodes) {
        if (node.operator !== "ITAMax" && node.operator !== "ITAPartialMax") continue;
        const match = unfused?.get(node.name) ?? matchAttention(graph, node);
        const reason = typeof match === "string" ? match : attentionMapping.rejects(candidate(match), target);
        if (reason !== undefined) note(node.name, reason);
        if (typeof match === "string" || reason !== undefined) continue;
        matches.set(match.weighted, match);
        for (const member of match.members) members.add(member);
      }
      return rebuild(model, (node, _inputs, builder) => {
        const match = matches.get(node);
        if (match) appendAttention(builder, match, target);
        return members.has(node);
      });
    },
  };
}

/** The attention around a softmax, or why there is none. */
function matchAttention(graph: Graph, softmax: Node): Match | string {
  const logits = graph.privateProducer(softmax.inputs[0], softmax);
  const weighted = graph.onlyReader(softmax.outputs[0]);
  if (logits?.operator !== "RequantizedMatMul") {
    return "its input is no requantised product that it alone reads";
  }
  if (weighted?.operator !== "RequantizedMatMul" || weighted.inputs[0] !== softmax.outputs[0]) {
    return "its result does not go to one requantised product, and nowhere else";
  }
  const shape = graph.tensor(logits.outputs[0]).shape;
  const output = graph.tensor(weighted.outputs[0]);
  const fronts = shape.slice(0, -2);
  const heads = fronts.at(-1) ?? 1;
  const batch = elementCount(fronts.slice(0, -1));
  const [queries, keys] = shape.slice(-2);
  const operands = [logits.inputs[0], logits.inputs[1], weighted.inputs[1]].map((name) => graph.tensor(name));
  if (operands.some((operand) => !sameFront(operand.shape, fronts))) {
    return "an operand is stretched over heads";
  }
  if (elementCount(shape) === 0 || elementCount(output.shape) === 0) return "the attention is empty";
  if (weighted.attributes.transA) return "its probabilities are read transposed";

  const [query, key, value] = operands;
  const width = query.shape.at(logits.attributes.transA ? -2 : -1)!;
  const valueWidth = output.shape.at(-1)!;
  const sizes = { batch, heads, queries, keys, width, valueWidth };
  const locate = (tensor: Tensor, swapped: unknown, rows: number, columns: number) =>
    locateHeads(viewsOf(graph, tensor), Boolean(swapped), { batch, heads, rows, width: columns });
  const requants = [logits, weighted].map((node) => headRequant(graph, node, heads));
  for (const requant of requants) if (typeof requant === "string") return requant;

  const place = outputPlace(graph, weighted, sizes);
  const match = {
    sizes,
    query: locate(query, logits.attributes.transA, queries, width),
    key: locate(key, !logits.attributes.transB, keys, width),
    value: locate(value, weighted.attributes.transB, keys, valueWidth),
    softmax,
    weighted,
    ...place,
    members: [logits, softmax, weighted, ...place.members],
  };
  return {
    ...match,
    attributes: {
      heads,
      split: { query: match.query.form === "split", key: match.key.form === "split", output: !place.packed },
      softmax: softmax.attributes as AttentionAttributes["softmax"],
      logits: requants[0] as HeadRequant,
      output: requants[1] as HeadRequant,
    },
  };
}

function sameFront(shape: readonly number[], front: readonly number[]): boolean {
  return shape.length === front.length + 2 && front.every((size, axis) => shape[axis] === size);
}

/** The requantisation of a product by heads; its bias, if it is a single number, goes into what is added. */
function headRequant(graph: Graph, node: Node, heads: number): HeadRequant | string {
  const { axis, shift, signed, levels } = node.attributes as unknown as RequantAttributes;
  const [bias, ...constants] = node.inputs.slice(2).map((name) =>
    name === "" ? undefined : graph.tensor(name)
  );
  const lists = constants.map((tensor) => [...tensor!.data!]);
  const rank = graph.tensor(node.outputs[0]).shape.length;
  const same = lists.every((list) => list.every((value) => value === list[0]));
  if (!same && axis !== rank - 3) return `the requantisation of ${node.name} changes inside a head`;
  const by = (list: number[] | undefined, otherwise: number) => list ? same ? [list[0]] : list : [otherwise];
  const mul = by(lists[0], 1);
  let add = by(lists[1], 0);
  if (bias) {
    const [first] = bias.data!;
    if (bias.data!.some((value) => value !== first)) return `${node.name} has a bias that is not one number`;
    add = add.map((value, i) => value + first * mul[i]);
    const { min, max } = integerLimits.int32;
    if (add.some((value) => value < min || value > max)) {
      return `the bias ${first} of ${node.name} is too large`;
    }
  }
  const full = (list: number[]) =>
    same || list.length === heads ? list : new Array<number>(heads).fill(list[0]);
  return { mul, add, shift: full(by(lists[2], shift)), signed, levels };
}

/** Finds an operand's heads in what it is moved from, as far up as they can be taken from there. */
function locateHeads(
  views: readonly StridedView[],
  swapped: boolean,
  { batch, heads, rows, width }: { batch: number; heads: number; rows: number; width: number },
): Operand {
  for (const view of views.toReversed()) {
    const { source, offset } = view;
    const matrix = reshapeView(swapped ? swapView(view) : view, [batch, heads, rows, width]);
    if (!matrix) continue;
    const row = elementCount(source.shape) / (batch * rows);
    const base = { source, rows, width, start: offset, row };
    const inRow = Number.isInteger(row) && offset + heads * width <= row;
    if (inRow && hasStrides(matrix, [rows * row, width, row, 1])) return { form: "packed", ...base };
    if (row !== heads * width || offset !== 0) continue;
    const [apart, whole] = [rows * width, heads * rows * width];
    if (hasStrides(matrix, [whole, apart, width, 1])) return { form: "split", ...base };
    if (hasStrides(matrix, [whole, apart, 1, rows])) return { form: "transposed", ...base };
  }
  throw new Error("a tensor is dense: its matrices lie one behind the other, if need be transposed");
}

/**
 * Where the result can go: straight to the rows of a tensor in which a transpose lays the heads side by side, else to
 * the product's own.
 */
function outputPlace(graph: Graph, weighted: Node, { batch, heads, queries, valueWidth }: AttentionSizes) {
  const own = graph.tensor(weighted.outputs[0]);
  const strides = [heads * queries * valueWidth, valueWidth, queries * valueWidth, 1];
  const members: Node[] = [];
  let node = weighted;
  for (let view: StridedView | undefined = wholeView(own); view;) {
    const rows = reshapeView(view, [batch, queries, heads, valueWidth]);
    const result = graph.tensor(node.outputs[0]);
    if (rows && hasStrides(rows, strides)) return { packed: true, result, resultNode: node, members };
    const reader = graph.onlyReader(node.outputs[0]);
    if (!reader) break;
    view = moveView(view, reader, graph.tensor(reader.outputs[0]).shape);
    members.push(reader);
    node = reader;
  }
  return { packed: false, result: own, resultNode: weighted, members: [] };
}

/** The fused node's view, before it exists: what the engine is asked about. */
function candidate({ sizes, query, key, value, attributes, softmax }: Match): NodeView {
  const { batch, heads, queries, keys, width, valueWidth } = sizes;
  const tensor = (name: string, { dtype, range }: Tensor, shape: number[]): Tensor => ({
    name,
    dtype,
    range,
    shape,
  });
  const matrices = (split: boolean, rows: number) =>
    split ? [batch, heads, rows, width] : [batch, rows, heads * width];
  const inputs = [
    tensor("query", query.source, matrices(attributes.split.query, queries)),
    tensor("key", key.source, matrices(attributes.split.key, keys)),
    tensor("value", value.source, [batch, heads, valueWidth, keys]),
  ];
  return candidateView("RequantizedAttention", softmax.name, inputs, attributes);
}

function appendAttention(builder: ModelBuilder, match: Match, target: Target): void {
  const { sizes, attributes, softmax, result, resultNode } = match;
  const { batch, heads, queries, valueWidth } = sizes;
  const edge = target.ita!.elements;
  const [query, querySplit] = appendMatrix(builder, match.query, sizes, edge);
  const [key, keySplit] = appendMatrix(builder, match.key, sizes, edge);
  const value = appendValues(builder, match.value, sizes, edge);
  const packed = !attributes.split.output;
  const shape = packed ? [batch, queries, heads * valueWidth] : [batch, heads, queries, valueWidth];
  const fits = sameShape(shape, result.shape);
  const output = builder.append({
    operator: "RequantizedAttention",
    inputs: [query, key, value],
    attributes: { ...attributes, split: { query: querySplit, key: keySplit, output: !packed } },
    name: softmax.name,
    // Not a name that the softmax's result had: it is another tensor.
    output: fits ? result.name : `${result.name}:attended`,
  });
  if (!fits) reshaped(builder, output, result.shape, { name: resultNode.name, output: result.name });
}

/** The linear layer that makes a packed operand, cut to the operand's columns. */
function layerBehind(builder: ModelBuilder, operand: Operand, heads: number): LinearLayer | undefined {
  if (operand.form !== "packed") return undefined;
  const node = builder.producerOf(builder.tensors.get(operand.source.name)!);
  const layer = node && linearLayer(builder, node);
  // A reshape may have made rows of another length than the layer's.
  if (!layer || layer.weights.shape[1] !== operand.row) return undefined;
  return cutLayer(builder, layer, operand.start, heads * operand.width);
}

/** Whether a layer's constants change inside a tile unless each head has tiles of its own. */
function wantsSplit(layer: LinearLayer, heads: number, width: number, edge: number): boolean {
  return heads > 1 && width % edge !== 0 && !uniformLayer(layer) && uniformHeads(layer, heads);
}

/** Query or key as the fused node takes it, and whether its heads are split. */
function appendMatrix(
  builder: ModelBuilder,
  operand: Operand,
  { batch, heads }: AttentionSizes,
  edge: number,
): [Tensor, boolean] {
  const { form, rows, width, row } = operand;
  const source = builder.tensors.get(operand.source.name)!;
  switch (form) {
    case "packed": {
      const layer = layerBehind(builder, operand, heads);
      const split = layer !== undefined && wantsSplit(layer, heads, width, edge);
      if (layer && (split || row !== heads * width)) {
        const form = { heads: split ? heads : 1, transposed: false };
        return [appendLayer(builder, layer, [batch, rows], form), split];
      }
      return [packedColumns(builder, operand, batch, heads), false];
    }
    case "split":
      return [reshaped(builder, source, [batch, heads, rows, width]), true];
    case "transposed":
      return [transposed(builder, source, [batch, heads, width, rows], [0, 1, 3, 2]), true];
  }
}

/** The values as the fused node takes them: [batch, heads, width, keys]. */
function appendValues(
  builder: ModelBuilder,
  operand: Operand,
  { batch, heads, keys }: AttentionSizes,
  edge: number,
): Tensor {
  const { form, width } = operand;
  const source = builder.tensors.get(operand.source.name)!;
  const shape = [batch, heads, width, keys];
  if (form === "transposed") return reshaped(builder, source, shape);
  if (form === "split") {
    const turned = appendTurned(builder, builder.producerOf(source));
    if (turned) return reshaped(builder, turned, shape);
    return transposed(builder, source, [batch, heads, keys, width], [0, 1, 3, 2]);
  }
  const layer = layerBehind(builder, operand, heads);
  if (layer) {
    const apart = wantsSplit(layer, heads, width, edge) ? heads : 1;
    const turned = appendLayer(builder, layer, [batch, keys], { heads: apart, transposed: true });
    return reshaped(builder, turned, shape);
  }
  const rows = packedColumns(builder, operand, batch, heads);
  return transposed(builder, rows, [batch, keys, heads, width], [0, 2, 3, 1]);
}

/** The columns of a packed operand's heads: [batch, rows, heads·width]. */
function packedColumns(
  builder: ModelBuilder,
  { source, rows, width, start, row }: Operand,
  batch: number,
  heads: number,
): Tensor {
  const whole = reshaped(builder, builder.tensors.get(source.name)!, [batch, rows, row]);
  return row === heads * width ? whole : sliced(builder, whole, start, heads * width);
}

function sliced(builder: ModelBuilder, tensor: Tensor, start: number, width: number): Tensor {
  return builder.append({
    operator: "Slice",
    inputs: [tensor],
    attributes: { starts: [0, 0, start], steps: [1, 1, 1], sizes: tensor.shape.with(-1, width) },
    name: `${tensor.name}:head`,
  });
}

function transposed(
  builder: ModelBuilder,
  tensor: Tensor,
  shape: readonly number[],
  perm: readonly number[],
): Tensor {
  return builder.append({
    operator: "Transpose",
    inputs: [reshaped(builder, tensor, shape)],
    attributes: { perm },
    name: `${tensor.name}:transpose`,
  });
}
