// The two levels of timing that a person can pick: `exact` cycle by cycle, `fast` by what instructions cost.

import { type Cache, FolderCache, userCache } from "../cache.ts";
import { FastHarts, type FastOptions } from "../soc/fast_harts.ts";
import type { Target } from "../../targets/schema.ts";

/** The levels by name. */
export const timings = ["exact", "fast"] as const;
export type Timing = (typeof timings)[number];

/** Where translated code is kept: in a folder, in the user's cache folder if none is named; false to keep nothing. */
export type CacheChoice = Cache | string | false;

/** The cache that is chosen; undefined for none. */
export function cacheOf(choice: CacheChoice | undefined): Cache | undefined {
  if (choice === false) return undefined;
  return typeof choice === "string" ? new FolderCache(choice) : choice ?? userCache();
}

/** How an engine is made. */
export interface EngineOptions extends Omit<FastOptions, "cache"> {
  readonly cache?: CacheChoice;
}

/**
 * What runs a target's harts at a level of timing: option `engine` of a SoC or of a session's emulator.
 *
 * @returns undefined for `exact`, which needs no engine
 * @throws {AttoflowError} if this machine cannot set the address space aside
 */
export function engineFor(
  target: Target,
  timing: Timing,
  { cache: choice, ...options }: EngineOptions = {},
): FastHarts | undefined {
  if (timing === "exact") return undefined;
  const cache = cacheOf(choice);
  return new FastHarts(target, { ...options, ...(cache ? { cache } : {}) });
}
