// Reading files for commands: every failure becomes one sentence about the path.

import { AttoflowError } from "../../targets/errors.ts";

/** Whole content of a file. Throws {@link AttoflowError} that says why it cannot be read. */
export async function readFile(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw fileError(error, path);
  }
}

/** Whether there is a file (not a folder) at a path. */
export async function fileExists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** Whether there is a folder at a path. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}

/** What a failed file operation means to a person; other errors come back as they are. */
export function fileError(error: unknown, path: string): unknown {
  const problem = error instanceof Deno.errors.NotFound
    ? "there is no such file or folder"
    : error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable
    ? "it may not be read or written by you"
    : error instanceof Deno.errors.IsADirectory
    ? "this is a folder, a file is wanted"
    : error instanceof Deno.errors.NotADirectory
    ? "this is a file, a folder is wanted"
    : error instanceof Deno.errors.FilesystemLoop
    ? "its links go round in a circle"
    : undefined;
  return problem === undefined ? error : new AttoflowError(problem, { where: path, cause: error });
}
