// A layer's work in units that the planner can order and place: a job of the accelerator, a kernel, a copy. A unit says
// what it wants in L1 and what is finished behind it; where that lies, and what must be brought, is decided later.

import type {
  AcceleratorJob,
  AcceleratorSequence,
  Box,
  KernelCall,
  Layout,
  Mapping,
  NodeView,
  OperandPlace,
} from "../../targets/engines/engine.ts";
import { jobDuration } from "../../targets/engines/ita/timing.ts";
import type { Target } from "../../targets/schema.ts";
import type { Tensor } from "../model/types.ts";
import { tilesOf } from "./boxes.ts";
import { type Content, scratchContent, tableContent, tensorContent, type Use } from "./contents.ts";
import { boxesOf, type Tiling } from "./pieces.ts";
import type { EngineName, Job, StepEngine, Task } from "./program.ts";

/** A layer with everything that its work depends on. */
export interface LayerWork {
  readonly index: number;
  readonly engine: EngineName;
  readonly view: NodeView;
  readonly mapping: Mapping;
  readonly tiling: Tiling;
  /** Buffer of a tensor in L2. */
  bufferOf(tensor: Tensor): string;
  /** Constant that holds a table. */
  tableOf(data: Uint8Array): string;
}

/** A job with its operands by content. */
export interface JobWork extends Pick<Job, "sequence" | "biasByRow" | "activation"> {
  readonly input: Use;
  readonly weights: Use;
  readonly bias?: Use;
  readonly output?: Use;
}

/** A kernel with its operands by content. */
export interface TaskWork extends Omit<Task, "pointers"> {
  readonly pointers: Readonly<Record<string, Use>>;
}

/**
 * The least that is ordered and placed by itself. A copy has neither job nor task: the content that it uses is what it
 * stores, under another name.
 */
export interface Unit {
  readonly layer: number;
  readonly engine: StepEngine;
  readonly job?: JobWork;
  readonly task?: TaskWork;
  readonly uses: readonly Use[];
  /** What it completes: to be stored behind it. */
  readonly stores: readonly Content[];
  readonly cycles: number;
}

/** Units that run one behind the other. */
export interface Block {
  readonly layer: number;
  readonly engine: StepEngine;
  readonly units: readonly Unit[];
  /** Blocks of the accelerator with the same number may have no other block between them. */
  readonly atom?: number;
  /** It works on contents that the block before it leaves in L1. */
  readonly behind: boolean;
}

/**
 * Cycles by which other traffic in L1 holds up a job, on average over products, attention and the example networks
 * (emulated): a job with an output wants its port nearly all the time.
 */
const heldUp = { inner: 5, output: 20 };

/** Expected cycles of a job in a chain. */
function jobCycles(size: { lanes: number; elements: number }, bias: boolean, output: boolean): number {
  return 1 + jobDuration(size, { preload: false, nextload: true, bias, output }) +
    (output ? heldUp.output : heldUp.inner);
}

/** The blocks of a layer, piece by piece. */
export function blocksOf(layer: LayerWork, target: Target): Block[] {
  return boxesOf(layer.view.outputs[0].shape, layer.tiling)
    .flatMap((box, piece) => new PieceWork(layer, box, piece, target).blocks());
}

/** Operand of a field: one content, or one for each tile of it. */
type Field = { readonly whole: Content } | { readonly tiles: (index: number) => Content };

class PieceWork {
  readonly #call: KernelCall;
  readonly #fields = new Map<string, Field>();
  /** Results, by field. */
  readonly #written = new Set<string>();

