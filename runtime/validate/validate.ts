// Runs every inference of a file on a session and compares what comes back: with expected outputs, if there are any,
// and with the reference meaning of the operators. The reference is handed in: this side of the wall does not know it.

import { AttoflowError } from "../../targets/errors.ts";
import { type EnergyEstimate, estimateEnergy } from "../../targets/energy.ts";
import { type EngineTimes, sumOfEngineTimes } from "../../targets/engine_time.ts";
import type { Manifest } from "../../targets/manifest.ts";
import { targetSchema } from "../../targets/schema.ts";
import type { InferenceResult, Session } from "../host/session.ts";
import type { Elements, ResultTensor } from "../host/tensors.ts";
import { type Counters, energyEventsOf, sumOfCounters } from "../soc/counters.ts";
import { compareElements, type Comparison } from "./compare.ts";

/** What the operators mean: from the inputs of one inference, in order, to tensors by name. */
export type Reference = (
  inputs: readonly Elements[],
) => ReadonlyMap<string, ArrayLike<number>> | Promise<ReadonlyMap<string, ArrayLike<number>>>;

/** What is compared with what. */
export interface ValidateOptions {
  /** Gives at least the outputs of the network. */
  readonly reference: Reference;
  /** Gives every tensor of the layers; present if layers are to be compared, one by one. */
  readonly layerReference?: Reference;
  /** Expected outputs of each inference, in the order of the outputs (from `matchOutputs`). */
  readonly expected?: readonly (readonly ArrayLike<number>[])[];
}

/** One output compared with one source of truth. */
export interface OutputReport extends Comparison {
  readonly name: string;
  readonly shape: readonly number[];
  readonly against: "expected" | "reference";
}

/** The first layer whose result is not what the reference says. */
export interface LayerReport extends Comparison {
  readonly layer: number;
  readonly node: string;
  readonly operator: string;
  readonly engine: string;
  readonly tensor: string;
}

/** One inference. */
export interface InferenceReport {
  readonly index: number;
  readonly cycles: number;
  readonly macs: number;
  readonly outputs: readonly OutputReport[];
  /** Layers compared, and the first that differs; present if layers were compared. */
  readonly layers?: { readonly compared: number; readonly differing: number; readonly first?: LayerReport };
  readonly result: InferenceResult;
}

/** All inferences together. */
export interface Summary {
  readonly bitExact: boolean;
  readonly inferences: number;
  /** Elements that differ, over all outputs, inferences and sources of truth. */
  readonly mismatches: number;
  /** Cluster cycles of all inferences together. */
  readonly cycles: number;
  /** Multiply-accumulates of all inferences together. */
  readonly macs: number;
  readonly macsPerCycle: number;
  readonly target: string;
  readonly model: string;
  /** Where the engines' time went, all inferences together; absent where it is not known. */
  readonly engines?: EngineTimes;
  /** What the machines counted, all inferences together; absent where they count nothing. */
  readonly counters?: Counters;
  /** Estimates; absent if the target has no coefficients, or the timing does not count what they are for. */
  readonly energy?: EnergyEstimate;
  /** What the outputs were compared with. */
  readonly against: readonly ("expected" | "reference")[];
}

/**
 * Runs and compares inferences, one after the other, on one machine.
 *
 * @param inferences inputs of each inference (from `matchInputs`)
 * @returns a report for each inference as soon as it is there; the summary at the end
 * @throws {AttoflowError} if the session fails
 */
export async function* validateSession(
  session: Session,
  inferences: readonly (readonly Elements[])[],
  options: ValidateOptions,
): AsyncGenerator<InferenceReport, Summary> {
  const tally = new Tally(session.manifest, options.expected !== undefined);
  for (const [i, inputs] of inferences.entries()) {
    const report = await validateInference(session, inputs, options, options.expected?.[i]);
    tally.add(report);
    yield report;
  }
  return tally.summary;
}

/**
 * Runs and compares one inference.
 *
 * @param inputs its inputs, in the order of the manifest
 * @param expected its expected outputs, in the order of the outputs
 * @throws {AttoflowError} if the session fails
 */
