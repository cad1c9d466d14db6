// How long a job takes, and when it wants the memory (ita.md, sections 4 and 12).
// The compiler asks for durations; the device walks through the plan of accesses.
//
// The specification gives the numbers of the silicon, N = 16 lanes and M = 64 elements. They are written here in
// terms of N and M (a port of 2·M bytes, blocks of N·M bytes) so that other sizes scale; only 16 and 64 are measured.

import type { Geometry } from "./arithmetic.ts";

/** What a job does on the memory port beside reading its input. */
export interface JobTraffic {
  /** Fetches block 0 of its weights itself, before it can start. */
  readonly preload: boolean;
  /** Fetches block 0 of the next job's weights. */
  readonly nextload: boolean;
  /** Fetches a bias. */
  readonly bias: boolean;
  /** Writes results: the last job of an accumulation. */
  readonly output: boolean;
}

type Size = Pick<Geometry, "lanes" | "elements">;

/** Sizes that follow from N and M. */
function sizesOf({ lanes, elements }: Size) {
  return {
    /** Bytes of one access. */
    port: 2 * elements,
    /** Column groups of a tile, and accesses that read the input (or write the results) of one group. */
    groups: elements / lanes,
    groupAccesses: elements / 2,
    /** Accesses that read one block of weights. */
    blockAccesses: lanes / 2,
    /** Cycles in which the multipliers work. */
    busy: elements * elements / lanes,
  };
}

/** Bytes of one access on the memory port: two rows of a tile. */
export function portBytes({ elements }: Size): number {
  return 2 * elements;
}

/** Cycles from the rise of busy to the done event when the memory never refuses (section 12). */
export function jobDuration(size: Size, { preload, nextload, bias, output }: JobTraffic): number {
  const { busy, blockAccesses } = sizesOf(size);
  return output
    ? busy + 40 + (nextload ? blockAccesses + 1 : 0) + (preload ? blockAccesses : 0) +
      (bias ? preload ? 2 : 1 : 0)
    : busy + 8 + (preload ? blockAccesses + 10 : 0) + (bias ? preload ? 2 : 7 : 0);
}

/** Accesses to the memory that a job makes (section 4). */
export function jobAccesses(size: Size, { preload, nextload, bias, output }: JobTraffic): number {
  const { groups, groupAccesses, blockAccesses } = sizesOf(size);
  const blocks = groups - 1 + (preload ? 1 : 0) + (nextload ? 1 : 0);
  return groups * groupAccesses * (output ? 2 : 1) + blocks * blockAccesses + (bias ? 2 : 0);
}

/** Cycles from one job's done event to the next one's rise of busy, when that one waits in the queue. */
export const cyclesBetweenJobs = 1;

/** Cycle of the first access and of the earliest rise of busy (section 3.1), counted from … */
export const firstAccessAfterRise = 4;
export const riseAfterCommit = 2;

/** Which pointer an access is relative to. */
export const streams = { input: 0, weights: 1, nextWeights: 2, bias: 3, output: 4 } as const;

/** The accesses of a job, in order, and when each may and must come so that nothing is delayed. */
export interface AccessPlan {
  readonly count: number;
  /** For each access its stream and byte offset from the stream's pointer. */
  readonly stream: Uint8Array;
  readonly offset: Uint16Array;
  /** Earliest cycle, counted from the (delayed) rise. */
  readonly earliest: Int32Array;
  /** Latest cycle that delays nothing; never for accesses that only the end depends on. */
  readonly due: Int32Array;
  /** Index of the last access of the next job's weights, or -1. */
  readonly lastNextWeights: number;
  readonly duration: number;
  readonly output: boolean;
}

const never = 0x7fff_ffff;

/**
 * Cycles from an output job's last write to its event: at least 2; 9 when the writes come as fast as the memory
 * takes them, of which every idle cycle that the job could afford before takes one (section 12.2: G(N) + 9).
 */
export function outputDrain(idleCycles: number): number {
  return Math.max(2, 9 - idleCycles);
}

/**
 * The plan of a job's accesses.
 *
 * Times follow section 12.2. No-output jobs: its rule as it stands. Output jobs: an access every cycle, but the last
 * ones (duration - 5 - N of them; section 12.1 sees "13 or so") every other cycle, which ends the last write two
 * cycles before the event; refused cycles eat the gaps first. The order within a job is that of section 12.1: weight
 * bursts between the input rows, results behind them by a distance that shrinks as the memory holds the engine up.
 */
export function accessPlan(size: Size, traffic: JobTraffic): AccessPlan {
  const accesses = accessOrder(size, traffic);
  const count = accesses.length;
  const duration = jobDuration(size, traffic);
  // Refusals during the first K accesses delay everything behind them.
  const leading = traffic.preload ? 10 + sizesOf(size).blockAccesses : 8;
  const spaced = Math.max(0, duration - 5 - count);
  const earliest = new Int32Array(count);
  const due = new Int32Array(count);
  for (let k = 1; k <= count; k++) {
    const dense = k + firstAccessAfterRise - 1;
    if (k <= leading) {
      due[k - 1] = earliest[k - 1] = dense;
    } else if (traffic.output) {
      earliest[k - 1] = dense + Math.max(0, k - (count - spaced));
      due[k - 1] = never;
    } else {
      earliest[k - 1] = leading + 3 +
        Math.floor((k - leading) * (duration - 23 - leading) / (count - leading));
      due[k - 1] = Math.min(earliest[k - 1] + 10, duration - 12);
    }
  }
  return {
    count,
    stream: Uint8Array.from(accesses, (access) => access.stream),
    offset: Uint16Array.from(accesses, (access) => access.offset),
    earliest,
    due,
    lastNextWeights: accesses.findLastIndex((access) => access.stream === streams.nextWeights),
    duration,
    output: traffic.output,
  };
}

/** Accesses sorted by when the engine comes to need them, in units of input accesses. */
function accessOrder(size: Size, { preload, nextload, bias, output }: JobTraffic) {
  const { port, groups, groupAccesses, blockAccesses } = sizesOf(size);
  const accesses: { stream: number; offset: number; at: number }[] = [];
  const inputs = groups * groupAccesses;
  const block = (stream: number, index: number, at: number) => {
    for (let i = 0; i < blockAccesses; i++) {
      accesses.push({ stream, offset: (index * blockAccesses + i) * port, at: at + i });
    }
  };
  if (preload) block(streams.weights, 0, -blockAccesses);
  // A block is fetched when the group before it starts: one block in use, one waiting (section 5).
  for (let index = 1; index < groups; index++) block(streams.weights, index, (index - 1) * groupAccesses + 6);
  if (nextload) block(streams.nextWeights, 0, (groups - 1) * groupAccesses + 6);
  if (bias) {
    for (const half of [0, 1]) {
      accesses.push({ stream: streams.bias, offset: half * 3 * size.elements / 2, at: 2 });
    }
  }
  for (let i = 0; i < inputs; i++) {
    accesses.push({ stream: streams.input, offset: (i % groupAccesses) * port, at: i });
    if (output) {
      const group = Math.floor(i / groupAccesses);
      const distance = 28 - 15 * i / (inputs - 1);
      accesses.push({
        stream: streams.output,
        offset: (i % groupAccesses) * port + group * size.lanes,
        at: i + distance,
      });
    }
  }
  return accesses.sort((a, b) => a.at - b.at);
}
