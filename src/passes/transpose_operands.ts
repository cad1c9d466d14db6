// Brings products of two activations into the form that ITA takes: the second operand stored by columns.

import type { NodeView } from "../../targets/engines/engine.ts";
import { matmulMapping } from "../../targets/engines/ita/mapping_matmul.ts";
import type { Target } from "../../targets/schema.ts";
import { inputsOf, outputsOf } from "../model/graph.ts";
import type { Node, Tensor } from "../model/types.ts";
import { swapLast } from "../operators/shapes.ts";
import { Graph, type Pass, rebuild } from "./pass.ts";

/** Second operands are stored by columns where ITA can then run the product. */
export function transposeOperands(target: Target): Pass {
  return {
    name: "transpose-operands",
    summary: "second activations of products are stored by columns",
    run(model) {
      const graph = new Graph(model);
      const served = (node: Node): boolean => {
        if (node.operator !== "RequantizedMatMul" || node.attributes.transB) return false;
        const [a, b, ...others] = inputsOf(model, node);
        if (a!.data || b!.data) return false;
        const view: NodeView = {
          node: { ...node, attributes: { ...node.attributes, transB: true } },
          inputs: [a, { ...b!, shape: swapLast(b!.shape) }, ...others],
          outputs: outputsOf(model, node),
        };
        return matmulMapping.rejects(view, target) === undefined;
      };
      return rebuild(model, (node, [a, b, ...others], builder) => {
        if (!served(node)) return false;
        const { name, operator, attributes, outputs, inputs } = node;
        const producer = graph.producer(inputs[1]);
        const moves = producer?.operator === "Transpose";
        const source: Tensor = moves ? builder.tensors.get(producer.inputs[0])! : b!;
        const perm = swapLast(moves ? producer.attributes.perm as number[] : b!.shape.map((_, axis) => axis));
        const columns = perm.every((axis, i) => axis === i) ? source : builder.append({
          operator: "Transpose",
          inputs: [source],
          attributes: { perm },
          name: `${name}:columns`,
        });
        builder.append({
          operator,
          inputs: [a, columns, ...others],
          attributes: { ...attributes, transB: true },
          name,
          output: outputs[0],
        });
        return true;
      });
    },
  };
}
