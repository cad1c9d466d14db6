// `demo`: the whole way with the example encoder, from a model that a script builds to results that are bit-exact.

import { writeEncoder } from "../../examples/encoder/build.ts";
import { generate, summaryOf } from "../generate.ts";
import { defineCommand } from "./command.ts";
import { resolveRequest } from "./import_request.ts";
import { print } from "./output.ts";
import { ensureCompiler } from "./setup.ts";
import { printValidation } from "./validate.ts";

const files = "out/example";
const folder = "out/encoder";

/** The command. */
export const demoCommand = defineCommand(
  "demo",
  {
    summary: "Go the whole way with the example encoder.",
    details:
      `Builds a small transformer encoder (${files}), generates its image (${folder}), runs it on the emulated ` +
      "target and compares every bit with the reference. Installs a compiler first where there is none.",
    examples: ["demo"],
  },
  {},
  async () => {
    await ensureCompiler();
    const { model, inputs } = await writeEncoder(files);
    print(`built ${model}`);
    const { inputLines, ...request } = await resolveRequest({ model, target: "snitch-ita", inputTypes: {} });
    print(...inputLines);
    const generated = await generate({ ...request, out: folder });
    print("", `${folder}: image.elf built with ${generated.compiler.version}`, summaryOf(generated), "");
    const summary = await printValidation(folder, { inputs, layers: true }, false);
    return summary.bitExact ? 0 : 1;
  },
);
