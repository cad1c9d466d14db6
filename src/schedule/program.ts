// What the machine will do: buffers with addresses and lifetimes, and steps of work for each engine.
// A plain, printable value; `analyze` prints it, the emitter turns it into C.

import type { StepEngine } from "../../targets/engine_time.ts";
import type { AcceleratorSequence, EngineMapping } from "../../targets/engines/engine.ts";
import type { DType } from "../model/types.ts";

export type { StepEngine };

/** Name of an engine of the target. */
export type EngineName = EngineMapping["name"];

/**
 * A region of memory that holds (part of) a tensor or the working data of a layer. Tensors that are the same
 * bytes (a reshape and what it reshapes) share one.
 */
export interface Buffer {
  /** Unique; derived from the tensor's name, not safe for C. */
  readonly name: string;
  /** Tensor that it holds, if it holds one. */
  readonly tensor?: string;
  readonly kind: "input" | "output" | "constant" | "activation" | "tile" | "scratch";
  /** Role of the memory that holds it. */
  readonly memory: "l1" | "l2";
  /**
   * Bytes from the start of what holds the kind: the L2 arena (activations), the L1 arena (tiles, scratch), the
   * weights (constants). Inputs and outputs are arrays of their own; theirs is 0.
   */
  readonly offset: number;
  readonly bytes: number;
  /** First and last layer (index) during which its content matters. */
  readonly lifetime: { readonly first: number; readonly last: number };
}

/** A place inside a buffer. */
export interface Place {
  readonly buffer: string;
  /** Bytes from the start of the buffer. */
  readonly offset: number;
}

/** One DMA transfer: `rows` rows of `bytes` each; strides are bytes from row to row, never negative. */
export interface Transfer {
  readonly source: Place;
  readonly destination: Place;
  readonly bytes: number;
  readonly rows: number;
  readonly sourceStride: number;
  readonly destinationStride: number;
}

/** A region that a task reads, writes (wholly) or works in. */
export interface Operand extends Place {
  readonly bytes: number;
  readonly access: "read" | "write" | "scratch";
  /** Its layout has padding that nobody writes and that may hold anything. */
  readonly padded: boolean;
}

/** One kernel on the worker cores, all of them together. */
export interface Task {
  /** Engine whose `kernels` folder holds the source. */
  readonly engine: EngineName;
  readonly kernel: string;
  readonly source: string;
  /** Pointer fields of the args struct. */
  readonly pointers: Readonly<Record<string, Operand>>;
  /** Integer fields of the args struct. */
  readonly parameters: Readonly<Record<string, number>>;
  readonly macs: number;
  readonly cycles: number;
}

/** One job of the accelerator, with its operands in L1. */
export interface Job {
  readonly sequence: SequenceConstants;
  readonly input: Operand;
  readonly weights: Operand;
  /** Weights of the job behind it, of which this one fetches the first block. */
  readonly nextWeights?: Operand;
  readonly bias?: Operand;
  readonly biasByRow: boolean;
  readonly output?: Operand;
  readonly activation?: "relu" | "gelu";
  readonly cycles: number;
}

/** What the jobs of an accelerator sequence have in common. */
export type SequenceConstants = Omit<AcceleratorSequence, "jobs">;

/**
 * How much of each engine's work must be finished: the first so many of its steps, in the order of the program.
 * An engine that is not named need not have done anything.
 */
export type Progress = Readonly<Partial<Record<StepEngine, number>>>;

interface StepBase {
  /** Layer that the step works for. */
  readonly layer: number;
  /** What must be finished before it starts. */
  readonly after: Progress;
  /** Estimated start and end, in cycles from the start of the inference. */
  readonly start: number;
  readonly end: number;
}

/** Moves data; `brings` is the task whose args struct comes to L1 on the way. */
export interface MoveStep extends StepBase {
  readonly engine: "dma";
  readonly transfers: readonly Transfer[];
  readonly brings?: Task;
}

/** Runs a kernel on all workers. */
export interface TaskStep extends StepBase {
  readonly engine: "cores";
  readonly task: Task;
}

/** Puts jobs in the accelerator's queue; all of one sequence. */
export interface JobStep extends StepBase {
  readonly engine: "ita";
  readonly jobs: readonly Job[];
}

/**
 * Work of one engine. The engines run side by side; each does its own steps in the order of the program, and
 * starts one when `after` is reached. The conductor (the DMA hart) issues all steps in that order.
 */
export type Step = MoveStep | TaskStep | JobStep;

/** One node (or a run of nodes fused into one) as the machine does it. */
export interface Layer {
  readonly index: number;
  /** Node of the rewritten model. */
  readonly node: string;
  readonly operator: string;
  readonly engine: EngineName | "none";
  /** Why this engine, in one line; `analyze` prints it. */
  readonly reason: string;
  /** Why each engine that was asked before declined, in one line each. */
  readonly rejections: readonly { readonly engine: EngineName; readonly reason: string }[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Pieces that the work is cut into; 0 when nothing is to be done (a reshape). */
  readonly tiles: number;
  /** Shape of the largest piece of the first output. */
  readonly tileShape: readonly number[];
  /**
   * Steps that are issued while the layer is the current one: the layer's own, and some of later layers for which
   * this is the time.
   */
  readonly steps: readonly Step[];
  readonly macs: number;
  readonly estimatedCycles: number;
}

/** How one memory is used. */
export interface MemoryUse {
  readonly memory: string;
  readonly role: "l1" | "l2";
  readonly size: number;
  /** Bytes by kind (code is known after linking only). Activations include inputs and outputs, in L1 the tiles. */
  readonly constants: number;
  readonly activations: number;
  /** Stacks and the runtime's own data, as far as they are known before linking. */
  readonly reserved: number;
  /** No plan can use fewer bytes for the activations: the most that is alive at once. */
  readonly lowerBound: number;
}

/** A compiled network. */
export interface Program {
  readonly model: string;
  readonly target: string;
  readonly inputs: readonly Endpoint[];
  readonly outputs: readonly Endpoint[];
  readonly buffers: ReadonlyMap<string, Buffer>;
  /** Where each tensor that is not constant lies in L2, by its name. */
  readonly tensors: ReadonlyMap<string, Place>;
  /** Bytes of all constants, in the order of their offsets. */
  readonly constants: Uint8Array;
  readonly layers: readonly Layer[];
  /** Bytes of the arenas in which activations (L2) and tiles (L1) have their offsets. */
  readonly arenas: Readonly<Record<"l1" | "l2", number>>;
  /** Bytes that the runtime keeps for a task's args struct; a struct has room for optional fields too. */
  readonly taskBytes: number;
  readonly memories: readonly MemoryUse[];
  readonly macs: number;
  readonly parameters: number;
}

/** An input or output of the network and where it lies. */
export interface Endpoint {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly place: Place;
}
