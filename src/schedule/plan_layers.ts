// Decides layer by layer which engine does the work and how it is cut. Addresses in L2 come later (place_tensors.ts); here
// a tensor is the name of its buffer.

import { copyMapping } from "../../targets/engines/dma/mapping.ts";
import type { NodeView } from "../../targets/engines/engine.ts";
import { AttoflowError } from "../../targets/errors.ts";
import type { Target } from "../../targets/schema.ts";
import { byteLength, elementCount, type Node, type Tensor } from "../model/types.ts";
import { aligned, type L1Budget, taskBytesLimit } from "./budget.ts";
import { type Choice, type Engines, enginesFor } from "./choose_engine.ts";
import { Constants } from "./constants.ts";
import { cutProducts, type Product, productOf } from "./cut_products.ts";
import { argsBytes } from "./lay_out.ts";
import { boxesOf, type Tiling } from "./pieces.ts";
import type { EngineName, Layer } from "./program.ts";
import { type Copy, isAlias, type Storage } from "./storage.ts";
import { printName } from "../model/print.ts";
import { nodeText, operators } from "../operators/registry.ts";
import { chooseTiling, type Misfit } from "./tiling.ts";
import { type Block, blocksOf, type LayerWork } from "./units.ts";

type Rejections = Layer["rejections"];

/** A layer whose steps have no order and no times yet. */
export type PlannedLayer = Omit<Layer, "steps" | "estimatedCycles" | "tiles" | "tileShape">;

/** How the layers' work is cut, as far as there is a choice. */
export interface Strategy {
  /** Row blocks of a piece of a product at most. */
  readonly rowBlocks: number;
  /** Layers of the accelerator that read the same activation go through it together. */
  readonly together: boolean;
  /** The engines work on different layers at the same time; if not, L1 is one layer's alone. */
  readonly overlap: boolean;
}

/** The work of a layer, cut already unless the accelerator does it. */
type Work = Omit<LayerWork, "tiling"> & ({ readonly tiling: Tiling } | { readonly product: Product });

