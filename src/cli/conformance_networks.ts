// `conformance networks DIR`: networks and results of others, compiled, emulated and compared bit by bit.

import { relative } from "node:path";
import { type CaseResult, reportCases } from "./cases.ts";
import { defineCommand } from "./command.ts";
import { listFiles } from "./list_files.ts";
import { findNetworks, type NetworkCase } from "./network_case.ts";
import { compileFields, jobsOption, jsonOption, maxCyclesOption, pathArgument } from "./options.ts";
import { answersInOrder, processors } from "./pool.ts";
import { ensureCompiler } from "./setup.ts";
import { withTemporaryFolder } from "./temporary.ts";
import { machineTiming, timingFields } from "./timing_options.ts";

/** The command. */
export const conformanceNetworks = defineCommand(
  "networks",
  {
    summary: "Compile, emulate and compare networks made by others.",
    details:
      "Takes every folder, however deep, that holds network.onnx, inputs.npz and outputs.npz; generates the image into a " +
      "temporary folder, runs every inference on the emulator and compares each element with outputs.npz and with the " +
      "reference meaning of the operators. Folders whose name ends in _shift0 are read with --softmax-shift 0, the others " +
      "with 5. Exit status 1 if any network fails.",
    examples: [
      "conformance networks ../shared/data/integer-networks",
      "conformance networks ../shared/data/integer-networks --l1 32KiB --timing fast",
    ],
  },
  {
    folder: pathArgument("DIR", "Folder with networks in it."),
    ...compileFields,
    jobs: jobsOption,
    ...timingFields,
    maxCycles: maxCyclesOption,
    json: jsonOption,
  },
  ({ folder, target, l1, jobs, timing, cache, noCache, maxCycles, json }) =>
    withTemporaryFolder(async (temporary) => {
      const machine = machineTiming({ timing, cache, noCache });
      const cases = findNetworks(await listFiles(folder)).map((path, i): NetworkCase => ({
        name: relative(folder, path) || path,
        folder: path,
        output: `${temporary}/${i}`,
        target,
        l1Bytes: l1,
        maxCycles,
        ...machine,
      }));
      if (cases.length > 0) await ensureCompiler();
      const worker = new URL("./network_worker.ts", import.meta.url);
      return await reportCases(
        answersInOrder<NetworkCase, CaseResult>(worker, cases, jobs ?? processors()),
        folder,
        "a folder with network.onnx, inputs.npz and outputs.npz",
        json,
      );
    }),
);
