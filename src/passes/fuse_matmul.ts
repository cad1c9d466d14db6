// Fuses matrix product, bias and requantisation into RequantizedMatMul, so that accumulators never leave a kernel.

import type { ModelBuilder } from "../model/builder.ts";
import { integerLimits, type Node, type Tensor } from "../model/types.ts";
import { sameShape } from "../operators/shapes.ts";
import { Graph, type Pass, rebuild } from "./pass.ts";

/** A product with what belongs to it, found behind a requantisation. */
interface Match {
  readonly product: Node;
  /** Constant bias, and how often it is added. */
  readonly bias?: { readonly tensor: Tensor; readonly factor: number };
  /** Nodes that the fused one replaces, the requantisation aside. */
  readonly members: readonly Node[];
}

/** MatMul or Gemm, perhaps Add of a constant, RequantShift: where nobody else reads what is in between. */
export const fuseMatMul: Pass = {
  name: "fuse-matmul",
  summary: "MatMul or Gemm, bias and RequantShift become RequantizedMatMul",
  run(model) {
    const graph = new Graph(model);
    const matches = new Map<Node, Match>();
    const members = new Set<Node>();
    for (const node of model.nodes) {
      const match = node.operator === "RequantShift" ? matchProduct(graph, node) : undefined;
      if (!match) continue;
      matches.set(node, match);
      for (const member of match.members) members.add(member);
    }
    return rebuild(model, (node, _inputs, builder) => {
      if (members.has(node)) return true;
      const match = matches.get(node);
      if (!match) return false;
      appendFused(builder, node, match);
      return true;
    });
  },
};

function matchProduct(graph: Graph, requant: Node): Match | undefined {
  const producer = graph.privateProducer(requant.inputs[0], requant);
  if (producer?.operator !== "Add") return producer && matchBare(graph, producer);
  for (const [index, name] of producer.inputs.entries()) {
    const tensor = graph.tensor(name);
    if (!tensor.data) continue;
    const product = graph.privateProducer(producer.inputs[1 - index], producer);
    const match = product && matchBare(graph, product);
    const keepsShape = product &&
      sameShape(graph.tensor(product.outputs[0]).shape, graph.tensor(producer.outputs[0]).shape);
    if (!match || match.bias || !keepsShape) continue;
    return { ...match, bias: { tensor, factor: 1 }, members: [...match.members, producer] };
  }
}

/** A product with the bias that it has of itself. */
function matchBare(graph: Graph, node: Node): Match | undefined {
  if (node.operator === "MatMul") return { product: node, members: [node] };
  if (node.operator !== "Gemm" || node.attributes.alpha !== 1) return undefined;
  const name = node.inputs[2] ?? "";
  if (name === "") return { product: node, members: [node] };
  const tensor = graph.tensor(name);
  const factor = node.attributes.beta as number;
  const { min, max } = integerLimits.int32;
  if (!tensor.data?.every((value) => value * factor >= min && value * factor <= max)) return undefined;
  return { product: node, bias: { tensor, factor }, members: [node] };
}

function appendFused(builder: ModelBuilder, requant: Node, { product, bias }: Match): void {
  const tensor = (name: string) => builder.tensors.get(name)!;
  const { transA = false, transB = false } = product.attributes;
  builder.append({
    operator: "RequantizedMatMul",
    inputs: [
      ...product.inputs.slice(0, 2).map(tensor),
      bias && biasParameter(builder, bias.tensor, bias.factor),
      ...requant.inputs.slice(1).map(tensor),
    ],
    attributes: { ...requant.attributes, transA, transB },
    name: requant.name,
    output: requant.outputs[0],
  });
}

function biasParameter(builder: ModelBuilder, tensor: Tensor, factor: number): Tensor {
  if (factor === 1 && tensor.dtype === "int32") return tensor;
  return builder.parameter(
    tensor.name,
    tensor.shape,
    Int32Array.from(tensor.data!, (value) => value * factor),
  );
}