export async function validateInference(
  session: Session,
  inputs: readonly Elements[],
  { reference, layerReference }: Omit<ValidateOptions, "expected">,
  expected?: readonly ArrayLike<number>[],
): Promise<InferenceReport> {
  const { manifest } = session;
  const result = await session.infer(inputs, { layers: layerReference !== undefined });
  const outputs: OutputReport[] = [];
  if (expected) outputs.push(...compareOutputs(result.outputs, (j) => expected[j], "expected"));
  const meaning = await reference(inputs);
  outputs.push(...compareOutputs(result.outputs, (_, name) => lookUp(meaning, name), "reference"));
  const layers = layerReference && compareLayers(manifest, result, await layerReference(inputs));
  const { index, cycles } = result;
  return { index, cycles, macs: manifest.macs, outputs, ...(layers ? { layers } : {}), result };
}

/** Adds reports up, whichever machines they come from. */
export class Tally {
  #inferences = 0;
  #mismatches = 0;
  #differing = 0;
  #cycles = 0;
  readonly #counters: Counters[] = [];
  readonly #engines: EngineTimes[] = [];

  /** @param hasExpected whether outputs were compared with expected ones, too */
  constructor(readonly manifest: Manifest, readonly hasExpected: boolean) {}

  add({ outputs, layers, cycles, result }: InferenceReport): void {
    if (result.counters) this.#counters.push(result.counters);
    if (result.engines) this.#engines.push(result.engines);
    this.#inferences++;
    this.#mismatches += outputs.reduce((sum, output) => sum + output.mismatches, 0);
    this.#differing += layers?.differing ?? 0;
    this.#cycles += cycles;
  }

  get summary(): Summary {
    const { manifest: { macs: each, target, model }, hasExpected } = this;
    const cycles = this.#cycles, macs = each * this.#inferences;
    return {
      bitExact: this.#mismatches === 0 && this.#differing === 0,
      inferences: this.#inferences,
      mismatches: this.#mismatches,
      cycles,
      macs,
      macsPerCycle: cycles > 0 ? macs / cycles : 0,
      target: String(target.name),
      model,
      ...(this.#engines.length > 0 ? { engines: sumOfEngineTimes(this.#engines) } : {}),
      ...this.#counted(),
      against: hasExpected ? ["expected", "reference"] : ["reference"],
    };
  }

  #counted(): Pick<Summary, "counters" | "energy"> {
    if (this.#counters.length === 0) return {};
    const { energy, clock } = targetSchema.parse(this.manifest.target);
    const counters = this.#counters.reduce(sumOfCounters);
    const events = energy && energyEventsOf(counters);
    return { counters, ...(events ? { energy: estimateEnergy({ energy, clock }, events) } : {}) };
  }
}

function compareOutputs(
  actual: readonly ResultTensor[],
  expected: (index: number, name: string) => ArrayLike<number>,
  against: OutputReport["against"],
): OutputReport[] {
  return actual.map(({ name, shape, data }, i) => ({
    name,
    shape,
    against,
    ...compareElements(data, expected(i, name), shape),
  }));
}

function compareLayers(
  manifest: Manifest,
  result: InferenceResult,
  meaning: ReadonlyMap<string, ArrayLike<number>>,
): NonNullable<InferenceReport["layers"]> {
  let differing = 0;
  let first: LayerReport | undefined;
  for (const { index, outputs } of result.layers ?? []) {
    const { node, operator, engine } = manifest.layers[index];
    const wrong = outputs
      .map((tensor) => ({
        tensor: tensor.name,
        ...compareElements(tensor.data, lookUp(meaning, tensor.name), tensor.shape),
      }))
      .find((comparison) => comparison.mismatches > 0);
    if (!wrong) continue;
    differing++;
    first ??= { layer: index, node, operator, engine, ...wrong };
  }
  return { compared: result.layers?.length ?? 0, differing, ...(first ? { first } : {}) };
}

function lookUp(meaning: ReadonlyMap<string, ArrayLike<number>>, name: string): ArrayLike<number> {
  const values = meaning.get(name);
  if (!values) {
    throw new AttoflowError(`the reference has no tensor ${name}`, {
      hint: "The image and the model beside it do not belong together; generate them again.",
    });
  }
  return values;
}
