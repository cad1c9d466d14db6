// `analyze MODEL.onnx`: what a model holds and costs on a target, without building anything.

import { analysisText, analyze } from "../analyze.ts";
import { defineCommand } from "./command.ts";
import { resolveRequest } from "./import_request.ts";
import { compileFields, importFields, jsonOption, pathArgument } from "./options.ts";
import { printJson, say, write } from "./output.ts";

/** The command. */
export const analyzeCommand = defineCommand("analyze", {
  summary: "Say what a model holds and costs, whether it fits, and what is in the way.",
  details:
    "Prints operators, MACs, parameters, bytes in each memory against its size, the engine that runs each " +
    "operator and why, and everything that is unsupported. Builds nothing. Exit status 1 if the model cannot be " +
    "generated as it is.",
  examples: ["analyze encoder.onnx", "analyze encoder.onnx --target virt --json"],
}, {
  model: pathArgument("MODEL.onnx", "The model."),
  ...compileFields,
  ...importFields,
  json: jsonOption,
}, async ({ l1, json, ...request }) => {
  const { inputLines, ...resolved } = await resolveRequest(request);
  say(...inputLines);
  const analysis = analyze({ ...resolved, l1Bytes: l1 });
  const { file, unsupported, misfit, program, estimate } = analysis;
  if (json) {
    printJson({
      type: "analysis",
      model: resolved.import.name,
      target: resolved.target.name,
      opset: file.opset,
      operators: Object.fromEntries(file.operators),
      problems: file.problems.map((problem) => problem.paragraph),
      unsupported,
      ...(misfit ? { misfit: misfit.paragraph } : {}),
      ...(program
        ? {
          macs: program.macs,
          parameters: program.parameters,
          estimate,
          memories: program.memories,
          layers: program.layers.map(({ steps: _, ...layer }) => layer),
        }
        : {}),
    });
  } else {
    write(analysisText(analysis));
  }
  return program ? 0 : 1;
});
