// From the arrays of an npz file to the tensors of an image, and the other way for the expected outputs.
// By order: the n-th array is the n-th tensor; names carry no meaning, arrays beyond the last tensor are dumps of
// initialisers and are passed over (onnx-integer-dialect.md, section 1).

import { AttoflowError } from "../../targets/errors.ts";
import type { ManifestTensor } from "../../targets/manifest.ts";
import { displayName } from "../host/names.ts";
import { countElements, type Elements, firstOutOfRange, newElements, positionOf } from "../host/tensors.ts";
import type { NpyArray } from "./npz.ts";

/** The inferences that a file holds. */
export interface MatchedInputs {
  /** One entry an inference, each with the elements of every input in the order of the tensors. */
  readonly inferences: readonly (readonly Elements[])[];
  /** What a person should know: values that had to be rounded. */
  readonly notes: readonly string[];
}

/**
 * Cuts the arrays of a file into inferences. An array with k times the elements of its tensor holds k inferences.
 *
 * @param arrays as `readNpz` gives them
 * @param tensors inputs of the image
 * @param where name of the file, for errors
 * @throws {AttoflowError} if arrays are missing, have a wrong number of elements, or values that the image cannot take
 */
export function matchInputs(
  arrays: ReadonlyMap<string, NpyArray>,
  tensors: readonly ManifestTensor[],
  where: string,
): MatchedInputs {
  const pairs = pair(arrays, tensors, "input", where);
  const count = commonCount(pairs, where);
  const notes: string[] = [];
  const whole = pairs.map((match) => {
    const { data, rounded } = convert(match, where);
    if (rounded > 0) {
      notes.push(
        `${rounded} of ${data.length} elements of array ${match.name} are no integers and were rounded`,
      );
    }
    const bad = firstOutOfRange(match.tensor, data);
    if (bad >= 0) throw outOfRange(match, data, bad, where);
    return data;
  });
  const inferences = Array.from(
    { length: count },
    (_, i) => pairs.map(({ size }, input) => whole[input].slice(i * size, (i + 1) * size)),
  );
  return { inferences, notes };
}

/**
 * Cuts the arrays of a file with expected outputs into inferences. Values stay as they are in the file, rounded
 * where the output is an integer: an expected value that the output cannot take is a mismatch, not an error.
 *
 * @param count inferences that the inputs hold
 * @throws {AttoflowError} if arrays are missing or hold another number of inferences
 */
export function matchOutputs(
  arrays: ReadonlyMap<string, NpyArray>,
  tensors: readonly ManifestTensor[],
  count: number,
  where: string,
): readonly (readonly Float64Array[])[] {
  const pairs = pair(arrays, tensors, "output", where);
  for (const { name, array, tensor, size } of pairs) {
    if (array.data.length !== count * size) {
      throw new AttoflowError(
        `array ${name} of shape [${array.shape}] has ${array.data.length} elements; ` +
          `output ${
            displayName(tensor.name)
          } of shape [${tensor.shape}] wants ${size} for each of ${count} inferences`,
        { where, hint: "The file must hold the outputs for exactly the inferences in --inputs." },
      );
    }
  }
  return Array.from({ length: count }, (_, i) =>
    pairs.map(({ array, tensor, size }) => {
      const part = Float64Array.from(array.data.subarray(i * size, (i + 1) * size));
      return tensor.dtype === "float32" ? part.map(Math.fround) : part.map(Math.round);
    }));
}

interface Match {
  readonly name: string;
  readonly array: NpyArray;
  readonly tensor: ManifestTensor;
  /** Elements of one inference. */
  readonly size: number;
}

function pair(
  arrays: ReadonlyMap<string, NpyArray>,
  tensors: readonly ManifestTensor[],
  what: "input" | "output",
  where: string,
): Match[] {
  const entries = [...arrays];
  if (entries.length < tensors.length) {
    const missing = tensors[entries.length];
    throw new AttoflowError(
      `there are ${entries.length} arrays${listing(entries)}, the network has ${tensors.length} ${what}s; ` +
        `the first without an array is ${displayName(missing.name)} of shape [${missing.shape}]`,
      { where, hint: `The n-th array of the file is the n-th ${what}; its name does not matter.` },
    );
  }
  return tensors.map((tensor, i) => {
    const [name, array] = entries[i];
    return { name: displayName(name), array, tensor, size: countElements(tensor.shape) };
  });
}

/** Number of inferences that all arrays agree on. */
function commonCount(pairs: readonly Match[], where: string): number {
  let count: number | undefined;
  for (const match of pairs) {
    const { name, array, tensor, size } = match;
    const length = array.data.length;
    if (size === 0 && length === 0) continue;
    const wrong = (wanted: string) =>
      new AttoflowError(
        `array ${name} of shape [${array.shape}] has ${length} elements; input ${displayName(tensor.name)} ` +
          `of shape [${tensor.shape}] wants ${wanted}`,
        {
          where,
          hint: "The n-th array is the n-th input; for k inferences each array has k times the elements.",
        },
      );
    if (size === 0) throw wrong("none");
    if (length === 0 || length % size !== 0) throw wrong(`${size} or a multiple of it`);
    count ??= length / size;
    if (length !== count * size) {
      throw wrong(`${count * size}, for the ${count} inferences of the arrays before`);
    }
  }
  return count ?? 1;
}

function convert({ name, array, tensor }: Match, where: string): { data: Elements; rounded: number } {
  const data = newElements(tensor.dtype, array.data.length);
  if (tensor.dtype === "float32") {
    data.set(array.data);
    return { data, rounded: 0 };
  }
  let rounded = 0;
  for (let i = 0; i < data.length; i++) {
    const value = Math.round(array.data[i]);
    if (value !== array.data[i]) rounded++;
    data[i] = value;
    // What does not survive the typed array lies outside the dtype; NaN does not survive either.
    if (data[i] !== value) throw outOfRange({ name, array, tensor }, array.data, i, where);
  }
  return { data, rounded };
}

function outOfRange(
  { name, array, tensor }: Pick<Match, "name" | "array" | "tensor">,
  data: ArrayLike<number>,
  index: number,
  where: string,
): AttoflowError {
  return new AttoflowError(
    `element [${positionOf(index, array.shape)}] of array ${name} is ${data[index]}; the image is made for ` +
      `${tensor.dtype} values from ${tensor.range.min} to ${tensor.range.max} in input ${
        displayName(tensor.name)
      }`,
    {
      where,
      hint: "Generate the image again with --inputs of this file, or with a wider --input-type NAME=DTYPE.",
    },
  );
}

function listing(entries: readonly [string, NpyArray][]): string {
  if (entries.length === 0) return "";
  const shown = entries.slice(0, 4).map(([name, array]) => `${displayName(name)} [${array.shape}]`);
  return ` (${shown.join(", ")}${entries.length > 4 ? ", …" : ""})`;
}
