// Takes GELU into the product in front of it, where the target's ITA can then run both: its activation unit works on
// results as they come out. That unit gives GELU with the sign changed; where a network wants it as it is and nothing but
// products with constant weights read it, those weights change sign, too.

import type { NodeView } from "../../targets/engines/engine.ts";
import { matmulMapping } from "../../targets/engines/ita/mapping_matmul.ts";
import type { Target } from "../../targets/schema.ts";
import type { ModelBuilder } from "../model/builder.ts";
import { inputsOf } from "../model/graph.ts";
import { integerLimits, type Node, type Tensor } from "../model/types.ts";
import { firstTerm, type GeluAttributes } from "../operators/requantized_product_sum.ts";
import { candidateView } from "./candidate.ts";
import { type FusionOptions, Graph, type Pass, rebuild } from "./pass.ts";

/** A product, GELU and the requantisation behind it. */
interface Match {
  readonly product: Node;
  readonly gelu: Node;
  readonly requant: Node;
  /** The fused node's. */
  readonly attributes: { readonly gelu: GeluAttributes } & Record<string, unknown>;
}

/** A requantised product with GELU becomes one node, if the target's ITA can run that. */
export function fuseGelu(target: Target, { unfused, note = () => {} }: FusionOptions = {}): Pass {
  return {
    name: "fuse-gelu",
    summary: "a requantised product, iGELU and RequantShift become RequantizedProductSum",
    run(model) {
      const graph = new Graph(model);
      const matches = new Map<Node, Match>();
      const members = new Set<Node>();
      const refused = (match: Match) =>
        unfused?.get(nameOf(match)) ?? matmulMapping.rejects(candidate(graph, match), target);
      for (const node of model.nodes) {
        const match = matchGelu(graph, node);
        if (!match) continue;
        const turned = negatable(graph, node.outputs[0]) ? negated(match) : match;
        const chosen = [match, turned].find((option) => refused(option) === undefined);
        if (chosen) {
          matches.set(node, chosen);
          members.add(match.product).add(match.gelu);
        } else {
          for (const part of [match.gelu, node]) note(part.name, refused(match)!);
        }
      }
      const turned: Turned = new Map();
      for (const [node, { attributes }] of matches) {
        if (attributes.gelu.negated) turned.set(node.outputs[0], undefined);
      }
      return rebuild(model, (node, _inputs, builder) => {
        const match = matches.get(node);
        if (match) appendFused(builder, match, turned);
        if (match || members.has(node)) return true;
        if (!node.inputs.some((name) => turned.has(name))) return false;
        const { name, operator, attributes, outputs: [output] } = node;
        builder.append({ name, operator, attributes, inputs: turnedInputs(builder, node, turned), output });
        return true;
      });
    },
  };
}

/** Tensors that are there negated only, by their names; the negated ones are filled in as they are made. */
type Turned = Map<string, Tensor | undefined>;

const nameOf = ({ product }: Match) => `${product.name}:gelu`;

const negated = (match: Match): Match => ({
  ...match,
  attributes: { ...match.attributes, gelu: { ...match.attributes.gelu, negated: true } },
});

function matchGelu(graph: Graph, requant: Node): Match | undefined {
  if (requant.operator !== "RequantShift") return undefined;
  const gelu = graph.privateProducer(requant.inputs[0], requant);
  const product = gelu?.operator === "iGELU" ? graph.privateProducer(gelu.inputs[0], gelu) : undefined;
  if (!gelu || !product || graph.tensor(product.outputs[0]).dtype !== "int8") return undefined;
  const constants = requant.inputs.slice(1).map((name) => graph.tensor(name).data!);
  if (constants.some((data) => data.some((value) => value !== data[0]))) return undefined;
  const [mul, add, shift = requant.attributes.shift] = constants.map(([value]) => value);
  const { b, one } = gelu.attributes;
  const { signed, levels } = requant.attributes;
  const own = { b, one, mul, add, shift, signed, levels, negated: false } as GeluAttributes;
  const { axis, shift: productShift, signed: productSigned, levels: productLevels } = product.attributes;
  const common = { axis, shift: productShift, signed: productSigned, levels: productLevels, gelu: own };
  const { terms, transA, transB } = product.attributes;
  if (product.operator === "RequantizedMatMul" && !transA) {
    const attributes = { ...common, terms: [transB ? "transposed" : "product"] };
    return { product, gelu, requant, attributes };
  }
  return product.operator === "RequantizedProductSum" && !product.attributes.gelu
    ? { product, gelu, requant, attributes: { ...common, terms } }
    : undefined;
}

/** Positions of a product's operands among its inputs, in pairs. */
function pairsOf({ operator, inputs }: Node): [a: number, b: number][] {
  if (operator === "RequantizedMatMul") return [[0, 1]];
  return Array.from(
    { length: (inputs.length - firstTerm) / 2 },
    (_, i) => [firstTerm + 2 * i, firstTerm + 2 * i + 1],
  );
}

/** Whether only products with constants that can change their sign read a tensor. */
function negatable(graph: Graph, tensor: string): boolean {
  const readers = graph.readers(tensor);
  return !graph.isOutput(tensor) && readers.length > 0 && readers.every((node) => {
    if (node.operator !== "RequantizedMatMul" && node.operator !== "RequantizedProductSum") return false;
    const pairs = pairsOf(node).filter((pair) => pair.some((position) => node.inputs[position] === tensor));
    const uses = node.inputs.filter((name) => name === tensor).length;
    return uses === pairs.length && pairs.every(([a, b]) => {
      const weights = graph.tensor(node.inputs[b]);
      return node.inputs[a] === tensor && weights.data?.every((value) => value > integerLimits.int8.min);
    });
  });
}

/** A node's inputs with those in `turned` negated, and the weights that they meet as well. */
function turnedInputs(builder: ModelBuilder, node: Node, turned: Turned): (Tensor | undefined)[] {
  const inputs = node.inputs.map((name) => turned.get(name) ?? builder.tensors.get(name));
  for (const [a, b] of pairsOf(node)) {
    if (!turned.has(node.inputs[a])) continue;
    const { name, shape, data } = inputs[b]!;
    inputs[b] = builder.constant(`${name}:negated`, shape, Int32Array.from(data!, (value) => -value));
  }
  return inputs;
}

function appendFused(builder: ModelBuilder, match: Match, turned: Turned): void {
  const { product, requant: { outputs: [output] }, attributes } = match;
  const read = product.inputs.some((name) => turned.has(name));
  const inputs = read ? turnedInputs(builder, product, turned) : inputsOf(builder, product);
  const result = builder.append({
    operator: "RequantizedProductSum",
    inputs: operandsOf(product, inputs),
    attributes,
    name: nameOf(match),
    output: turned.has(output) ? `${output}:negated` : output,
  });
  if (turned.has(output)) turned.set(output, result);
}

/** The product's inputs in the order of RequantizedProductSum. */
function operandsOf<T>({ operator }: Node, inputs: readonly (T | undefined)[]): (T | undefined)[] {
  if (operator === "RequantizedProductSum") return [...inputs];
  const [a, b, bias, mul, add, shift] = inputs;
  return [bias, mul, add, shift, a, b];
}

/** The fused node's view, before it exists: what the engine is asked about. */
function candidate(graph: Graph, match: Match): NodeView {
  const { product, attributes } = match;
  const inputs = operandsOf(product, inputsOf(graph.model, product));
  return candidateView("RequantizedProductSum", nameOf(match), inputs, attributes);
}
