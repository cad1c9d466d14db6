// Constants of an ONNX file: initializers and tensor attributes, decoded to numbers whatever way they are stored.

import { AttoflowError } from "../../targets/errors.ts";
import { elementCount } from "../model/types.ts";
import { shapeText } from "../operators/shapes.ts";
import type { OnnxTensor } from "./protobuf.ts";

/** A constant as the file has it. Element types do not say much in the dialect, so all are plain numbers. */
export interface Constant {
  readonly shape: readonly number[];
  readonly values: Float64Array;
  /** Whether the file stores the elements as floating point; they may be integers all the same. */
  readonly floating: boolean;
}

/** An element type of ONNX: its name, bytes in `raw_data`, how one is read there, and its typed field. */
interface ElementType {
  readonly name: string;
  readonly bytes: number;
  readonly read: (view: DataView, offset: number) => number;
  readonly field: "float_data" | "double_data" | "int32_data" | "int64_data" | "uint64_data";
  readonly floating?: boolean;
  /** Turns an element of the typed field into its value, where that is not the element itself. */
  readonly fromField?: (element: number) => number;
}

/** Element types by their number in the ONNX schema (TensorProto.DataType). */
export const elementTypes: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [1, {
    name: "FLOAT",
    bytes: 4,
    read: (v, i) => v.getFloat32(i, true),
    field: "float_data",
    floating: true,
  }],
  [2, { name: "UINT8", bytes: 1, read: (v, i) => v.getUint8(i), field: "int32_data" }],
  [3, { name: "INT8", bytes: 1, read: (v, i) => v.getInt8(i), field: "int32_data" }],
  [4, { name: "UINT16", bytes: 2, read: (v, i) => v.getUint16(i, true), field: "int32_data" }],
  [5, { name: "INT16", bytes: 2, read: (v, i) => v.getInt16(i, true), field: "int32_data" }],
  [6, { name: "INT32", bytes: 4, read: (v, i) => v.getInt32(i, true), field: "int32_data" }],
  [7, { name: "INT64", bytes: 8, read: (v, i) => Number(v.getBigInt64(i, true)), field: "int64_data" }],
  [9, { name: "BOOL", bytes: 1, read: (v, i) => v.getUint8(i), field: "int32_data" }],
  [10, {
    name: "FLOAT16",
    bytes: 2,
    read: (v, i) => halfToNumber(v.getUint16(i, true)),
    field: "int32_data",
    floating: true,
    fromField: halfToNumber,
  }],
  [11, {
    name: "DOUBLE",
    bytes: 8,
    read: (v, i) => v.getFloat64(i, true),
    field: "double_data",
    floating: true,
  }],
  [12, { name: "UINT32", bytes: 4, read: (v, i) => v.getUint32(i, true), field: "uint64_data" }],
  [13, { name: "UINT64", bytes: 8, read: (v, i) => Number(v.getBigUint64(i, true)), field: "uint64_data" }],
]);

/** Name of an element type in messages. */
export function elementTypeName(type: number): string {
  return elementTypes.get(type)?.name ?? `number ${type}`;
}

/** Value of an IEEE 754 half-precision number. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Most elements of a tensor: more would not fit the address space of a 32-bit SoC at four bytes each. */
export const mostElements = 2 ** 30;

/** Most dimensions of a tensor. */
export const mostDimensions = 8;

/** Checks a shape that came from a file. Throws {@link AttoflowError}. */
export function checkShape(shape: readonly number[], where: string): void {
  if (shape.length > mostDimensions) {
    throw new AttoflowError(`it has ${shape.length} dimensions; at most ${mostDimensions} are supported`, {
      where,
    });
  }
  if (shape.some((dimension) => !Number.isSafeInteger(dimension) || dimension < 0)) {
    throw new AttoflowError(`its shape ${shapeText(shape)} is impossible`, { where });
  }
  // Dimensions are multiplied without those of size 0, which would hide the others.
  if (elementCount(shape.filter((dimension) => dimension > 0)) > mostElements) {
    throw new AttoflowError(`its shape ${shapeText(shape)} is larger than a 32-bit machine's memory`, {
      where,
    });
  }
}

/**
 * Decodes a tensor of the file.
 *
 * @param where how messages name it
 * @throws {AttoflowError} if it is stored elsewhere, of an unsupported type, or not as long as its shape says
 */
export function decodeTensor(tensor: OnnxTensor, where: string): Constant {
  if (tensor.data_location !== 0) {
    throw new AttoflowError("its data lies in another file", {
      where,
      hint: "Save the model in one file (onnx.save(model, path, save_as_external_data=False)).",
    });
  }
  const type = elementTypes.get(tensor.data_type);
  if (!type) {
    throw new AttoflowError(`its element type (${elementTypeName(tensor.data_type)}) is not supported`, {
      where,
    });
  }
  const shape = tensor.dims;
  checkShape(shape, where);
  const count = elementCount(shape);
  const raw = tensor.raw_data;
  const mismatch = (held: string) =>
    new AttoflowError(`its shape ${shapeText(shape)} says ${count} elements, but it holds ${held}`, {
      where,
    });
  if (raw.length > 0) {
    if (raw.length !== count * type.bytes) throw mismatch(`${raw.length} bytes of ${type.name}`);
    return { shape, values: rawValues(raw, type, count), floating: type.floating ?? false };
  }
  const values = fieldValues(tensor, type);
  if (values.length !== count) throw mismatch(`${values.length}`);
  return { shape, values, floating: type.floating ?? false };
}

function rawValues(raw: Uint8Array, type: ElementType, count: number): Float64Array {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = type.read(view, i * type.bytes);
  return values;
}

function fieldValues(tensor: OnnxTensor, { field, fromField }: ElementType): Float64Array {
  const elements = Float64Array.from(tensor[field]);
  return fromField ? elements.map(fromField) : elements;
}
