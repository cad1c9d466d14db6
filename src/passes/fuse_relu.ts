// Takes ReLU into the requantisation ahead of it: max(clip(v, low, high), 0) is clip(v, 0, high).

import type { Node } from "../model/types.ts";
import { inputsOf } from "../model/graph.ts";
import { type RequantAttributes, requantLimits } from "../operators/requant_shift.ts";
import { Graph, type Pass, rebuild } from "./pass.ts";

/** Operators that end with a requantisation of the usual attributes. */
const requantising = new Set(["RequantShift", "RequantizedMatMul", "RequantizedConv"]);

/** Relu behind a requantisation that nobody else reads becomes its lower limit. */
export const fuseRelu: Pass = {
  name: "fuse-relu",
  summary: "requantisation and Relu become a requantisation that clips at 0",
  run(model) {
    const graph = new Graph(model);
    const fused = new Map<Node, Node>();
    for (const node of model.nodes) {
      if (node.operator !== "Relu") continue;
      const producer = graph.privateProducer(node.inputs[0], node);
      if (!producer || !requantising.has(producer.operator)) continue;
      if (requantLimits(producer.attributes as unknown as RequantAttributes).max >= 1) {
        fused.set(node, producer);
      }
    }
    const members = new Set(fused.values());
    return rebuild(model, (node, _inputs, builder) => {
      if (members.has(node)) return true;
      const producer = fused.get(node);
      if (!producer) return false;
      const attributes = producer.attributes as unknown as RequantAttributes;
      builder.append({
        operator: producer.operator,
        inputs: inputsOf(builder, producer),
        attributes: { ...attributes, signed: false, levels: requantLimits(attributes).max + 1 },
        name: producer.name,
        output: node.outputs[0],
      });
      return true;
    });
  },
};
