// Evaluates a whole model by the operators' reference meaning: slow but exact. What the machine does is compared
// with this.

import { AttoflowError } from "../../targets/errors.ts";
import { inputsOf, outputsOf, tensorOf } from "../model/graph.ts";
import { printName, printType } from "../model/print.ts";
import { elementCount, integerLimits, type Model, type Tensor, type TensorData } from "../model/types.ts";
import { dataRange, store, within } from "./ranges.ts";
import { evaluateNode } from "./registry.ts";

/** Elements of a model's inputs: in their order, or by name. */
export type ModelInputs = readonly ArrayLike<number>[] | ReadonlyMap<string, ArrayLike<number>>;

/**
 * Evaluates a model, imported or rewritten.
 *
 * @param inputs elements of every graph input, row major; each value must fit the input's dtype
 * @returns elements of every graph input and of every tensor that a node makes, by name
 * @throws {AttoflowError} if an input is missing, has another size, or holds values that its dtype cannot
 */
export function evaluateModel(model: Model, inputs: ModelInputs): Map<string, TensorData> {
  const values = new Map<string, TensorData>();
  if (!(inputs instanceof Map) && (inputs as readonly unknown[]).length < model.inputs.length) {
    throw new AttoflowError(
      `the model has ${model.inputs.length} inputs, and ${(inputs as readonly unknown[]).length} are given`,
      { where: printName(model.name) },
    );
  }
  for (const [index, name] of model.inputs.entries()) {
    const given = inputs instanceof Map ? inputs.get(name) : (inputs as readonly ArrayLike<number>[])[index];
    values.set(name, checkedInput(tensorOf(model, name), given));
  }
  const valueOf = (tensor: Tensor | undefined) =>
    tensor && { shape: tensor.shape, data: tensor.data ?? values.get(tensor.name)! };
  for (const node of model.nodes) {
    const outputs = outputsOf(model, node);
    const results = evaluateNode(node, inputsOf(model, node).map(valueOf), outputs);
    for (const [i, output] of outputs.entries()) values.set(output.name, results[i]);
  }
  return values;
}

/** Elements of the model's outputs, in order, from what {@link evaluateModel} returned. */
export function outputsFrom(model: Model, values: ReadonlyMap<string, TensorData>): TensorData[] {
  return model.outputs.map((name) => values.get(name) ?? tensorOf(model, name).data!);
}

function checkedInput(tensor: Tensor, given: ArrayLike<number> | undefined): TensorData {
  const where = `input ${printName(tensor.name)}`;
  if (!given) throw new AttoflowError("no elements are given", { where });
  const expected = elementCount(tensor.shape);
  if (given.length !== expected) {
    throw new AttoflowError(`${given.length} elements are given where ${expected} are wanted`, { where });
  }
  if (tensor.dtype !== "float32") {
    const fraction = Array.prototype.find.call(given, (value: number) => !Number.isInteger(value));
    if (fraction !== undefined) {
      throw new AttoflowError(`the value ${fraction} is given where integers are wanted`, { where });
    }
    const range = dataRange(given);
    if (!within(range, tensor.range) || !within(range, integerLimits[tensor.dtype])) {
      throw new AttoflowError(`values ${range.min} to ${range.max} do not fit ${printType(tensor)}`, {
        where,
        hint: "Give the input a wider type (--input-type NAME=int32), or other values.",
      });
    }
  }
  return store(tensor.dtype, given);
}
