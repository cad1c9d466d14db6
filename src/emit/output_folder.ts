// Where a generated project goes: made in a folder beside its place and moved there when it is complete, so that
// nothing half-written is ever seen.

import { basename, dirname, join, resolve } from "node:path";
import { AttoflowError } from "../../targets/errors.ts";
import { cleanUpOnInterrupt } from "../clean_up.ts";

/**
 * Makes a folder: `fill` writes into a temporary one beside it, which then takes its place. What was there before
 * goes only if it is empty or a generated project (it has a manifest.json).
 *
 * @throws {AttoflowError} if something else is there, or the folder cannot be made; whatever `fill` throws
 */
export async function replaceFolder(path: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const folder = resolve(path);
  await refuseForeign(folder, path);
  let temporary: string;
  try {
    await Deno.mkdir(dirname(folder), { recursive: true });
    temporary = await Deno.makeTempDir({ dir: dirname(folder), prefix: `.${basename(folder)}.` });
  } catch (cause) {
    throw new AttoflowError(`no folder can be made there: ${(cause as Error).message}`, {
      where: path,
      cause,
    });
  }
  using _ = cleanUpOnInterrupt(() => Deno.removeSync(temporary, { recursive: true }));
  try {
    await fill(temporary);
    await Deno.chmod(temporary, 0o755).catch(() => {}); // not on Windows
    await refuseForeign(folder, path);
    const old = `${temporary}.old`;
    const replaced = await Deno.rename(folder, old).then(() => true, () => false);
    await Deno.rename(temporary, folder);
    if (replaced) await Deno.remove(old, { recursive: true });
  } catch (error) {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
    throw error;
  }
}

async function refuseForeign(folder: string, path: string): Promise<void> {
  let names: string[];
  try {
    names = await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new AttoflowError("there is something that is not a folder", {
      where: path,
      hint: "Name another --out.",
    });
  }
  if (names.length === 0 || names.includes("manifest.json")) return;
  throw new AttoflowError(
    `the folder holds files that were not generated, such as ${JSON.stringify(names.sort()[0].slice(0, 60))}`,
    { where: path, hint: `Name another --out, or remove ${join(path, "")} yourself.` },
  );
}
