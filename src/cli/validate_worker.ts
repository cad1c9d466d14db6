// Worker of `validate --jobs N`: answers each group of inferences with its reports, and with what ended it early.

import { Interrupted } from "../../runtime/host/run.ts";
import { SessionError } from "../../runtime/host/session_error.ts";
import type { InferenceReport } from "../../runtime/validate/validate.ts";
import { AttoflowError } from "../../targets/errors.ts";
import type { StopMessage } from "./pool.ts";
import { statusOf } from "./status.ts";
import { type Group, Validation, type ValidationRequest } from "./validation.ts";

/** A group to run. All groups that a Worker gets are of the same request. */
export interface GroupItem {
  readonly request: ValidationRequest;
  readonly group: Group;
}

/** What came of it. */
export interface GroupAnswer {
  /** Of all inferences, or of those before the problem. */
  readonly reports: readonly InferenceReport[];
  readonly problem?: Problem;
}

/** An error on its way from one thread to another. */
type Problem =
  | { readonly kind: "interrupted"; readonly status: number; readonly state: readonly string[] }
  | {
    readonly kind: "machine" | "input";
    readonly what: string;
    readonly where?: string;
    readonly hint?: string;
  }
  | { readonly kind: "bug"; readonly what: string };

/** The error that a problem stands for. */
export function errorOf(problem: Problem): Error {
  switch (problem.kind) {
    case "interrupted":
      return new Interrupted(problem.status, problem.state);
    case "machine":
      return new SessionError(problem.what, problem);
    case "input":
      return new AttoflowError(problem.what, problem);
    case "bug":
      return new Error(problem.what);
  }
}

function problemOf(error: unknown): Problem {
  if (error instanceof Interrupted) return { kind: "interrupted", status: error.status, state: error.state };
  if (!(error instanceof AttoflowError)) return { kind: "bug", what: String(error) };
  const { message: what, where, hint } = error;
  return { kind: statusOf(error) === 1 ? "machine" : "input", what, where, hint };
}

/** The part of a Worker's global scope that is used here. */
interface Scope {
  onmessage: (event: MessageEvent<GroupItem | StopMessage>) => void;
  postMessage(answer: GroupAnswer): void;
}

/** Serves one thread that asks. */
function serve(scope: Scope): void {
  let validation: Promise<Validation> | undefined;
  const controller = new AbortController();
  const answer = async ({ request, group }: GroupItem): Promise<GroupAnswer> => {
    const reports: InferenceReport[] = [];
    try {
      validation ??= Validation.read(request);
      const run = (await validation).run(group, { signal: controller.signal });
      for await (const report of run) reports.push(report);
      return { reports };
    } catch (error) {
      return { reports, problem: problemOf(error) };
    }
  };
  scope.onmessage = async ({ data }) => {
    if ("stop" in data) controller.abort(new Interrupted(data.stop));
    else scope.postMessage(await answer(data));
  };
}

if (import.meta.main) serve(globalThis as unknown as Scope);
