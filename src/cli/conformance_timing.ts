// `conformance timing DIR`: the emulator's cycles against programs that were measured on the cluster's RTL.

import { formatTimingReport, validateTiming } from "../../runtime/validate/timing.ts";
import { loadTarget } from "../../targets/load.ts";
import { defineCommand } from "./command.ts";
import { jsonOption, pathArgument, targetOption } from "./options.ts";
import { print, printJson } from "./output.ts";
import { timingOption } from "./timing_options.ts";

/** The command. */
export const conformanceTiming = defineCommand("timing", {
  summary: "Compare the emulator's cycles with the RTL's.",
  details:
    "Runs every NAME.elf of a folder with the test bench's registers and compares its console with NAME.rtl.txt, " +
    "column by column as columns.json says: median, 95th percentile and maximum of the relative error of figures of 20 " +
    "cycles or more, and the ten worst. Smaller figures must be right to a cycle, all other columns equal. Exit status " +
    "1 if a program's median is off by more than 0.5 %, its 95th percentile by more than 2 % or any figure by more than " +
    "6 %; with --timing fast: 5 %, 15 %, and no limit for a single figure.",
  examples: [
    "conformance timing ../shared/data/cluster-timing",
    "conformance timing ../shared/data/cluster-timing --timing fast --json",
  ],
}, {
  folder: pathArgument("DIR", "Folder with programs, their RTL output and columns.json."),
  target: targetOption,
  timing: timingOption("The level of the emulator's timing to compare. Default: exact."),
  json: jsonOption,
}, async ({ folder, target, timing, json }) => {
  const report = await validateTiming(folder, await loadTarget(target), timing);
  const { passed, failed } = report;
  if (json) {
    for (const program of report.programs) printJson({ type: "program", ...program });
    printJson({ type: "summary", timing, passed, failed, overall: report.overall, worst: report.worst });
  } else {
    print(formatTimingReport(report));
  }
  return failed === 0 ? 0 : 1;
});
