// Listing the files of a folder for commands.

import { join } from "node:path";
import { fileError, fileExists } from "./files.ts";

/**
 * Paths of all files in a folder, however deep, in the order of their names. Links to folders are not followed.
 *
 * @throws {AttoflowError} if the folder cannot be read
 */
export async function listFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) entries.push(entry);
  } catch (error) {
    throw fileError(error, folder);
  }
  entries.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) files.push(...await listFiles(path));
    else if (entry.isFile || (entry.isSymlink && await fileExists(path))) files.push(path);
  }
  return files;
}
