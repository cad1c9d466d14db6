// What a layer has made stays in L2 until the layer is through, for whoever compares layer by layer. The engines work on
// several layers at once: a later layer may overtake, and write what the plan counted as free by then.

import type { Draft } from "./lay_out.ts";
import type { PlannedLayer } from "./plan_layers.ts";
import type { Buffer, Step } from "./program.ts";
import type { Storage } from "./storage.ts";

/** For each layer, the number of the step in front of which it is through: its own are, and those of all before it. */
export function endsOf(layers: number, steps: readonly Pick<Step, "layer">[]): Int32Array {
  const ends = new Int32Array(layers);
  for (const [position, { layer }] of steps.entries()) ends[layer] = Math.max(ends[layer], position + 1);
  for (let i = 1; i < layers; i++) ends[i] = Math.max(ends[i], ends[i - 1]);
  return ends;
}

/**
 * Pairs of activations' buffers of which the second, written later, may be written over the first before the layer is
 * through that made it, or that gave it its last name.
 *
 * @param drafts all work in the order for which L2 was laid out
 * @param steps the same in the order in which it is done
 */
export function lostResults(
  storage: Storage,
  layers: readonly PlannedLayer[],
  buffers: ReadonlyMap<string, Buffer>,
  drafts: readonly Draft[],
  steps: readonly Step[],
): [lost: Buffer, by: Buffer][] {
  const ends = endsOf(layers.length, steps);
  const through = new Map<string, number>();
  for (const { index, outputs } of layers) {
    for (const output of outputs) through.set(storage.groups.get(output)?.name ?? "", ends[index]);
  }
  const planned = firstWrites(drafts);
  const played = firstWrites(steps);
  const results = [...planned.keys()].map((name) => buffers.get(name)!)
    .filter(({ memory, kind }) => memory === "l2" && kind === "activation");
  return results.flatMap((lost, i) => {
    const end = through.get(lost.name) ?? 0;
    return results.slice(i + 1)
      .filter((by) =>
        played.get(by.name)! < end && by.offset < lost.offset + lost.bytes &&
        lost.offset < by.offset + by.bytes
      )
      .map((by): [Buffer, Buffer] => [lost, by]);
  });
}

/** Buffers by name in the order in which they are first written, and where that is. */
function firstWrites(work: readonly (Draft | Step)[]): Map<string, number> {
  const first = new Map<string, number>();
  for (const [position, step] of work.entries()) {
    if (step.engine !== "dma") continue;
    for (const { destination } of step.transfers) {
      if (!first.has(destination.buffer)) first.set(destination.buffer, position);
    }
  }
  return first;
}
