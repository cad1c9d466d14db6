// Joins the two halves for a validation: the machine's results from the session, their meaning from the model.

import { openSession } from "../../runtime/host/open.ts";
import { type GeneratedImage, readGeneratedImage } from "../../runtime/host/folder.ts";
import type { SocObserver } from "../../runtime/soc/observer.ts";
import { matchInputs, matchOutputs } from "../../runtime/validate/match.ts";
import { readNpz } from "../../runtime/validate/npz.ts";
import { type InferenceReport, type Summary, validateSession } from "../../runtime/validate/validate.ts";
import { targetSchema } from "../../targets/schema.ts";
import { compileModel } from "../compile_model.ts";
import type { Model } from "../model/types.ts";
import { readFile } from "./files.ts";
import { readGeneratedModel, referenceOf } from "./reference.ts";

/** What to run and what to compare with. */
export interface ValidateOptions {
  /** Path of the npz file with the inputs of one or more inferences. */
  readonly inputs: string;
  /** Path of the npz file with the expected outputs; without it only the reference is compared with. */
  readonly expect?: string;
  /** Compare what every layer leaves behind, too. */
  readonly layers?: boolean;
  /** See `SessionOptions`. */
  readonly maxCycles?: number;
  /** Gives who looks on while the image runs, if anybody does. */
  readonly observe?: (generated: GeneratedImage) => SocObserver | undefined;
  /** Breaks the run off. */
  readonly signal?: AbortSignal;
  /** Takes what a person should know before the first result, such as rounded inputs. */
  readonly note?: (text: string) => void;
}

/**
 * Runs every inference of a file on the emulated image and compares, bit by bit, with the reference meaning of the
 * operators and with expected outputs.
 *
 * @param folder folder that `generate` has written
 * @returns a report for each inference as soon as it is there; the summary at the end
 * @throws {AttoflowError} if a file is wrong, or the machine fails
 *
 * @example
 * ```ts ignore
 * for await (const report of validate("out/encoder", { inputs: "inputs.npz" })) {
 *   console.log(report.cycles, report.outputs[0].mismatches);
 * }
 * ```
 */
export async function* validate(
  folder: string,
  options: ValidateOptions,
): AsyncGenerator<InferenceReport, Summary> {
  const generated = await readGeneratedImage(folder);
  const { manifest } = generated;
  const model = await readGeneratedModel(folder, manifest);
  const { inferences, notes } = matchInputs(
    readNpz(await readFile(options.inputs), options.inputs),
    manifest.inputs,
    options.inputs,
  );
  const expected = options.expect === undefined ? undefined : matchOutputs(
    readNpz(await readFile(options.expect), options.expect),
    manifest.outputs,
    inferences.length,
    options.expect,
  );
  for (const note of notes) options.note?.(`${options.inputs}: ${note}`);
  await using session = await openSession(generated, {
    maxCycles: options.maxCycles,
    observer: options.observe?.(generated),
    signal: options.signal,
  });
  return yield* validateSession(session, inferences, {
    reference: referenceOf(model),
    // Layers are those of the rewritten model: the passes have renamed and fused some of the file's nodes.
    ...(options.layers ? { layerReference: referenceOf(compiledAs(model, manifest)) } : {}),
    ...(expected ? { expected } : {}),
  });
}

/** The model as the image was made of it: the same rewrites for the same target and as much L1. */
function compiledAs(model: Model, manifest: GeneratedImage["manifest"]): Model {
  const l1 = manifest.memories.find(({ role }) => role === "l1");
  return compileModel(model, targetSchema.parse(manifest.target), { l1Bytes: l1?.size }).model;
}
