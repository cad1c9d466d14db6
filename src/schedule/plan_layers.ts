// Plans layer after layer: engine, pieces, drafts of steps. Addresses in L2 come later (place_tensors.ts); here a tensor is
// the name of its buffer.

import { copyMapping } from "../../targets/engines/dma/mapping.ts";
import type { NodeView } from "../../targets/engines/engine.ts";
import { AttoflowError } from "../../targets/errors.ts";
import type { Target } from "../../targets/schema.ts";
import { byteLength, elementCount, type Node } from "../model/types.ts";
import { type L1Budget, taskBytesLimit } from "./budget.ts";
import { type Choice, type Engines, enginesFor } from "./choose_engine.ts";
import { Constants } from "./constants.ts";
import { argsBytes, type Draft, draftsOf, type Homes, slotBuffers } from "./lay_out.ts";
import { type Pieces, placePieces, slotBytes, type Tiling } from "./pieces.ts";
import type { Buffer, EngineName, Layer } from "./program.ts";
import { type Copy, isAlias, type Storage } from "./storage.ts";
import { printName } from "../model/print.ts";
import { nodeText, operators } from "../operators/registry.ts";
import { chooseTiling, type Misfit } from "./tiling.ts";

type Tiled = { readonly tiling: Tiling; readonly pieces: Pieces };
type Rejections = Layer["rejections"];

/** A layer whose steps have no order and no times yet. */
export type PlannedLayer = Omit<Layer, "steps" | "estimatedCycles">;

/** Not even the smallest piece of a node fits L1. */
export class LayerMisfit extends AttoflowError {
  readonly node: string;
  readonly operator: string;

  /** @param reason what is too large, by how much */
  constructor(
    { name, operator }: Pick<Node, "name" | "operator">,
    readonly reason: string,
    what: string,
    details: { where: string; hint: string },
  ) {
    super(what, details);
    this.node = name;
    this.operator = operator;
  }
}

/** Plans layers one by one and collects what they share. */
export class LayerPlanner {
  readonly layers: PlannedLayer[] = [];
  /** Buffers in L1 of each layer that has work, from the start of the arena. */
  readonly buffers: Buffer[][] = [];
  /** The work of all layers. */
  readonly drafts: Draft[] = [];
  /** Constants that the layers load. */
  readonly constants = new Constants();
  /** Tilings found, by what they depend on: networks repeat themselves. */
  readonly #tilings = new Map<string, Tiling>();

  constructor(
    readonly target: Target,
    readonly engines: Engines,
    readonly storage: Storage,
    readonly budget: L1Budget,
    /** What the passes say of nodes that they left alone, by node. */
    readonly notes: ReadonlyMap<string, string> = new Map(),
  ) {}

  /** Adds the layer of a node. Throws {@link AttoflowError} if not even one piece of it fits L1. */
  add(view: NodeView): void {
    const { node } = view;
    const copy = this.storage.copyingNodes.get(node.name);
    if (copy) return this.addCopy(copy, node);
    if (isAlias(node, this.storage)) return this.#addNothing(node, "the same bytes under another name");
    if (view.outputs.every((output) => elementCount(output.shape) === 0)) {
      return this.#addNothing(node, "its result has no elements");
    }
    const offers = enginesFor(view, this.target, this.engines);
    const note = this.notes.get(node.name);
    const rejections = offers.rejections.map((rejection) =>
      note !== undefined && rejection.engine === "ita" ? { ...rejection, reason: note } : rejection
    );
    for (const choice of offers.choices) {
      const tiled = this.#tile(view, choice);
      if ("pieces" in tiled) {
        return this.#addWork(view, choice, tiled, rejections, { tensor: this.#bufferOf });
      }
      rejections.push({ engine: choice.engine, reason: this.#misfit(tiled) });
    }
    throw this.#doesNotFit(node, rejections.at(-1)!.reason);
  }

  /** Adds a layer that copies a tensor to the place of a network output. */
  addCopy({ from, to }: Copy, { name, operator }: Pick<Node, "name" | "operator">): void {
    const node: Node = { name, operator, attributes: {}, inputs: [from.name], outputs: [to.tensor.name] };
    const shape = [elementCount(from.shape)];
    if (shape[0] === 0) return this.#addNothing(node, "its result has no elements");
    const view: NodeView = {
      node,
      inputs: [{ ...from, name: "from", shape }],
      outputs: [{ ...to.tensor, name: "to", shape }],
    };
    const choice: Choice = {
      engine: this.target.engines.includes("dma") ? "dma" : "cores",
      mapping: copyMapping,
    };
    const tiled = this.#tile(view, choice);
    if (!("pieces" in tiled)) throw this.#doesNotFit(node, this.#misfit(tiled));
    this.#addWork(view, choice, tiled, [], {
      tensor: (end) => end === "to" ? to.name : this.#bufferOf(from.name),
      reason: "an output of the network needs bytes of its own",
    });
  }

