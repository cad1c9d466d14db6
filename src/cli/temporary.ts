// Folders for things that nobody keeps. They go away however the work in them ends, by Ctrl-C too.

import { cleanUpOnInterrupt } from "../clean_up.ts";

/** Runs `work` with a new empty folder and removes the folder afterwards. */
export async function withTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "attoflow-" });
  using _ = cleanUpOnInterrupt(() => Deno.removeSync(folder, { recursive: true }));
  try {
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
