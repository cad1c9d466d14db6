// Checks that a model keeps the promises of types.ts. Run behind the importer and behind every pass.

import { AttoflowError } from "../../targets/errors.ts";
import { inferNode, nodeText, operatorNamed } from "../operators/registry.ts";
import { dataRange, within } from "../operators/ranges.ts";
import { sameShape, shapeText } from "../operators/shapes.ts";
import { printName, printType } from "./print.ts";
import {
  elementCount,
  integerLimits,
  type Model,
  type Node,
  type Range,
  type Tensor,
  type TensorData,
} from "./types.ts";

/**
 * Checks a model: every tensor's type, data and range; nodes in order, known, well attributed, with one producer
 * for each tensor; recorded shapes as inferred, recorded ranges no wider than inferred (they may be tighter: a
 * pass may know more than the node that it makes shows).
 *
 * @throws {AttoflowError} that lists every broken promise
 */
export function verifyModel(model: Model): void {
  const problems = [...tensorProblems(model), ...graphProblems(model)];
  if (problems.length > 0) {
    throw new AttoflowError(`the model is inconsistent: ${problems.join("; ")}`, {
      where: printName(model.name),
    });
  }
}

const arrays = { int8: Int8Array, uint8: Uint8Array, int32: Int32Array, float32: Float32Array } as const;

function* tensorProblems(model: Model): Iterable<string> {
  for (const [name, tensor] of model.tensors) {
    const says = (problem: string) => `tensor ${printName(name)} (${printType(tensor)}) ${problem}`;
    if (name !== tensor.name) yield says(`is filed under another name, ${printName(tensor.name)}`);
    if (name === "") yield says("has no name");
    if (tensor.shape.some((dimension) => !Number.isSafeInteger(dimension) || dimension < 0)) {
      yield says("has an impossible shape");
    }
    if (!(tensor.range.min <= tensor.range.max)) yield says("has an empty range");
    if (tensor.dtype !== "float32") {
      if (!Number.isInteger(tensor.range.min) || !Number.isInteger(tensor.range.max)) {
        yield says("has a range that is not of integers");
      }
      if (!within(tensor.range, integerLimits[tensor.dtype])) {
        yield says("has a range that its dtype cannot hold");
      }
    }
    yield* dataProblems(tensor, says);
  }
}

/** Ranges of elements that were looked at: a model is checked behind each pass, and its constants stay. */
const seen = new WeakMap<TensorData, Range>();

function rangeOf(data: TensorData): Range {
  const range = seen.get(data) ?? dataRange(data);
  seen.set(data, range);
  return range;
}

function* dataProblems(tensor: Tensor, says: (problem: string) => string): Iterable<string> {
  const { data, dtype, shape, range } = tensor;
  if (!data) return;
  if (!(data instanceof arrays[dtype])) yield says("has data of another type");
  if (data.length !== elementCount(shape)) yield says(`has ${data.length} elements of data`);
  else if (data.length > 0 && dtype !== "float32" && !within(rangeOf(data), range)) {
    yield says("has data outside its range");
  }
}

function* graphProblems(model: Model): Iterable<string> {
  const known = new Set<string>();
  for (const [name, tensor] of model.tensors) if (tensor.data) known.add(name);
  for (const name of model.inputs) {
    if (!model.tensors.has(name)) yield `input ${printName(name)} is no tensor`;
    if (known.has(name)) yield `input ${printName(name)} is listed twice, or constant`;
    known.add(name);
  }
  const names = new Set<string>();
  for (const node of model.nodes) {
    if (names.has(node.name)) yield `two nodes are called ${printName(node.name)}`;
    names.add(node.name);
    let complete = true;
    for (const name of node.inputs) {
      if (name === "" || known.has(name)) continue;
      complete = false;
      yield `${nodeText(node)} reads ${printName(name)} before anything makes it`;
    }
    for (const name of node.outputs) {
      if (name === "") continue;
      if (known.has(name)) yield `${nodeText(node)} makes ${printName(name)}, which exists already`;
      if (!model.tensors.has(name)) {
        complete = false;
        yield `${nodeText(node)} makes ${printName(name)}, which is no tensor`;
      }
      known.add(name);
    }
    if (complete) yield* typeProblems(model, node);
  }
  for (const name of model.outputs) {
    if (!known.has(name)) yield `output ${printName(name)} is made by nothing`;
  }
  for (const name of model.tensors.keys()) {
    if (!known.has(name)) yield `tensor ${printName(name)} is made by nothing`;
  }
}

function* typeProblems(model: Model, node: Node): Iterable<string> {
  try {
    const inputs = node.inputs.map((name) => name === "" ? undefined : model.tensors.get(name));
    const parsed = operatorNamed(node.operator).parse(node.attributes);
    if (JSON.stringify(sorted(parsed)) !== JSON.stringify(sorted(node.attributes))) {
      yield `${nodeText(node)} has attributes that are not parsed`;
    }
    const types = inferNode(node, inputs);
    if (types.length !== node.outputs.length) yield `${nodeText(node)} has ${node.outputs.length} outputs`;
    for (const [i, type] of types.entries()) {
      const tensor = model.tensors.get(node.outputs[i] ?? "");
      if (!tensor) continue;
      if (!sameShape(tensor.shape, type.shape)) {
        yield `${nodeText(node)} makes ${shapeText(type.shape)}, recorded is ${shapeText(tensor.shape)}`;
      }
      if ((tensor.dtype === "float32") !== (type.dtype === "float32") || !within(tensor.range, type.range)) {
        yield `${nodeText(node)} makes ${printType(type)}, recorded is ${printType(tensor)}`;
      }
    }
  } catch (error) {
    if (!(error instanceof AttoflowError)) throw error;
    yield error.paragraph;
  }
}

const sorted = (attributes: object) => Object.entries(attributes).sort(([a], [b]) => a < b ? -1 : 1);
