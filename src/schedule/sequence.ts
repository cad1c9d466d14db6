// In which order the engines do the blocks of all layers: a list schedule. Whichever engine is free takes the block that
// can start first, the one of the earliest layer if several can. The result is one list, sorted by estimated start, in
// which everything comes behind what it needs.

import { Makers } from "./makers.ts";
import type { StepEngine } from "./program.ts";
import type { Block, Unit } from "./units.ts";

/** A unit with the time at which it is expected to run. */
export interface TimedUnit {
  readonly unit: Unit;
  readonly start: number;
  readonly end: number;
}

/** So many of an engine's waiting blocks are looked at, from the oldest on. */
const lookAhead = 48;

/** From the end of what makes a tensor until another engine can work on it: to L2, from there, and the hand-overs. */
const roundTrip = 500;

/** A copy by the DMA. */
const copyCycles = 300;

/**
 * Orders the blocks.
 *
 * @param blocks all blocks, in an order in which they could be done one after the other
 * @param overlap several engines at a time; if not, the blocks keep the order in which they are given
 */
export function sequenceOf(blocks: readonly Block[], overlap: boolean): TimedUnit[] {
  if (!overlap) return inOrder(blocks);
  const needs = needsOf(blocks);
  const end = new Float64Array(blocks.length).fill(-1);
  const queues: Record<StepEngine, number[]> = { ita: [], cores: [], dma: [] };
  const atoms = new Map<number, Set<number>>();
  blocks.forEach(({ engine, atom }, index) => {
    queues[engine].push(index);
    if (atom !== undefined) atoms.set(atom, (atoms.get(atom) ?? new Set()).add(index));
  });
  const free: Record<StepEngine, number> = { ita: 0, cores: 0, dma: 0 };
  let open: number | undefined;

  /** When a block can start; Infinity if something before it has no time yet. */
  const readyAt = (index: number): number => {
    const { atom, engine } = blocks[index];
    if (engine === "ita" && open !== undefined && atom !== open) return Infinity;
    if (atom !== undefined && atom !== open) {
      const members = atoms.get(atom)!;
      const complete = [...members].every((member) =>
        needs[member].every((need) => blocks[need].layer === atom || end[need] >= 0)
      );
      if (!complete) return Infinity;
    }
    let ready = 0;
    for (const need of needs[index]) {
      if (end[need] < 0) return Infinity;
      const handOver = blocks[need].engine === engine && engine === "ita" ? 0 : roundTrip;
      ready = Math.max(ready, end[need] + handOver);
    }
    return ready;
  };

  const timed: TimedUnit[] = [];
  for (let left = blocks.length; left > 0; left--) {
    let best: { index: number; engine: StepEngine; place: number; start: number } | undefined;
    for (const engine of ["ita", "cores", "dma"] as const) {
      const queue = queues[engine];
      for (let place = 0; place < Math.min(queue.length, lookAhead); place++) {
        const start = Math.max(free[engine], readyAt(queue[place]));
        if (start < (best?.start ?? Infinity)) best = { index: queue[place], engine, place, start };
        if (start <= free[engine]) break;
      }
    }
    if (!best) throw new Error("the blocks depend on each other in a circle");
    const { index, engine, place, start } = best;
    const { units, atom } = blocks[index];
    queues[engine].splice(place, 1);
    let time = start;
    for (const unit of units) {
      const cycles = unit.engine === "dma" ? copyCycles : unit.cycles;
      timed.push({ unit, start: time, end: time + cycles });
      time += cycles;
    }
    free[engine] = end[index] = time;
    if (atom !== undefined) {
      const members = atoms.get(atom)!;
      members.delete(index);
      open = members.size > 0 ? atom : undefined;
    }
  }
  // The sort is stable: what was given its time first stays in front of what starts with it.
  return timed.sort((a, b) => a.start - b.start);
}

/** One block behind the other. */
function inOrder(blocks: readonly Block[]): TimedUnit[] {
  let time = 0;
  return blocks.flatMap(({ units }) =>
    units.map((unit) => ({
      unit,
      start: time,
      end: time += unit.engine === "dma" ? copyCycles : unit.cycles,
    }))
  );
}

/** For each block the others that it needs: who makes what it reads outside L1, or what it finds inside. */
function needsOf(blocks: readonly Block[]): number[][] {
  const makers = new Makers();
  blocks.forEach(({ units }, index) => {
    for (const { stores } of units) for (const content of stores) makers.add(content, index);
  });
  return blocks.map(({ units, behind, layer }, index) => {
    const needs = new Set<number>();
    const seen = new Set<string>();
    if (behind) needs.add(index - 1);
    // What jobs leave for a kernel stays in L1 until that has run: they may be one piece ahead of it.
    const kernel = index - 3;
    if (blocks[index + 1]?.behind && blocks[kernel]?.behind && blocks[kernel].layer === layer) {
      needs.add(kernel);
    }
    for (const { uses } of units) {
      for (const { content, access } of uses) {
        if (access !== "read" || seen.has(content.key)) continue;
        seen.add(content.key);
        for (const maker of makers.of(content)) needs.add(maker);
      }
    }
    needs.delete(index);
    return [...needs];
  });
}
