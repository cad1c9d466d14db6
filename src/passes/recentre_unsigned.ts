// Makes signed what a network has unsigned, where that lets ITA multiply it: quantisers give results behind a ReLU as
// 0 … 255, ITA knows -128 … 127. A requantisation that adds 128 steps less gives every value less 128, exactly; in a
// linear layer behind it, 128 times the sum of a column's weights comes back by the bias.

import type { NodeView } from "../../targets/engines/engine.ts";
import { matmulMapping } from "../../targets/engines/ita/mapping_matmul.ts";
import type { Target } from "../../targets/schema.ts";
import type { ModelBuilder } from "../model/builder.ts";
import { inputsOf, outputsOf } from "../model/graph.ts";
import { elementCount, integerLimits, type Model, type Node, type Tensor } from "../model/types.ts";
import { asInt32, parameterTensor } from "../operators/ranges.ts";
import { type RequantAttributes, requantLimits } from "../operators/requant_shift.ts";
import { broadcastShape, broadcastStrides, forEachRow } from "../operators/shapes.ts";
import { Graph, type Pass, rebuild } from "./pass.ts";

const centre = 128;

/** A requantisation with everything that reads its result. */
interface Recentring {
  readonly producer: Node;
  /** mul, add and perhaps shift of the producer, with what is added lowered. */
  readonly constants: readonly Tensor[];
  /** Nodes that only move the result. */
  readonly moves: readonly Node[];
  /** Linear layers that read it, and their new biases. */
  readonly layers: ReadonlyMap<Node, Tensor>;
}

/** Unsigned results that only linear layers read become signed. */
export function recentreUnsigned(target: Target): Pass {
  return {
    name: "recentre-unsigned",
    summary: "results 0 … 255 that only linear layers read become -128 … 127",
    run(model) {
      // A layer that reads signed values now may be the next to give some.
      for (let current = model;;) {
        const next = recentreOnce(current, target);
        if (!next) return current;
        current = next;
      }
    },
  };
}

/** Recentres what can be as the model stands; undefined if there is nothing. */
function recentreOnce(model: Model, target: Target): Model | undefined {
  const graph = new Graph(model);
  const found = new Map<Node, Recentring>();
  const touched = new Map<Node, Recentring>();
  for (const node of model.nodes) {
    const recentring = recentre(graph, node, target);
    if (!recentring) continue;
    found.set(node, recentring);
    for (const other of [...recentring.moves, ...recentring.layers.keys()]) touched.set(other, recentring);
  }
  if (found.size === 0) return undefined;
  /** New tensors by the names of those that they stand for. */
  const signed = new Map<string, Tensor>();
  return rebuild(model, (node, _inputs, builder) => {
    const own = found.get(node);
    const fed = touched.get(node);
    if (!own && !fed) return false;
    appendRecentred(builder, node, own, fed?.layers.get(node), signed);
    return true;
  });
}

/** A layer may read one recentred tensor and give the next. */
function appendRecentred(
  builder: ModelBuilder,
  node: Node,
  own: Recentring | undefined,
  bias: Tensor | undefined,
  signed: Map<string, Tensor>,
): void {
  const { name, operator, outputs } = node;
  let inputs = node.inputs.map((input) => signed.get(input) ?? builder.tensors.get(input));
  const attributes = own ? { ...node.attributes, signed: true } : node.attributes;
  const parameter = (tensor: Tensor) => builder.parameter(tensor.name, tensor.shape, tensor.data!);
  if (bias) inputs = inputs.with(2, parameter(bias));
  if (own) {
    inputs.splice(
      inputs.length - own.constants.length,
      own.constants.length,
      ...own.constants.map(parameter),
    );
  }
  const renamed = own !== undefined || !bias;
  const output = renamed ? `${outputs[0]}:recentred` : outputs[0];
  const tensor = builder.append({ operator, inputs, attributes, name, output });
  if (renamed) signed.set(outputs[0], tensor);
}

function recentre(graph: Graph, producer: Node, target: Target): Recentring | undefined {
  if (!isUnsigned(graph, producer)) return undefined;
  const constants = loweredConstants(graph, producer);
  const moves: Node[] = [];
  const layers = new Map<Node, Tensor>();
  let served = servedWith(graph, producer, target);
  const pending = [graph.tensor(producer.outputs[0])];
  for (const tensor of pending) {
    const readers = graph.readers(tensor.name);
    if (graph.isOutput(tensor.name) || readers.length === 0) return undefined;
    for (const reader of readers) {
      if (["Reshape", "Transpose", "Slice"].includes(reader.operator)) {
        moves.push(reader);
        pending.push(graph.tensor(reader.outputs[0]));
        continue;
      }
      const bias = raisedBias(graph, reader, tensor);
      if (!bias) return undefined;
      layers.set(reader, bias);
      const { range } = tensor;
      const x: Tensor = {
        ...tensor,
        dtype: "int8",
        range: { min: range.min - centre, max: range.max - centre },
      };
      served ||= servedWith(graph, reader, target, x, bias);
    }
  }
  return constants && served ? { producer, constants, moves, layers } : undefined;
}

