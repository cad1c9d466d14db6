// Turns every node that moves no element into Reshape, of which no engine has any work to do.

import { elementCount, type Node, type Tensor } from "../model/types.ts";
import { aliasOperators } from "../operators/registry.ts";
import { sameShape } from "../operators/shapes.ts";
import { type Pass, rebuild } from "./pass.ts";

/** Reshape's relatives, and moves that turn out to move nothing, become Reshape. */
export const lowerAliases: Pass = {
  name: "lower-aliases",
  summary: "nodes that only change a shape become Reshape",
  run: (model) =>
    rebuild(model, (node, inputs, builder) => {
      if (
        node.operator === "Reshape" || !isAlias(node, inputs, model.tensors.get(node.outputs[0])!)
      ) return false;
      const { shape } = model.tensors.get(node.outputs[0])!;
      const { name, outputs } = node;
      builder.append({
        operator: "Reshape",
        inputs: [inputs[0]],
        attributes: { shape },
        name,
        output: outputs[0],
      });
      return true;
    }),
};

/** Whether a node's output holds the elements of its first input in their order. */
function isAlias(node: Node, inputs: readonly (Tensor | undefined)[], output: Tensor): boolean {
  if (aliasOperators.has(node.operator)) return true;
  const { shape } = inputs[0] ?? output;
  switch (node.operator) {
    case "Transpose": {
      const moving = (node.attributes.perm as number[]).filter((axis) => shape[axis] !== 1);
      return elementCount(shape) === 0 || moving.every((axis, i) => i === 0 || moving[i - 1] < axis);
    }
    case "Slice":
      return sameShape(shape, output.shape) && (node.attributes.steps as number[]).every((step) => step > 0);
    case "Pad":
      return sameShape(shape, output.shape);
    case "Concat":
      return inputs.length === 1;
    case "ReduceSum":
    case "ReduceMean":
      return elementCount(shape) === elementCount(output.shape);
    default:
      return false;
  }
}
