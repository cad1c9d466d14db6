// Writes the example encoder as files: `deno run --allow-read --allow-write examples/encoder/build.ts [FOLDER]`.

import { join } from "node:path";
import { writeNpz } from "../../runtime/validate/npz.ts";
import { exportModel } from "../../src/onnx/export.ts";
import { buildEncoder, encoderSizes } from "./encoder.ts";

/**
 * Writes `encoder.onnx` and `inputs.npz` with some images.
 *
 * @param folder made if it is not there
 * @returns paths of both
 */
export async function writeEncoder(folder: string): Promise<{ model: string; inputs: string }> {
  const { model, images } = buildEncoder();
  const { channels, height, width } = encoderSizes;
  const data = Int8Array.from(images.flatMap((image) => [...image]));
  const files = { model: join(folder, "encoder.onnx"), inputs: join(folder, "inputs.npz") };
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(files.model, exportModel(model));
  await Deno.writeFile(
    files.inputs,
    writeNpz(new Map([["image", { shape: [images.length, channels, height, width], data }]])),
  );
  return files;
}

if (import.meta.main) {
  const { model, inputs } = await writeEncoder(Deno.args[0] ?? "out/example");
  console.log(`${model}\n${inputs}`);
}
