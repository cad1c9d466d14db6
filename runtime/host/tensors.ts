// Elements as the host handles them, and as they lie in the SoC's memory (little endian, dense, row major).

import type { ManifestTensor } from "../../targets/manifest.ts";

/** Elements of a tensor in the typed array that its dtype names. */
export type Elements = Int8Array | Uint8Array | Int32Array | Float32Array;

/** Storage types that an image knows. */
export type ElementType = ManifestTensor["dtype"];

/** A tensor that came out of the machine. */
export interface ResultTensor {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  readonly data: Elements;
}

const arrays = { int8: Int8Array, uint8: Uint8Array, int32: Int32Array, float32: Float32Array } as const;

/** A new array of `length` zeros of a dtype. */
export function newElements(dtype: ElementType, length: number): Elements {
  return new arrays[dtype](length);
}

/** Name of the dtype whose typed array this is; undefined for any other array. */
export function elementTypeOf(data: ArrayLike<number>): ElementType | undefined {
  return (Object.keys(arrays) as ElementType[]).find((dtype) => data instanceof arrays[dtype]);
}

/** Elements from little-endian bytes; `bytes.length` must be a multiple of the element's size. */
export function elementsFromBytes(dtype: ElementType, bytes: Uint8Array): Elements {
  const copy = bytes.slice().buffer;
  if (dtype === "int8" || dtype === "uint8") return new arrays[dtype](copy);
  const view = new DataView(copy);
  return dtype === "int32"
    ? Int32Array.from({ length: bytes.length / 4 }, (_, i) => view.getInt32(4 * i, true))
    : Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** Little-endian bytes of elements. */
export function bytesFromElements(data: Elements): Uint8Array {
  const bytes = new Uint8Array(data.byteLength);
  if (data.BYTES_PER_ELEMENT === 1) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  } else {
    const view = new DataView(bytes.buffer);
    if (data instanceof Float32Array) data.forEach((value, i) => view.setFloat32(4 * i, value, true));
    else data.forEach((value, i) => view.setInt32(4 * i, value, true));
  }
  return bytes;
}

/** Number of elements of a shape; 1 for a scalar. */
export function countElements(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Position of the `index`-th element of a row-major tensor, one number an axis. */
export function positionOf(index: number, shape: readonly number[]): number[] {
  const position = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    position[axis] = index % shape[axis];
    index = Math.floor(index / shape[axis]);
  }
  return position;
}

/** Index of the first element outside the range that the image was made for, or -1. */
export function firstOutOfRange(tensor: ManifestTensor, data: ArrayLike<number>): number {
  if (tensor.dtype === "float32") return -1;
  const min = tensor.range.min ?? -Infinity;
  const max = tensor.range.max ?? Infinity;
  for (let i = 0; i < data.length; i++) if (!(data[i] >= min && data[i] <= max)) return i;
  return -1;
}
