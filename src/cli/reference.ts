// The project's own meaning of a generated network: the model file beside the image, read as it was read then,
// evaluated operator by operator. It shares no code with the machine's half.

import { join } from "node:path";
import type { Reference } from "../../runtime/validate/validate.ts";
import { filePath } from "../../runtime/host/folder.ts";
import { AttoflowError } from "../../targets/errors.ts";
import type { Manifest } from "../../targets/manifest.ts";
import type { Model } from "../model/types.ts";
import { importModel } from "../onnx/import.ts";
import { evaluateModel, outputsFrom } from "../operators/evaluate.ts";
import { readFile } from "./files.ts";

/**
 * Reads the model of a generated folder.
 *
 * @throws {AttoflowError} if the file is missing or is not the one that the image was made from
 */
export async function readGeneratedModel(folder: string, manifest: Manifest): Promise<Model> {
  const path = filePath(folder, manifest, "model");
  const bytes = await readFile(path);
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  if (new Uint8Array(digest).toHex() !== manifest.import.sha256) {
    throw new AttoflowError("this is not the model that the image was made from", {
      where: path,
      hint: `Generate ${join(folder, "")} again.`,
    });
  }
  const { softmaxShift, inputTypes } = manifest.import;
  return importModel(bytes, { name: manifest.model, softmaxShift, inputTypes });
}

/** What a model means, as a validation wants it: every tensor, and the outputs under the names of the image. */
export function referenceOf(model: Model): Reference {
  return (inputs) => {
    const values = evaluateModel(model, inputs);
    // An output may be a constant, which no node makes.
    const outputs = outputsFrom(model, values);
    return new Map([...values, ...model.outputs.map((name, i) => [name, outputs[i]] as const)]);
  };
}
