// Questions about a model's graph: who makes a tensor, who reads it.

import { AttoflowError } from "../../targets/errors.ts";
import type { Model, Node, Tensor } from "./types.ts";

/** The tensor of that name. Throws {@link AttoflowError} if the model has none. */
export function tensorOf(model: Pick<Model, "tensors">, name: string): Tensor {
  const tensor = model.tensors.get(name);
  if (!tensor) throw new AttoflowError(`there is no tensor ${JSON.stringify(name.slice(0, 80))}`);
  return tensor;
}

/** A node's input tensors; undefined where an optional input is absent. */
export function inputsOf(model: Pick<Model, "tensors">, node: Node): (Tensor | undefined)[] {
  return node.inputs.map((name) => name === "" ? undefined : tensorOf(model, name));
}

/** A node's output tensors, without the absent ones. */
export function outputsOf(model: Pick<Model, "tensors">, node: Node): Tensor[] {
  return node.outputs.filter((name) => name !== "").map((name) => tensorOf(model, name));
}

/** For each tensor that a node makes, that node. */
export function producers(nodes: readonly Node[]): Map<string, Node> {
  return new Map(
    nodes.flatMap((node) => node.outputs.filter((name) => name !== "").map((name) => [name, node])),
  );
}

/** For each tensor that nodes read, those nodes, in order, each once. */
export function readers(nodes: readonly Node[]): Map<string, Node[]> {
  const result = new Map<string, Node[]>();
  for (const node of nodes) {
    for (const name of new Set(node.inputs)) {
      if (name === "") continue;
      const list = result.get(name);
      if (list) list.push(node);
      else result.set(name, [node]);
    }
  }
  return result;
}
