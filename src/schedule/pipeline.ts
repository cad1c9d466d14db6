// A layer's time as the choice of a tiling needs it, quickly: as if the engines met behind each piece. The program's
// own times come from playing it through (order.ts).

import { transfersCycles } from "../../targets/engines/dma/timing.ts";
import type { Target } from "../../targets/schema.ts";
import type { Move, Piece } from "./pieces.ts";

/** What happens at the same time: moves by the DMA, one piece's kernel on the workers. */
export interface Phase {
  readonly loads: readonly Move[];
  readonly stores: readonly Move[];
  readonly compute?: Piece;
}

/**
 * Cycles of a phase beyond its longest part (barrier, finding the task, looking up the next one), and of a layer
 * beyond its phases (call, tables, time stamp). Traced on the emulated cluster.
 */
const phaseCycles = 50;
const layerCycles = 60;

/**
 * Phases of a layer. In phase p the DMA loads piece p and stores piece p-2 while the workers are at piece p-1.
 * A piece without a kernel (a copy by the DMA) is stored in the phase behind its load.
 */
export function phasesOf(pieces: readonly Piece[]): Phase[] {
  if (pieces.length === 0) return [];
  const hasKernels = pieces.some(({ call }) => call.kernel !== "" || call.accelerator !== undefined);
  const storeDelay = hasKernels ? 2 : 1;
  return Array.from({ length: pieces.length + storeDelay }, (_, phase): Phase => {
    const working = pieces[phase - 1];
    return {
      loads: pieces[phase]?.loads ?? [],
      stores: pieces[phase - storeDelay]?.stores ?? [],
      compute: hasKernels ? working : undefined,
    };
  });
}

/** Share of the time of a transfer by which it holds up the cores, whose banks it takes (section 3.3: 822 / 771). */
export const contention = 0.07;

/** Estimated cycles of a layer: of each phase its longest part, or all parts where one hart does everything. */
export function estimate(phases: readonly Phase[], target: Target): number {
  return phases.reduce((sum, step) => {
    const moving = moveCycles(step, target);
    const working = computeCycles(step);
    const both = target.dma ? Math.max(moving, working + Math.ceil(contention * moving)) : moving + working;
    return sum + phaseCycles + both;
  }, layerCycles);
}

function computeCycles(step: Phase): number {
  return step.compute?.call.cycles ?? 0;
}

function moveCycles(step: Phase, target: Target): number {
  const shapes = [[step.loads, false] as const, [step.stores, true] as const].flatMap(([moves, toOutside]) =>
    moves.flatMap((move) => move.rows.map(({ bytes, rows }) => ({ bytes, rows, toOutside })))
  );
  return transfersCycles(shapes, target.dma?.bytesPerCycle ?? bytesPerCycleOfHart);
}

/** A hart that moves data itself copies a word in about 2 cycles (kernel table: 1.67 B a cycle). */
const bytesPerCycleOfHart = 2;
