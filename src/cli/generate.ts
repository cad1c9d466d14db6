// `generate MODEL.onnx`: an ONNX file becomes a C project and an image.

import { option, optional } from "@optique/core";
import { generate, summaryOf } from "../generate.ts";
import { defineCommand, plain } from "./command.ts";
import { resolveRequest } from "./import_request.ts";
import {
  compileFields,
  compilerOption,
  importFields,
  jsonOption,
  pathArgument,
  textValue,
} from "./options.ts";
import { print, printJson, say } from "./output.ts";

/** The command. */
export const generateCommand = defineCommand("generate", {
  summary: "Turn an ONNX model into a C project and a bootable image.",
  details:
    "Reads a model of the integer dialect, plans memory and work, and writes network.h, network.c, kernels, " +
    "start-up code, link.ld, weights and a Makefile, then builds image.elf, image.bin and image.hex and says in " +
    "manifest.json what they hold. The folder appears when all of it is there. Exit status 2 if the model is not " +
    "supported or does not fit.",
  examples: [
    "generate encoder.onnx --out out/encoder",
    "generate network.onnx --inputs samples.npz --cc clang",
    "generate attention.onnx --input-type x=int8 --softmax-shift 5 --l1 64KiB",
  ],
}, {
  model: pathArgument("MODEL.onnx", "The model."),
  out: optional(option("--out", textValue("DIR"), {
    description: plain("Folder to make; an older generated one is replaced. Default: out/NAME."),
  })),
  ...compileFields,
  ...importFields,
  cc: compilerOption,
  json: jsonOption,
}, async ({ out, l1, cc, json, ...request }) => {
  const { inputLines, ...resolved } = await resolveRequest(request);
  say(...inputLines);
  const folder = out ?? `out/${resolved.import.name}`;
  const generated = await generate({ ...resolved, out: folder, l1Bytes: l1, cc });
  const { manifest, compiler } = generated;
  if (json) {
    const { model, macs, parameters, memories } = manifest;
    printJson({ type: "generated", model, folder, compiler: compiler.version, macs, parameters, memories });
  } else {
    print(`${folder}: image.elf built with ${compiler.version}`, summaryOf(generated));
  }
  return 0;
});
