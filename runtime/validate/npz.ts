// Reads and writes NumPy's .npz files: a zip archive (fflate) of .npy arrays.
// Test inputs and expected outputs of networks come in these files; only arrays of numbers are understood.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

import { crc32 } from "node:zlib";
import { unzipSync, zipSync } from "fflate";
import { AttoflowError } from "../../targets/errors.ts";

/** Element types that are read, by NumPy's names without byte order. */
export type NpyDType = "b1" | "i1" | "u1" | "i2" | "u2" | "i4" | "u4" | "i8" | "u8" | "f2" | "f4" | "f8";

/** Elements as numbers. 64-bit integers come as Float64Array (exact up to 2^53), f2 as Float32Array. */
export type NpyData =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** One array of an npz file. */
export interface NpyArray {
  /** Type in the file; `data` may be wider. */
  readonly dtype: NpyDType;
  /** [] for a scalar; a dimension may be 0. */
  readonly shape: readonly number[];
  /** Row-major elements, whatever the order in the file. */
  readonly data: NpyData;
}

/** No array of a test is anywhere near this; beyond it a header lies or the file is a bomb. */
const maxBytes = 2 ** 31;

/**
 * Reads all arrays of an npz file.
 *
 * @param bytes content of the file
 * @param where name of the file, for errors
 * @returns arrays by name (without `.npy`), in the order of the file
 * @throws {AttoflowError} if the archive or an array in it is damaged or of a kind that is not understood
 *
 * @example
 * ```ts
 * import { readNpz, writeNpz } from "./npz.ts";
 * import assert from "node:assert/strict";
 *
 * const file = writeNpz(new Map([["x", { shape: [2, 2], data: Int8Array.of(1, 2, 3, -4) }]]));
 * assert.deepEqual([...readNpz(file).get("x")!.data], [1, 2, 3, -4]);
 * ```
 */
export function readNpz(bytes: Uint8Array, where = "npz file"): Map<string, NpyArray> {
  const fail = (what: string, cause?: unknown): never => {
    throw new AttoflowError(what, {
      where,
      hint: "The file must be what numpy.savez or numpy.savez_compressed writes, of plain numbers.",
      cause,
    });
  };
  const checksums = readDirectory(bytes) ?? fail("this is no npz file, or its end is missing");
  let total = 0;
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes, {
      filter: (entry) => {
        if (!entry.name.endsWith(".npy")) return false;
        total += entry.originalSize;
        if (total > maxBytes) throw new Error(`its arrays claim to hold ${total} bytes`);
        return true;
      },
    });
  } catch (cause) {
    return fail(`the archive is damaged: ${(cause as Error).message}`, cause);
  }
  const arrays = new Map<string, NpyArray>();
  for (const [entry, content] of Object.entries(entries)) {
    if (crc32(content) !== checksums.get(entry)) fail(`array ${entry} is damaged (wrong checksum)`);
    const parsed = readNpy(content);
    if (typeof parsed === "string") fail(`array ${entry}: ${parsed}`);
    else arrays.set(entry.slice(0, -".npy".length), parsed);
  }
  return arrays;
}

/**
 * Makes an npz file. The result depends on the arrays only (the archive carries no time).
 *
 * @param arrays arrays by name; elements row major, stored in the dtype of the typed array
 * @throws {AttoflowError} if the number of elements does not fit the shape
 */
export function writeNpz(
  arrays: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: NpyData }>,
): Uint8Array {
  const entries = Object.fromEntries(
    [...arrays].map(([name, array]) => [`${name}.npy`, writeNpy(name, array.shape, array.data)]),
  );
  return zipSync(entries, { mtime: new Date(1980, 0, 1), level: 6 });
}

/** CRC-32 of each entry from the archive's central directory, which fflate does not check. */
function readDirectory(bytes: Uint8Array): Map<string, number> | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // End-of-directory record: 22 bytes and a comment of up to 65535.
  let end = bytes.length - 22;
  while (end >= 0 && end >= bytes.length - 22 - 0xffff && view.getUint32(end, true) !== 0x0605_4b50) end--;
  if (end < 0 || view.getUint32(end, true) !== 0x0605_4b50) return undefined;
  const checksums = new Map<string, number>();
  const text = new TextDecoder();
  let at = view.getUint32(end + 16, true);
  for (let i = view.getUint16(end + 10, true); i > 0; i--) {
    if (at + 46 > end || view.getUint32(at, true) !== 0x0201_4b50) return undefined;
    const nameBytes = view.getUint16(at + 28, true);
    const name = text.decode(bytes.subarray(at + 46, at + 46 + nameBytes));
    checksums.set(name, view.getUint32(at + 16, true));
    at += 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return checksums;
}

interface Element {
  readonly bytes: number;
  /** Array of `length` elements that holds every value of the type. */
  make(length: number): NpyData;
  get(view: DataView, offset: number, little: boolean): number;
}

