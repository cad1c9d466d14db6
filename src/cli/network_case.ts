// One network of `conformance networks`: generated, emulated, compared. Runs in a Worker.

import { basename, dirname, join } from "node:path";
import { AttoflowError } from "../../targets/errors.ts";
import type { InferenceReport, Summary } from "../../runtime/validate/validate.ts";
import { generate } from "../generate.ts";
import type { CaseResult } from "./cases.ts";
import { resolveRequest } from "./import_request.ts";
import type { MachineTiming } from "./timing_options.ts";
import { validate } from "./validate_folder.ts";

/** A folder with a network and its results. */
export interface NetworkCase extends MachineTiming {
  readonly name: string;
  readonly folder: string;
  /** Folder for the generated image; removed when it is done with. */
  readonly output: string;
  readonly target: string;
  /** L1 to use, in bytes; by default all that the target has. */
  readonly l1Bytes?: number;
  readonly maxCycles?: number;
}

const files = ["network.onnx", "inputs.npz", "outputs.npz"];

/** Folders that hold a whole case, of a list of files. */
export function findNetworks(paths: readonly string[]): string[] {
  const all = new Set(paths);
  return paths.filter((path) => basename(path) === files[0]).map((path) => dirname(path))
    .filter((folder) => files.every((file) => all.has(join(folder, file))));
}

/** Runs a case. Never throws: whatever goes wrong is the reason why the case has failed. */
export async function runNetworkCase(network: NetworkCase): Promise<CaseResult> {
  const { name, output } = network;
  try {
    return { name, ...await compare(network) };
  } catch (error) {
    const detail = error instanceof AttoflowError ? error.paragraph : `a bug in Attoflow: ${error}`;
    return { name, passed: false, detail };
  } finally {
    await Deno.remove(output, { recursive: true }).catch(() => {});
  }
}

async function compare(
  { folder, output, target, l1Bytes, maxCycles, timing, cache }: NetworkCase,
): Promise<Omit<CaseResult, "name">> {
  const request = await resolveRequest({
    model: join(folder, files[0]),
    target,
    inputTypes: {},
    // The files do not say it; the folders' names do (onnx-integer-dialect.md, section 6).
    softmaxShift: folder.endsWith("_shift0") ? 0 : 5,
  });
  await generate({ ...request, out: output, l1Bytes });
  const run = validate(output, {
    inputs: join(folder, files[1]),
    expect: join(folder, files[2]),
    maxCycles,
    timing,
    cache,
  });
  const reports: InferenceReport[] = [];
  let step = await run.next();
  for (; !step.done; step = await run.next()) reports.push(step.value);
  const { bitExact, cycles } = step.value;
  return { passed: bitExact, cycles, detail: bitExact ? "" : firstMismatch(reports, step.value) };
}

function firstMismatch(reports: readonly InferenceReport[], { mismatches }: Summary): string {
  const wrong = reports.flatMap((report) => report.outputs).find((output) => output.first)!;
  const { first, against } = wrong;
  return `${mismatches} elements differ; first in output ${JSON.stringify(wrong.name.slice(0, 60))} ` +
    `[${first!.index}]: ${first!.actual}, the ${against === "expected" ? "file" : "reference"} says ${
      first!.expected
    }`;
}
