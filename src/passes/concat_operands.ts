// Brings Concat into the form that engines serve: no empty operands, at most eight of them.

import { elementCount, type Tensor } from "../model/types.ts";
import { type Pass, rebuild } from "./pass.ts";

/** Operands that one Concat may have. */
const mostOperands = 8;

/** Drops empty operands and splits wide concatenations into a tree. */
export const limitConcatOperands: Pass = {
  name: "limit-concat-operands",
  summary: `Concat without empty operands and of at most ${mostOperands}`,
  run: (model) =>
    rebuild(model, (node, inputs, builder) => {
      if (node.operator !== "Concat") return false;
      const all = inputs.map((input) => input!);
      const full = all.filter((input) => elementCount(input.shape) > 0);
      let operands: Tensor[] = full.length > 0 ? full : [all[0]];
      if (operands.length === all.length && operands.length <= mostOperands) return false;
      const { attributes } = node;
      while (operands.length > mostOperands) {
        const groups: Tensor[] = [];
        for (let i = 0; i < operands.length; i += mostOperands) {
          const group = operands.slice(i, i + mostOperands);
          groups.push(
            group.length === 1
              ? group[0]
              : builder.append({ operator: "Concat", inputs: group, attributes, name: `${node.name}:part` }),
          );
        }
        operands = groups;
      }
      const [name, output] = [node.name, node.outputs[0]];
      if (full.length > 0) builder.append({ operator: "Concat", inputs: operands, attributes, name, output });
      else {
        const { shape } = model.tensors.get(output)!;
        builder.append({ operator: "Reshape", inputs: operands, attributes: { shape }, name, output });
      }
      return true;
    }),
};
