// The ONNX file format: bytes to plain values and back, by protobufjs and the schema in onnx.proto.
// What comes out has the right types but says anything: names, sizes and references are checked by graph.ts.

import protobuf from "protobufjs";
import { AttoflowError } from "../../targets/errors.ts";
import schema from "./onnx.proto" with { type: "text" };

/** An ONNX model, as far as Attoflow reads it. Names are those of the ONNX schema. */
export interface OnnxModel {
  readonly ir_version: number;
  readonly producer_name: string;
  readonly producer_version: string;
  readonly graph: OnnxGraph | null;
  readonly opset_import: readonly { readonly domain: string; readonly version: number }[];
}

export interface OnnxGraph {
  readonly node: readonly OnnxNode[];
  readonly name: string;
  readonly initializer: readonly OnnxTensor[];
  readonly input: readonly OnnxValue[];
  readonly output: readonly OnnxValue[];
}

export interface OnnxNode {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly op_type: string;
  readonly attribute: readonly OnnxAttribute[];
  readonly domain: string;
}

export interface OnnxAttribute {
  readonly name: string;
  readonly f: number;
  readonly i: number;
  readonly s: Uint8Array;
  readonly t: OnnxTensor | null;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly type: number;
}

export interface OnnxTensor {
  readonly dims: readonly number[];
  readonly data_type: number;
  readonly float_data: readonly number[];
  readonly int32_data: readonly number[];
  readonly int64_data: readonly number[];
  readonly name: string;
  readonly raw_data: Uint8Array;
  readonly double_data: readonly number[];
  readonly uint64_data: readonly number[];
  readonly data_location: number;
}

export interface OnnxValue {
  readonly name: string;
  readonly type: {
    readonly tensor_type: {
      readonly elem_type: number;
      readonly shape: { readonly dim: readonly OnnxDimension[] } | null;
    } | null;
  } | null;
}

/** A dimension: a number, a name, or neither. */
export interface OnnxDimension {
  readonly dim_value?: number;
  readonly dim_param?: string;
}

const modelType = protobuf.parse(schema, { keepCase: true }).root.lookupType("onnx.ModelProto");

/**
 * Decodes an ONNX file.
 *
 * @throws {AttoflowError} if the bytes are no protobuf message of that kind
 */
export function decodeOnnx(bytes: Uint8Array): OnnxModel & { readonly graph: OnnxGraph } {
  let model: OnnxModel;
  try {
    // int64 values above 2^53 lose their low bits; only the "to the end" of a Slice is that large.
    model = modelType.toObject(modelType.decode(bytes), {
      longs: Number,
      arrays: true,
      defaults: true,
    }) as OnnxModel;
  } catch (cause) {
    throw notOnnx((cause as Error).message, cause);
  }
  if (!model.graph) throw notOnnx("it holds no graph");
  // Obligatory since IR version 3, and behind the graph in the file: where it lacks, the end was cut off.
  if (model.ir_version >= 3 && model.opset_import.length === 0) throw notOnnx("it names no operator set");
  return { ...model, graph: model.graph };
}

function notOnnx(why: string, cause?: unknown): AttoflowError {
  return new AttoflowError(`this is not a whole ONNX file: ${why}`, {
    hint: "Export the model again, or copy the file again if it was cut short.",
    cause,
  });
}

/** Encodes a model. Scalars that are absent are left out, as protobuf does with defaults. */
export function encodeOnnx(model: unknown): Uint8Array {
  return modelType.encode(modelType.fromObject(model as Record<string, unknown>)).finish();
}
