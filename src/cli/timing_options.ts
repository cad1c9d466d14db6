// `--timing`, `--cache`, `--no-cache`: what commands that run programs on the emulator have in common.

import { flag, option, optional, withDefault } from "@optique/core";
import { z } from "zod";
import { type Timing, timings } from "../../runtime/host/timing.ts";
import { AttoflowError } from "../../targets/errors.ts";
import { plain, value } from "./command.ts";
import { textValue } from "./options.ts";

/** `--timing exact|fast` with what it means to the command at hand. */
export function timingOption(description: string) {
  const levels = () => z.enum(timings, "write exact or fast");
  return withDefault(
    option("--timing", value("exact|fast", levels, "exact"), { description: plain(description) }),
    "exact" as const,
  );
}

const cacheFields = {
  cache: optional(option("--cache", textValue("DIR"), {
    description: plain(
      "Folder where fast timing keeps translated code between runs. Default: attoflow in the user's cache folder.",
    ),
  })),
  noCache: withDefault(
    flag("--no-cache", { description: plain("Neither use nor keep translated code of other runs.") }),
    false,
  ),
};

/** The options for commands that show cycles. */
export const timingFields = {
  timing: timingOption(
    "exact counts every cycle as the RTL does; fast translates the program, does the same and is many times as " +
      "fast, its cycles being some per cent off. Default: exact.",
  ),
  ...cacheFields,
};

/** How a machine is run: what `SessionOptions` and `engineFor` take, and Workers can be sent. */
export interface MachineTiming {
  readonly timing: Timing;
  readonly cache?: string | false;
}

/** What the options ask for. Throws {@link AttoflowError} if they contradict each other, or the cache is no folder. */
export function machineTiming(
  { timing, cache, noCache }: { readonly timing: Timing; readonly cache?: string; readonly noCache: boolean },
): MachineTiming {
  if (noCache && cache !== undefined) {
    throw new AttoflowError("--cache and --no-cache contradict each other", {
      hint: "Use one or the other.",
    });
  }
  if (cache !== undefined && isNoFolder(cache)) {
    throw new AttoflowError("nothing can be kept there: it is no folder", {
      where: cache,
      hint: "Name a folder with --cache, which is made if there is none, or leave it out.",
    });
  }
  return { timing, ...(noCache ? { cache: false } : cache !== undefined ? { cache } : {}) };
}

/**
 * Refuses what looks at every cycle where there is none to be seen.
 *
 * @param asked names of the options that have been given
 * @throws {AttoflowError} if any has, under fast timing
 */
export function refuseUnderFast(timing: Timing, asked: readonly string[]): void {
  if (timing !== "fast" || asked.length === 0) return;
  const [verb, them] = asked.length === 1 ? ["follows", "it"] : ["follow", "them"];
  throw new AttoflowError(
    `${asked.join(" and ")} ${verb} the harts cycle by cycle, and fast timing runs them in long stretches`,
    { hint: `Leave out --timing fast, or ${them}.` },
  );
}

/** Whether there is something at a path that is no folder. */
function isNoFolder(path: string): boolean {
  try {
    return !Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
