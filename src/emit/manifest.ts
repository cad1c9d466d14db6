// manifest.json: what the linked image is, for whoever loads it.

import { type Manifest, type ManifestTensor, stepAsText } from "../../targets/manifest.ts";
import type { Target } from "../../targets/schema.ts";
import { byteLength, type Model } from "../model/types.ts";
import type { Endpoint, Place, Program } from "../schedule/program.ts";
import type { LinkedImage } from "../toolchain/elf.ts";
import type { Symbols } from "./symbols.ts";

/** Names of the files beside the manifest. */
export const imageFiles = {
  elf: "image.elf",
  bin: "image.bin",
  hex: "image.hex",
  model: "model.onnx",
} as const;

/** What the manifest needs beside the program and the linked image. */
export interface ManifestSource {
  readonly program: Program;
  readonly model: Model;
  readonly target: Target;
  readonly symbols: Symbols;
  readonly image: LinkedImage;
  readonly compiler: string;
  readonly import: Manifest["import"];
}

/** Makes the manifest. */
export function makeManifest(source: ManifestSource): Manifest {
  const { program, model, target, symbols, image } = source;
  const addressOf = ({ buffer: name, offset }: Place) => {
    const at = symbols.located(program.buffers.get(name)!);
    return symbolAddress(image, at.symbol) + at.offset + offset;
  };
  const describe = (name: string, place: Place): ManifestTensor => {
    const tensor = model.tensors.get(name)!;
    return {
      name,
      dtype: tensor.dtype,
      shape: [...tensor.shape],
      address: addressOf(place),
      bytes: byteLength(tensor),
      range: { min: finite(tensor.range.min), max: finite(tensor.range.max) },
    };
  };
  const endpoint = ({ name, place }: Endpoint) => describe(name, place);
  return {
    format: 1,
    model: program.model,
    files: { ...imageFiles },
    target: target as unknown as Record<string, unknown>,
    compiler: source.compiler,
    import: source.import,
    inputs: program.inputs.map(endpoint),
    outputs: program.outputs.map(endpoint),
    layers: program.layers.map(({ index, node, operator, engine, macs, estimatedCycles, outputs }) => ({
      index,
      node,
      operator,
      engine,
      macs,
      estimatedCycles,
      // A constant under another name is no result.
      outputs: outputs.flatMap((name) => {
        const place = program.tensors.get(name);
        return place ? [describe(name, place)] : [];
      }),
    })),
    // A conductor of its own hands them out; where there is none, nothing runs side by side.
    ...(target.harts.dma ? { steps: stepsOf(program) } : {}),
    macs: program.macs,
    parameters: program.parameters,
    memories: memoriesOf(program, target, image),
    plan: [...program.buffers.values()].map((buffer) => ({
      name: buffer.name,
      kind: buffer.kind,
      address: addressOf({ buffer: buffer.name, offset: 0 }),
      bytes: buffer.bytes,
      ...buffer.lifetime,
    })),
    symbols: Object.fromEntries(
      [
        "_start",
        "attoflow_mailbox",
        "network_run",
        "network_layers",
        "network_weights",
        "network_arena",
        "network_l1",
      ]
        .map((name) => [name === "_start" ? "entry" : name, symbolAddress(image, name)]),
    ),
  };
}

function stepsOf({ layers }: Program): string[] {
  return layers.flatMap(({ steps }) =>
    steps.map((step) => {
      const { engine, after } = step;
      switch (step.engine) {
        case "dma":
          return stepAsText({ engine, parts: step.transfers.length + (step.brings ? 1 : 0), after });
        case "cores":
          return stepAsText({ engine, parts: 1, after });
        case "ita":
          return stepAsText({ engine, parts: step.jobs.length, after });
      }
    })
  );
}

/** Bytes of each memory by use. Whatever the linker placed that is neither weights, arena nor stacks is code. */
function memoriesOf(program: Program, target: Target, image: LinkedImage): Manifest["memories"] {
  return program.memories.map((use) => {
    const memory = target.memories.find(({ name }) => name === use.memory)!;
    const sections = image.sections.filter(({ address }) =>
      address >= memory.base && address - memory.base < memory.size
    );
    const bytes = (wanted: (name: string) => boolean) =>
      sections.filter(({ name }) => wanted(name)).reduce((sum, { size }) => sum + size, 0);
    const special = new Set([".weights", ".arena", ".l1", ".stacks"]);
    // The runtime's own data in L1 stands in one section with the tiles.
    const runtime = use.role === "l1" ? bytes((name) => name === ".l1") - program.arenas.l1 : 0;
    return {
      name: use.memory,
      role: use.role,
      base: memory.base,
      size: use.size,
      code: bytes((name) => !special.has(name)) + Math.max(0, runtime),
      constants: use.constants,
      activations: use.activations,
      lowerBound: use.lowerBound,
      stack: bytes((name) => name === ".stacks"),
    };
  });
}

function symbolAddress(image: LinkedImage, name: string): number {
  const address = image.symbols.get(name);
  if (address === undefined) throw new Error(`the image has no symbol ${name}`);
  return address;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
