// How much of each memory a network may use: the sizes from the target less what the runtime needs for itself.

import { AttoflowError } from "../../targets/errors.ts";
import { hartCount, memoryOf } from "../../targets/load.ts";
import type { Target } from "../../targets/schema.ts";

/** Stacks start this many bytes further on from hart to hart, so that equal frames lie in different banks. */
export const stackSkew = 16;

/** Bytes of L1 for the runtime's own data: orders, counters, two slots for tasks, the driver (checked when linking). */
export const runtimeBytes = 1280;

/** Most bytes of an args struct: two slots of it must fit {@link runtimeBytes}. */
export const taskBytesLimit = 400;

/** Tiles of a target without L1 are laid in a region of L2 of this size: that of the cluster's L1. */
const bytesWithoutL1 = 128 * 1024;

/** Tensors start on a beat of the DMA, and where a kernel may load words. */
export const alignment = 64;

/** Rounds up to {@link alignment}. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Bytes of all stacks. */
export function stackBytes(target: Target): number {
  return hartCount(target) * (target.harts.stack.size + stackSkew);
}

/** L1 as the planner sees it. */
export interface L1Budget {
  /** Memory that holds it: the L1, or the L2 of a target that has none. */
  readonly memory: string;
  readonly size: number;
  /** Bytes of stacks and runtime in it. */
  readonly reserved: number;
  /** Bytes for tiles. */
  readonly arena: number;
}

/**
 * Bytes for tiles in L1.
 *
 * @param limit use no more than so many bytes of L1, everything included; the whole L1 if absent
 * @throws {AttoflowError} if the limit leaves nothing or is more than there is
 */
export function l1Budget(target: Target, limit?: number): L1Budget {
  const l1 = target.memories.find((memory) => memory.role === "l1");
  const there = l1?.size ?? bytesWithoutL1;
  const name = l1?.name ?? memoryOf(target, "l2").name;
  const size = limit ?? there;
  const reserved = l1 === undefined
    ? 0
    : aligned(runtimeBytes + (target.harts.stack.memory === "l1" ? stackBytes(target) : 0));
  const arena = Math.floor((size - reserved) / alignment) * alignment;
  if (size > there) {
    throw new AttoflowError(`${size} bytes of L1 are asked for, ${name} has ${there}`, {
      where: target.name,
    });
  }
  if (arena <= 0) {
    throw new AttoflowError(`an L1 of ${size} bytes is too small: stacks and runtime take ${reserved}`, {
      where: target.name,
    });
  }
  return { memory: name, size, reserved, arena };
}