  /** Name of the buffer that holds a tensor in L2. */
  readonly #bufferOf = (tensor: string): string => {
    const group = this.storage.groups.get(tensor)!;
    return group.tensor.data ? this.constants.place(group.name, group.tensor.data) : group.name;
  };

  #addNothing(node: Node, reason: string) {
    this.layers.push({
      ...headOf(node, this.layers.length),
      engine: "none",
      reason,
      rejections: [],
      tiles: 0,
      tileShape: [],
      macs: 0,
    });
  }

  #addWork(
    view: NodeView,
    { engine }: Choice,
    { tiling, pieces: { slots, pieces } }: Tiled,
    rejections: Rejections,
    names: { tensor: (name: string) => string; reason?: string },
  ) {
    const { node } = view;
    const index = this.layers.length;
    const homes: Homes = {
      tensor: (name) => ({ buffer: names.tensor(name), offset: 0 }),
      table: (data) => ({
        buffer: this.constants.place(
          `${tableName(view)} (layer ${index}, ${this.constants.parts.length})`,
          data,
        ),
        offset: 0,
      }),
    };
    const buffers = slotBuffers(index, slots);
    const drafts = draftsOf(index, engine, pieces, buffers, homes, this.target);
    for (const draft of drafts) {
      const task = draft.engine === "cores" ? draft.task : undefined;
      if (task && argsBytes(task) > taskBytesLimit) {
        throw new Error(
          `the args of ${task.kernel} take ${argsBytes(task)} bytes, more than ${taskBytesLimit}`,
        );
      }
    }
    this.drafts.push(...drafts);
    this.buffers.push([...buffers.values()]);
    this.layers.push({
      ...headOf(node, index),
      engine,
      reason: names.reason ?? reasonOf(engine, rejections, this.target),
      rejections,
      tiles: pieces.length,
      tileShape: tiling.shape,
      macs: operators.get(node.operator)?.macs(view.inputs, node.attributes, view.outputs) ?? 0,
    });
  }

  #tile(view: NodeView, { engine, mapping }: Choice): Tiled | Misfit {
    const tensors = [...view.inputs, ...view.outputs];
    const key = JSON.stringify([
      engine,
      view.node.operator,
      view.node.attributes,
      tensors.map((t) => t && [t.dtype, t.shape, t.range.min, t.range.max, t.data !== undefined]),
    ]);
    const known = this.#tilings.get(key);
    if (known) {
      const pieces = placePieces(view, mapping, known, this.target);
      if (slotBytes(pieces.slots) <= this.budget.arena) return { tiling: known, pieces };
    }
    const result = chooseTiling(view, mapping, this.target, this.budget.arena);
    if ("tiling" in result) this.#tilings.set(key, result.tiling);
    return result;
  }

  #misfit({ bytes, largest }: Misfit): string {
    return `its smallest piece needs ${bytes} bytes of L1, there are ${this.budget.arena} ` +
      `(largest operand: ${printName(largest.tensor)}, ${largest.bytes} bytes)`;
  }

  #doesNotFit(node: Node, reason: string): LayerMisfit {
    const { memory, size, reserved } = this.budget;
    return new LayerMisfit(
      node,
      reason,
      `layer ${this.layers.length}, ${nodeText(node)}, does not fit: ${reason}`,
      {
        where: this.target.name,
        hint: `${memory} has ${size} bytes, ${reserved} of them for stacks and the runtime.`,
      },
    );
  }
}

function headOf(node: Node, index: number) {
  return { index, node: node.name, operator: node.operator, inputs: node.inputs, outputs: node.outputs };
}

/** Why this engine: what the ones before it in the target's order said. */
function reasonOf(engine: EngineName, rejections: Rejections, target: Target): string {
  const before = rejections.filter((other) =>
    target.engines.indexOf(other.engine) < target.engines.indexOf(engine)
  );
  return before.map((other) => `${other.engine}: ${other.reason}`).join("; ") ||
    "first in the target's order";
}

/** What a table of a layer is called: mostly it is the largest constant operand, arranged as the engine wants it. */
function tableName({ node, inputs }: NodeView): string {
  const constants = inputs.filter((input) => input?.data !== undefined);
  const largest = constants.reduce(
    (best, input) => best && byteLength(best) >= byteLength(input!) ? best : input,
    undefined,
  );
  return `${largest?.name ?? node.name} as the engine takes it`;
}
