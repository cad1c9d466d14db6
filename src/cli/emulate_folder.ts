// `emulate DIR`: the inferences of a generated image, without comparing them with anything.

import type { GeneratedImage } from "../../runtime/host/folder.ts";
import { displayName } from "../../runtime/host/names.ts";
import type { InferenceResult, Session } from "../../runtime/host/session.ts";
import { type Elements, elementsFromBytes, type ResultTensor } from "../../runtime/host/tensors.ts";
import { matchInputs } from "../../runtime/validate/match.ts";
import { readNpz } from "../../runtime/validate/npz.ts";
import type { Manifest } from "../../targets/manifest.ts";
import { readFile } from "./files.ts";
import { grouped, printJson, say } from "./output.ts";

/** Elements of a result that are printed. */
const shownElements = 16;

/** Whether there is a folder at a path. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}

/** Inputs of each inference: those of an npz file, or one of zeros (or the value nearest to zero that an input takes). */
export async function inputsFor(
  { manifest }: GeneratedImage,
  path: string | undefined,
): Promise<readonly (readonly Elements[])[]> {
  if (path === undefined) return [zeros(manifest)];
  const { inferences, notes } = matchInputs(readNpz(await readFile(path), path), manifest.inputs, path);
  for (const note of notes) say(`note: ${path}: ${note}`);
  return inferences;
}

function zeros({ inputs }: Manifest): Elements[] {
  return inputs.map(({ dtype, bytes, range }) =>
    elementsFromBytes(dtype, new Uint8Array(bytes))
      .fill(Math.min(Math.max(0, range.min ?? 0), range.max ?? 0))
  );
}

/** Runs inferences and says what came out: on stderr, or as objects on stdout. */
export async function runInferences(
  session: Session,
  inferences: readonly (readonly Elements[])[],
  json: boolean,
): Promise<void> {
  for (const inputs of inferences) report(await session.infer(inputs), json);
}

function report({ index, cycles, layerCycles, outputs }: InferenceResult, json: boolean): void {
  if (json) {
    printJson({
      type: "inference",
      index,
      cycles,
      layerCycles,
      outputs: outputs.map(({ name, dtype, shape, data }) => ({ name, dtype, shape, data: [...data] })),
    });
  } else say(`inference ${index}: ${grouped(cycles)} cycles`, ...outputs.map(outputLine));
}

function outputLine({ name, dtype, shape, data }: ResultTensor): string {
  const more = data.length > shownElements ? ", …" : "";
  const elements = [...data.slice(0, shownElements)].join(", ");
  return `  output ${displayName(name)} [${shape}] ${dtype}: ${elements}${more}`;
}
