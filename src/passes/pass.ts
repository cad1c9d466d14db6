// What a pass is, and the one way in which passes change a model: they build it again, node by node.

import { ModelBuilder } from "../model/builder.ts";
import { inputsOf, producers, readers, tensorOf } from "../model/graph.ts";
import type { Model, Node, Tensor } from "../model/types.ts";

/** A rewrite of a model into an equal one: the same values under the same names, as far as names survive. */
export interface Pass {
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** The rewritten model; the given one is not changed. */
  run(model: Model): Model;
}

/** What a pass for a target may be told, and tell. */
export interface FusionOptions {
  /** Nodes that must stay as they are, by name, with the reason. */
  readonly unfused?: ReadonlyMap<string, string>;
  /** Is told why a node that looked as if it could be fused was not. */
  readonly note?: (node: string, reason: string) => void;
}

/** What a pass may ask about the model that it rewrites. */
export class Graph {
  readonly #producers: ReadonlyMap<string, Node>;
  readonly #readers: ReadonlyMap<string, readonly Node[]>;
  readonly #outputs: ReadonlySet<string>;

  constructor(readonly model: Model) {
    this.#producers = producers(model.nodes);
    this.#readers = readers(model.nodes);
    this.#outputs = new Set(model.outputs);
  }

  /** The tensor of that name, which must exist. */
  tensor(name: string): Tensor {
    return tensorOf(this.model, name);
  }

  /** Whether the tensor is an output of the network. */
  isOutput(name: string): boolean {
    return this.#outputs.has(name);
  }

  /** The node that makes the tensor; none makes inputs and constants. */
  producer(name: string): Node | undefined {
    return this.#producers.get(name);
  }

  /** Nodes that read the tensor, each once. */
  readers(name: string): readonly Node[] {
    return this.#readers.get(name) ?? [];
  }

  /** The node that reads the tensor, if it is the only one and the network's user does not look at it. */
  onlyReader(name: string): Node | undefined {
    const readers = this.readers(name);
    return readers.length === 1 && !this.isOutput(name) ? readers[0] : undefined;
  }

  /** The node that makes the tensor, if nothing but `reader` looks at its result: then they can become one. */
  privateProducer(name: string, reader: Node): Node | undefined {
    const others = this.#readers.get(name)?.some((node) => node !== reader) ?? false;
    return others || this.isOutput(name) ? undefined : this.#producers.get(name);
  }
}

/**
 * Builds a model again.
 *
 * @param visit called with every node in order, its inputs as rebuilt, and the builder. It returns true if it
 *   has dealt with the node: appended something that makes its output, or nothing because no one will ask.
 */
export function rebuild(
  model: Model,
  visit: (node: Node, inputs: readonly (Tensor | undefined)[], builder: ModelBuilder) => boolean,
): Model {
  const builder = new ModelBuilder();
  for (const name of model.inputs) builder.add(tensorOf(model, name));
  for (const tensor of model.tensors.values()) if (tensor.data) builder.add(tensor);
  for (const node of model.nodes) {
    // Inputs that a fused producer no longer makes are undefined; only the visitor of that node may find them so.
    const inputs = node.inputs.map((name) => builder.tensors.get(name));
    if (!visit(node, inputs, builder)) copyNode(builder, node);
  }
  return builder.finish(model.name, model.inputs, model.outputs);
}

function copyNode(builder: ModelBuilder, node: Node): void {
  const { name, operator, attributes, outputs } = node;
  builder.append({ name, operator, attributes, inputs: inputsOf(builder, node), output: outputs[0] });
}
