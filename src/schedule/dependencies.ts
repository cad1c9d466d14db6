// Finds what each draft must wait for, from the bytes that it touches: who wrote what it reads, and who still uses
// what it overwrites. Drafts come in an order in which they could be done one after the other.

import { type Access, accessesOf } from "./accesses.ts";
import { forEachGranule } from "./boxes.ts";
import { alignment } from "./budget.ts";
import type { Draft } from "./lay_out.ts";
import type { Buffer, StepEngine } from "./program.ts";

/** Engines with work, in the order of the columns below. */
const engines: readonly StepEngine[] = ["dma", "cores", "ita"];

/** Args structs in L1: task n lies in slot n modulo this. The same number stands in the target's runtime. */
export const taskSlots = 2;

/** What a draft depends on: indices of earlier drafts. */
export interface Dependencies {
  /** They must be finished before it starts. */
  readonly finished: readonly number[];
  /** The same engine must have begun them: it does the rest in order by itself. */
  readonly begun: readonly number[];
}

/** Finds the dependencies of each draft. */
export function dependenciesOf(
  drafts: readonly Draft[],
  buffers: ReadonlyMap<string, Buffer>,
): Dependencies[] {
  const memory = new Granules(buffers, drafts);
  const tasks: number[] = [];
  let brought: number | undefined;
  return drafts.map((draft, index) => {
    const found = { finished: new Set<number>(), begun: new Set<number>() };
    const accesses = accessesOf(draft);
    for (const access of accesses) memory.collect(access, draft.engine, found);
    for (const access of accesses) memory.note(access, draft.engine, index);

    if (draft.engine === "dma" && draft.brings) {
      const user = tasks.at(-taskSlots);
      if (user !== undefined) found.finished.add(user);
      brought = index;
    } else if (draft.engine === "cores") {
      found.finished.add(brought!);
      tasks.push(index);
    }
    return { finished: [...found.finished], begun: [...found.begun] };
  });
}

/** Who touched memory last, for each granule of it. Buffers start on granules, so neighbours do not interfere. */
class Granules {
  readonly #spaces = new Map<string, { write: Int32Array; reads: Int32Array[] }>();

  constructor(readonly buffers: ReadonlyMap<string, Buffer>, readonly drafts: readonly Draft[]) {
    const ends = new Map<string, number>();
    for (const buffer of buffers.values()) {
      const space = spaceOf(buffer);
      ends.set(space, Math.max(ends.get(space) ?? 0, buffer.offset + buffer.bytes));
    }
    for (const [space, bytes] of ends) {
      const granules = Math.ceil(bytes / alignment) + 1;
      const untouched = () => new Int32Array(granules).fill(-1);
      this.#spaces.set(space, { write: untouched(), reads: engines.map(untouched) });
    }
  }

  /** Adds the drafts that the access must wait for. */
  collect(access: Access, engine: StepEngine, found: { finished: Set<number>; begun: Set<number> }) {
    const buffer = this.buffers.get(access.place.buffer)!;
    if (buffer.kind === "constant") return;
    const { write, reads } = this.#spaces.get(spaceOf(buffer))!;
    forEachGranule(rowsIn(buffer, access), (granule) => {
      const writer = write[granule];
      // The DMA does its transfers in order, each reading ahead of its writes: only what one writes and a later
      // one reads must have arrived.
      const kind = (other: StepEngine) =>
        access.write && engine === "dma" && other === "dma" ? found.begun : found.finished;
      if (writer >= 0) kind(this.drafts[writer].engine).add(writer);
      if (!access.write) return;
      for (const [i, reader] of engines.entries()) {
        if (reads[i][granule] >= 0) kind(reader).add(reads[i][granule]);
      }
    });
  }

  note(access: Access, engine: StepEngine, index: number) {
    const buffer = this.buffers.get(access.place.buffer)!;
    if (buffer.kind === "constant") return;
    const { write, reads } = this.#spaces.get(spaceOf(buffer))!;
    const marks = access.write ? write : reads[engines.indexOf(engine)];
    forEachGranule(rowsIn(buffer, access), (granule) => {
      marks[granule] = index;
    });
  }
}

/** Buffers of one space share its addresses. */
function spaceOf({ kind, memory, name }: Buffer): string {
  if (kind === "input" || kind === "output") return `array ${name}`;
  return kind === "constant" ? "constants" : `${memory} arena`;
}

function rowsIn(buffer: Buffer, { place, bytes, rows, stride }: Access) {
  return { offset: buffer.offset + place.offset, bytes, rows, stride };
}
