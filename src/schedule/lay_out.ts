// Gives a layer its addresses in L1 and its work as a list of drafts: what each engine is to do, in an order in
// which it could be done one after the other. When each draft starts is decided later (order.ts).

import { jobDuration } from "../../targets/engines/ita/timing.ts";
import { transfersCycles } from "../../targets/engines/dma/timing.ts";
import type { AcceleratorJob, AcceleratorSequence, OperandPlace } from "../../targets/engines/engine.ts";
import type { Target } from "../../targets/schema.ts";
import { aligned } from "./budget.ts";
import type { Rows } from "./boxes.ts";
import type { Move, Piece, Slot } from "./pieces.ts";
import type {
  Buffer,
  EngineName,
  Job,
  JobStep,
  MoveStep,
  Operand,
  Place,
  Task,
  TaskStep,
  Transfer,
} from "./program.ts";

/** A step before it has its time. */
export type Draft =
  & { readonly cycles: number }
  & (Timeless<MoveStep> | Timeless<TaskStep> | Timeless<JobStep>);
type Timeless<S> = Omit<S, "after" | "start" | "end">;

/** Where things outside the layer lie. */
export interface Homes {
  /** Place of a tensor in L2. */
  tensor(name: string): Place;
  /** Place of a table among the constants. */
  table(data: Uint8Array): Place;
}

/** Jobs of one draft at most: between two of them the conductor can do other things. */
const jobsPerDraft = 2;

/** The buffers of a layer's slots, one behind the other from the start of the arena. */
export function slotBuffers(index: number, slots: readonly Slot[]): Map<Slot, Buffer> {
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
  return buffers;
}

/** The work of layer `index`, piece by piece: load, jobs, kernel, store. */
export function draftsOf(
  index: number,
  engine: EngineName,
  pieces: readonly Piece[],
  buffers: ReadonlyMap<Slot, Buffer>,
  homes: Homes,
  target: Target,
): Draft[] {
  const inSlot = (slot: Slot, offset = 0): Place => ({ buffer: buffers.get(slot)!.name, offset });
  const move = (moves: readonly Move[], store: boolean, brings?: Task): Draft[] => {
    const transfers = moves.flatMap((move) => transfersOf(move, inSlot, homes, store));
    if (transfers.length === 0 && !brings) return [];
    const shapes = transfers.map(({ bytes, rows }) => ({ bytes, rows, toOutside: store }));
    if (brings) shapes.push({ bytes: argsBytes(brings), rows: 1, toOutside: false });
    const cycles = transfersCycles(shapes, target.dma?.bytesPerCycle ?? bytesPerCycleOfHart);
    return [{ engine: "dma", layer: index, transfers, brings, cycles }];
  };
  /** As single steps: the accelerator can begin with the first tiles, and give back those it is done with. */
  const moveTiles = (moves: readonly Move[], store: boolean): Draft[] => {
    const parts = moves.flatMap((each) =>
      each.rows.flatMap(split).map((rows) => ({ ...each, rows: [rows] }))
    );
    // What goes to one slot keeps its order: it may be cleared before it is filled.
    const bySlot = [...Map.groupBy(parts, ({ slot }) => slot).values()];
    return interleaved(bySlot).flatMap((part) => move([part], store));
  };
  return pieces.flatMap((piece): Draft[] => {
    const task = piece.call.kernel === "" ? undefined : taskOf(piece, engine, inSlot);
    const jobs = chained(
      (piece.call.accelerator ?? []).map((sequence) => jobsOf(sequence, piece, inSlot, target)),
    );
    const tiled = jobs.length > 0;
    return [
      ...(tiled ? moveTiles(piece.loads, false) : []),
      ...move(tiled ? [] : piece.loads, false, task),
      ...jobs.flatMap((sequence) => chunks(sequence, jobsPerDraft)).map((jobs): Draft => ({
        engine: "ita",
        layer: index,
        jobs,
        cycles: jobs.reduce((sum, job) => sum + job.cycles, 0),
      })),
      ...(task ? [{ engine: "cores" as const, layer: index, task, cycles: task.cycles }] : []),
      ...(tiled ? moveTiles(piece.stores, true) : move(piece.stores, true)),
    ];
  });
}

