// How matrices lie in ITA's memory (ita.md, section 4): tiles of 64x64 bytes, biases of 24 bits. And what a chain of jobs
// costs. Shared by the mappings; the driver and the device have the same numbers from the same page.

import type { Target } from "../../schema.ts";
import type { AcceleratorJob, AcceleratorSequence, Cut, Layout, NodeView } from "../engine.ts";
import { cyclesBetweenJobs, jobDuration } from "./timing.ts";

/** Edge of a tile: the M of the engine that the mappings serve. */
export const tileEdge = 64;
/** Columns that the softmax takes at once: the N of that engine. */
export const laneCount = 16;
export const tileBytes = tileEdge * tileEdge;
/** Most tiles along a dimension: the fields of register TILES have four bits. */
export const mostTiles = 15;
/** Most elements along an inner dimension, and most keys of a softmax. */
export const longest = mostTiles * tileEdge;
/** A bias of one tile: 64 numbers of 3 bytes. The engine reads a little beyond the last one. */
export const biasBytes = 3 * tileEdge;
const biasOverread = 32;

/** Layout of every operand in L1 but tables, which are arranged so. */
export const tileLayout: Layout = { rows: tileEdge, columns: tileEdge };

/** Tiles that so many elements take. */
export function tilesOf(elements: number): number {
  return Math.ceil(elements / tileEdge);
}

/** Why the target's ITA cannot be served at all; undefined if it can. */
export function unsuitable({ ita }: Target): string | undefined {
  if (!ita) return "the target has no ITA";
  return ita.elements === tileEdge && ita.lanes === laneCount
    ? undefined
    : `this ITA has ${ita.lanes} lanes of ${ita.elements} elements, the mapping serves ${laneCount} of ${tileEdge}`;
}

/** Cuts of a result whose pieces are tiles of one matrix. */
export function matrixCuts({ outputs: [{ shape }] }: NodeView): Cut[] {
  const rank = shape.length;
  return [
    ...shape.slice(0, -2).map((_, axis) => ({ axis, granule: 1, most: 1 })),
    { axis: rank - 2, granule: tileEdge },
    { axis: rank - 1, granule: tileEdge },
  ];
}

/** A constant of a Linear sequence, which uses the first of the eight. */
export const linearConstant = (value: number) => [value, 0, 0, 0, 0, 0, 0, 0];

/** Below this share of their area in use, tiles that are only moved or scaled cost more on ITA than on the cores. */
const leastFilled = 1 / 8;

/** Why matrices so small are not worth ITA's tiles where there is no product to gain; undefined if they are. */
export function wasteOf(shape: readonly number[]): string | undefined {
  const [rows, columns] = shape.slice(-2);
  const filled = rows * columns / (tilesOf(rows) * tilesOf(columns) * tileEdge ** 2);
  return filled < leastFilled
    ? `its matrices of ${rows} x ${columns} would leave ITA's tiles of ${tileEdge} x ${tileEdge} mostly empty`
    : undefined;
}

/** Biases of one tile each, collected as a piece needs them; equal ones are stored once. */
export class BiasTable {
  readonly #offsets = new Map<string, number>();
  readonly #biases: number[][] = [];

  /** Byte offset of a bias; missing entries are 0. */
  place(values: readonly number[]): number {
    const key = values.join();
    const known = this.#offsets.get(key);
    if (known !== undefined) return known;
    const offset = this.#offsets.size * biasBytes;
    this.#offsets.set(key, offset);
    this.#biases.push([...values]);
    return offset;
  }

  /** The table for a piece's field `bias`; undefined if no job has one. */
  table(): { field: string; data: Uint8Array } | undefined {
    if (this.#biases.length === 0) return undefined;
    const data = new Uint8Array(this.#biases.length * biasBytes + biasOverread);
    for (const [index, values] of this.#biases.entries()) {
      for (const [i, value] of values.entries()) {
        const at = index * biasBytes + 3 * i;
        data[at] = value;
        data[at + 1] = value >> 8;
        data[at + 2] = value >> 16;
      }
    }
    return { field: "bias", data };
  }
}

/** Cycles of jobs in one chain, each with its first weights fetched by the one before it, memory never busy. */
export function chainCycles(sequences: readonly AcceleratorSequence[]): number {
  const cycles = (job: AcceleratorJob) =>
    jobDuration({ lanes: laneCount, elements: tileEdge }, {
      preload: false,
      nextload: true,
      bias: job.bias !== undefined,
      output: job.output !== undefined,
    }) + cyclesBetweenJobs;
  return sequences.reduce((sum, { jobs }) => jobs.reduce((sum, job) => sum + cycles(job), sum), 0);
}
