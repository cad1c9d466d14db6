// Gives the tiles of all layers their places in L1.

import { aligned } from "./budget.ts";
import type { Buffer } from "./program.ts";

/**
 * Places the tiles of layers in turn from the start and from the end of the arena, so that one layer's can be filled
 * while those of the one before are still in use, as far as both fit.
 *
 * @param layers buffers of each layer that has work, from offset 0 on
 * @param most bytes of L1 that there are for tiles
 */
export function placeTiles(
  layers: readonly (readonly Buffer[])[],
  most: number,
): { buffers: Buffer[]; arenaBytes: number } {
  const sizes = layers.map((buffers) =>
    Math.max(0, ...buffers.map((buffer) => aligned(buffer.offset + buffer.bytes)))
  );
  const pairs = sizes.map((size, i) => size + (sizes[i + 1] ?? 0));
  const arenaBytes = Math.min(most, Math.max(0, ...pairs));
  const buffers = layers.flatMap((buffers, i) => {
    if (i % 2 === 0) return buffers;
    return buffers.map((buffer) => ({
      ...buffer,
      offset: arenaBytes - buffer.offset - aligned(buffer.bytes),
    }));
  });
  return { buffers, arenaBytes };
}
