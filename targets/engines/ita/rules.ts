// What a program must not do to ITA (ita.md, section 10). The silicon answers with a hang or with silent garbage;
// here each rule has a sentence that names the register and the numbers.

import { type JobRegisters, type PointerName, type RegisterName, registers } from "./registers.ts";
import type { Place, Sequencer } from "./sequencer.ts";
import type { JobTraffic } from "./timing.ts";

/** A memory region that a job touches. */
interface Region {
  readonly name: PointerName;
  readonly start: number;
  readonly bytes: number;
}

/** All that the checks at a job's launch look at. */
export interface Launch {
  readonly job: JobRegisters;
  readonly place: Place;
  readonly traffic: JobTraffic;
  readonly sequencer: Sequencer;
  /** Address of the oldest weight block that waits in the engine, if one does. */
  readonly prefetched: number | undefined;
  readonly memory: { readonly base: number; readonly size: number };
  readonly lanes: number;
  readonly elements: number;
}

/** `0x1000_0040` style. */
export function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

/** A register with its offset, for messages. */
export function registerText(name: RegisterName): string {
  return `${name} (offset 0x${registers[name].toString(16).padStart(2, "0")})`;
}

/** The first rule that a job breaks when it launches, as a sentence; undefined if it breaks none. */
export function brokenRule(launch: Launch): string | undefined {
  return brokenSequence(launch) ?? brokenPrefetch(launch) ?? brokenRegion(launch);
}

/** Section 7: the job and the sequencer must agree on where the accumulation ends. */
function brokenSequence({ job, place, traffic, sequencer }: Launch): string | undefined {
  const differing = sequencer.differingLimit(job.tiles);
  if (differing) {
    return `${
      registerText("TILES")
    } gives step ${place.step} ${differing.is} ${differing.what} jobs or tiles, ` +
      `but its sequence began with ${differing.was} (section 7)`;
  }
  if (traffic.output !== place.last) {
    const fault = place.last
      ? "disables the output of the last inner job of step"
      : "enables the output of a job that is not the last inner one of step";
    return `${registerText("CTRL_STREAM")} ${fault} ${place.step}; such a job never ends (section 7)`;
  }
  return undefined;
}

/** Section 5: each prefetched block is used by the next job, and only by it. */
function brokenPrefetch({ job, traffic, prefetched, lanes, elements }: Launch): string | undefined {
  const weights = job.pointer("WEIGHT_PTR0");
  if (!traffic.preload && prefetched === undefined) {
    return `${registerText("CTRL_STREAM")} has no weight preload, but no job before fetched a block with ` +
      "nextload; the job never ends (section 5)";
  }
  if (traffic.preload && prefetched !== undefined) {
    return `${registerText("CTRL_STREAM")} asks for a weight preload while the block at ${
      hex(prefetched)
    } that ` +
      "the job before fetched waits; weights would be shifted by a block from here on (section 5)";
  }
  if (prefetched !== undefined && prefetched !== weights) {
    return `${registerText("WEIGHT_PTR0")} is ${hex(weights)}, but the job before fetched the weights at ` +
      `${hex(prefetched)} for it (section 5)`;
  }
  if (traffic.nextload && traffic.output) {
    const next = { name: "WEIGHT_PTR1", start: job.pointer("WEIGHT_PTR1"), bytes: lanes * elements } as const;
    const output = { name: "OUTPUT_PTR", start: job.pointer("OUTPUT_PTR"), bytes: elements ** 2 } as const;
    if (overlap(next, output)) {
      return `${registerText("WEIGHT_PTR1")} ${hex(next.start)} names weights that this very job writes at ` +
        `${hex(output.start)}; they would be fetched before (section 5)`;
    }
  }
  return undefined;
}

/** Section 4: where a job may read and write. */
function brokenRegion({ job, traffic, memory, lanes, elements }: Launch): string | undefined {
  const tile = elements ** 2;
  const block = lanes * elements;
  const region = (name: PointerName, bytes: number, skip = 0): Region => ({
    name,
    start: job.pointer(name) + skip,
    bytes,
  });
  const input = region("INPUT_PTR", tile);
  const output = region("OUTPUT_PTR", tile);
  const touched = [
    input,
    traffic.preload ? region("WEIGHT_PTR0", tile) : region("WEIGHT_PTR0", tile - block, block),
    ...(traffic.nextload ? [region("WEIGHT_PTR1", block)] : []),
    // Two accesses of 2·M bytes, the second 1.5·M behind the first.
    ...(traffic.bias ? [region("BIAS_PTR", 3.5 * elements)] : []),
    ...(traffic.output ? [output] : []),
  ];
  for (const { name, start, bytes } of touched) {
    if (start < memory.base || start + bytes > memory.base + memory.size) {
      return `${registerText(name)} ${hex(job.pointer(name))} leads to ${hex(start)} … ${
        hex(start + bytes - 1)
      }, ` +
        `outside the memory ${hex(memory.base)} … ${hex(memory.base + memory.size - 1)} (section 10)`;
    }
  }
  if (traffic.output) {
    for (const other of [input, region("WEIGHT_PTR0", tile)]) {
      if (overlap(output, other)) {
        return `${registerText("OUTPUT_PTR")} ${hex(output.start)} overlaps the tile at ` +
          `${registerText(other.name)} ${hex(other.start)}, which is read until the job's end (section 4)`;
      }
    }
  }
  return undefined;
}

function overlap(a: Region, b: Region): boolean {
  return a.start < b.start + b.bytes && b.start < a.start + a.bytes;
}
