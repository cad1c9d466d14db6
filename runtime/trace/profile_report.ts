// A profile for people and for programs: functions, layers, hot spots.

import type { Manifest } from "../../targets/manifest.ts";
import { csrNumbers } from "../hart/csr_names.ts";
import { decode, operandsOfWord } from "../hart/encoding.ts";
import { disassemble } from "../hart/disassemble.ts";
import { displayName } from "../host/names.ts";
import { describeAddress } from "../image/symbols.ts";
import type { Image } from "../image/types.ts";
import { type Cost, costCount, costs, type Profile } from "./profile.ts";

/** Where cycles of the harts went. */
export interface ProfileEntry {
  /** Cycles of all harts: instructions and waiting. */
  readonly cycles: number;
  readonly instructions: number;
  /** Cycles of waiting, by cause, the causes that came up. */
  readonly waits: Readonly<Partial<Record<Cost, number>>>;
}

/** A function. */
export interface FunctionEntry extends ProfileEntry {
  readonly name: string;
  readonly address: number;
}

/** An instruction. */
export interface HotSpot extends ProfileEntry {
  readonly pc: number;
  /** Disassembled; and the function and offset. */
  readonly instruction: string;
  readonly symbol: string;
}

/** A layer, over all inferences; `cycles` are those of the harts, `elapsed` those of the clock. */
export interface LayerEntry extends ProfileEntry {
  readonly layer: number;
  readonly node: string;
  readonly operator: string;
  readonly engine: string;
  readonly elapsed: number;
  /** Functions of the layer, those that took most first. */
  readonly functions: readonly FunctionEntry[];
}

/** A whole profile. */
export interface ProfileReport extends ProfileEntry {
  readonly harts: number;
  /** Cycles of the clock. */
  readonly elapsed: number;
  readonly functions: readonly FunctionEntry[];
  readonly layers: readonly LayerEntry[];
  readonly hotSpots: readonly HotSpot[];
}

/** Hot spots of a report, and functions named for each layer. */
const hotSpotCount = 20, layerFunctionCount = 3;

/** Sums a profile up. `wordAt` reads an instruction. */
export function reportOf(
  profile: Profile,
  image: Image,
  harts: number,
  wordAt: (pc: number) => number,
  manifest?: Manifest,
): ProfileReport {
  const layerNumbers = [-1, ...(manifest?.layers.keys() ?? [])];
  const byLayer = layerNumbers.map((layer) => functionsOf(profile, profile.functionCounts(layer)));
  const total = new Float64Array(profile.table.places.length * costCount);
  for (const layer of layerNumbers) {
    profile.functionCounts(layer).forEach((count, i) => {
      if (count > 0) total[i] += count;
    });
  }
  const functions = functionsOf(profile, total);
  return {
    ...sum(functions),
    harts,
    elapsed: profile.cycles,
    functions,
    layers: (manifest?.layers ?? []).map(({ index, node, operator, engine }) => ({
      ...sum(byLayer[index + 1]),
      layer: index,
      node: displayName(node),
      operator,
      engine,
      elapsed: profile.layerCycles[index] ?? 0,
      functions: byLayer[index + 1].slice(0, layerFunctionCount),
    })).filter(({ elapsed }) => elapsed > 0),
    hotSpots: hotSpotsOf(profile, image, wordAt),
  };
}

function functionsOf(profile: Profile, counts: Float64Array): FunctionEntry[] {
  return profile.table.places
    .map((place, number) => ({
      ...place,
      ...entryOf(counts.subarray(number * costCount, (number + 1) * costCount)),
    }))
    .filter(({ cycles }) => cycles > 0)
    .sort((a, b) => b.cycles - a.cycles || a.address - b.address);
}

function hotSpotsOf(profile: Profile, image: Image, wordAt: (pc: number) => number): HotSpot[] {
  const hottest: { pc: number; entry: ProfileEntry }[] = [];
  for (const { pc, counts } of profile.instructionCounts()) {
    const word = wordAt(pc);
    if (!isWait(word)) hottest.push({ pc, entry: entryOf(counts) });
  }
  return hottest.sort((a, b) => b.entry.cycles - a.entry.cycles || a.pc - b.pc).slice(0, hotSpotCount).map((
    { pc, entry },
  ) => ({
    ...entry,
    pc,
    instruction: disassemble(wordAt(pc), pc),
    symbol: describeAddress(image, pc),
  }));
}

/** Whether an instruction waits for others; whoever is waited for is listed, not who waits. */
function isWait(word: number): boolean {
  const instruction = decode(word);
  if (instruction?.meaning.kind !== "csr") return instruction?.name === "wfi";
  return operandsOfWord(word, instruction.format).csr === csrNumbers.barrier;
}

function entryOf(counts: Float64Array): ProfileEntry {
  const waits: Partial<Record<Cost, number>> = {};
  let cycles = 0;
  for (const [cost, name] of costs.entries()) {
    const count = counts[cost] ?? 0;
    cycles += count;
    if (cost > 0 && count > 0) waits[name] = count;
  }
  return { cycles, instructions: counts[0] ?? 0, waits };
}

function sum(entries: readonly ProfileEntry[]): ProfileEntry {
  const waits: Partial<Record<Cost, number>> = {};
  let cycles = 0, instructions = 0;
  for (const entry of entries) {
    cycles += entry.cycles;
    instructions += entry.instructions;
    for (const [name, count] of Object.entries(entry.waits) as [Cost, number][]) {
      waits[name] = (waits[name] ?? 0) + count;
    }
  }
  return { cycles, instructions, waits };
}
