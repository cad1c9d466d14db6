// Gives a layer its addresses: slots become buffers in L1, moves become transfers, pieces become tasks.

import { aligned } from "./budget.ts";
import type { Move, Piece, Slot } from "./pieces.ts";
import type { Step } from "./pipeline.ts";
import type { Buffer, EngineName, Operand, Phase, Place, Task, Transfer } from "./program.ts";

/** Where things outside the layer lie. */
export interface Homes {
  /** Place of a tensor in L2. */
  tensor(name: string): Place;
  /** Place of a table among the constants. */
  table(data: Uint8Array): Place;
}

/** A layer's phases and its buffers in L1. */
export interface Layout {
  readonly phases: readonly Phase[];
  readonly buffers: readonly Buffer[];
  readonly l1Bytes: number;
}

/** Lays out the steps of layer `index`. */
export function layOut(
  index: number,
  engine: EngineName,
  slots: readonly Slot[],
  steps: readonly Step[],
  homes: Homes,
): Layout {
  const buffers = new Map<Slot, Buffer>();
  let end = 0;
  for (const slot of slots) {
    buffers.set(slot, {
      name: `L${index}.${slot.field}.${slot.index}`,
      kind: slot.kind,
      memory: "l1",
      offset: end,
      bytes: slot.bytes,
      lifetime: { first: index, last: index },
    });
    end += aligned(slot.bytes);
  }
  const inSlot = (slot: Slot, offset = 0): Place => ({ buffer: buffers.get(slot)!.name, offset });
  const phases = steps.map((step): Phase => ({
    dma: [
      ...step.loads.flatMap((move) => transfersOf(move, inSlot, homes, false)),
      ...step.stores.flatMap((move) => transfersOf(move, inSlot, homes, true)),
    ],
    cores: step.compute && taskOf(step.compute, engine, inSlot),
  }));
  return { phases, buffers: [...buffers.values()], l1Bytes: end };
}

function transfersOf(
  move: Move,
  inSlot: (slot: Slot, offset: number) => Place,
  homes: Homes,
  store: boolean,
): Transfer[] {
  const home = "tensor" in move.from ? homes.tensor(move.from.tensor) : homes.table(move.from.table);
  return move.rows.map((rows) => {
    const outside = { buffer: home.buffer, offset: home.offset + rows.offset };
    const inside = inSlot(move.slot, rows.packedOffset);
    return {
      source: store ? inside : outside,
      destination: store ? outside : inside,
      bytes: rows.bytes,
      rows: rows.rows,
      sourceStride: store ? rows.packedStride : rows.stride,
      destinationStride: store ? rows.stride : rows.packedStride,
    };
  });
}

function taskOf({ call, operands }: Piece, engine: EngineName, inSlot: (slot: Slot) => Place): Task {
  const pointers: [string, Operand][] = [...operands].map(([field, { slot, bytes, access }]) => [
    field,
    { ...inSlot(slot), bytes, access },
  ]);
  return {
    engine,
    kernel: call.kernel,
    source: call.source,
    pointers: Object.fromEntries(pointers),
    parameters: call.parameters,
    macs: call.macs,
    cycles: call.cycles,
  };
}

/** Bytes of a task's args struct: pointers and integers, a word each. */
export function argsBytes(task: Task): number {
  return 4 * (Object.keys(task.pointers).length + Object.keys(task.parameters).length);
}
