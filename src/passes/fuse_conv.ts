// Fuses convolution and requantisation into RequantizedConv, so that accumulators never leave a kernel.

import type { Node } from "../model/types.ts";
import { Graph, type Pass, rebuild } from "./pass.ts";

/** Conv and RequantShift, per tensor or per channel, where nobody else reads what is in between. */
export const fuseConv: Pass = {
  name: "fuse-conv",
  summary: "Conv and RequantShift become RequantizedConv",
  run(model) {
    const graph = new Graph(model);
    const convolutions = new Map<Node, Node>();
    for (const node of model.nodes) {
      if (node.operator !== "RequantShift" || ![-1, 1].includes(node.attributes.axis as number)) continue;
      const producer = graph.privateProducer(node.inputs[0], node);
      if (producer?.operator === "Conv") convolutions.set(node, producer);
    }
    const members = new Set(convolutions.values());
    return rebuild(model, (node, _inputs, builder) => {
      if (members.has(node)) return true;
      const conv = convolutions.get(node);
      if (!conv) return false;
      const tensor = (name: string | undefined) => name ? builder.tensors.get(name) : undefined;
      builder.append({
        operator: "RequantizedConv",
        inputs: [...[0, 1, 2].map((i) => tensor(conv.inputs[i])), ...node.inputs.slice(1).map(tensor)],
        attributes: { ...conv.attributes, ...node.attributes },
        name: node.name,
        output: node.outputs[0],
      });
      return true;
    });
  },
};
