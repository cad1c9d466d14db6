// `conformance timing DIR`: the emulator's cycles against programs that were measured on the cluster's RTL.

import { formatTimingReport, validateTiming } from "../../runtime/validate/timing.ts";
import { loadTarget } from "../../targets/load.ts";
import { defineCommand } from "./command.ts";
import { jsonOption, pathArgument, targetOption } from "./options.ts";
import { print, printJson } from "./output.ts";

/** The command. */
export const conformanceTiming = defineCommand("timing", {
  summary: "Compare the emulator's cycles with the RTL's.",
  details:
    "Runs every NAME.elf of a folder with the test bench's registers and compares its console with NAME.rtl.txt, " +
    "column by column as columns.json says: median, 95th percentile and maximum of the relative error, and the worst " +
    "figures. Exit status 1 if a program's figures are off by too much.",
  examples: ["conformance timing ../shared/data/cluster-timing"],
}, {
  folder: pathArgument("DIR", "Folder with programs, their RTL output and columns.json."),
  target: targetOption,
  json: jsonOption,
}, async ({ folder, target, json }) => {
  const report = await validateTiming(folder, await loadTarget(target));
  const { passed, failed } = report;
  if (json) {
    for (const program of report.programs) printJson({ type: "program", ...program });
    printJson({ type: "summary", passed, failed, overall: report.overall, worst: report.worst });
  } else {
    print(formatTimingReport(report));
  }
  return failed === 0 ? 0 : 1;
});