/** A hart that moves data itself copies a word in about 2 cycles (kernel table: 1.67 B a cycle). */
const bytesPerCycleOfHart = 2;

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
  const pointers: [string, Operand][] = [...operands].map(([field, { slot, bytes, access, padded }]) => [
    field,
    { ...inSlot(slot), bytes, access, padded },
  ]);
  return {
    engine,
    kernel: call.kernel,
    source: call.source,
    pointers: Object.fromEntries(pointers),
    parameters: call.parameters,
    macs: call.macs,
    cycles: call.kernelCycles ?? call.cycles,
  };
}

function jobsOf(
  sequence: AcceleratorSequence,
  { operands }: Piece,
  inSlot: (slot: Slot, offset: number) => Place,
  target: Target,
): Job[] {
  const { jobs, ...constants } = sequence;
  const { elements, lanes } = target.ita!;
  const tileBytes = elements * elements;
  const operand = ({ field, offset }: OperandPlace, bytes: number, access: Operand["access"]): Operand => ({
    ...inSlot(operands.get(field)!.slot, offset),
    bytes,
    access,
    padded: true,
  });
  return jobs.map((job: AcceleratorJob): Job => ({
    sequence: constants,
    input: operand(job.input, tileBytes, "read"),
    weights: operand(job.weights, tileBytes, "read"),
    bias: job.bias && operand(job.bias, 3 * elements, "read"),
    biasByRow: job.biasByRow ?? false,
    output: job.output && operand(job.output, tileBytes, "write"),
    activation: job.activation,
    cycles: 1 + jobDuration({ lanes, elements }, {
      preload: false,
      nextload: true,
      bias: job.bias !== undefined,
      output: job.output !== undefined,
    }),
  }));
}

/** Bytes of one step of a long transfer: two tiles. */
const partBytes = 8192;

/** Cuts a long row into parts. */
function split(rows: Rows): Rows[] {
  if (rows.rows > 1 || rows.bytes <= partBytes) return [rows];
  return Array.from({ length: Math.ceil(rows.bytes / partBytes) }, (_, i) => ({
    ...rows,
    offset: rows.offset + i * partBytes,
    packedOffset: rows.packedOffset + i * partBytes,
    bytes: Math.min(partBytes, rows.bytes - i * partBytes),
  }));
}

/** Mixes lists so that each is used up evenly: jobs take the first part of every operand first. */
function interleaved<T>(lists: readonly T[][]): T[] {
  return lists.flatMap((list) => list.map((item, i) => ({ item, share: (i + 1) / list.length })))
    .sort((a, b) => a.share - b.share).map(({ item }) => item);
}

/**
 * Names the next job's weights to each job, so that their first block is fetched while it runs. Not across pieces:
 * the next piece's weights may not be there yet. Not where the job itself writes them.
 */
function chained(sequences: readonly Job[][]): Job[][] {
  const all = sequences.flat();
  const next = new Map(all.map((job, i) => [job, all[i + 1]?.weights]));
  const apart = (a: Operand, b: Operand) =>
    a.buffer !== b.buffer || a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
  return sequences.map((jobs) =>
    jobs.map((job) => {
      const weights = next.get(job);
      return weights && (!job.output || apart(job.output, weights)) ? { ...job, nextWeights: weights } : job;
    })
  );
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from(
    { length: Math.ceil(items.length / size) },
    (_, i) => items.slice(i * size, (i + 1) * size),
  );
}

/** Bytes of a task's args struct: pointers and integers, a word each. */
export function argsBytes(task: Task): number {
  return 4 * (Object.keys(task.pointers).length + Object.keys(task.parameters).length);
}
