// What the parts of a SoC have done, in one object: for energy estimates and reports of an inference. All of it is
// counted anyway, or costs an addition where something happens, so nobody has to ask for it in advance.

import type { Dma } from "../../targets/engines/dma/device.ts";
import type { EnergyEvents } from "../../targets/energy.ts";
import type { InstructionCache } from "../hart/instruction_cache.ts";
import { type HartState, stallCauses } from "../hart/state.ts";
import type { Accelerator, JobCounts, WideTarget } from "./device.ts";
import type { NarrowPath } from "./narrow_path.ts";
import type { Tcdm } from "./tcdm.ts";

/** Events between two moments. What a level of timing does not know is absent. */
export interface Counters {
  readonly cycles: number;
  /** By hart. */
  readonly harts: readonly HartCounters[];
  /** Jobs of the accelerator by kind, and cycles in which the memory refused it. */
  readonly accelerator?: { readonly kinds: Readonly<Record<string, JobCounts>>; readonly refused: number };
  readonly dma?: {
    readonly transfers: number;
    /** Cycles with work. */
    readonly busy: number;
    /** Bytes by where they came from and where they went; `outside` is L2. */
    readonly moved: Readonly<Record<WideTarget, Readonly<Record<WideTarget, number>>>>;
  };
  /** Bytes of the banks' words that were read or written. */
  readonly l1?: { readonly harts?: number; readonly dma: number; readonly accelerator: number };
  /** Bytes read and written: by the DMA, by harts past the caches, and to fill the instruction cache. */
  readonly l2: { readonly dma: number; readonly harts?: number; readonly fetches?: number };
}

/** What one hart has done. */
export interface HartCounters {
  readonly instructions: number;
  /** Cycles asleep: in wfi and at the barrier. Exact timing only, as the two below. */
  readonly waiting?: number;
  /** Cycles awake without an instruction: for operands, memory, fetches. */
  readonly stalled?: number;
  /** All cycles that it is not asleep. */
  readonly active?: number;
}

/** The parts that count. */
export interface CountingParts {
  readonly state: HartState;
  /** Stall under way of a hart; absent where stalls are not counted. */
  readonly stallUnderWay?: (hart: number, cycle: number) => { cause: number; cycles: number };
  readonly cache: InstructionCache | undefined;
  readonly tcdm: Tcdm | undefined;
  readonly narrow: NarrowPath;
  readonly dma: Dma | undefined;
  readonly accelerator: Accelerator | undefined;
}

const asleep = stallCauses.map((cause) => cause === "wfi" || cause === "barrier");
/** Bytes of the narrow path: one access moves one word of it (snitch-cluster.md, section 2.4). */
const narrowBytes = 8;

/** All counters since reset. Harts may be some cycles ahead of `cycle`, and what they did then is counted. */
export function readCounters(parts: CountingParts, cycle: number): Counters {
  const { state, stallUnderWay, cache, tcdm, narrow, dma, accelerator } = parts;
  const exact = stallUnderWay !== undefined;
  return {
    cycles: cycle,
    harts: Array.from({ length: state.count }, (_, hart) => ({
      instructions: state.retired[hart],
      ...(exact ? sleepOf(state, hart, cycle, stallUnderWay) : {}),
    })),
    ...(accelerator?.counts
      ? { accelerator: { kinds: copyOf(accelerator.counts), refused: tcdm?.refusals ?? 0 } }
      : {}),
    ...(dma
      ? { dma: { transfers: dma.counts.transfers, busy: dma.counts.busy, moved: copyOf(dma.moved) } }
      : {}),
    ...(tcdm
      ? {
        l1: {
          ...(exact ? { harts: tcdm.accesses * tcdm.wordBytes } : {}),
          dma: tcdm.dmaBytes,
          accelerator: tcdm.acceleratorBytes,
        },
      }
      : {}),
    l2: {
      dma: dma ? outsideBytes(dma.moved) : 0,
      ...(exact ? { harts: narrow.accesses * narrowBytes } : {}),
      ...(exact && cache ? { fetches: cache.refills << cache.lineBits } : {}),
    },
  };
}

function sleepOf(
  state: HartState,
  hart: number,
  cycle: number,
  underWay: NonNullable<CountingParts["stallUnderWay"]>,
): Pick<HartCounters, "waiting" | "stalled" | "active"> {
  let waiting = 0, stalled = 0;
  const now = underWay(hart, cycle);
  for (let cause = 0; cause < stallCauses.length; cause++) {
    const cycles = state.stalls[hart * stallCauses.length + cause] + (now.cause === cause ? now.cycles : 0);
    if (asleep[cause]) waiting += cycles;
    else stalled += cycles;
  }
  return { waiting, stalled, active: cycle - waiting };
}

/** A byte that stays in L2 is read there and written there. */
function outsideBytes(moved: Dma["moved"]): number {
  let bytes = 0;
  for (const from of Object.keys(moved) as WideTarget[]) {
    bytes += moved[from].outside;
    for (const to of Object.keys(moved) as WideTarget[]) if (from === "outside") bytes += moved[from][to];
  }
  return bytes;
}

function copyOf<T>(counts: T): T {
  return structuredClone(counts);
}

/** What has happened from one moment to another. */
export function countersBetween(before: Counters, after: Counters): Counters {
  return combine(after, before, (a, b) => a - b);
}

/** What has happened in two stretches of time together. */
export function sumOfCounters(a: Counters, b: Counters): Counters {
  return combine(a, b, (x, y) => x + y);
}

/** Combines the numbers of two objects of the same form. */
function combine<T>(a: T, b: T, operation: (a: number, b: number) => number): T {
  if (typeof a === "number") return operation(a, b as number) as T;
  if (Array.isArray(a)) {
    return a.map((item, i) => combine(item, (b as readonly unknown[])[i], operation)) as T;
  }
  return Object.fromEntries(
    Object.entries(a as object).map(([key, item]) => [
      key,
      combine(item, (b as Record<string, unknown>)[key], operation),
    ]),
  ) as T;
}

/** The events that cost energy; undefined if the level of timing does not know all of them. */
export function energyEventsOf(
  { cycles, harts, accelerator, dma, l1, l2 }: Counters,
): EnergyEvents | undefined {
  const sum = (values: readonly (number | undefined)[]) =>
    values.reduce<number>((total, value) => total + (value ?? NaN), 0);
  const activeCore = sum(harts.map(({ active }) => active));
  if (Number.isNaN(activeCore)) return undefined;
  const moved = dma ? Object.values(dma.moved).flatMap((row) => Object.values(row)) : [];
  return {
    cycles,
    accelerator: Object.fromEntries(
      Object.entries(accelerator?.kinds ?? {}).map(([kind, counts]) => [kind, counts.cycles]),
    ),
    activeCore,
    waitingCore: sum(harts.map(({ waiting }) => waiting)),
    l1Bytes: l1 ? sum([l1.harts, l1.dma, l1.accelerator]) : 0,
    l2Bytes: sum([l2.dma, l2.harts, l2.fetches ?? 0]),
    dmaBytes: sum(moved),
  };
}
