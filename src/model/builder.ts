// Builds a model node by node: infers the types of what a node makes and gives unique names.

import { AttoflowError } from "../../targets/errors.ts";
import { constantTensor, parameterTensor } from "../operators/ranges.ts";
import { sameShape } from "../operators/shapes.ts";
import { inferNode, operatorNamed } from "../operators/registry.ts";
import type { Model, Node, Tensor } from "./types.ts";

/** A node to be made. */
export interface NewNode {
  readonly operator: string;
  readonly inputs: readonly (Tensor | undefined)[];
  /** Checked by the operator; defaults are filled in. */
  readonly attributes?: Readonly<Record<string, unknown>>;
  /** Preferred name; made unique. */
  readonly name: string;
  /** Name of the result; if it is taken already, or absent, a unique one is made from the node's name. */
  readonly output?: string;
}

/** A model under construction. */
export class ModelBuilder {
  readonly tensors = new Map<string, Tensor>();
  readonly nodes: Node[] = [];
  readonly #nodeNames = new Set<string>();
  /** Next number to try behind a name that is taken. */
  readonly #suffixes = new Map<string, number>();
  readonly #parameters = new Map<string, Tensor[]>();
  readonly #producers = new Map<string, Node>();

  /** A tensor name that nothing else has yet. */
  uniqueName(base: string): string {
    let name = base;
    for (let i = this.#suffixes.get(base) ?? 1; name === "" || this.tensors.has(name); i++) {
      name = `${base}:${i}`;
      this.#suffixes.set(base, i + 1);
    }
    return name;
  }

  /** Puts a tensor into the model. Throws {@link AttoflowError} if its name is taken. */
  add(tensor: Tensor): Tensor {
    if (this.tensors.has(tensor.name)) throw new AttoflowError(`the name ${tensor.name} is taken`);
    this.tensors.set(tensor.name, tensor);
    return tensor;
  }

  /** The node that makes a tensor, if one does. */
  producerOf(tensor: Tensor): Node | undefined {
    return this.#producers.get(tensor.name);
  }

  /** A constant in the smallest dtype; its name is made unique. */
  constant(name: string, shape: readonly number[], values: ArrayLike<number>): Tensor {
    return this.add(constantTensor(this.uniqueName(name), shape, values));
  }

  /** A constant of int32, as parameters of operators are. Equal ones of the same name are made once. */
  parameter(name: string, shape: readonly number[], values: ArrayLike<number>): Tensor {
    const made = parameterTensor(name, shape, values);
    const known = this.#parameters.get(name) ?? [];
    const same = known.find((tensor) =>
      sameShape(tensor.shape, shape) && tensor.data!.every((value, i) => value === made.data![i])
    );
    if (same) return same;
    const added = this.add({ ...made, name: this.uniqueName(name) });
    this.#parameters.set(name, [...known, added]);
    return added;
  }

  /**
   * Appends a node with one output.
   *
   * @returns the output, inferred
   * @throws {AttoflowError} if the inputs or attributes do not fit the operator
   */
  append({ operator, inputs, attributes = {}, name, output }: NewNode): Tensor {
    let unique = name;
    for (let i = 1; this.#nodeNames.has(unique); i++) unique = `${name}:${i}`;
    const free = output !== undefined && output !== "" && !this.tensors.has(output);
    const made = free ? output : this.uniqueName(`${unique}_output`);
    const node: Node = {
      name: unique,
      operator,
      attributes: operatorNamed(operator).parse(attributes),
      inputs: inputs.map((input) => input?.name ?? ""),
      outputs: [made],
    };
    const [type] = inferNode(node, inputs);
    this.#nodeNames.add(unique);
    this.nodes.push(node);
    this.#producers.set(made, node);
    return this.add({ name: made, ...type });
  }

  /** The finished model; constants that no node reads are left out. */
  finish(name: string, inputs: readonly string[], outputs: readonly string[]): Model {
    const used = new Set([...inputs, ...outputs, ...this.nodes.flatMap((n) => [...n.inputs, ...n.outputs])]);
    const tensors = new Map([...this.tensors].filter(([tensor]) => used.has(tensor)));
    return { name, inputs, outputs, tensors, nodes: [...this.nodes] };
  }
}
