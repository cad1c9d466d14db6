// ONNX file in, folder with C project and image out.

import { AttoflowError } from "../targets/errors.ts";
import { memoryOf } from "../targets/load.ts";
import type { Manifest } from "../targets/manifest.ts";
import type { Target } from "../targets/schema.ts";
import { compileModel } from "./compile_model.ts";
import { imageFiles, makeManifest } from "./emit/manifest.ts";
import { replaceFolder } from "./emit/output_folder.ts";
import { makeProject, writeProject } from "./emit/project.ts";
import { Symbols } from "./emit/symbols.ts";
import { printName } from "./model/print.ts";
import type { Model } from "./model/types.ts";
import { importModel, type ImportOptions } from "./onnx/import.ts";
import { l1Budget } from "./schedule/budget.ts";
import { costLines, memoryTable } from "./schedule/summary.ts";
import type { Program } from "./schedule/program.ts";
import { build } from "./toolchain/build.ts";
import { type Compiler, findCompiler } from "./toolchain/compiler.ts";
import { readLinkedImage } from "./toolchain/elf.ts";
import { intelHex, rawImage } from "./toolchain/images.ts";

/** What to compile, for what, and where to. */
export interface GenerateOptions {
  /** The ONNX file. */
  readonly bytes: Uint8Array;
  readonly import: ImportOptions;
  readonly target: Target;
  /** Folder to be made; an older generated one is replaced. */
  readonly out: string;
  /** Use no more than so many bytes of L1. */
  readonly l1Bytes?: number;
  /** Compiler: `gcc`, `clang` or a command; see {@link findCompiler}. */
  readonly cc?: string;
}

/** A generated network. */
export interface Generated {
  /** The rewritten model. */
  readonly model: Model;
  readonly program: Program;
  readonly manifest: Manifest;
  readonly compiler: Compiler;
}

/**
 * Compiles an ONNX file to a folder: C project, `image.elf`, `image.bin`, `image.hex`, `manifest.json`, and the
 * model itself. The folder appears when all of it is there.
 *
 * @throws {AttoflowError} if the model cannot be imported or planned, there is no compiler, the image does not fit,
 *   or the folder cannot be made
 */
export async function generate(options: GenerateOptions): Promise<Generated> {
  const { bytes, target } = options;
  const imported = importModel(bytes, options.import);
  const { model, program } = compileModel(imported, target, { l1Bytes: options.l1Bytes });
  const compiler = await findCompiler(options.cc);
  const symbols = new Symbols(program);
  const project = await makeProject(program, model, target, symbols, {
    l1Bytes: l1Budget(target, options.l1Bytes).size,
    family: compiler.family,
  });

  let manifest: Manifest | undefined;
  await replaceFolder(options.out, async (folder) => {
    await writeProject(folder, project);
    await build(folder, project.sources, target, compiler, contentsOf(program));
    const image = readLinkedImage(await Deno.readFile(`${folder}/${imageFiles.elf}`));
    await Deno.writeFile(`${folder}/${imageFiles.bin}`, rawImage(image, memoryOf(target, "l2").base));
    await Deno.writeFile(`${folder}/${imageFiles.hex}`, intelHex(image));
    await Deno.writeFile(`${folder}/${imageFiles.model}`, bytes);
    manifest = makeManifest({
      program,
      model,
      target,
      symbols,
      image,
      compiler: compiler.version,
      import: {
        sha256: await sha256(bytes),
        softmaxShift: options.import.softmaxShift,
        inputTypes: { ...options.import.inputTypes },
      },
    });
    await Deno.writeTextFile(`${folder}/manifest.json`, JSON.stringify(manifest, undefined, 1) + "\n");
  });
  if (!manifest) throw new AttoflowError("nothing was generated", { where: options.out });
  return { model, program, manifest, compiler };
}

/** What a person wants to know of it: operators, MACs, parameters, bytes in each memory against its size. */
export function summaryOf({ program, manifest }: Generated): string {
  const memories = program.memories.map((use) => {
    const linked = manifest.memories.find(({ name }) => name === use.memory)!;
    return { ...use, code: linked.code, reserved: linked.stack };
  });
  return [...costLines(program.layers, program.macs, program.parameters), "", ...memoryTable(memories)].join(
    "\n",
  );
}

/** What takes the most room, for an error. */
function contentsOf({ constants, arenas, buffers }: Program): string {
  const largest = [...buffers.values()].filter(({ memory }) => memory === "l2").sort((a, b) =>
    b.bytes - a.bytes
  )
    .slice(0, 3).map(({ name, kind, tensor, bytes }) => `${kind} ${printName(tensor ?? name)} ${bytes}`);
  return `${constants.length} bytes of constants and ${arenas.l2} of activations beside code and tables; ` +
    `the largest are ${largest.join(", ")}`;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return new Uint8Array(digest).toHex();
}
