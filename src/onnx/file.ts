// Writes ONNX files: a small builder over the protobuf schema. Export uses it, and tests that want odd files do.

import { elementTypes } from "./constant.ts";
import { attributeTypes } from "./attributes.ts";
import { encodeOnnx } from "./protobuf.ts";

/** Element types that can be written. */
export type FileType = "FLOAT" | "DOUBLE" | "INT8" | "UINT8" | "INT16" | "INT32" | "INT64" | "BOOL";

/** A tensor to be written. */
export interface FileTensor {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
  /** FLOAT if absent, as the dialect has it. */
  readonly type?: FileType;
}

/** An attribute: an integer or a list of them, text, floating-point numbers, or a tensor. */
export type FileAttribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | FileTensor;

/** An ONNX file under construction. Nothing is checked: what is wrong goes into the file as it is. */
export class OnnxFile {
  readonly #graph = {
    name: "",
    node: [] as unknown[],
    initializer: [] as unknown[],
    input: [] as unknown[],
    output: [] as unknown[],
  };
  readonly #opset: number;

  /** @param opset version of the default operator set; 13 has axes of Squeeze and ReduceSum as inputs */
  constructor(name: string, opset = 13) {
    this.#graph.name = name;
    this.#opset = opset;
  }

  /** Adds a graph input. A dimension that is text is dynamic. Returns the name. */
  input(name: string, shape: readonly (number | string)[], type: FileType = "FLOAT"): string {
    this.#graph.input.push(value(name, shape, type));
    return name;
  }

  /** Adds a graph output. */
  output(name: string, shape: readonly (number | string)[], type: FileType = "FLOAT"): void {
    this.#graph.output.push(value(name, shape, type));
  }

  /** Adds an initializer. Returns the name. */
  constant(name: string, tensor: FileTensor): string {
    this.#graph.initializer.push({ name, ...encodeTensor(tensor) });
    return name;
  }

  /** Adds a node. Returns the name of its first output, which is made of the node's where none is given. */
  node(
    operator: string,
    name: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, FileAttribute>> = {},
    { outputs = [`${name}_output`], domain = "" }: { outputs?: readonly string[]; domain?: string } = {},
  ): string {
    this.#graph.node.push({
      name,
      op_type: operator,
      domain,
      input: inputs,
      output: outputs,
      attribute: Object.entries(attributes).map(([key, attribute]) => encodeAttribute(key, attribute)),
    });
    return outputs[0];
  }

  /** The file. */
  bytes(): Uint8Array {
    return encodeOnnx({
      ir_version: 8,
      producer_name: "attoflow",
      opset_import: [{ domain: "", version: this.#opset }],
      graph: this.#graph,
    });
  }
}

function typeNumber(name: FileType): number {
  for (const [number, type] of elementTypes) if (type.name === name) return number;
  throw new TypeError(`no element type ${name}`);
}

function value(name: string, shape: readonly (number | string)[], type: FileType) {
  const dim = shape.map((d) => typeof d === "string" ? { dim_param: d } : { dim_value: d });
  return { name, type: { tensor_type: { elem_type: typeNumber(type), shape: { dim } } } };
}

/** How the element types are written to `raw_data`. */
const writers: Readonly<Record<FileType, (view: DataView, offset: number, value: number) => void>> = {
  FLOAT: (view, offset, value) => view.setFloat32(offset, value, true),
  DOUBLE: (view, offset, value) => view.setFloat64(offset, value, true),
  INT8: (view, offset, value) => view.setInt8(offset, value),
  UINT8: (view, offset, value) => view.setUint8(offset, value),
  INT16: (view, offset, value) => view.setInt16(offset, value, true),
  INT32: (view, offset, value) => view.setInt32(offset, value, true),
  INT64: (view, offset, value) => view.setBigInt64(offset, BigInt(value), true),
  BOOL: (view, offset, value) => view.setUint8(offset, value),
};

function encodeTensor({ shape, values, type = "FLOAT" }: FileTensor) {
  const number = typeNumber(type);
  const { bytes } = elementTypes.get(number)!;
  const raw = new Uint8Array(values.length * bytes);
  const view = new DataView(raw.buffer);
  for (let i = 0; i < values.length; i++) writers[type](view, i * bytes, values[i]);
  return { dims: shape, data_type: number, raw_data: raw };
}

function encodeAttribute(name: string, attribute: FileAttribute) {
  if (typeof attribute === "number") return { name, type: attributeTypes.int, i: attribute };
  if (typeof attribute === "string") {
    return { name, type: attributeTypes.string, s: new TextEncoder().encode(attribute) };
  }
  if ("float" in attribute) return { name, type: attributeTypes.float, f: attribute.float };
  if ("floats" in attribute) return { name, type: attributeTypes.floats, floats: attribute.floats };
  if ("values" in attribute && "shape" in attribute) {
    return { name, type: attributeTypes.tensor, t: encodeTensor(attribute) };
  }
  return { name, type: attributeTypes.ints, ints: attribute };
}
