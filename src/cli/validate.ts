// `validate DIR --inputs X.npz`: runs a generated image on the emulator and compares every bit.

import { flag, option, optional, withDefault } from "@optique/core";
import {
  inferenceLines,
  inferenceObject,
  summaryLines,
  summaryObject,
} from "../../runtime/validate/report.ts";
import { displayName } from "../../runtime/host/names.ts";
import type { Summary } from "../../runtime/validate/validate.ts";
import { AttoflowError } from "../../targets/errors.ts";
import { defineCommand, plain } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { countValue, jsonOption, maxCyclesOption, pathArgument, textValue } from "./options.ts";
import { print, printJson, say } from "./output.ts";
import { processors } from "./pool.ts";
import { machineTiming, timingFields } from "./timing_options.ts";
import { recorded, traceFields } from "./tracing.ts";
import { validate, type ValidateOptions } from "./validate_folder.ts";

/** Inferences from which on all processors are put to work unless --jobs says otherwise. */
const manyInferences = 16;

/** The command. */
export const validateCommand = defineCommand("validate", {
  summary: "Run a generated image on the emulator and compare every bit.",
  details:
    "Runs every inference of the npz file(s) on the emulated target and compares each output with the reference " +
    "meaning of the operators and, with --expect, with outputs from elsewhere. Arrays match inputs and outputs by " +
    "order; an array with k times the elements holds k inferences. They run in groups of two to eight, each group on an " +
    "emulated machine of its own from its reset; which ones go together depends on how many there are and on nothing " +
    "else, so --jobs changes neither results nor cycles. Exit status 1 on any mismatch. Ctrl-C ends with status 130 " +
    "and says where each hart was. --timing fast compares the same bits in a fraction of the time; its cycles are " +
    "then an estimate, and --trace and --profile cannot be had.",
  examples: [
    "validate out/encoder --inputs inputs.npz",
    "validate out/encoder --inputs inputs.npz --expect outputs.npz --layers",
    "validate out/encoder --inputs images.npz --expect labels.npz --timing fast --jobs 4",
    "validate out/encoder --inputs inputs.npz --trace encoder.json --profile",
  ],
}, {
  folder: pathArgument("DIR", "Folder that generate has written."),
  inputs: option("--inputs", textValue("X.npz"), { description: plain("Inputs of one or more inferences.") }),
  expect: optional(option("--expect", textValue("Y.npz"), { description: plain("Expected outputs.") })),
  layers: withDefault(
    flag("--layers", {
      description: plain("Compare every intermediate tensor and name the first operator that differs."),
    }),
    false,
  ),
  maxCycles: maxCyclesOption,
  jobs: optional(option("--jobs", countValue("N"), {
    description: plain(
      `Emulate so many machines at the same time. Default: 1, or the number of processors for more than ` +
        `${manyInferences} inferences. With --trace or --profile there is one machine.`,
    ),
  })),
  ...timingFields,
  ...traceFields,
  json: jsonOption,
}, async ({ folder, json, trace, profile, timing, cache, noCache, jobs, ...options }) => {
  const machine = machineTiming({ timing, cache, noCache });
  const isRecorded = trace !== undefined || profile;
  if (isRecorded && jobs !== undefined && jobs > 1) {
    throw new AttoflowError("--trace and --profile record one machine, and --jobs asks for several", {
      hint: "Use one or the other.",
    });
  }
  const note = (text: string) => say(`note: ${text}`);
  const summary = await interruptible((signal) =>
    recorded({ trace, profile, timing }, json, print, (observe) =>
      printValidation(folder, {
        ...options,
        ...machine,
        jobs: jobs ?? ((inferences) => inferences > manyInferences ? processors() : 1),
        note,
        signal,
        observe: ({ target, image, manifest }) =>
          observe({ target, image, manifest, program: displayName(manifest.model) }),
      }, json))
  );
  return summary.bitExact ? 0 : 1;
});

/** Validates and prints: a block for each inference, then the summary. */
export async function printValidation(
  folder: string,
  options: ValidateOptions,
  json: boolean,
): Promise<Summary> {
  const run = validate(folder, options);
  for (;;) {
    const step = await run.next();
    if (step.done) {
      if (json) printJson(summaryObject(step.value));
      else print(...summaryLines(step.value));
      return step.value;
    }
    if (json) printJson(inferenceObject(step.value));
    else print(...inferenceLines(step.value));
  }
}
