// What a network means: tensors, nodes, model. Plain values, no behaviour.
// Everything after the importer speaks of these; nothing here knows of ONNX, of C or of a machine.

/** Storage type of a tensor's elements. Integer tensors take the smallest that holds their value range. */
export type DType = "int8" | "uint8" | "int32" | "float32";

/** Elements of a tensor, row major, in the typed array that its dtype names. */
export type TensorData = Int8Array | Uint8Array | Int32Array | Float32Array;

/** Closed interval of the values that a tensor's elements can take. For float32 it is [-Infinity, Infinity]. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** A named value in a {@link Model}: a graph input, a constant, or the output of exactly one node. */
export interface Tensor {
  /** Unique in its model. Any string: it comes from the model file and may hold anything. */
  readonly name: string;
  readonly dtype: DType;
  /** Row-major dimensions; [] is a scalar; a dimension may be 0. */
  readonly shape: readonly number[];
  /** Values that the elements can take, for every possible input. Kernels choose their width by it. */
  readonly range: Range;
  /** Present if and only if the tensor is constant. */
  readonly data?: TensorData;
}

/** One application of an operator. */
export interface Node {
  /** Unique in its model; from the file where it has one, else made from the operator and an index. */
  readonly name: string;
  /** Name of a registered operator (see `src/operators`), such as `MatMul` or `RequantShift`. */
  readonly operator: string;
  /** Attributes, already parsed by the operator's zod schema: plain numbers, arrays and strings. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Names of tensors; "" where an optional input is absent. */
  readonly inputs: readonly string[];
  /** Names of tensors; "" where an optional output is absent. */
  readonly outputs: readonly string[];
}

/** A network: tensors by name, nodes in an order in which each follows what it reads. */
export interface Model {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly nodes: readonly Node[];
}

/** Bytes of one element. */
export const bytesPerElement: Readonly<Record<DType, number>> = { int8: 1, uint8: 1, int32: 4, float32: 4 };

/** Values that an integer dtype can hold. */
export const integerLimits: Readonly<Record<"int8" | "uint8" | "int32", Range>> = {
  int8: { min: -128, max: 127 },
  uint8: { min: 0, max: 255 },
  int32: { min: -(2 ** 31), max: 2 ** 31 - 1 },
};

/** Number of elements of a shape; 1 for a scalar, 0 if any dimension is 0. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Bytes that a tensor takes when stored densely. */
export function byteLength(tensor: Pick<Tensor, "dtype" | "shape">): number {
  return elementCount(tensor.shape) * bytesPerElement[tensor.dtype];
}
