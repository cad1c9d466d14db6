// Reads the folder that `generate` has written: the manifest, the target in it and the image.

import { join } from "node:path";
import { AttoflowError } from "../../targets/errors.ts";
import { parseTarget } from "../../targets/load.ts";
import { type Manifest, manifestSchema } from "../../targets/manifest.ts";
import type { Target } from "../../targets/schema.ts";
import { readElf } from "../image/elf.ts";
import type { Image } from "../image/types.ts";

/** A generated network, ready to be loaded. */
export interface GeneratedImage {
  readonly manifest: Manifest;
  readonly target: Target;
  readonly image: Image;
}

const regenerate = "Make the folder again with `deno task generate MODEL.onnx --out DIR`.";

/**
 * Reads a folder that `generate` has written.
 *
 * @param folder path of the folder with `manifest.json` in it
 * @throws {AttoflowError} if a file is missing or is not what the manifest says
 */
export async function readGeneratedImage(folder: string): Promise<GeneratedImage> {
  const path = join(folder, "manifest.json");
  const manifest = parseManifest(new TextDecoder().decode(await readFile(path)), path);
  const target = parseTarget(JSON.stringify(manifest.target), `${path}, field target`);
  const elf = filePath(folder, manifest, "elf");
  const image = readElf(await readFile(elf), elf);
  return { manifest, target, image };
}

/** Path of one of the files that lie beside the manifest. */
export function filePath(folder: string, manifest: Manifest, which: keyof Manifest["files"]): string {
  const name = manifest.files[which];
  // A manifest may come from anybody: it names files of its own folder only.
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name)) {
    throw new AttoflowError(`files.${which} is not the name of a file in this folder`, {
      where: join(folder, "manifest.json"),
      hint: regenerate,
    });
  }
  return join(folder, name);
}

/** Checks the text of a manifest. `where` names it in errors. Throws {@link AttoflowError}. */
export function parseManifest(text: string, where: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AttoflowError(`the manifest is not JSON: ${(cause as Error).message}`, {
      where,
      hint: regenerate,
      cause,
    });
  }
  const result = manifestSchema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join(".") || "(top)"}: ${message}`);
  const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
  const problem = problems.slice(0, 3).join("; ") + more;
  throw new AttoflowError(`the manifest is wrong: ${problem}`, { where, hint: regenerate });
}

async function readFile(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    const missing = cause instanceof Deno.errors.NotFound;
    throw new AttoflowError(
      missing ? "there is no such file" : `it cannot be read: ${(cause as Error).message}`,
      { where: path, hint: regenerate, cause },
    );
  }
}
