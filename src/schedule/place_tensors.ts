// Gives every tensor its place in L2 and adds up what each memory is used for.

import { AttoflowError } from "../../targets/errors.ts";
import { memoryOf } from "../../targets/load.ts";
import type { Target } from "../../targets/schema.ts";
import { aligned, type L1Budget, stackBytes } from "./budget.ts";
import type { Constants } from "./constants.ts";
import { endsOf } from "./kept_results.ts";
import { type Block, pack } from "./memory.ts";
import type { Draft } from "./lay_out.ts";
import type { PlannedLayer } from "./plan_layers.ts";
import type { Buffer, MemoryUse } from "./program.ts";
import type { Group, Storage } from "./storage.ts";
import { printName } from "../model/print.ts";

/** The tensors of a network are more than L2 holds. */
export class MemoryMisfit extends AttoflowError {}

/** Buffers in L2 and the size of the arena that holds the activations. */
export interface L2Plan {
  readonly buffers: Buffer[];
  readonly arenaBytes: number;
  readonly lowerBound: number;
}

/**
 * Places constants one behind the other, inputs and outputs each by itself, activations where their lives allow.
 *
 * @param drafts all work, in an order in which it could be done
 * @param layers all layers, in the order of their numbers
 * @param apart for some buffers, by name, others that must not take their bytes although they are written later
 */
export function placeTensors(
  storage: Storage,
  drafts: readonly Draft[],
  layers: readonly PlannedLayer[],
  constants: Constants,
  apart: ReadonlyMap<string, ReadonlySet<string>> = new Map(),
): L2Plan {
  const last = Math.max(0, layers.length - 1);
  const always = { first: 0, last };
  const buffers: Buffer[] = constants.parts.map(({ name, bytes, offset }) => ({
    name,
    kind: "constant",
    memory: "l2",
    offset,
    bytes: bytes.length,
    lifetime: always,
  }));

  const lives = livesOf(storage, drafts, layers);
  for (const [name, others] of apart) {
    const { drafts } = lives.get(name)!;
    for (const other of others) drafts.last = Math.max(drafts.last, lives.get(other)!.drafts.first);
  }
  const lifeOf = (group: Group) => lives.get(group.name) ?? untouched;
  const blocks: Block[] = [];
  const owners = new Set([...storage.groups.values(), ...storage.outputs]);
  for (const group of owners) {
    if (group.kind === "input" || group.kind === "output") {
      const { name, kind, tensor, bytes } = group;
      buffers.push({ name, tensor: tensor.name, kind, memory: "l2", offset: 0, bytes, lifetime: always });
    } else if (group.kind === "activation") {
      blocks.push({ name: group.name, bytes: group.bytes, ...lifeOf(group).drafts });
    }
  }
  const packing = pack(blocks);
  for (const group of owners) {
    if (group.kind !== "activation") continue;
    buffers.push({
      name: group.name,
      tensor: group.tensor.name,
      kind: "activation",
      memory: "l2",
      offset: packing.offsets.get(group.name)!,
      bytes: group.bytes,
      lifetime: lifeOf(group).layers,
    });
  }
  return { buffers, arenaBytes: packing.bytes, lowerBound: packing.lowerBound };
}

/** When a buffer is written or read first and last: positions of drafts, and indices of layers. */
interface Life {
  readonly drafts: { first: number; last: number };
  readonly layers: { first: number; last: number };
}

const untouched: Life = { drafts: { first: 0, last: 0 }, layers: { first: 0, last: 0 } };

/**
 * Lives of the buffers outside L1. What a layer makes, or gives another name, is there until the layer and those before
 * it are through: whoever compares layer by layer looks at it then.
 */
function livesOf(
  storage: Storage,
  drafts: readonly Draft[],
  layers: readonly PlannedLayer[],
): Map<string, Life> {
  const ends = endsOf(layers.length, drafts);
  const lives = new Map<string, Life>();
  drafts.forEach((draft, position) => {
    if (draft.engine !== "dma") return;
    const { layer } = draft;
    const note = (buffer: string, last: number) => {
      const life = lives.get(buffer);
      if (!life) {
        lives.set(buffer, { drafts: { first: position, last }, layers: { first: layer, last: layer } });
        return;
      }
      life.drafts.last = Math.max(life.drafts.last, last);
      life.layers.first = Math.min(life.layers.first, layer);
      life.layers.last = Math.max(life.layers.last, layer);
    };
    for (const { source, destination } of draft.transfers) {
      note(source.buffer, position);
      note(destination.buffer, ends[layer] - 1);
    }
  });
  for (const { index, outputs } of layers) {
    for (const output of outputs) {
      const life = lives.get(storage.groups.get(output)?.name ?? "");
      if (!life) continue;
      life.drafts.last = Math.max(life.drafts.last, ends[index] - 1);
      life.layers.last = Math.max(life.layers.last, index);
    }
  }
  return lives;
}

/**
 * What each memory is used for.
 *
 * @throws {AttoflowError} if the tensors alone are more than L2 holds; names the largest
 */
export function memoryUse(
  target: Target,
  budget: L1Budget,
  buffers: Iterable<Buffer>,
  sizes: { constants: number; l1Arena: number; l2Arena: number; lowerBound: number },
): MemoryUse[] {
  const l1 = target.memories.find((memory) => memory.role === "l1");
  const l2 = memoryOf(target, "l2");
  const inL2 = [...buffers].filter((buffer) => buffer.memory === "l2");
  const endpoints = inL2.filter(({ kind }) => kind === "input" || kind === "output")
    .reduce((sum, { bytes }) => sum + aligned(bytes), 0);
  const tiles = l1 ? 0 : sizes.l1Arena;
  const stacks = target.harts.stack.memory === "l2" || !l1 ? stackBytes(target) : 0;
  const use: MemoryUse = {
    memory: l2.name,
    role: "l2",
    size: l2.size,
    constants: sizes.constants,
    activations: sizes.l2Arena + endpoints + tiles,
    lowerBound: sizes.lowerBound + endpoints + tiles,
    reserved: stacks,
  };
  const needed = use.constants + use.activations + use.reserved;
  if (needed > l2.size) {
    const largest = inL2.sort((a, b) => b.bytes - a.bytes).slice(0, 3)
      .map((buffer) => `${printName(buffer.tensor ?? buffer.name)} (${buffer.kind}) ${buffer.bytes}`).join(
        ", ",
      );
    throw new MemoryMisfit(
      `the network needs ${needed} bytes of ${l2.name} (${use.constants} of constants, ${use.activations} of ` +
        `activations), which has ${l2.size}`,
      { where: target.name, hint: `The largest are ${largest} bytes.` },
    );
  }
  if (!l1) return [use];
  return [{
    memory: l1.name,
    role: "l1",
    size: budget.size,
    constants: 0,
    activations: sizes.l1Arena,
    lowerBound: sizes.l1Arena,
    reserved: budget.reserved,
  }, use];
}
