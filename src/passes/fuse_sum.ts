// Finds sums behind a requantisation and makes RequantizedProductSum of them, where the target's ITA can run that
// exactly: matrix products, int8 tensors (as they are, or each column scaled by a constant) and constants, under any
// nesting of Add. That is a linear layer with its residual connection, a layer cut along its inner dimension, the
// scale and offset of a normalisation without statistics. Where ITA cannot, the model stays as it is.

import type { NodeView } from "../../targets/engines/engine.ts";
import { matmulMapping } from "../../targets/engines/ita/mapping_matmul.ts";
import type { Target } from "../../targets/schema.ts";
import type { ModelBuilder } from "../model/builder.ts";
import { elementCount, integerLimits, type Node, type Tensor } from "../model/types.ts";
import { addBroadcast } from "../operators/matrix_product.ts";
import { constantTensor, parameterTensor } from "../operators/ranges.ts";
import type { TermKind } from "../operators/requantized_product_sum.ts";
import { broadcastShape, padFront, sameShape, shapeText } from "../operators/shapes.ts";
import { candidateView } from "./candidate.ts";
import { reshaped } from "./linear_layer.ts";
import { type FusionOptions, Graph, type Pass, rebuild } from "./pass.ts";

/** A summand, its operands as the model has them. */
interface Term {
  readonly kind: TermKind;
  readonly a: Tensor;
  readonly b: Tensor;
}

/** A sum, found behind a requantisation. */
interface Sum {
  readonly rank: number;
  readonly terms: readonly Term[];
  readonly bias?: Tensor;
  /** Nodes that the fused one replaces, the requantisation aside. */
  readonly members: ReadonlySet<Node>;
  /** The products among them. */
  readonly products: readonly Node[];
}

/** Sums of products that the target's ITA can run become one node. */
export function fuseSum(target: Target, { unfused, note = () => {} }: FusionOptions = {}): Pass {
  return {
    name: "fuse-sum",
    summary: "products, scaled tensors and RequantShift become RequantizedProductSum",
    run(model) {
      const graph = new Graph(model);
      const sums = new Map<Node, Sum>();
      const members = new Set<Node>();
      for (const node of model.nodes) {
        const found = node.operator === "RequantShift" ? findSum(graph, node) : biasedByMatrix(graph, node);
        if (!found) continue;
        const reason = unfused?.get(node.name) ?? found.reason ??
          matmulMapping.rejects(candidate(graph, node, found.sum), target);
        if (reason !== undefined) {
          for (const part of [node, ...found.sum.products]) note(part.name, reason);
          continue;
        }
        sums.set(node, found.sum);
        for (const member of found.sum.members) members.add(member);
      }
      return rebuild(model, (node, _inputs, builder) => {
        const sum = sums.get(node);
        if (sum) appendSum(builder, node, sum);
        return sum !== undefined || members.has(node);
      });
    },
  };
}

/** The sum in front of a requantisation, if there is any, and why it cannot be one node, if it cannot. */
function findSum(graph: Graph, requant: Node): { sum: Sum; reason?: string } | undefined {
  const shape = graph.tensor(requant.outputs[0]).shape;
  if (shape.length < 2) return undefined;
  const terms: Term[] = [];
  const biases: { tensor: Tensor; factor: number }[] = [];
  const members = new Set<Node>();
  const products: Node[] = [];
  let reason: string | undefined;
  const collect = (name: string, reader: Node): void => {
    const tensor = graph.tensor(name);
    const producer = graph.privateProducer(name, reader);
    const term = producer && termOf(graph, producer);
    if (term) {
      members.add(producer);
      if (producer.operator !== "Mul") products.push(producer);
      terms.push(term);
      const bias = producer.operator === "Gemm" ? producer.inputs[2] ?? "" : "";
      if (bias !== "") {
        biases.push({ tensor: graph.tensor(bias), factor: producer.attributes.beta as number });
      }
    } else if (producer?.operator === "Add") {
      members.add(producer);
      for (const input of producer.inputs) collect(input, producer);
    } else if (tensor.data) {
      const matrix = matrixTerm(tensor);
      if (matrix) terms.push(matrix);
      else biases.push({ tensor, factor: 1 });
    } else if (tensor.dtype === "int8" || tensor.dtype === "uint8") {
      terms.push({ kind: "diagonal", a: tensor, b: constantTensor("one", [1], [1]) });
    } else {
      reason ??= `a summand is ${tensor.dtype}, and neither a product nor a scaled int8 tensor of its own`;
    }
  };
  collect(requant.inputs[0], requant);
  if (members.size === 0 || terms.length === 0) return undefined;
  for (const { kind, a, b } of terms) {
    if (!sameShape(padFront(termShape(kind, a, b), shape.length), shape)) {
      reason ??= `a summand of shape ${shapeText(termShape(kind, a, b))} is stretched to ${shapeText(shape)}`;
    }
  }
  const bias = biases.length === 0 ? undefined : addBiases(biases, `${requant.name}:bias`);
  if (biases.some(({ tensor }) => !tensor.data)) reason ??= "its bias is not constant";
  else if (biases.length > 0 && !bias) reason ??= "its bias leaves 32 bits";
  // Products come first: their operands are the larger ones, and are on their way while the first jobs run.
  terms.sort((a, b) => Number(a.kind === "diagonal") - Number(b.kind === "diagonal"));
  return { sum: { rank: shape.length, terms, bias, members, products }, reason };
}

