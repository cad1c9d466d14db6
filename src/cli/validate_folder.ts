// Joins the two halves for a validation: the machine's results from the session, their meaning from the model.

import type { GeneratedImage } from "../../runtime/host/folder.ts";
import type { SocObserver } from "../../runtime/soc/observer.ts";
import { type InferenceReport, type Summary, Tally } from "../../runtime/validate/validate.ts";
import { answersInOrder } from "./pool.ts";
import { errorOf, type GroupAnswer, type GroupItem } from "./validate_worker.ts";
import { type Group, groupsOf, Validation, type ValidationRequest } from "./validation.ts";

/** What to run, what to compare with, and how. */
export interface ValidateOptions extends Omit<ValidationRequest, "folder"> {
  /** Machines that are emulated at the same time, in Workers; 1 by default. */
  readonly jobs?: number | ((inferences: number) => number);
  /**
   * Gives who looks on while the image runs, if anybody does. All inferences then run on one machine, one after the
   * other.
   */
  readonly observe?: (generated: GeneratedImage) => SocObserver | undefined;
  /** Breaks the run off. */
  readonly signal?: AbortSignal;
  /** Takes what a person should know before the first result, such as rounded inputs. */
  readonly note?: (text: string) => void;
}

/**
 * Runs every inference of a file on the emulated image and compares, bit by bit, with the reference meaning of the
 * operators and with expected outputs. Inferences go to machines in small groups that depend on their number alone:
 * reports are the same whatever `jobs` is, cycles too.
 *
 * @param folder folder that `generate` has written
 * @returns a report for each inference as soon as it is there, in order; the summary at the end
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
  { jobs = 1, observe, signal, note, ...request }: ValidateOptions,
): AsyncGenerator<InferenceReport, Summary> {
  const validation = await Validation.read({ ...request, folder });
  const { generated, inferences, expected, notes } = validation;
  for (const each of notes) note?.(each);
  const tally = new Tally(generated.manifest, expected !== undefined);
  const observer = observe?.(generated);
  const groups = observer ? [{ first: 0, count: inferences.length }] : groupsOf(inferences.length);
  const most = typeof jobs === "number" ? jobs : jobs(inferences.length);
  const reports = most > 1 && groups.length > 1
    ? inWorkers(validation, groups, most, signal)
    : oneByOne(validation, groups, { observer, signal });
  for await (const report of reports) {
    tally.add(report);
    yield report;
  }
  return tally.summary;
}

async function* oneByOne(
  validation: Validation,
  groups: readonly Group[],
  options: { readonly observer?: SocObserver; readonly signal?: AbortSignal },
): AsyncGenerator<InferenceReport> {
  for (const group of groups) yield* validation.run(group, options);
}

async function* inWorkers(
  { request }: Validation,
  groups: readonly Group[],
  jobs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<InferenceReport> {
  const worker = new URL("./validate_worker.ts", import.meta.url);
  const items = groups.map((group): GroupItem => ({ request, group }));
  for await (
    const { reports, problem } of answersInOrder<GroupItem, GroupAnswer>(worker, items, jobs, signal)
  ) {
    yield* reports;
    if (problem) throw errorOf(problem);
  }
}
