// What every conformance command prints: a line for each case as it ends, and how many passed in the last line.

import { AttoflowError } from "../../targets/errors.ts";
import { print, printJson } from "./output.ts";

/** What became of one case. */
export interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  /** Why it failed, or what is worth saying of a pass; may be empty. */
  readonly detail: string;
  /** Cycles that the case took on the machine, where that means something. */
  readonly cycles?: number;
}

/**
 * Prints cases as they come and how many passed.
 *
 * @param where folder that the cases come from; `wanted` says what a case is. For the error if there is none.
 * @returns exit status: 1 if any failed
 */
export async function reportCases(
  cases: AsyncIterable<CaseResult> | Iterable<CaseResult>,
  where: string,
  wanted: string,
  json: boolean,
): Promise<number> {
  let passed = 0;
  let failed = 0;
  for await (const result of cases) {
    result.passed ? passed++ : failed++;
    if (json) printJson({ type: "case", ...result });
    else print(caseLine(result));
  }
  if (passed + failed === 0) {
    throw new AttoflowError(`there is no case in this folder, however deep: ${wanted}`, { where });
  }
  if (json) printJson({ type: "summary", passed, failed });
  else print(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function caseLine({ name, passed, cycles, detail }: CaseResult): string {
  const time = cycles === undefined ? "" : ` ${cycles} cycles`;
  return `${passed ? "ok" : "FAILED"} ${name}${time}${detail ? `: ${detail}` : ""}`;
}