/** The producer's constants with 128 steps less added; undefined where that leaves int32. */
function loweredConstants(graph: Graph, { inputs, attributes }: Node): Tensor[] | undefined {
  const fixed = (attributes as unknown as RequantAttributes).shift;
  const constants = inputs.slice(fixed < 0 ? -3 : -2).map((name) => graph.tensor(name));
  const [mul, add, shift] = constants;
  const values = Array.from(add.data!, (value, i) => value - centre * 2 ** (shift ? shift.data![i] : fixed));
  if (values.some((value) => value < integerLimits.int32.min)) return undefined;
  const lowered = parameterTensor(`${add.name}:recentred`, add.shape, values);
  return shift ? [mul, lowered, shift] : [mul, lowered];
}

/** The bias with which a linear layer takes the tensor less 128; undefined if the node is no such layer. */
function raisedBias(graph: Graph, node: Node, tensor: Tensor): Tensor | undefined {
  if (node.operator !== "RequantizedMatMul" || node.inputs.indexOf(tensor.name) !== 0) return undefined;
  if (node.inputs.lastIndexOf(tensor.name) !== 0 || node.attributes.transA) return undefined;
  const weights = graph.tensor(node.inputs[1]);
  if (!weights.data) return undefined;
  const bias = node.inputs[2] === "" ? undefined : graph.tensor(node.inputs[2]);
  const sums = columnSums(weights, Boolean(node.attributes.transB));
  const shape = broadcastShape(sums.shape, bias?.shape ?? []);
  const values = new Float64Array(elementCount(shape));
  const length = shape[shape.length - 1];
  for (
    const { shape: own, data, factor } of [
      { ...sums, factor: centre },
      ...(bias ? [{ ...bias, factor: 1 }] : []),
    ]
  ) {
    const strides = broadcastStrides(own, shape);
    let to = 0;
    forEachRow(shape, [strides], ([start]) => {
      for (let i = 0; i < length; i++) {
        values[to++] += factor * data![start + i * strides[strides.length - 1]];
      }
    });
  }
  const { min, max } = integerLimits.int32;
  if (values.some((value) => value < min || value > max)) return undefined;
  return parameterTensor(`${bias?.name ?? `${node.name}:bias`}:recentred`, shape, values);
}

/** Sum of each column's weights: [N], or [.., 1, N] where there is a batch of matrices. */
function columnSums({ data, shape }: Tensor, transposed: boolean) {
  const [rows, columns] = shape.slice(-2);
  const count = transposed ? rows : columns;
  const matrices = elementCount(shape.slice(0, -2));
  const sums = new Float64Array(matrices * count);
  const weights = asInt32(data!);
  for (let i = 0; i < weights.length; i++) {
    const matrix = Math.floor(i / (rows * columns));
    const line = transposed ? Math.floor(i / columns) % rows : i % columns;
    sums[matrix * count + line] += weights[i];
  }
  return { shape: shape.length === 2 ? [count] : [...shape.slice(0, -2), 1, count], data: sums };
}

/** Whether ITA can run a product with another first operand and bias, its own result recentred if it is unsigned. */
function servedWith(graph: Graph, node: Node, target: Target, x?: Tensor, bias?: Tensor): boolean {
  if (node.operator !== "RequantizedMatMul") return false;
  const lowered = isUnsigned(graph, node) ? loweredConstants(graph, node) : undefined;
  const [a, b, own, ...constants] = inputsOf(graph.model, node);
  const view: NodeView = {
    node: lowered ? { ...node, attributes: { ...node.attributes, signed: true } } : { ...node },
    inputs: [x ?? a, b, bias ?? own, ...(lowered ?? constants)],
    outputs: outputsOf(graph.model, node),
  };
  return matmulMapping.rejects(view, target) === undefined;
}

/** Whether a node requantises to 0 … 255, and results above 127 occur. */
function isUnsigned(graph: Graph, { operator, attributes, outputs }: Node): boolean {
  if (!["RequantShift", "RequantizedMatMul", "RequantizedConv"].includes(operator)) return false;
  const { min, max } = requantLimits(attributes as unknown as RequantAttributes);
  return min === 0 && max === 2 * centre - 1 && graph.tensor(outputs[0]).dtype === "uint8";
}
