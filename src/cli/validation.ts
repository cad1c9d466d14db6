// A validation taken apart into pieces that can be run anywhere, in this process or in a Worker: which inferences go
// together on one machine, and what comes of them.

import { type GeneratedImage, readGeneratedImage } from "../../runtime/host/folder.ts";
import { openSession } from "../../runtime/host/open.ts";
import type { SocObserver } from "../../runtime/soc/observer.ts";
import { matchInputs, matchOutputs } from "../../runtime/validate/match.ts";
import { readNpz } from "../../runtime/validate/npz.ts";
import { type InferenceReport, type Reference, validateInference } from "../../runtime/validate/validate.ts";
import { compileModel } from "../compile_model.ts";
import type { Model } from "../model/types.ts";
import { readFile } from "./files.ts";
import { readGeneratedModel, referenceOf } from "./reference.ts";
import type { MachineTiming } from "./timing_options.ts";

/** What to run and what to compare with: everything that a Worker must know. */
export interface ValidationRequest extends Partial<MachineTiming> {
  /** Folder that `generate` has written. */
  readonly folder: string;
  /** Path of the npz file with the inputs of one or more inferences. */
  readonly inputs: string;
  /** Path of the npz file with the expected outputs; without it only the reference is compared with. */
  readonly expect?: string;
  /** Compare what every layer leaves behind, too. */
  readonly layers?: boolean;
  /** See `SessionOptions`. */
  readonly maxCycles?: number;
}

/** Inferences that follow each other on one machine, from its reset. */
export interface Group {
  /** Index of the first one. */
  readonly first: number;
  readonly count: number;
}

/** Who takes part in a run of a group. */
export interface GroupOptions {
  readonly observer?: SocObserver;
  readonly signal?: AbortSignal;
}

/** Inferences on one machine: at least two, so that what one leaves behind meets another; at most this many. */
const smallestGroup = 2, largestGroup = 8;
/** Groups that there should be if there are inferences enough, to be shared among jobs. */
const manyGroups = 16;

/** Divides inferences into groups. It depends on nothing but their number: so do the results. */
export function groupsOf(inferences: number): Group[] {
  const size = Math.min(largestGroup, Math.max(smallestGroup, Math.ceil(inferences / manyGroups)));
  return Array.from({ length: Math.ceil(inferences / size) }, (_, i) => ({
    first: i * size,
    count: Math.min(size, inferences - i * size),
  }));
}

/** An image with inputs and expectations, read and matched; the model is read when something is run. */
export class Validation {
  #references: Promise<{ reference: Reference; layerReference?: Reference }> | undefined;

  private constructor(
    readonly request: ValidationRequest,
    readonly generated: GeneratedImage,
    readonly inferences: ReturnType<typeof matchInputs>["inferences"],
    readonly expected: ReturnType<typeof matchOutputs> | undefined,
    /** What a person should know before the first result, such as rounded inputs. */
    readonly notes: readonly string[],
  ) {}

  /** Reads the files. Throws {@link AttoflowError} if one of them is wrong. */
  static async read(request: ValidationRequest): Promise<Validation> {
    const { folder, inputs, expect } = request;
    const generated = await readGeneratedImage(folder);
    const { manifest } = generated;
    const { inferences, notes } = matchInputs(
      readNpz(await readFile(inputs), inputs),
      manifest.inputs,
      inputs,
    );
    const expected = expect === undefined
      ? undefined
      : matchOutputs(readNpz(await readFile(expect), expect), manifest.outputs, inferences.length, expect);
    return new Validation(
      request,
      generated,
      inferences,
      expected,
      notes.map((note) => `${inputs}: ${note}`),
    );
  }

  /**
   * Runs a group on a machine of its own.
   *
   * @throws {AttoflowError} if the model is wrong, or the machine fails
   */
  async *run({ first, count }: Group, options: GroupOptions = {}): AsyncGenerator<InferenceReport> {
    const { maxCycles, timing, cache } = this.request;
    this.#references ??= this.#readReferences();
    const references = await this.#references;
    const session = openSession(this.generated, { maxCycles, timing, cache, firstIndex: first, ...options });
    await using machine = await session;
    for (let i = first; i < first + count; i++) {
      yield await validateInference(machine, this.inferences[i], references, this.expected?.[i]);
    }
  }

  async #readReferences() {
    const { folder, layers } = this.request;
    const model = await readGeneratedModel(folder, this.generated.manifest);
    const reference = referenceOf(model);
    // Layers are those of the rewritten model: the passes have renamed and fused some of the file's nodes.
    return layers
      ? { reference, layerReference: referenceOf(compiledAs(model, this.generated)) }
      : { reference };
  }
}

/** The model as the image was made of it: the same rewrites for the same target and as much L1. */
function compiledAs(model: Model, { manifest, target }: GeneratedImage): Model {
  const l1 = manifest.memories.find(({ role }) => role === "l1");
  return compileModel(model, target, { l1Bytes: l1?.size }).model;
}
