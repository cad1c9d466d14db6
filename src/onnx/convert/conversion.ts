// What the converters of this folder work with: one node of the file, its inputs, and the model being built.

import { AttoflowError } from "../../../targets/errors.ts";
import type { ModelBuilder } from "../../model/builder.ts";
import { printName } from "../../model/print.ts";
import { integerLimits, type Tensor } from "../../model/types.ts";
import { shapeText } from "../../operators/shapes.ts";
import type { Attributes } from "../attributes.ts";
import type { Constant } from "../constant.ts";
import type { SourceNode } from "../graph.ts";

/** What stands behind a name of the file: a constant of the file, or a tensor of the model. */
export type Entry = { readonly constant: Constant } | { readonly tensor: Tensor };

/** Converts one node: appends nodes to the model and says what the source node's first output is. */
export type Converter = (conversion: Conversion) => Tensor;

/** How the file is to be read, as far as converters care. */
export interface ConversionOptions {
  /** Shift of the softmax in PyITA's graphs, which the file does not say. */
  readonly softmaxShift: 0 | 5;
}

/** One node on its way into the model. Readers throw {@link AttoflowError} when the node lacks what they want. */
export class Conversion {
  readonly #entries: readonly (Entry | undefined)[];
  readonly #converted: Map<Constant, Tensor>;

  /** @param converted integer tensors that constants have been turned into so far, shared by all nodes */
  constructor(
    readonly node: SourceNode,
    entries: readonly (Entry | undefined)[],
    readonly builder: ModelBuilder,
    readonly options: ConversionOptions,
    converted: Map<Constant, Tensor>,
  ) {
    this.#entries = entries;
    this.#converted = converted;
  }

  get attributes(): Attributes {
    return this.node.attributes;
  }

  /** Number of inputs that the node lists, absent ones included. */
  get inputCount(): number {
    return this.#entries.length;
  }

  /** Whether an input is there. */
  has(index: number): boolean {
    return this.#entries[index] !== undefined;
  }

  /** The input if it is there and constant. */
  constant(index: number): Constant | undefined {
    const entry = this.#entries[index];
    return entry && "constant" in entry ? entry.constant : undefined;
  }

  /** The input, which must be constant if it is there. */
  optionalConstant(index: number, what: string): Constant | undefined {
    if (this.has(index) && !this.constant(index)) {
      throw new AttoflowError(`its ${what} (input ${index}) is computed at run time; it must be constant`);
    }
    return this.constant(index);
  }

  /** The input, which must be there and constant. */
  requiredConstant(index: number, what: string): Constant {
    const constant = this.optionalConstant(index, what);
    if (!constant) throw new AttoflowError(`its ${what} (input ${index}) is missing`);
    return constant;
  }

  /** The input as a tensor of the model; a constant must hold integers and takes the smallest dtype. */
  tensor(index: number): Tensor {
    const entry = this.#entries[index];
    if (!entry) throw new AttoflowError(`its input ${index} is missing`);
    if ("tensor" in entry) return entry.tensor;
    const known = this.#converted.get(entry.constant);
    if (known) return known;
    const values = integerValues(entry.constant, `input ${index}`);
    const made = this.builder.constant(this.node.inputs[index], entry.constant.shape, values);
    this.#converted.set(entry.constant, made);
    return made;
  }

  /** The constant input as an int32 parameter, if it is there. */
  parameter(index: number, what: string): Tensor | undefined {
    const constant = this.optionalConstant(index, what);
    if (!constant) return undefined;
    return this.builder.parameter(this.node.inputs[index], constant.shape, integerValues(constant, what));
  }

  /** Appends a node whose result is not the source node's. `suffix` tells it from the others. */
  step(
    suffix: string,
    operator: string,
    inputs: readonly (Tensor | undefined)[],
    attributes: Readonly<Record<string, unknown>> = {},
  ): Tensor {
    return this.builder.append({ operator, inputs, attributes, name: `${this.node.name}:${suffix}` });
  }

  /** Appends the node that makes the source node's first output. */
  finish(
    operator: string,
    inputs: readonly (Tensor | undefined)[],
    attributes: Readonly<Record<string, unknown>> = {},
  ): Tensor {
    const { name, outputs } = this.node;
    return this.builder.append({ operator, inputs, attributes, name, output: outputs[0] });
  }
}

/** A constant's values, which must be integers of int32. Throws {@link AttoflowError} that names the first other. */
export function integerValues(constant: Constant, what: string): Float64Array {
  const { min, max } = integerLimits.int32;
  const wrong = constant.values.find((value) => !Number.isInteger(value) || value < min || value > max);
  if (wrong === undefined) return constant.values;
  const described = `its constant ${what} of shape ${shapeText(constant.shape)} holds ${wrong}`;
  if (Number.isInteger(wrong)) throw new AttoflowError(`${described}, which does not fit 32 bit`);
  throw new AttoflowError(`${described}, which is not an integer`, { hint: quantizeHint });
}

/** What to do with a model of floating-point numbers. */
export const quantizeHint =
  "This looks like a floating-point model: quantise it to the integer dialect first.";

/** The name of a source node's operator for messages. */
export function operatorText(node: SourceNode): string {
  return printName(node.operator).slice(1, -1);
}