/** What a node adds to a sum, if it is a product of its own. */
function termOf(graph: Graph, { operator, attributes, inputs }: Node): Term | undefined {
  const [a, b] = inputs.slice(0, 2).map((name) => graph.tensor(name));
  switch (operator) {
    case "MatMul":
      return { kind: "product", a, b };
    case "Gemm":
      return attributes.alpha === 1 && !attributes.transA
        ? { kind: attributes.transB ? "transposed" : "product", a, b }
        : undefined;
    case "Mul": {
      const [scale, x] = a.data ? [a, b] : [b, a];
      const byColumn = scale.data && elementCount(scale.shape) === (scale.shape.at(-1) ?? 1);
      return byColumn && isByte(scale) && isByte(x) && scale.shape.length <= x.shape.length
        ? { kind: "diagonal", a: x, b: scale }
        : undefined;
    }
    default:
      return undefined;
  }
}

const isByte = ({ dtype }: Tensor) => dtype === "int8" || dtype === "uint8";

/**
 * A constant that differs along rows and columns, such as the positions of an embedding, as a tensor of 8 bits times a
 * number: as a bias ITA cannot have it. Undefined for other constants.
 */
function matrixTerm({ name, shape, data }: Tensor): Term | undefined {
  if (shape.length < 2 || !shape.slice(-2).every((size) => size > 1)) return undefined;
  let factor = 0;
  for (const value of data!) for (let rest = value; rest !== 0;) [factor, rest] = [rest, factor % rest];
  factor = Math.max(1, Math.abs(factor));
  const values = Int32Array.from(data!, (value) => value / factor);
  const a = constantTensor(`${name}:matrix`, shape, values);
  const b = constantTensor(`${name}:factor`, [1], [factor]);
  return a.dtype === "int8" && b.dtype === "int8" ? { kind: "diagonal", a, b } : undefined;
}

/** A product whose bias ITA cannot have as a bias. */
function biasedByMatrix(graph: Graph, node: Node): { sum: Sum; reason?: string } | undefined {
  if (node.operator !== "RequantizedMatMul" || node.attributes.transA || node.inputs[2] === "") {
    return undefined;
  }
  const [a, b, bias] = node.inputs.map((name) => graph.tensor(name));
  const { shape } = graph.tensor(node.outputs[0]);
  const matrix = matrixTerm(bias);
  if (!matrix || !sameShape(padFront(bias.shape, shape.length), shape)) return undefined;
  const terms: Term[] = [{ kind: node.attributes.transB ? "transposed" : "product", a, b }, matrix];
  return { sum: { rank: shape.length, terms, members: new Set(), products: [] } };
}

function termShape(kind: TermKind, a: Tensor, b: Tensor): readonly number[] {
  if (kind === "diagonal") return a.shape;
  const columns = b.shape.at(kind === "transposed" ? -2 : -1)!;
  const front = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return [...front, a.shape.at(-2)!, columns];
}

/** All biases in one; undefined where they are not constant or leave int32. */
function addBiases(
  biases: readonly { tensor: Tensor; factor: number }[],
  name: string,
): Tensor | undefined {
  if (biases.some(({ tensor }) => !tensor.data)) return undefined;
  const [{ tensor: first, factor }] = biases;
  if (biases.length === 1 && factor === 1 && first.dtype === "int32" && first.shape.length > 0) return first;
  const { min, max } = integerLimits.int32;
  const bound = biases.reduce(
    (sum, { tensor, factor }) => ({
      min: sum.min + Math.min(tensor.range.min * factor, tensor.range.max * factor),
      max: sum.max + Math.max(tensor.range.min * factor, tensor.range.max * factor),
    }),
    { min: 0, max: 0 },
  );
  if (bound.min < min || bound.max > max) return undefined;
  const shape = biases.map(({ tensor }) => tensor.shape).reduce(broadcastShape, [1]);
  const values = new Int32Array(elementCount(shape));
  for (const { tensor, factor } of biases) {
    addBroadcast(values, shape, { shape: tensor.shape, data: tensor.data! }, factor);
  }
  return parameterTensor(name, shape, values);
}

function attributesOf({ attributes }: Node, { terms }: Sum) {
  const { axis, shift, signed, levels } = attributes;
  return { axis, shift, signed, levels, terms: terms.map(({ kind }) => kind) };
}

/** Where mul, add and perhaps shift are among the inputs. */
const firstConstant = ({ operator }: Node) => operator === "RequantShift" ? 1 : 3;

/** The fused node's view, before it exists: what the engine is asked about. */
function candidate(graph: Graph, requant: Node, sum: Sum): NodeView {
  const [mul, add, shift] = requant.inputs.slice(firstConstant(requant)).map((name) => graph.tensor(name));
  const inputs = [
    sum.bias,
    mul,
    add,
    shift,
    ...sum.terms.flatMap(({ a, b }) => [{ ...a, shape: padFront(a.shape, sum.rank) }, b]),
  ];
  return candidateView("RequantizedProductSum", requant.name, inputs, attributesOf(requant, sum));
}

function appendSum(builder: ModelBuilder, requant: Node, sum: Sum): void {
  const tensor = (name: string) => builder.tensors.get(name);
  // Constants of this pass's own are not in the model yet, and their names may be taken there.
  const operand = (own: Tensor) =>
    !own.data || tensor(own.name) === own
      ? tensor(own.name)!
      : builder.constant(own.name, own.shape, own.data);
  const { bias, rank, terms } = sum;
  const [mul, add, shift] = requant.inputs.slice(firstConstant(requant)).map(tensor);
  builder.append({
    operator: "RequantizedProductSum",
    inputs: [
      bias && (tensor(bias.name) === bias ? bias : builder.parameter(bias.name, bias.shape, bias.data!)),
      mul,
      add,
      shift,
      ...terms.flatMap(({ a, b }) => [reshaped(builder, operand(a), padFront(a.shape, rank)), operand(b)]),
    ],
    attributes: attributesOf(requant, sum),
    name: requant.name,
    output: requant.outputs[0],
  });
}
