// Takes GELU into the product in front of it, where the target's ITA can then run both: its activation unit works on
// results as they come out.

import type { NodeView } from "../../targets/engines/engine.ts";
import { matmulMapping } from "../../targets/engines/ita/mapping_matmul.ts";
import type { Target } from "../../targets/schema.ts";
import { inputsOf } from "../model/graph.ts";
import type { Node, Tensor } from "../model/types.ts";
import { operatorNamed } from "../operators/registry.ts";
import type { GeluAttributes } from "../operators/requantized_product_sum.ts";
import type { FusionOptions } from "./fuse_attention.ts";
import { Graph, type Pass, rebuild } from "./pass.ts";

/** A product, GELU and the requantisation behind it. */
interface Match {
  readonly product: Node;
  readonly gelu: Node;
  readonly attributes: Record<string, unknown>;
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
      for (const node of model.nodes) {
        const match = matchGelu(graph, node);
        if (!match) continue;
        const reason = unfused?.get(nameOf(match)) ?? matmulMapping.rejects(candidate(graph, match), target);
        if (reason !== undefined) {
          for (const part of [match.gelu, node]) note(part.name, reason);
          continue;
        }
        matches.set(node, match);
        members.add(match.product).add(match.gelu);
      }
      return rebuild(model, (node, _inputs, builder) => {
        const match = matches.get(node);
        if (match) {
          builder.append({
            operator: "RequantizedProductSum",
            inputs: operandsOf(match.product, inputsOf(builder, match.product)),
            attributes: match.attributes,
            name: nameOf(match),
            output: node.outputs[0],
          });
        }
        return match !== undefined || members.has(node);
      });
    },
  };
}

const nameOf = ({ product }: Match) => `${product.name}:gelu`;

function matchGelu(graph: Graph, requant: Node): Match | undefined {
  if (requant.operator !== "RequantShift") return undefined;
  const gelu = graph.privateProducer(requant.inputs[0], requant);
  const product = gelu?.operator === "iGELU" ? graph.privateProducer(gelu.inputs[0], gelu) : undefined;
  if (!gelu || !product || graph.tensor(product.outputs[0]).dtype !== "int8") return undefined;
  const constants = requant.inputs.slice(1).map((name) => graph.tensor(name).data!);
  if (constants.some((data) => data.some((value) => value !== data[0]))) return undefined;
  const [mul, add, shift = requant.attributes.shift] = constants.map(([value]) => value);
  const { signed, levels } = requant.attributes;
  const { b, one } = gelu.attributes;
  const own = { b, one, mul, add, shift, signed, levels } as GeluAttributes;
  const { axis, shift: productShift, signed: productSigned, levels: productLevels } = product.attributes;
  const common = { axis, shift: productShift, signed: productSigned, levels: productLevels, gelu: own };
  const { terms, transA, transB } = product.attributes;
  if (product.operator === "RequantizedMatMul" && !transA) {
    return { product, gelu, attributes: { ...common, terms: [transB ? "transposed" : "product"] } };
  }
  return product.operator === "RequantizedProductSum" && !product.attributes.gelu
    ? { product, gelu, attributes: { ...common, terms } }
    : undefined;
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
  const inputs: (Tensor | undefined)[] = operandsOf(product, inputsOf(graph.model, product));
  const operator = operatorNamed("RequantizedProductSum");
  const parsed = operator.parse(attributes);
  const node: Node = {
    name: nameOf(match),
    operator: operator.name,
    attributes: parsed,
    inputs: inputs.map((tensor) => tensor?.name ?? ""),
    outputs: ["result"],
  };
  return { node, inputs, outputs: [{ name: "result", ...operator.infer(inputs, parsed)[0] }] };
}