/** Blocks of all layers, in an order in which they could be done one after the other. */
export interface Cutting {
  readonly blocks: Block[];
  /** Of each layer that has work. */
  readonly tilings: ReadonlyMap<number, Tiling & { readonly pieces: number }>;
}

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
  readonly #works: Work[] = [];
  /** Constants that the layers load. */
  readonly constants = new Constants();
  /** Tilings found, by what they depend on: networks repeat themselves. */
  readonly #tilings = new Map<string, Tiling>();
  /** Blocks of layers that were cut, by layer and tiling. */
  readonly #blocks = new Map<string, Block[]>();
  /** Names of tables that were placed. */
  readonly #tables = new WeakMap<Uint8Array, string>();

  constructor(
    readonly target: Target,
    readonly engines: Engines,
    readonly storage: Storage,
    readonly budget: L1Budget,
    /** What the passes say of nodes that they left alone, by node. */
    readonly notes: ReadonlyMap<string, string> = new Map(),
    /** Why the accelerator cannot have a node although it fits by itself, by node. */
    readonly crowded: ReadonlyMap<string, string> = new Map(),
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
      const reason = (choice.engine === "ita" ? this.crowded.get(node.name) : undefined) ??
        this.#addWork(view, choice, rejections);
      if (reason === undefined) return;
      rejections.push({ engine: choice.engine, reason });
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
    const misfit = this.#addWork(view, choice, [], {
      bufferOf: (end) => end.name === "to" ? to.name : this.#bufferOf(from),
      reason: "an output of the network needs bytes of its own",
    });
    if (misfit !== undefined) throw this.#doesNotFit(node, misfit);
  }

  /** Name of the buffer that holds a tensor in L2. */
  readonly #bufferOf = ({ name }: Pick<Tensor, "name">): string => {
    const group = this.storage.groups.get(name)!;
    return group.tensor.data ? this.constants.place(group.name, group.tensor.data) : group.name;
  };

  #addNothing(node: Node, reason: string) {
    this.layers.push({
      ...headOf(node, this.layers.length),
      engine: "none",
      reason,
      rejections: [],
      macs: 0,
    });
  }

  /** Adds a layer with work; what is in the way if not even its smallest piece fits. */
  #addWork(
    view: NodeView,
    { engine, mapping }: Choice,
    rejections: Rejections,
    names: { bufferOf: LayerWork["bufferOf"]; reason?: string } = { bufferOf: this.#bufferOf },
  ): string | undefined {
    const { node } = view;
    const index = this.layers.length;
    const base = {
      index,
      engine,
      view,
      mapping,
      bufferOf: names.bufferOf,
      tableOf: (data: Uint8Array) => this.#tableOf(view, index, data),
    };
    let work: Work;
    if (engine === "ita") {
      work = { ...base, product: productOf(view, mapping, this.target) };
      const bytes = bytesOfPiece(
        { ...base, tiling: cutProducts([work.product], 0, this.target, 1)[0] },
        this.target,
      );
      if (bytes > this.budget.arena) {
        return `its smallest piece needs ${bytes} bytes of L1, there are ${this.budget.arena}`;
      }
    } else {
      const tiling = this.#tile(view, { engine, mapping });
      if (!("shape" in tiling)) return this.#misfit(tiling);
      work = { ...base, tiling };
    }
    this.#works.push(work);
    this.layers.push({
      ...headOf(node, index),
      engine,
      reason: names.reason ?? reasonOf(engine, rejections, this.target),
      rejections,
      macs: operators.get(node.operator)?.macs(view.inputs, node.attributes, view.outputs) ?? 0,
    });
    return undefined;
  }

  /** Places a table among the constants, once. */
  #tableOf(view: NodeView, index: number, data: Uint8Array): string {
    const known = this.#tables.get(data);
    if (known !== undefined) return known;
    const name = this.constants.place(
      `${tableName(view)} (layer ${index}, ${this.constants.parts.length})`,
      data,
    );
    this.#tables.set(data, name);
    return name;
  }

  /** The error that says that a layer found no place in L1 among the others. */
  misfit(index: number, reason: string): LayerMisfit {
    const work = this.#works.find((work) => work.index === index)!;
    return this.#doesNotFit(work.view.node, reason, index);
  }

  /** A constant of so many zero bytes. */
  readonly zeros = (bytes: number): string => this.constants.place(`${bytes} zeros`, new Uint8Array(bytes));

  /** Cuts all layers. */
  cut(strategy: Strategy): Cutting {
    const blocks: Block[] = [];
    const tilings = new Map<number, Tiling & { pieces: number }>();
    for (const works of this.#together(strategy.together)) {
      const products = works.flatMap((work) => "product" in work ? [work.product] : []);
      const cuts = cutProducts(products, this.budget.arena, this.target, strategy.rowBlocks);
      const all = works.map((work, i) => {
        const tiling = "tiling" in work ? work.tiling : cuts[i];
        const own = this.#blocksOf(work, tiling);
        tilings.set(work.index, { ...tiling, pieces: boxesOf(work.view.outputs[0].shape, tiling).length });
        return own.map((block, place) => ({ block, place }));
      });
      blocks.push(...all.flat().sort((a, b) => a.place - b.place).map(({ block }) => block));
    }
    for (const { units } of blocks) {
      for (const { task } of units) {
        if (task && argsBytes(task) > taskBytesLimit) {
          throw new Error(
            `the args of ${task.kernel} take ${argsBytes(task)} bytes, more than ${taskBytesLimit}`,
          );
        }
      }
    }
    return { blocks, tilings };
  }

  /** The blocks of a layer, made once for each way to cut it: the strategies agree on most layers. */
  #blocksOf(work: Work, tiling: Tiling): Block[] {
    const key = `${work.index} ${tiling.shape} ${tiling.order}`;
    const blocks = this.#blocks.get(key) ?? blocksOf({ ...work, tiling }, this.target);
    this.#blocks.set(key, blocks);
    return blocks;
  }

  /** The layers in order; those that go through an activation together as one. */
  #together(share: boolean): Work[][] {
    const groups: Work[][] = [];
    const open = new Map<string, Work[]>();
    for (const work of this.#works) {
      const source = "product" in work && share ? work.product.source : undefined;
      const tensor = source === undefined ? undefined : work.view.inputs[source]!;
      const key = tensor && work.bufferOf(tensor);
      const group = key === undefined ? undefined : open.get(key);
      if (group) {
        group.push(work);
        continue;
      }
      groups.push([work]);
      if (key !== undefined) open.set(key, groups.at(-1)!);
    }
    return groups;
  }

  #tile(view: NodeView, { engine, mapping }: Choice): Tiling | Misfit {
    const tensors = [...view.inputs, ...view.outputs];
    const key = JSON.stringify([
      engine,
      view.node.operator,
      view.node.attributes,
      tensors.map((t) => t && [t.dtype, t.shape, t.range.min, t.range.max, t.data !== undefined]),
    ]);
    const known = this.#tilings.get(key);
    if (known) return known;
    // Beside an accelerator small pieces are better: it works on the first results while the last are made. And what
    // fills L1 finds no place beside what must stay there.
    const shares = this.target.ita ? [1 / 3, 2 / 3, 5 / 6, 1] : [1];
    const choose = (share: number) =>
      chooseTiling(view, mapping, this.target, Math.floor(this.budget.arena * share));
    let result = choose(shares[0]);
    for (const share of shares.slice(1)) if (!("shape" in result)) result = choose(share);
    if ("shape" in result) this.#tilings.set(key, result);
    return result;
  }

  #misfit({ bytes, largest }: Misfit): string {
    return `its smallest piece needs ${bytes} bytes of L1, there are ${this.budget.arena} ` +
      `(largest operand: ${printName(largest.tensor)}, ${largest.bytes} bytes)`;
  }

  #doesNotFit(node: Node, reason: string, index = this.layers.length): LayerMisfit {
    const { memory, size, reserved } = this.budget;
    return new LayerMisfit(
      node,
      reason,
      `layer ${index}, ${nodeText(node)}, does not fit: ${reason}`,
      {
        where: this.target.name,
        hint: `${memory} has ${size} bytes, ${reserved} of them for stacks and the runtime.`,
      },
    );
  }
}

/** Most bytes that the first piece of a layer wants at a time. */
function bytesOfPiece(layer: LayerWork, target: Target): number {
  const units = blocksOf(layer, target).slice(0, 2).flatMap(({ units }) => units);
  const scratch = new Map(
    units.flatMap(({ uses }) =>
      uses.flatMap(({ content }) =>
        content.kind === "scratch" ? [[content.key, aligned(content.bytes)] as const] : []
      )
    ),
  );
  const kept = scratch.values().reduce((sum, bytes) => sum + bytes, 0);
  return kept + units.reduce((most, { uses }) => {
    const own = new Map(uses.map(({ content }) => [content.key, content]));
    const bytes = own.values().reduce(
      (sum, { kind, bytes }) => sum + (kind === "scratch" ? 0 : aligned(bytes)),
      0,
    );
    return Math.max(most, bytes);
  }, 0);
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
