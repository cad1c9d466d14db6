// What a generated image says of itself (`manifest.json`): the compiler writes it, the host runtime reads it.

import { z } from "zod";
import type { StepEngine } from "./engine_time.ts";

const dtype = z.enum(["int8", "uint8", "int32", "float32"]);

const tensor = z.strictObject({
  name: z.string(),
  dtype,
  shape: z.array(z.number().int().min(0)),
  /** Address in the SoC's memory at which the host finds or puts the elements, dense and row major. */
  address: z.number().int().min(0),
  bytes: z.number().int().min(0),
  /** Values that the elements can take. */
  range: z.strictObject({ min: z.number().nullable(), max: z.number().nullable() }),
});

const layer = z.strictObject({
  index: z.number().int().min(0),
  node: z.string(),
  operator: z.string(),
  engine: z.string(),
  macs: z.number().min(0),
  estimatedCycles: z.number().min(0),
  /** Results of the layer, readable while the image pauses behind it (see mailbox.ts). */
  outputs: z.array(tensor),
});

/**
 * A step of the program, as text: `ita 4 dma:7 cores:2` are 4 jobs behind the first 7 steps of the DMA and the first 2 of
 * the cores. Of the DMA the number counts transfers; a task is 1.
 */
const stepText = /^(ita|cores|dma) (\d+)((?: (?:ita|cores|dma):\d+)*)$/;

/** What the text of a step says. */
export interface ManifestStep {
  readonly engine: StepEngine;
  readonly parts: number;
  readonly after: Readonly<Partial<Record<StepEngine, number>>>;
}

/** Text of a step. */
export function stepAsText({ engine, parts, after }: ManifestStep): string {
  const waits = Object.entries(after).map(([other, count]) => ` ${other}:${count}`).join("");
  return `${engine} ${parts}${waits}`;
}

/** Reads the text of a step, which {@link manifestSchema} has checked. */
export function readStep(text: string): ManifestStep {
  const [engine, parts, ...waits] = text.split(" ");
  const after = Object.fromEntries(waits.map((wait) => {
    const [other, count] = wait.split(":");
    return [other, Number(count)];
  }));
  return { engine: engine as StepEngine, parts: Number(parts), after };
}

/** Schema of `manifest.json`. */
export const manifestSchema = z.strictObject({
  format: z.literal(1),
  model: z.string(),
  /** Files beside the manifest. */
  files: z.strictObject({ elf: z.string(), bin: z.string(), hex: z.string(), model: z.string() }),
  /** Whole description of the target that the image was made for. */
  target: z.record(z.string(), z.unknown()),
  compiler: z.string(),
  /** How the model was read, so that the reference reads it in the same way. */
  import: z.strictObject({
    sha256: z.string(),
    softmaxShift: z.union([z.literal(0), z.literal(5)]),
    inputTypes: z.record(z.string(), dtype),
  }),
  inputs: z.array(tensor),
  outputs: z.array(tensor),
  layers: z.array(layer),
  /** All steps in the order in which the conductor hands them out; absent where one hart does everything. */
  steps: z.array(z.string().regex(stepText)).optional(),
  macs: z.number(),
  parameters: z.number(),
  memories: z.array(z.strictObject({
    name: z.string(),
    role: z.string(),
    base: z.number(),
    size: z.number(),
    code: z.number(),
    constants: z.number(),
    activations: z.number(),
    lowerBound: z.number(),
    stack: z.number(),
  })),
  /** The static memory plan: every buffer with address and lifetime in layers. */
  plan: z.array(z.strictObject({
    name: z.string(),
    kind: z.string(),
    address: z.number(),
    bytes: z.number(),
    first: z.number(),
    last: z.number(),
  })),
  /** Addresses of the linked image's symbols that a host may want: entry, mailbox, network_run … */
  symbols: z.record(z.string(), z.number()),
});

/** A checked manifest. */
export type Manifest = z.output<typeof manifestSchema>;
export type ManifestTensor = Manifest["inputs"][number];
