// Chooses the element types of a model's inputs. Files of the dialect call every input FLOAT although most are
// integers; sample inputs tell more. What is chosen is always printed.

import { dirname, join } from "node:path";
import { readNpz } from "../../runtime/validate/npz.ts";
import { printName } from "../model/print.ts";
import { type DType, integerLimits } from "../model/types.ts";
import { type ImportOptions, inspectModel } from "../onnx/import.ts";
import { fileExists, readFile } from "./files.ts";

/** Types of the inputs that are not left to the importer. */
export type InputTypes = Readonly<Record<string, DType>>;

/** What a person says about the inputs on the command line. */
export interface InputTypeOptions {
  /** Types by name; they win. */
  readonly inputTypes: InputTypes;
  /** Path of an npz file with sample inputs; by default `inputs.npz` beside the model, if it is there. */
  readonly inputs?: string;
}

/**
 * Types for the inputs of a model: those given by hand, then the smallest that hold the sample inputs. A file that
 * says INT8 or UINT8, or an input that the network itself quantises, needs no samples.
 *
 * @param model path of the ONNX file
 * @returns the types to import it with, and a line for each input that says what it is and why
 * @throws {AttoflowError} if the npz file or the model cannot be read
 */
export async function chooseInputTypes(
  model: string,
  bytes: Uint8Array,
  importOptions: Omit<ImportOptions, "inputTypes">,
  options: InputTypeOptions,
): Promise<{ types: InputTypes; lines: string[] }> {
  const beside = join(dirname(model), "inputs.npz");
  const samples = options.inputs ?? (await fileExists(beside) ? beside : undefined);
  const arrays = samples === undefined ? [] : [...readNpz(await readFile(samples), samples).values()];
  const { inputs } = inspectModel(bytes, importOptions);
  const chosen = new Map<string, DType>(Object.entries(options.inputTypes));
  const lines = inputs.map(({ name, shape, dtype, evidence, reason }, i) => {
    const head = `input ${printName(name)} [${shape}]`;
    const byHand = chosen.get(name);
    if (byHand !== undefined) return `${head}: ${byHand}, as --input-type says`;
    const sampled = evidence !== "pattern" && dtype === "int32" && arrays[i]
      ? smallestType(arrays[i].data)
      : undefined;
    if (sampled === undefined) return `${head}: ${reason}`;
    chosen.set(name, sampled);
    return `${head}: ${sampled}, from the values in ${samples}`;
  });
  return { types: Object.fromEntries(chosen), lines };
}

/** Undefined for values that are no integers, and for arrays without any: they tell nothing. */
function smallestType(data: ArrayLike<number>): DType | undefined {
  if (data.length === 0) return undefined;
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < data.length; i++) {
    if (!Number.isInteger(data[i])) return undefined;
    min = Math.min(min, data[i]);
    max = Math.max(max, data[i]);
  }
  return (["int8", "uint8", "int32"] as const).find((dtype) =>
    min >= integerLimits[dtype].min && max <= integerLimits[dtype].max
  );
}
