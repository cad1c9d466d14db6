// A target description as it was checked in an earlier run. Checking takes longer than emulating a small program.

import type { Cache } from "../cache.ts";
import { sourceStamp, WordHash } from "../stamp.ts";
import type { Target } from "../../targets/schema.ts";

/**
 * Loads a target; takes it from the cache if exactly this description was checked before, by the same schema.
 *
 * @param nameOrPath as `loadTarget` takes it, which does the work where there is no cache or nothing in it
 * @throws {AttoflowError} as `loadTarget`
 */
export async function loadKeptTarget(nameOrPath: string, cache?: Cache): Promise<Target> {
  const name = cache && nameOf(nameOrPath);
  const kept = name === undefined ? undefined : cache?.read(name);
  if (kept) return JSON.parse(new TextDecoder().decode(kept)) as Target;
  // What is written in an `import`, Deno reads with all that it imports, wanted or not; what is resolved it does not.
  const load = await import(new URL("../../targets/load.ts", import.meta.url).href);
  const { loadTarget } = load as typeof import("../../targets/load.ts");
  const target = await loadTarget(nameOrPath);
  if (name !== undefined) cache?.write(name, new TextEncoder().encode(JSON.stringify(target)));
  return target;
}

/** Name in the cache: of the description's text and of the code that checks it. */
function nameOf(nameOrPath: string): string | undefined {
  const stamp = sourceStamp(["../targets/"]);
  const text = readText(new URL(`../../targets/${nameOrPath}/target.json`, import.meta.url)) ??
    readText(nameOrPath);
  if (stamp === undefined || text === undefined) return undefined;
  const hash = new WordHash();
  hash.addText(text);
  return `target-${stamp}-${hash.text}`;
}

function readText(path: string | URL): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
