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

/**
 * How an operand's box lies in L1. Dense is row major without gaps. Tiles: the last two axes are padded up to
 * multiples of `rows` and `columns` and cut into tiles, each dense, in row-major order of tiles; the padding holds
 * anything. Axes in front of them are outermost.
 */
export type Layout = "dense" | { readonly rows: number; readonly columns: number };

/** A place in an operand of a piece: bytes from the start of what the pointer field points to. */
export interface OperandPlace {
  readonly field: string;
  readonly offset: number;
}

/**
 * One 64x64x64 job of ITA (ita.md, section 4). Jobs of a piece run in their order. Places are those of whole tiles (or
 * of a bias, of which 224 bytes may be read), so that a planner may bring and drop the tiles of a field one by one.
 */
export interface AcceleratorJob {
  readonly input: OperandPlace;
  readonly weights: OperandPlace;
  readonly bias?: OperandPlace;
  /** One bias for each output row instead of each output column. */
  readonly biasByRow?: boolean;
  /** Absent: the accumulation goes on with the next job. */
  readonly output?: OperandPlace;
  readonly activation?: "relu" | "gelu";
}

/**
 * Jobs that run under one setting of ITA's constants (ita.md, sections 3 and 7). A single-attention sequence counts row
 * blocks up to `tiles.s`: it may go on in the next piece of the layer, and the layer's last piece completes it. So
 * nothing but its own layer's pieces may come between.
 */
export interface AcceleratorSequence {
  readonly layer: "attention" | "feedforward" | "linear" | "single-attention";
  /** Tiles along sequence, embedding, projection and feed-forward dimension, 1 to 15 each. */
  readonly tiles: { readonly s: number; readonly e: number; readonly p: number; readonly f: number };
  /** Eight of each; the index is that of the step (Q, K, V, QK, AV, OW, F1, F2; Linear uses 0). */
  readonly multipliers: readonly number[];
  readonly shifts: readonly number[];
  readonly offsets: readonly number[];
  readonly gelu?: { readonly b: number; readonly c: number };
  readonly activationRequant?: {
    readonly multiplier: number;
    readonly shift: number;
    readonly offset: number;
  };
  readonly jobs: readonly AcceleratorJob[];
}

/** One way in which an engine can do a piece of a node's work. */
export interface KernelCall {
  /**
   * Jobs for the accelerator, done before `kernel`, which then runs behind them on the same operands (or is "" where
   * there is nothing left to do).
   */
  readonly accelerator?: readonly AcceleratorSequence[];
  /** C function: `void NAME(const struct NAME_args *args, uint32_t core, uint32_t cores)`. */
  readonly kernel: string;
  /** File of the engine's `kernels` folder that defines it (and the header of the same name declares it). */
  readonly source: string;
  /**
   * Regions that the piece reads, by the name of the pointer field in the args struct: which input of the node,
   * and which part of it. Each is a dense row-major array of the box's shape when the kernel runs.
   */
  readonly reads: readonly {
    readonly field: string;
    readonly input: number;
    readonly box: Box;
    /** Dense if absent. */
    readonly layout?: Layout;
    /** The padding of the layout must hold zeros. */
    readonly clear?: boolean;
  }[];
  /** Regions that the piece writes (each wholly), likewise. */
  readonly writes: readonly {
    readonly field: string;
    readonly output: number;
    readonly box: Box;
    /** Dense if absent. */
    readonly layout?: Layout;
  }[];
  /** Working memory in L1 that the kernel needs while it runs: pointer field and bytes. */
  readonly scratch?: readonly { readonly field: string; readonly bytes: number }[];
  /**
   * Lookup tables and other small constants made by the mapping, copied to L1 once a layer. A kernel may keep in them
   * what its next calls can use: they find the table as it was left, or as the mapping made it.
   */
  readonly tables?: readonly { readonly field: string; readonly data: Uint8Array }[];
  /** Integer fields of the args struct. */
  readonly parameters: Readonly<Record<string, number>>;
  /** Multiply-accumulates of the piece. */
  readonly macs: number;
  /** Estimated cycles on this engine, operands in L1. Where there are jobs, theirs; the kernel's come on top. */
  readonly cycles: number;
  /** Estimated cycles of the kernel behind jobs; where there are none, `cycles` are the kernel's. */
  readonly kernelCycles?: number;
}

/** How an output axis may be cut into pieces. Axes of output 0. */
export interface Cut {
  readonly axis: number;
  /** Pieces are multiples of this many elements, but for the last. */
  readonly granule: number;
  /** Pieces have at most so many elements; any number if absent. */
  readonly most?: number;
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