const elements: Readonly<Record<NpyDType, Element>> = {
  b1: { bytes: 1, make: (n) => new Uint8Array(n), get: (v, at) => v.getUint8(at) },
  i1: { bytes: 1, make: (n) => new Int8Array(n), get: (v, at) => v.getInt8(at) },
  u1: { bytes: 1, make: (n) => new Uint8Array(n), get: (v, at) => v.getUint8(at) },
  i2: { bytes: 2, make: (n) => new Int16Array(n), get: (v, at, little) => v.getInt16(at, little) },
  u2: { bytes: 2, make: (n) => new Uint16Array(n), get: (v, at, little) => v.getUint16(at, little) },
  i4: { bytes: 4, make: (n) => new Int32Array(n), get: (v, at, little) => v.getInt32(at, little) },
  u4: { bytes: 4, make: (n) => new Uint32Array(n), get: (v, at, little) => v.getUint32(at, little) },
  i8: {
    bytes: 8,
    make: (n) => new Float64Array(n),
    get: (v, at, little) => Number(v.getBigInt64(at, little)),
  },
  u8: {
    bytes: 8,
    make: (n) => new Float64Array(n),
    get: (v, at, little) => Number(v.getBigUint64(at, little)),
  },
  f2: { bytes: 2, make: (n) => new Float32Array(n), get: (v, at, little) => v.getFloat16(at, little) },
  f4: { bytes: 4, make: (n) => new Float32Array(n), get: (v, at, little) => v.getFloat32(at, little) },
  f8: { bytes: 8, make: (n) => new Float64Array(n), get: (v, at, little) => v.getFloat64(at, little) },
};

/** Parses one .npy file; a string says what is wrong with it. */
function readNpy(bytes: Uint8Array): NpyArray | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(0, 6)) !== "\x93NUMPY") {
    return "it does not begin like a .npy array";
  }
  const version = bytes[6];
  if (version < 1 || version > 3) return `.npy version ${version} is unknown`;
  const headerStart = version === 1 ? 10 : 12;
  const headerBytes = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataStart = headerStart + headerBytes;
  if (dataStart > bytes.length) return "its header is cut off";
  const header = new TextDecoder().decode(bytes.subarray(headerStart, dataStart));

  // The header is a Python dict literal with exactly these three keys.
  const descr = /'descr'\s*:\s*'([<>|=])([biuf])(\d+)'/.exec(header);
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const dimensions = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)?.[1];
  if (!descr || !((descr[2] + descr[3]) in elements)) {
    const found = /'descr'\s*:\s*('[^']*'|\[)/.exec(header)?.[1] ?? "none";
    return `its dtype (${found === "[" ? "a structure" : found}) is not a plain number of 1, 2, 4 or 8 bytes`;
  }
  if (fortran === undefined || dimensions === undefined) return "its header cannot be understood";
  const dtype = (descr[2] + descr[3]) as NpyDType;
  const shape = dimensions.split(",").map((text) => text.replace("L", "").trim()).filter((text) =>
    text !== ""
  )
    .map(Number);
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  const element = elements[dtype];
  if (dataStart + count * element.bytes !== bytes.length) {
    return `its shape [${shape}] wants ${count * element.bytes} bytes of data, it has ${
      bytes.length - dataStart
    }`;
  }

  const data = element.make(count);
  const little = descr[1] !== ">";
  if (fortran === "False" || shape.length < 2) {
    for (let i = 0; i < count; i++) data[i] = element.get(view, dataStart + i * element.bytes, little);
  } else {
    forEachInColumnOrder(shape, (fileIndex, index) => {
      data[index] = element.get(view, dataStart + fileIndex * element.bytes, little);
    });
  }
  return { dtype, shape, data };
}

/** Visits all elements with the first axis running fastest; gives running number and row-major index. */
function forEachInColumnOrder(shape: readonly number[], visit: (running: number, index: number) => void) {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const count = shape.reduce((a, b) => a * b, 1);
  const position = shape.map(() => 0);
  let index = 0;
  for (let running = 0; running < count; running++) {
    visit(running, index);
    for (let axis = 0; axis < shape.length; axis++) {
      index += strides[axis];
      if (++position[axis] < shape[axis]) break;
      index -= strides[axis] * shape[axis];
      position[axis] = 0;
    }
  }
}

function writeNpy(name: string, shape: readonly number[], data: NpyData): Uint8Array {
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  if (count !== data.length) {
    throw new AttoflowError(
      `array ${name} of shape [${shape}] wants ${count} elements, ${data.length} are given`,
    );
  }
  const kind = data instanceof Float32Array || data instanceof Float64Array
    ? "f"
    : data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Uint32Array
    ? "u"
    : "i";
  const dtype = `${kind}${data.BYTES_PER_ELEMENT}` as NpyDType;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const order = data.BYTES_PER_ELEMENT === 1 ? "|" : "<";
  const text = `{'descr': '${order}${dtype}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // Header is padded with spaces so that the data starts at a multiple of 64 bytes.
  const padded = text + " ".repeat(63 - (10 + text.length) % 64) + "\n";
  const file = new Uint8Array(10 + padded.length + data.byteLength);
  const view = new DataView(file.buffer);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  view.setUint16(8, padded.length, true);
  file.set(new TextEncoder().encode(padded), 10);
  const start = 10 + padded.length;
  const write = {
    i1: (at: number, value: number) => view.setInt8(at, value),
    u1: (at: number, value: number) => view.setUint8(at, value),
    i2: (at: number, value: number) => view.setInt16(at, value, true),
    u2: (at: number, value: number) => view.setUint16(at, value, true),
    i4: (at: number, value: number) => view.setInt32(at, value, true),
    u4: (at: number, value: number) => view.setUint32(at, value, true),
    f4: (at: number, value: number) => view.setFloat32(at, value, true),
    f8: (at: number, value: number) => view.setFloat64(at, value, true),
  }[dtype as "i1" | "u1" | "i2" | "u2" | "i4" | "u4" | "f4" | "f8"];
  data.forEach((value, i) => write(start + i * data.BYTES_PER_ELEMENT, value));
  return file;
}
