// Which engines can run a node: the target's, in the target's order.

import type { EngineMapping, Mapping, NodeView } from "../../targets/engines/engine.ts";
import type { Target } from "../../targets/schema.ts";
import type { Model, Node } from "../model/types.ts";
import type { EngineName, Layer } from "./program.ts";

/** Engines by name, as `targets/engines/registry.ts` lists them. */
export type Engines = ReadonlyMap<EngineName, EngineMapping>;

/** An engine that can run a node. */
export interface Choice {
  readonly engine: EngineName;
  readonly mapping: Mapping;
}

/** What the engines say of a node: who can run it, and why the others cannot. */
export interface Offers {
  readonly choices: readonly Choice[];
  readonly rejections: Layer["rejections"];
}

/** Looks up a node's tensors. */
export function viewOf(model: Model, node: Node): NodeView {
  return {
    node,
    inputs: node.inputs.map((name) => name === "" ? undefined : model.tensors.get(name)!),
    outputs: node.outputs.filter((name) => name !== "").map((name) => model.tensors.get(name)!),
  };
}

/** Asks all engines of the target, in its order. */
export function enginesFor(view: NodeView, target: Target, engines: Engines): Offers {
  const choices: Choice[] = [];
  const rejections: Layer["rejections"][number][] = [];
  for (const engine of target.engines) {
    const mapping = engines.get(engine)?.mappings.get(view.node.operator);
    // What moves data is not asked to compute.
    if (!mapping && engine === "dma") continue;
    const reason = mapping ? mapping.rejects(view, target) : `no code for ${view.node.operator}`;
    if (mapping && reason === undefined) choices.push({ engine, mapping });
    else rejections.push({ engine, reason: reason! });
  }
  return { choices, rejections };
}
