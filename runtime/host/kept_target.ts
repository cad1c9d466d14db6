// A target description as it was checked in an earlier run. Checking takes longer than emulating a small program.

import { descriptionOf } from "../../targets/built_in.ts";
import type { Cache } from "../cache.ts";
import { later } from "../later.ts";
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
  const { loadTarget } = await later<typeof import("../../targets/load.ts")>(
    "../../targets/load.ts",
    import.meta.url,
  );
  const target = await loadTarget(nameOrPath);
  if (name !== undefined) cache?.write(name, new TextEncoder().encode(JSON.stringify(target)));
  return target;
}

/** Name in the cache: of the description's text and of the code that checks it. */
function nameOf(nameOrPath: string): string | undefined {
  const stamp = sourceStamp(["../targets/"]);
  if (stamp === undefined) return undefined;
  const hash = new WordHash();
  try {
    hash.addText(Deno.readTextFileSync(descriptionOf(nameOrPath)));
  } catch {
    return undefined;
  }
  return `target-${stamp}-${hash.text}`;
}