  constructor(
    readonly layer: LayerWork,
    readonly box: Box,
    readonly piece: number,
    readonly target: Target,
  ) {
    const { view, mapping } = layer;
    this.#call = mapping.piece(view, box, target);
    const { reads, writes, tables = [], scratch = [] } = this.#call;
    for (const { field, input, box, layout, clear } of reads) {
      const tensor = present(view.inputs[input], view, `input ${input}`);
      this.#fields.set(field, this.#tensorField(field, tensor, box, layout, clear ?? false));
    }
    for (const { field, data } of tables) {
      const buffer = layer.tableOf(data);
      this.#fields.set(
        field,
        this.#tiled(data.length)
          ? {
            tiles: (i) =>
              tableContent(this.#label(field), buffer, i * tileBytesOf(target), tileBytesOf(target)),
          }
          : { whole: tableContent(this.#label(field), buffer, 0, data.length) },
      );
    }
    for (const { field, output, box, layout } of writes) {
      if (this.#fields.has(field)) {
        // Copies store what they read, other work has it in places of its own.
        if (this.#call.kernel === "") continue;
        throw new Error(`${this.#call.kernel} writes ${field}, which it reads`);
      }
      const tensor = present(view.outputs[output], view, `output ${output}`);
      this.#written.add(field);
      this.#fields.set(field, this.#tensorField(field, tensor, box, layout, false));
    }
    for (const { field, bytes } of scratch) {
      const name = `${layer.index}.${piece}.${field}`;
      this.#fields.set(
        field,
        this.#tiled(bytes)
          ? { tiles: (i) => scratchContent(this.#label(field), `${name}.${i}`, tileBytesOf(target)) }
          : { whole: scratchContent(this.#label(field), name, bytes) },
      );
    }
  }

  blocks(): Block[] {
    const { kernel, accelerator, writes } = this.#call;
    const { index } = this.layer;
    if (kernel === "" && !accelerator) return [this.#copyBlock(writes)];
    const atom = accelerator && accelerator[0].layer !== "linear" ? index : undefined;
    const units = accelerator
      ? this.#jobUnits(atom === undefined ? this.#byConstants() : this.#accumulations().flat())
      : [];
    const blocks = units.length > 0
      ? [{ layer: index, engine: "ita" as const, units, atom, behind: false }]
      : [];
    if (kernel === "") return blocks;
    return [...blocks, {
      layer: index,
      engine: "cores",
      units: [this.#taskUnit()],
      behind: blocks.length > 0,
    }];
  }

  #label(field: string): string {
    return `L${this.layer.index}.${field}`;
  }

  /** Whether an operand of so many bytes is one content a tile. A kernel wants its operands in one piece. */
  #tiled(bytes: number): boolean {
    const tile = tileBytesOf(this.target);
    return this.#call.accelerator !== undefined && this.#call.kernel === "" && bytes > 0 &&
      bytes % tile === 0;
  }

  #tensorField(field: string, tensor: Tensor, box: Box, layout: Layout | undefined, clear: boolean): Field {
    const buffer = this.layer.bufferOf(tensor);
    const content = (part: Box) => tensorContent(this.#label(field), buffer, tensor, part, layout, clear);
    if (layout === undefined || layout === "dense" || !this.#tiled(tileBytesOf(this.target))) {
      return { whole: content(box) };
    }
    const tiles = tilesOf(box, layout).map(content);
    return { tiles: (index) => tiles[index] };
  }

  #use({ field, offset }: OperandPlace, bytes: number, access: Use["access"]): Use {
    const operand = this.#fields.get(field)!;
    if ("whole" in operand) return { content: operand.whole, offset, bytes, access };
    const tile = tileBytesOf(this.target);
    return { content: operand.tiles(Math.floor(offset / tile)), offset: offset % tile, bytes, access };
  }

  /** The accumulations of the piece: each ends with the job that has an output. */
  #accumulations(): JobWork[][] {
    const { elements } = this.target.ita!;
    const tile = elements * elements;
    const work = ({ jobs: _, ...sequence }: AcceleratorSequence, job: AcceleratorJob): JobWork => ({
      sequence,
      input: this.#use(job.input, tile, "read"),
      weights: this.#use(job.weights, tile, "read"),
      bias: job.bias && this.#use(job.bias, 3 * elements, "read"),
      biasByRow: job.biasByRow ?? false,
      output: job.output && this.#use(job.output, tile, "write"),
      activation: job.activation,
    });
    const result: JobWork[][] = [[]];
    for (const sequence of this.#call.accelerator!) {
      for (const job of sequence.jobs) {
        result.at(-1)!.push(work(sequence, job));
        if (job.output) result.push([]);
      }
    }
    return result.filter((jobs) => jobs.length > 0);
  }

  /** Accumulations that share constants one behind the other, so that these are brought once. */
  #byConstants(): JobWork[] {
    const accumulations = this.#accumulations();
    const constants = new Set(
      this.#call.tables?.map(({ field }) => this.#fields.get(field)!)
        .flatMap((field) => "tiles" in field ? [field.tiles(0).home!.buffer] : []),
    );
    const keyOf = ([{ input, weights }]: readonly JobWork[]) =>
      [weights, input].find(({ content }) => content.home && constants.has(content.home.buffer))?.content.key;
    const groups = Map.groupBy(accumulations, keyOf);
    return [...groups.values()].flat(2);
  }

  #jobUnits(jobs: readonly JobWork[]): Unit[] {
    const { lanes, elements } = this.target.ita!;
    // Where a kernel has the last word, it completes the results.
    const results = new Set(
      this.#call.kernel === ""
        ? jobs.flatMap(({ output }) => output && output.content.home ? [output.content] : [])
        : [],
    );
    const units = jobs.toReversed().map((job): Unit => {
      const stores = job.output && results.delete(job.output.content) ? [job.output.content] : [];
      return {
        layer: this.layer.index,
        engine: "ita",
        job,
        uses: [job.input, job.weights, job.bias, job.output].filter((use) => use !== undefined),
        stores,
        cycles: jobCycles({ lanes, elements }, job.bias !== undefined, job.output !== undefined),
      };
    });
    return units.reverse();
  }

  #taskUnit(): Unit {
    const { kernel, source, parameters, macs } = this.#call;
    const cycles = this.#call.kernelCycles ?? this.#call.cycles;
    const scratch = new Set(this.#call.scratch?.map(({ field }) => field));
    const pointers = [...this.#fields].map(([field, operand]): [string, Use] => {
      if (!("whole" in operand)) throw new Error(`${kernel} wants ${field} in one piece`);
      const access = scratch.has(field) ? "scratch" : this.#written.has(field) ? "write" : "read";
      return [field, { content: operand.whole, offset: 0, bytes: operand.whole.bytes, access }];
    });
    return {
      layer: this.layer.index,
      engine: "cores",
      task: {
        engine: this.layer.engine,
        kernel,
        source,
        parameters,
        macs,
        cycles,
        pointers: Object.fromEntries(pointers),
      },
      uses: pointers.map(([, use]) => use),
      stores: pointers.flatMap(([, use]) => use.access === "write" ? [use.content] : []),
      cycles,
    };
  }

  /** Copies by the DMA: a region that is written holds what was read, or a table, under the same field. */
  #copyBlock(writes: KernelCall["writes"]): Block {
    const { view, index } = this.layer;
    const units = writes.map(({ field, output, box }): Unit => {
      const from = this.#fields.get(field)!;
      const to = this.#tensorField("copy", view.outputs[output], box, undefined, false);
      if (!("whole" in from && "whole" in to)) throw new Error("a copy is of one piece");
      const uses = [{ content: from.whole, offset: 0, bytes: from.whole.bytes, access: "read" as const }];
      return { layer: index, engine: "dma", uses, stores: [to.whole], cycles: 0 };
    });
    return { layer: index, engine: "dma", units, behind: false };
  }
}

function tileBytesOf({ ita }: Target): number {
  return ita ? ita.elements * ita.elements : 0;
}

function present(tensor: Tensor | undefined, view: NodeView, what: string): Tensor {
  if (!tensor) throw new Error(`the mapping of ${view.node.operator} asks for ${what}, which is absent`);
  return tensor;
}
