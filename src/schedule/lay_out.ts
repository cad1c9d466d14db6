// Turns units of work into drafts of steps, with the places of their operands in L1 filled in. When each draft starts
// is decided later (order.ts).

import { transfersCycles } from "../../targets/engines/dma/timing.ts";
import type { Target } from "../../targets/schema.ts";
import { oneRow, type Rows } from "./boxes.ts";
import type { Content, Use } from "./contents.ts";
import { bytesPerCycleOf } from "./pipeline.ts";
import type { Job, JobStep, MoveStep, Operand, Place, Task, TaskStep, Transfer } from "./program.ts";
import type { JobWork, TaskWork, Unit } from "./units.ts";

/** A step before it has its time. */
export type Draft =
  & { readonly cycles: number }
  & (Timeless<MoveStep> | Timeless<TaskStep> | Timeless<JobStep>);
type Timeless<S> = Omit<S, "after" | "start" | "end">;

/** Bytes of one step of a long transfer: two tiles. */
const partBytes = 8192;

/** Makes the drafts of units. */
export class Drafter {
  constructor(
    readonly target: Target,
    /** Where a content lies in L1 now. */
    readonly placeOf: (content: Content) => Place,
    /** Bytes that the hardware's layout calls for and nobody has written. */
    readonly zeros: (bytes: number) => string,
  ) {}

  /** The unit's own work. Behind its args, if it is a kernel; nothing if it is a copy. */
  work(unit: Unit, nextWeights?: Use): Draft[] {
    const { layer, cycles } = unit;
    if (unit.job) return [{ engine: "ita", layer, jobs: [this.#job(unit.job, cycles, nextWeights)], cycles }];
    if (!unit.task) return [];
    const task = this.#task(unit.task);
    return [
      { ...this.#move(layer, [], false, argsBytes(task)), brings: task },
      { engine: "cores", layer, task, cycles },
    ];
  }

  /** Fills a content's place: each row of tiles by itself, so that jobs can begin with the first. */
  load(content: Content, { layer, engine }: Unit): Draft[] {
    const { home, clear, bytes } = content;
    if (!home) return [];
    const inside = this.placeOf(content);
    const drafts: Draft[] = [];
    if (clear) {
      drafts.push(this.#move(layer, [transferOf(this.zeros(bytes), oneRow(bytes), inside, false)], false));
    }
    const parts = home.rows.flatMap(split).map((rows) => transferOf(home.buffer, rows, inside, false));
    if (engine === "ita") drafts.push(...parts.map((part) => this.#move(layer, [part], false)));
    else if (parts.length > 0) drafts.push(this.#move(layer, parts, false));
    return drafts;
  }

  /** Takes a result to where it belongs; `held` is what its bytes are called in L1. */
  store(content: Content, held: Content, { layer, engine }: Unit): Draft[] {
    const { buffer, rows } = content.home!;
    const inside = this.placeOf(held);
    const parts = rows.flatMap(split).map((rows) => transferOf(buffer, rows, inside, true));
    if (engine === "ita") return parts.map((part) => this.#move(layer, [part], true));
    return parts.length > 0 ? [this.#move(layer, parts, true)] : [];
  }

  #move(
    layer: number,
    transfers: readonly Transfer[],
    toOutside: boolean,
    args = 0,
  ): Draft & { engine: "dma" } {
    const shapes = transfers.map(({ bytes, rows }) => ({ bytes, rows, toOutside }));
    if (args > 0) shapes.push({ bytes: args, rows: 1, toOutside: false });
    const cycles = transfersCycles(shapes, bytesPerCycleOf(this.target));
    return { engine: "dma", layer, transfers, cycles };
  }

  #operand({ content, offset, bytes, access }: Use, padded: boolean): Operand {
    const place = this.placeOf(content);
    return { buffer: place.buffer, offset: place.offset + offset, bytes, access, padded };
  }

  #job({ input, weights, bias, output, ...job }: JobWork, cycles: number, nextWeights?: Use): Job {
    return {
      ...job,
      input: this.#operand(input, true),
      weights: this.#operand(weights, true),
      ...(nextWeights ? { nextWeights: this.#operand(nextWeights, true) } : {}),
      bias: bias && this.#operand(bias, true),
      output: output && this.#operand(output, true),
      cycles,
    };
  }

  #task({ pointers, ...task }: TaskWork): Task {
    return {
      ...task,
      pointers: Object.fromEntries(
        Object.entries(pointers).map(([field, use]) => [field, this.#operand(use, use.content.padded)]),
      ),
    };
  }
}

function transferOf(outside: string, rows: Rows, place: Place, store: boolean): Transfer {
  const there = { buffer: outside, offset: rows.offset };
  const here = { buffer: place.buffer, offset: place.offset + rows.packedOffset };
  return {
    source: store ? here : there,
    destination: store ? there : here,
    bytes: rows.bytes,
    rows: rows.rows,
    sourceStride: store ? rows.packedStride : rows.stride,
    destinationStride: store ? rows.stride : rows.packedStride,
  };
}

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

/** Bytes of a task's args struct: pointers and integers, a word each. */
export function argsBytes(task: Pick<Task, "parameters"> & { readonly pointers: object }): number {
  return 4 * (Object.keys(task.pointers).length + Object.keys(task.parameters).length);
}
