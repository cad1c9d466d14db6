// All commands, in the order in which help lists them.

import { analyzeCommand } from "./analyze.ts";
import { benchCommand } from "./bench.ts";
import { type CommandParser, defineGroup } from "./command.ts";
import { conformanceIsa } from "./conformance_isa.ts";
import { conformanceIta } from "./conformance_ita.ts";
import { conformanceNetworks } from "./conformance_networks.ts";
import { conformanceTiming } from "./conformance_timing.ts";
import { demoCommand } from "./demo.ts";
import { emulateCommand } from "./emulate.ts";
import { generateCommand } from "./generate.ts";
import { setupCommand } from "./setup.ts";
import { targetCommand } from "./target.ts";
import { validateCommand } from "./validate.ts";

/** What can be typed behind `deno task`. */
export const commands: readonly CommandParser[] = [
  demoCommand,
  setupCommand,
  generateCommand,
  analyzeCommand,
  validateCommand,
  emulateCommand,
  defineGroup("conformance", "Compare with networks, programs and vectors of others.", [
    conformanceNetworks,
    conformanceIsa,
    conformanceIta,
    conformanceTiming,
  ]),
  benchCommand,
  targetCommand,
];
