// All commands, in the order in which help lists them.

import { analyzeCommand } from "./analyze.ts";
import type { CommandParser } from "./command.ts";
import { generateCommand } from "./generate.ts";
import { setupCommand } from "./setup.ts";
import { targetCommand } from "./target.ts";

/** What can be typed behind `deno task`. */
export const commands: readonly CommandParser[] = [
  setupCommand,
  generateCommand,
  analyzeCommand,
  targetCommand,
];
