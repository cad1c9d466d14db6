// `emulate DIR`: a generated image and its host: inferences, without comparing them with anything.

import { EmulatorTransport } from "../../runtime/host/emulator.ts";
import { type GeneratedImage, readGeneratedImage } from "../../runtime/host/folder.ts";
import { displayName } from "../../runtime/host/names.ts";
import { openSession } from "../../runtime/host/open.ts";
import type { InferenceResult, Session } from "../../runtime/host/session.ts";
import { engineFor } from "../../runtime/host/timing.ts";
import type { Transport } from "../../runtime/host/transport.ts";
import { type Elements, elementsFromBytes, type ResultTensor } from "../../runtime/host/tensors.ts";
import { later } from "../../runtime/later.ts";
import { matchInputs } from "../../runtime/validate/match.ts";
import { readNpz } from "../../runtime/validate/npz.ts";
import { AttoflowError } from "../../targets/errors.ts";
import type { Manifest } from "../../targets/manifest.ts";
import { exitStatus, type Run, summarise } from "./emulate_program.ts";
import { readFile } from "./files.ts";
import { grouped, printJson, say } from "./output.ts";

/** Elements of a result that are printed. */
const shownElements = 16;

/**
 * Runs the inferences that are asked for, or one with zeros.
 *
 * @param folder folder that `generate` has written
 * @returns exit status of the process
 * @throws {AttoflowError} if a file is wrong or the program fails
 */
export async function emulateFolder(
  folder: string,
  { output, signal, json, ...run }: Run,
): Promise<number> {
  const generated = await readGeneratedImage(folder);
  const { target, image, manifest } = generated, { testbench, maxCycles, timing, cache } = run;
  const inferences = await inputsFor(generated, run.inputs);
  if (run.gdb !== undefined) {
    const host = async (transport: Transport) => {
      try {
        await using session = await openSession(generated, { transport, maxCycles: Infinity });
        await runInferences(session, inferences, json);
      } catch (error) {
        // The machine stays as it is for whoever debugs it.
        if (!(error instanceof AttoflowError)) throw error;
        say(`attoflow: ${error.paragraph}`);
      }
    };
    const console = (bytes: Uint8Array) => output.take(bytes);
    const program = { target, image, manifest, host, testbench, console, maxCycles };
    const { serveGdb } = await later<typeof import("./emulate_gdb.ts")>("./emulate_gdb.ts", import.meta.url);
    return exitStatus(await serveGdb(run.gdb, program, signal));
  }
  const observer = run.observe({ target, image, manifest, program: displayName(manifest.model) });
  const transport = new EmulatorTransport(target, {
    console: (text) => output.take(new TextEncoder().encode(text)),
    observer,
    engine: engineFor(target, timing, { cache }),
    signal,
  });
  try {
    await using session = await openSession(generated, { transport, maxCycles });
    await runInferences(session, inferences, json);
  } finally {
    output.flush();
    summarise(transport.statistics(), undefined, json);
  }
  return 0;
}

/** Inputs of each inference: those of an npz file, or one of zeros (or the value nearest to zero that an input takes). */
async function inputsFor(
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
async function runInferences(
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
