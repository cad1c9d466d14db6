// `conformance ita DIR`: the ITA device against register programs recorded from the accelerator's RTL.

import { runItaVectors } from "../../runtime/validate/ita.ts";
import { reportCases } from "./cases.ts";
import { defineCommand } from "./command.ts";
import { jsonOption, pathArgument } from "./options.ts";

/** The command. */
export const conformanceIta = defineCommand("ita", {
  summary: "Hold the ITA device against vectors recorded from its RTL.",
  details:
    "Runs every case (NAME.json and NAME.bin) of a folder on the device and compares memory, reads, hashes and " +
    "the cycle of every job. Exit status 1 if any case fails.",
  examples: ["conformance ita ../shared/data/ita-vectors"],
}, {
  folder: pathArgument("DIR", "Folder of recorded cases."),
  json: jsonOption,
}, ({ folder, json }) => reportCases(runItaVectors(folder), folder, "pairs of NAME.json and NAME.bin", json));
