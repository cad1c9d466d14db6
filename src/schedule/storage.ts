// Which tensors share their bytes, and which need bytes of their own. A reshape is another name for the same
// bytes, unless that would make a network output the same place as an input, a constant or another output.

import { aliasOperators } from "../operators/registry.ts";
import { byteLength, type Model, type Node, type Tensor } from "../model/types.ts";

/** Tensors that are the same bytes in L2. */
export interface Group {
  /** Name of the buffer. */
  readonly name: string;
  kind: "input" | "output" | "constant" | "activation";
  /** Tensor that the group is named for: of an output group, the network's output. */
  tensor: Tensor;
  readonly bytes: number;
}

/** A copy that the network needs beyond its nodes. */
export interface Copy {
  readonly from: Tensor;
  readonly to: Group;
}

/** Where the tensors of a model lie, by group. */
export interface Storage {
  /** Group of every tensor, by the tensor's name. */
  readonly groups: ReadonlyMap<string, Group>;
  /** Reshape nodes that must copy, by the node's name. */
  readonly copyingNodes: ReadonlyMap<string, Copy>;
  /** Copies to be made behind the last node. */
  readonly finalCopies: readonly Copy[];
  /** Group of each output of the network, in order. */
  readonly outputs: readonly Group[];
  readonly inputs: readonly Group[];
}

/** Decides the storage of every tensor of the model. */
export function storageOf(model: Model): Storage {
  const groups = new Map<string, Group>();
  const open = (tensor: Tensor, kind: Group["kind"], suffix = ""): Group => ({
    name: `${kind}:${tensor.name}${suffix}`,
    kind,
    tensor,
    bytes: byteLength(tensor),
  });
  for (const tensor of model.tensors.values()) {
    if (tensor.data) groups.set(tensor.name, open(tensor, "constant"));
  }
  const inputs = model.inputs.map((name) => {
    const group = open(model.tensors.get(name)!, "input");
    groups.set(name, group);
    return group;
  });

  const copyingNodes = new Map<string, Copy>();
  const isOutput = new Set(model.outputs);
  for (const node of model.nodes) {
    for (const name of node.outputs) {
      if (name === "") continue;
      const tensor = model.tensors.get(name)!;
      const source = aliasOperators.has(node.operator) ? groups.get(node.inputs[0])! : undefined;
      if (source && (!isOutput.has(name) || source.kind === "activation")) {
        if (isOutput.has(name)) Object.assign(source, { kind: "output", tensor });
        groups.set(name, source);
        continue;
      }
      const group = open(tensor, isOutput.has(name) ? "output" : "activation");
      groups.set(name, group);
      if (source) copyingNodes.set(node.name, { from: model.tensors.get(node.inputs[0])!, to: group });
    }
  }

  const finalCopies: Copy[] = [];
  const taken = new Set<Group>();
  const outputs = model.outputs.map((name, index) => {
    const tensor = model.tensors.get(name)!;
    const group = groups.get(name)!;
    if (group.kind === "output" && group.tensor.name === name && !taken.has(group)) {
      taken.add(group);
      return group;
    }
    const own = open(tensor, "output", `#${index}`);
    finalCopies.push({ from: tensor, to: own });
    return own;
  });
  return { groups, copyingNodes, finalCopies, outputs, inputs };
}

/** Whether the node does nothing but rename. */
export function isAlias(node: Node, storage: Storage): boolean {
  return aliasOperators.has(node.operator) && !storage.copyingNodes.has(node.name);
}
