// What is asked of a target again and again. Needs no schema, so that who has a checked target loads nothing else.

import { AttoflowError } from "./errors.ts";
import type { Memory, Peripheral, Target } from "./schema.ts";

/** The target's only memory of a role; throws if there is none. */
export function memoryOf(target: Target, role: Memory["role"]): Memory {
  const found = target.memories.find((memory) => memory.role === role);
  if (!found) throw new AttoflowError(`target ${target.name} has no memory of role ${role}`);
  return found;
}

/** The target's first peripheral of a kind, if it has one. */
export function peripheralOf(target: Target, kind: Peripheral["kind"]): Peripheral | undefined {
  return target.peripherals.find((peripheral) => peripheral.kind === kind);
}

/** Number of all harts, the DMA hart included. */
export function hartCount(target: Target): number {
  return target.harts.workers + (target.harts.dma ? 1 : 0);
}
