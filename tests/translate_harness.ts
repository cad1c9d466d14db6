// Runs an image under fast timing, on the interpreter tier alone or with the translator, and under exact timing, and
// takes down all that the runs must agree in.

import type { Cache } from "../runtime/cache.ts";
import { buildSoc } from "../runtime/host/build_soc.ts";
import type { Image } from "../runtime/image/types.ts";
import { FastHarts, type FastOptions } from "../runtime/soc/fast_harts.ts";
import { AttoflowError } from "../targets/errors.ts";
import { hartCount } from "../targets/load.ts";
import type { Target } from "../targets/schema.ts";

/** How a run ended. */
export interface Outcome {
  /** Exit code, or the fault's message. */
  readonly end: number | string | undefined;
  readonly cycle: number;
  readonly console: string;
  /** By hart. */
  readonly instructions: readonly number[];
  readonly pcs: readonly number[];
  /** 64 words for each hart; exact timing does not tell. */
  readonly registers: readonly number[];
  /** FNV-1a of each span of memory that was asked for. */
  readonly memory: readonly number[];
  /** Regions that were translated, those given up, and regions and blocks taken over from an earlier run. */
  readonly regions: number;
  readonly dropped: number;
  readonly reused: number;
  readonly reusedBlocks: number;
}

/** A cache that forgets with the test. */
export class MemoryCache implements Cache {
  readonly #files = new Map<string, Uint8Array>();

  read(name: string): Uint8Array | undefined {
    return this.#files.get(name)?.slice();
  }

  write(name: string, bytes: Uint8Array): void {
    this.#files.set(name, bytes.slice());
  }
}

/** Fast timing with these options, or exact timing. */
export type Tier = FastOptions | "exact";

/** What to run. */
export interface Trial {
  readonly target: Target;
  readonly image: Image;
  /** Spans to hash: address and bytes. */
  readonly spans: readonly (readonly [number, number])[];
  readonly maxCycles?: number;
}

function hash(bytes: Uint8Array): number {
  let value = 0x811c_9dc5;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x0100_0193);
  return value >>> 0;
}

/** Runs a program to its end. */
export function run({ target, image, spans, maxCycles = 50_000_000 }: Trial, tier: Tier): Outcome {
  const engine = tier === "exact" ? undefined : new FastHarts(target, tier);
  const decoder = new TextDecoder();
  let text = "";
  const soc = buildSoc(target, {
    engine,
    console: (bytes) => text += decoder.decode(bytes, { stream: true }),
  });
  soc.load(image);
  let end: number | string | undefined;
  try {
    end = soc.run({ maxCycles, limitIsFault: true }).exitCode;
  } catch (error) {
    if (!(error instanceof AttoflowError)) throw error;
    end = error.paragraph;
  }
  engine?.close();
  const harts = soc.statistics();
  const { regions = 0, dropped = 0, reused = 0, reusedBlocks = 0 } = engine?.translated ?? {};
  return {
    end,
    cycle: soc.cycle,
    console: text,
    instructions: harts.map(({ instructions }) => instructions),
    pcs: harts.map(({ pc }) => pc),
    // A tier's own notes lie behind the registers.
    registers: engine ? [...engine.registers(hartCount(target))].filter((_, i) => i % 64 < 32) : [],
    memory: spans.map(([address, length]) => hash(soc.readBytes(address, length))),
    ...{ regions, dropped, reused, reusedBlocks },
  };
}

/** What of an outcome does not depend on the tier. */
export function architectural(
  { regions: _, dropped: __, reused: ___, reusedBlocks: ____, ...rest }: Outcome,
) {
  return rest;
}
