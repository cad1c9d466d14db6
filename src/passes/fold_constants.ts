// Folds nodes whose inputs are all constant into constants.

import { inputsOf } from "../model/graph.ts";
import { elementCount } from "../model/types.ts";
import { constantTensor } from "../operators/ranges.ts";
import { evaluateNode, inferNode, macsOf } from "../operators/registry.ts";
import { Graph, type Pass, rebuild } from "./pass.ts";

/** Larger results and costlier products stay in the network: folding must neither swell nor stall the compiler. */
const mostElements = 2 ** 24;
const mostMacs = 2 ** 28;

/** Evaluates what does not depend on the inputs. Outputs of the network keep the node that makes them. */
export const foldConstants: Pass = {
  name: "fold-constants",
  summary: "nodes of constants become constants",
  run(model) {
    const graph = new Graph(model);
    return rebuild(model, (node, _inputs, builder) => {
      if (graph.isOutput(node.outputs[0])) return false;
      const inputs = inputsOf(builder, node);
      if (inputs.length === 0 || inputs.some((input) => input && !input.data)) return false;
      const types = inferNode(node, inputs);
      const [type] = types;
      if (type.dtype === "float32" || elementCount(type.shape) > mostElements) return false;
      if (macsOf(node, inputs, types) > mostMacs) return false;
      const values = inputs.map((input) => input && { shape: input.shape, data: input.data! });
      const [data] = evaluateNode(node, values, types);
      builder.add(constantTensor(node.outputs[0], type.shape, data));
      return true;
    });
  },
};
