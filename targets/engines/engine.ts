// What the compiler must know of an engine: which nodes it takes, how their work is cut, what a piece costs.
// One implementation an engine, in the engine's folder. The planner (src/schedule) knows only this page.

import type { Node, Tensor } from "../../src/model/types.ts";
import type { Target } from "../schema.ts";

/** A node with its tensors looked up: all that a mapping may look at. Absent optional tensors are undefined. */
export interface NodeView {
  readonly node: Node;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly Tensor[];
}

/** A rectangular part of a tensor, in elements: `start[i] … start[i] + shape[i] - 1` on each axis. */
export interface Box {
  readonly start: readonly number[];
  readonly shape: readonly number[];
}

/** One way in which an engine's C code can do a piece of a node's work. */
export interface KernelCall {
  /** C function: `void NAME(const struct NAME_args *args, uint32_t core, uint32_t cores)`. */
  readonly kernel: string;
  /** File of the engine's `kernels` folder that defines it (and the header of the same name declares it). */
  readonly source: string;
  /**
   * Regions that the piece reads, by the name of the pointer field in the args struct: which input of the node,
   * and which part of it. Each is a dense row-major array of the box's shape when the kernel runs.
   */
  readonly reads: readonly { readonly field: string; readonly input: number; readonly box: Box }[];
  /** Regions that the piece writes (each wholly), likewise. */
  readonly writes: readonly { readonly field: string; readonly output: number; readonly box: Box }[];
  /** Working memory in L1 that the kernel needs while it runs: pointer field and bytes. */
  readonly scratch?: readonly { readonly field: string; readonly bytes: number }[];
  /** Lookup tables and other small constants made by the mapping, copied to L1 once a layer. */
  readonly tables?: readonly { readonly field: string; readonly data: Uint8Array }[];
  /** Integer fields of the args struct. */
  readonly parameters: Readonly<Record<string, number>>;
  /** Multiply-accumulates of the piece. */
  readonly macs: number;
  /** Estimated cycles on this engine, operands in L1. */
  readonly cycles: number;
}

/** How an output axis may be cut into pieces. Axes of output 0. */
export interface Cut {
  readonly axis: number;
  /** Pieces are multiples of this many elements, but for the last. */
  readonly granule: number;
}

/** How an engine serves one operator. */
export interface Mapping {
  /** Why the engine cannot take the node, in one line; undefined if it can. */
  rejects(view: NodeView, target: Target): string | undefined;
  /** Axes of output 0 that may be cut, the one to cut first in front. Empty: the node is one piece. */
  cuts(view: NodeView): readonly Cut[];
  /** The work that makes the part `box` of output 0. */
  piece(view: NodeView, box: Box, target: Target): KernelCall;
}

/** An engine as the compiler sees it. */
export interface EngineMapping {
  readonly name: "cores" | "ita" | "dma";
  /** Mapping of each operator that the engine has any code for, by operator name. */
  readonly mappings: ReadonlyMap<string, Mapping>;
}

/** The box that is a whole tensor. */
export function wholeBox(shape: readonly number[]): Box {
  return { start: shape.map(() => 0), shape };
}
