// Drops nodes that no output depends on.

import type { Pass } from "./pass.ts";

/** Keeps what the outputs need; inputs of the network stay, read or not. */
export const dropDeadNodes: Pass = {
  name: "drop-dead-nodes",
  summary: "nodes that no output depends on go",
  run(model) {
    const needed = new Set(model.outputs);
    const nodes = model.nodes.toReversed().filter((node) => {
      if (!node.outputs.some((name) => needed.has(name))) return false;
      for (const name of node.inputs) needed.add(name);
      return true;
    }).reverse();
    for (const node of nodes) for (const name of node.outputs) needed.add(name);
    for (const name of model.inputs) needed.add(name);
    const tensors = new Map([...model.tensors].filter(([name]) => needed.has(name)));
    return { ...model, nodes, tensors };
  },
};
