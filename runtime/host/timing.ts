// The two levels of timing that a person can pick: `exact` cycle by cycle, `fast` by what instructions cost.

import { type Cache, userCache } from "../cache.ts";
import { FastHarts, type FastOptions } from "../soc/fast_harts.ts";
import type { Target } from "../../targets/schema.ts";

/** The levels by name. */
export const timings = ["exact", "fast"] as const;
export type Timing = (typeof timings)[number];

/** How an engine is made. */
export interface EngineOptions extends Omit<FastOptions, "cache"> {
  /** Where translated code is kept: by default in the user's cache folder; false to keep nothing. */
  readonly cache?: Cache | false;
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
  options: EngineOptions = {},
): FastHarts | undefined {
  if (timing === "exact") return undefined;
  const { cache = userCache(), ...rest } = options;
  return new FastHarts(target, { ...rest, ...(cache ? { cache } : {}) });
}
