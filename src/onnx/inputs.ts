// What the graph's inputs are: the dialect calls them FLOAT whatever they hold, so evidence is weighed here.

import { type DType, integerLimits, type Tensor } from "../model/types.ts";
import { anyFloat, integerType } from "../operators/ranges.ts";
import { elementTypeName } from "./constant.ts";
import type { SourceInput } from "./graph.ts";

/** What an input's dtype was decided by. */
export type InputEvidence = "pattern" | "option" | "file" | "assumed";

/** What is known of a graph input, and why. */
export interface InputHint {
  readonly name: string;
  readonly shape: readonly number[];
  /** Element type in the file, such as FLOAT. */
  readonly fileType: string;
  readonly dtype: DType;
  readonly evidence: InputEvidence;
  /** The evidence in one line. */
  readonly reason: string;
}

/** ONNX's floating-point element types: FLOAT, FLOAT16, DOUBLE. */
const floatTypes: ReadonlySet<number> = new Set([1, 10, 11]);

/** Values of ONNX's integer element types that are narrower than int32, by number. */
const fileRanges: ReadonlyMap<number, { min: number; max: number }> = new Map([
  [2, integerLimits.uint8],
  [3, integerLimits.int8],
  [4, { min: 0, max: 65535 }],
  [5, { min: -32768, max: 32767 }],
  [9, { min: 0, max: 1 }],
]);

/**
 * Decides the type of a graph input.
 *
 * @param option dtype that the caller says it has
 * @param feedsQuant whether it reaches a Quant pattern unchanged
 */
export function resolveInput(
  input: SourceInput,
  option: DType | undefined,
  feedsQuant: boolean,
): { tensor: Tensor; hint: InputHint } {
  const { name, shape, elementType } = input;
  const fileType = elementTypeName(elementType);
  const decided = (type: Omit<Tensor, "name">, evidence: InputEvidence, reason: string) => ({
    tensor: { name, ...type },
    hint: { name, shape, fileType, dtype: type.dtype, evidence, reason },
  });
  const float = { dtype: "float32", shape, range: anyFloat } as const;
  const integer = (dtype: "int8" | "uint8" | "int32") => ({ dtype, shape, range: integerLimits[dtype] });

  if (floatTypes.has(elementType) && feedsQuant) {
    return decided(float, "pattern", "float32: the network itself quantises it");
  }
  if (option) {
    const type = option === "float32" ? float : integer(option);
    return decided(type, "option", `${option}: so given by the caller`);
  }
  if (!floatTypes.has(elementType)) {
    const type = integerType(shape, fileRanges.get(elementType) ?? integerLimits.int32);
    return decided(type, "file", `${type.dtype}: the file says ${fileType}`);
  }
  return decided(
    integer("int32"),
    "assumed",
    `int32: the file says ${fileType}, which the dialect uses for integers`,
  );
}
