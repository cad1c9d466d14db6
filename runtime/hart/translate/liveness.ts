// Which registers a region must load when it is entered, and which it must store where it leaves.
// Sets of registers are bit masks; x0 is never in one.

import { accesses, written } from "./block.ts";
import type { Flow } from "./flow.ts";
import { isCheckedEdge, type Node } from "./region.ts";

/** Registers at a node of a region. */
export interface Registers {
  /** May differ from the hart's record when the node is entered. */
  readonly dirty: number;
}

/** What entering and leaving a region moves. */
export interface Liveness {
  /** Registers to load at the region's entry. */
  readonly entry: number;
  readonly nodes: ReadonlyMap<Node, Registers>;
}

/** Registers that a node writes. */
function writesOf({ placed }: Node): number {
  let mask = 0;
  for (const { step } of placed) mask |= 1 << written(step);
  return mask & ~1;
}

/** Registers that a node reads before it writes them. */
function exposedReads({ placed }: Node): number {
  let exposed = 0, defined = 0;
  for (const { step } of placed) {
    for (const register of step.instruction.reads) exposed |= 1 << step.operands[register] & ~defined;
    defined |= 1 << written(step);
  }
  return exposed & ~1;
}

/**
 * Finds dirty and live registers of a region.
 *
 * A register may be dirty where it leaves although one way there never wrote it: then it must have been loaded.
 */
export function livenessOf({ nodes }: Flow): Liveness {
  const dirty = nodes.map(() => 0), live = nodes.map(() => 0);
  const writes = nodes.map(writesOf), reads = nodes.map(exposedReads);
  for (let changed = true; changed;) {
    changed = false;
    for (const [i, node] of nodes.entries()) {
      for (const { node: next } of node.edges) {
        if (!next) continue;
        const joined = dirty[next.position] | dirty[i] | writes[i];
        if (joined !== dirty[next.position]) {
          dirty[next.position] = joined;
          changed = true;
        }
      }
    }
  }
  for (let changed = true; changed;) {
    changed = false;
    for (let i = nodes.length - 1; i >= 0; i--) {
      const { edges, placed, ending } = nodes[i];
      // Leaving at the end stores what may be dirty there; leaving at an access, what may be dirty before it.
      let after = 0;
      let leaves = ending === "indirect";
      for (const [k, { node: next }] of edges.entries()) {
        if (next) after |= live[next.position];
        if (!next || isCheckedEdge(nodes[i], k)) leaves = true;
      }
      if (leaves) after |= dirty[i] | writes[i];
      const before = reads[i] | (after & ~writes[i]) |
        (placed.some(({ step }) => accesses(step)) ? dirty[i] : 0);
      if (before !== live[i]) {
        live[i] = before;
        changed = true;
      }
    }
  }
  return { entry: live[0], nodes: new Map(nodes.map((node, i) => [node, { dirty: dirty[i] }])) };
}
