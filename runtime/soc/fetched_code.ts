// Where harts fetch code from: memories, whose pages are watched from then on, and in fast timing every word.

import type { CodeSource } from "../hart/code.ts";
import type { MemoryAccess } from "./access.ts";
import type { HartEngine } from "./engine.ts";
import type { MemoryMap, Region } from "./memory_map.ts";

const pageBits = 12;

function isCode(region: Region | undefined): region is Region {
  return region !== undefined &&
    (region.kind === "memory" || region.kind === "tcdm" || region.kind === "rom");
}

/**
 * The code of a SoC.
 *
 * @param access is told which pages hold code, once it is there
 */
export function fetchedCode(
  map: MemoryMap,
  access: () => MemoryAccess,
  engine: HartEngine | undefined,
): CodeSource {
  const noted = new Uint8Array(2 ** (32 - pageBits));
  return {
    fetch: (address) => {
      const region = map.find(address);
      if (!isCode(region)) return undefined;
      if (noted[address >>> pageBits] === 0) {
        noted[address >>> pageBits] = 1;
        access().noteCode(address);
      }
      engine?.decoded(address);
      return region.words[((address >>> 0) - region.base) >>> 2];
    },
    cacheable: (address) => map.find(address)?.kind === "memory",
  };
}
