// From what was typed to what the compiler wants: the model's bytes, its name, how it is read, and the target.

import { basename, dirname, extname, resolve } from "node:path";
import { AttoflowError } from "../../targets/errors.ts";
import { loadTarget } from "../../targets/load.ts";
import type { Target } from "../../targets/schema.ts";
import type { ImportOptions } from "../onnx/import.ts";
import { readFile } from "./files.ts";
import { chooseInputTypes, type InputTypes } from "./input_types.ts";

/** What generate and analyze are told about a model. */
export interface ModelRequest {
  /** Path of the ONNX file. */
  readonly model: string;
  /** Built-in target or path of a target file. */
  readonly target: string;
  readonly inputs?: string;
  readonly inputTypes: InputTypes;
  /** By default what the target's ITA has. */
  readonly softmaxShift?: 0 | 5;
}

/** Everything that the compiler needs to know of a model. */
export interface ResolvedRequest {
  readonly bytes: Uint8Array;
  readonly import: ImportOptions;
  readonly target: Target;
  /** A line for each input: its type and why. */
  readonly inputLines: readonly string[];
}

/**
 * Reads the files that a request names.
 *
 * @throws {AttoflowError} if the model, the target or the sample inputs cannot be read
 */
export async function resolveRequest(request: ModelRequest): Promise<ResolvedRequest> {
  const target = await loadTarget(request.target);
  const bytes = await readFile(request.model);
  const options = {
    name: modelName(request.model),
    softmaxShift: request.softmaxShift ?? target.ita?.softmaxShift ?? 0,
  };
  const { types, lines } = await chooseInputTypes(request.model, bytes, options, request)
    .catch((error) => {
      throw located(error, request.model);
    });
  return { bytes, import: { ...options, inputTypes: types }, target, inputLines: lines };
}

/**
 * Name for the model in a file: the file's, or the folder's where the file's says nothing. Letters, digits, `.`, `_`
 * and `-` only, so that it can be a folder's name.
 */
export function modelName(path: string): string {
  const file = basename(path, extname(path));
  const folder = basename(dirname(resolve(path)));
  const name = /^(network|model)$/i.test(file) ? folder : file;
  return name.replaceAll(/[^A-Za-z0-9._-]+/g, "_").replace(/^[.-]+/, "").slice(0, 60) || "model";
}

/** An error that does not say where it is gets the path of the model. */
function located(error: unknown, path: string): unknown {
  if (!(error instanceof AttoflowError) || error.where !== undefined) return error;
  return new AttoflowError(error.message, { where: path, hint: error.hint, cause: error });
}
