// `--trace` and `--profile`: what commands that run an image have in common.

import { flag, option, optional, withDefault } from "@optique/core";
import { later } from "../../runtime/later.ts";
import type { SocObserver } from "../../runtime/soc/observer.ts";
import type { Tracer, TracerOptions } from "../../runtime/trace/tracer.ts";
import { AttoflowError } from "../../targets/errors.ts";
import type { Timing } from "../../runtime/host/timing.ts";
import { plain } from "./command.ts";
import { textValue } from "./options.ts";
import { printJson, say } from "./output.ts";
import { refuseUnderFast } from "./timing_options.ts";

/** The options. */
export const traceFields = {
  trace: optional(option("--trace", textValue("FILE.json"), {
    description: plain(
      "Write a timeline of harts, layers, DMA transfers and accelerator jobs; ui.perfetto.dev opens it.",
    ),
  })),
  profile: withDefault(
    flag("--profile", {
      description: plain("Print where the harts' cycles went: by function, by layer, by instruction."),
    }),
    false,
  ),
};

/** What the options ask for. */
export interface Recording {
  readonly trace?: string;
  readonly profile: boolean;
  /** How the machine is run that is to be recorded. */
  readonly timing: Timing;
}

/** Gives the observer for a run; undefined if nothing is to be recorded. */
export type Observe = (subject: Omit<TracerOptions, "timeline" | "profile">) => SocObserver | undefined;

/**
 * Runs `work`, records the one run in it and hands on what was recorded, however the run ends.
 *
 * @param print takes the lines of a profile
 * @throws {AttoflowError} if there is something to record, under fast timing; whatever `work` throws
 */
export async function recorded<T>(
  { trace, profile, timing }: Recording,
  json: boolean,
  print: (...lines: string[]) => void,
  work: (observe: Observe) => Promise<T>,
): Promise<T> {
  refuseUnderFast(timing, [...(trace === undefined ? [] : ["--trace"]), ...(profile ? ["--profile"] : [])]);
  if (trace === undefined && !profile) return await work(() => undefined);
  const { PendingFile, profileLines, Tracer } = await later<typeof import("../../runtime/trace/recorder.ts")>(
    "../../runtime/trace/recorder.ts",
    import.meta.url,
  );
  const file = trace === undefined ? undefined : new PendingFile(trace);
  let tracer: Tracer | undefined;
  const observe: Observe = (subject) => {
    tracer = new Tracer({ ...subject, timeline: file !== undefined, profile });
    return tracer.observer;
  };
  const handOn = (note?: string) => {
    if (!tracer) return;
    tracer.finish();
    const pieces = tracer.file(note);
    if (file && pieces) {
      file.commit(pieces);
      say(`trace: ${trace}; open it in ui.perfetto.dev`);
    }
    const cut = tracer.note();
    if (cut) say(`note: ${cut}`);
    const report = tracer.report();
    if (report && json) printJson({ type: "profile", ...report });
    else if (report) print(...profileLines(report));
  };
  try {
    const result = await work(observe);
    handOn();
    return result;
  } catch (error) {
    if (error instanceof AttoflowError) handOn(error.paragraph);
    throw error;
  } finally {
    file?.discard();
  }
}
