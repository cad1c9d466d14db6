// A layer's time as the choice of a tiling needs it, quickly: as if the engines met behind each piece. The program's
// own times come from playing it through (order.ts).

import { transfersCycles } from "../../targets/engines/dma/timing.ts";
import type { Target } from "../../targets/schema.ts";
import type { Pieces } from "./pieces.ts";

/**
 * Cycles of a phase beyond its longest part (barrier, finding the task, looking up the next one), and of a layer
 * beyond its phases (call, tables, time stamp). Traced on the emulated cluster.
 */
const phaseCycles = 50;
const layerCycles = 60;

/** Share of the time of a transfer by which it holds up the cores, whose banks it takes (section 3.3: 822 / 771). */
export const contention = 0.07;

/**
 * Estimated cycles of a layer. In phase p the DMA loads piece p and stores piece p-2 while the workers are at piece
 * p-1; a copy is stored in the phase behind its load. A phase takes as long as its longest part, or as all parts where
 * one hart does everything.
 */
export function estimate({ pieces, hasKernels }: Pieces, target: Target): number {
  if (pieces.length === 0) return layerCycles;
  const storeDelay = hasKernels ? 2 : 1;
  let cycles = layerCycles;
  for (let phase = 0; phase < pieces.length + storeDelay; phase++) {
    const { loads = [] } = pieces[phase] ?? {};
    const { stores = [] } = pieces[phase - storeDelay] ?? {};
    const moving = transfersCycles([
      ...loads.map(({ bytes, rows }) => ({ bytes, rows, toOutside: false })),
      ...stores.map(({ bytes, rows }) => ({ bytes, rows, toOutside: true })),
    ], bytesPerCycleOf(target));
    const working = hasKernels ? pieces[phase - 1]?.cycles ?? 0 : 0;
    const both = target.dma ? Math.max(moving, working + Math.ceil(contention * moving)) : moving + working;
    cycles += phaseCycles + both;
  }
  return cycles;
}

/**
 * Bytes that are moved in a cycle: by the DMA, or by a hart that moves data itself and copies a word in about 2 cycles
 * (kernel table: 1.67 B a cycle).
 */
export function bytesPerCycleOf({ dma }: Target): number {
  return dma?.bytesPerCycle ?? 2;
}
