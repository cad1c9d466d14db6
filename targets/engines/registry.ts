// The engines that the compiler knows. A new one is a folder here and a line below.

import { coresMapping } from "./cores/mapping.ts";
import { dmaEngine } from "./dma/mapping.ts";
import { itaMapping } from "./ita/mapping.ts";
import type { EngineMapping } from "./engine.ts";

/** Every engine with a mapping, by name; a target says which of them it has. */
export const engineMappings: ReadonlyMap<EngineMapping["name"], EngineMapping> = new Map(
  [itaMapping, coresMapping, dmaEngine].map((engine) => [engine.name, engine]),
);
