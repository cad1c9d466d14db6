// The planner: model in, program out. Engine, pieces and steps of every layer, then places in L2.

import { AttoflowError } from "../../targets/errors.ts";
import type { Target } from "../../targets/schema.ts";
import { elementCount, type Model } from "../model/types.ts";
import { l1Budget, taskBytesLimit } from "./budget.ts";
import { type Engines, enginesFor, viewOf } from "./choose_engine.ts";
import { endsOf, lostResults } from "./kept_results.ts";
import { type L2Plan, memoryUse, placeTensors } from "./place_tensors.ts";
import { dependenciesOf } from "./dependencies.ts";
import { orderOf } from "./order.ts";
import { type Cutting, LayerPlanner, type PlannedLayer, type Strategy } from "./plan_layers.ts";
import { Crowded, type Residency, residencyOf } from "./residency.ts";
import { sequenceOf } from "./sequence.ts";
import type { Buffer, Endpoint, Layer, Program, Step } from "./program.ts";
import { isAlias, type Storage, storageOf } from "./storage.ts";
import { printName } from "../model/print.ts";
import { nodeText } from "../operators/registry.ts";

export type { Engines } from "./choose_engine.ts";

/** What the caller may ask of the planner. */
export interface PlanOptions {
  /** Use no more than so many bytes of L1, stacks and runtime included. */
  readonly l1Bytes?: number;
  /** What the passes say of nodes that they left alone for an engine, by node. */
  readonly notes?: ReadonlyMap<string, string>;
}

/**
 * Plans a network: which engine runs each node, in which pieces, and where everything lies at every time.
 * Deterministic: equal arguments give equal programs.
 *
 * @param model rewritten model (see `src/passes`)
 * @param engines every engine that there is; the target says which it has and who is asked first
 * @throws {AttoflowError} if a node has no engine, one piece of a node does not fit L1, or the tensors do not fit
 *   L2; names the layer or tensor, the bytes needed and the bytes there are
 */
export function plan(model: Model, target: Target, engines: Engines, options: PlanOptions = {}): Program {
  const storage = storageOf(model);
  const unsupported = unsupportedNodes(model, target, engines);
  if (unsupported.length > 0) throw refusal(model, target, unsupported);

  const budget = l1Budget(target, options.l1Bytes);
  const { planner, l2, l1, buffers, steps, cutting } = arrangedFor(model, (crowded) => {
    const planner = new LayerPlanner(target, engines, storage, budget, options.notes, crowded);
    for (const node of model.nodes) planner.add(viewOf(model, node));
    for (const copy of storage.finalCopies) planner.addCopy(copy, { name: copy.to.name, operator: "Copy" });
    return planner;
  });
  const layers = withSteps(planner.layers, cutting, steps);
  const constants = planner.constants.bytes();
  const memories = memoryUse(target, budget, buffers.values(), {
    constants: constants.length,
    l1Arena: l1.arenaBytes,
    l2Arena: l2.arenaBytes,
    lowerBound: l2.lowerBound,
  });
  return {
    model: model.name,
    target: target.name,
    inputs: endpoints(model, model.inputs, storage.inputs),
    outputs: endpoints(model, model.outputs, storage.outputs),
    buffers,
    tensors: new Map(
      [...storage.groups].filter(([, group]) => group.kind !== "constant")
        .map(([name, group]) => [name, { buffer: group.name, offset: 0 }]),
    ),
    constants,
    layers,
    arenas: { l1: l1.arenaBytes, l2: l2.arenaBytes },
    taskBytes: taskBytesLimit,
    memories,
    macs: layers.reduce((sum, layer) => sum + layer.macs, 0),
    parameters: [...model.tensors.values()]
      .reduce((sum, { data, shape }) => sum + (data ? elementCount(shape) : 0), 0),
  };
}

/** Ways to cut that are worth a try; the one with the shortest estimate is taken. */
const strategies: readonly Strategy[] = [
  { rowBlocks: 15, together: true, overlap: true },
  { rowBlocks: 15, together: false, overlap: true },
  { rowBlocks: 1, together: true, overlap: true },
];
/** The least that can be wanted of L1, for when nothing else fits. */
const modest: Strategy = { rowBlocks: 1, together: false, overlap: false };

/** Work with its order and all places. */
interface Arranged {
  readonly cutting: Cutting;
  readonly l1: Residency;
  readonly l2: L2Plan;
  readonly buffers: ReadonlyMap<string, Buffer>;
  readonly steps: readonly Step[];
  readonly cycles: number;
}

/** Plans until everything fits: the accelerator must do without a layer that finds no place among the others. */
function arrangedFor(
  model: Model,
  plannerWithout: (crowded: ReadonlyMap<string, string>) => LayerPlanner,
): Arranged & { planner: LayerPlanner } {
  const crowded = new Map<string, string>();
  for (;;) {
    const planner = plannerWithout(crowded);
    try {
      return { planner, ...keepingResults(planner, bestOf(planner)) };
    } catch (error) {
      if (!(error instanceof Crowded)) throw error;
      const { engine, node } = planner.layers[error.layer];
      if (engine !== "ita" || crowded.size > model.nodes.length) {
        throw planner.misfit(error.layer, error.reason);
      }
      crowded.set(node, error.reason);
    }
  }
}

/** Plays the strategies through. */
function bestOf(planner: LayerPlanner): Arranged {
  const choices = planner.target.ita ? strategies : strategies.slice(0, 1);
  let best: Arranged | undefined;
  const tried = new Set<string>();
  for (const strategy of choices) {
    const cutting = planner.cut(strategy);
    // Where there is nothing to choose, the strategies come out the same.
    const outcome = cutting.blocks.map(({ layer, units }) => `${layer}:${units.length}`).join();
    if (tried.has(outcome)) continue;
    tried.add(outcome);
    try {
      const arranged = arrange(planner, cutting, strategy.overlap);
      if (!best || arranged.cycles < best.cycles) best = arranged;
    } catch (error) {
      if (!(error instanceof Crowded)) throw error;
    }
  }
  return best ?? arrange(planner, planner.cut(modest), modest.overlap);
}

function arrange(planner: LayerPlanner, cutting: Cutting, overlap: boolean): Arranged {
  const l1 = residencyOf(
    sequenceOf(cutting.blocks, overlap),
    planner.budget.arena,
    planner.target,
    planner.zeros,
  );
  const l2 = placeTensors(planner.storage, l1.drafts, planner.layers, planner.constants);
  return placed({ cutting, l1 }, l2);
}

function placed({ cutting, l1 }: Pick<Arranged, "cutting" | "l1">, l2: L2Plan): Arranged {
  const buffers = new Map([...l2.buffers, ...l1.buffers].map((buffer) => [buffer.name, buffer]));
  const steps = orderOf(l1.drafts, dependenciesOf(l1.drafts, buffers));
  const cycles = steps.reduce((most, { end }) => Math.max(most, end), 0);
  return { cutting, l1, l2, buffers, steps, cycles };
}

/** The same work with L2 laid out so that each result is there until its layer is through. */
function keepingResults(planner: LayerPlanner, arranged: Arranged): Arranged {
  const apart = new Map<string, Set<string>>();
  for (let current = arranged;;) {
    const { storage, layers, constants } = planner;
    const lost = lostResults(storage, layers, current.buffers, current.l1.drafts, current.steps);
    if (lost.length === 0) return current;
    for (const [{ name }, by] of lost) apart.set(name, (apart.get(name) ?? new Set()).add(by.name));
    current = placed(current, placeTensors(storage, current.l1.drafts, layers, constants, apart));
  }
}

/** A node that no engine of the target can run, and each engine's reason. */
export interface UnsupportedNode {
  readonly node: string;
  readonly operator: string;
  readonly rejections: Layer["rejections"];
}

/** All nodes that no engine of the target can run. */
export function unsupportedNodes(model: Model, target: Target, engines: Engines): UnsupportedNode[] {
  const storage = storageOf(model);
  return model.nodes.flatMap((node) => {
    if (isAlias(node, storage) || storage.copyingNodes.has(node.name)) return [];
    const { choices, rejections } = enginesFor(viewOf(model, node), target, engines);
    return choices.length > 0 ? [] : [{ node: node.name, operator: node.operator, rejections }];
  });
}

function refusal(model: Model, target: Target, nodes: readonly UnsupportedNode[]): AttoflowError {
  const shown = nodes.slice(0, 10).map(({ node, operator, rejections }) =>
    `${nodeText({ name: node, operator })} (${rejections.map((r) => `${r.engine}: ${r.reason}`).join("; ")})`
  );
  const more = nodes.length > shown.length ? `, and ${nodes.length - shown.length} more nodes` : "";
  return new AttoflowError(`no engine of ${target.name} can run ${shown.join(", ")}${more}`, {
    where: printName(model.name),
    hint: "analyze lists every node with every engine's reason.",
  });
}

function endpoints(model: Model, names: readonly string[], groups: Storage["inputs"]): Endpoint[] {
  return names.map((name, i) => {
    const { dtype, shape } = model.tensors.get(name)!;
    return { name, dtype, shape, place: { buffer: groups[i].name, offset: 0 } };
  });
}

/** Cuts the steps into layers: a layer ends behind the last step of its own. */
function withSteps(planned: readonly PlannedLayer[], { tilings }: Cutting, steps: readonly Step[]): Layer[] {
  const own = Map.groupBy(steps, (step) => step.layer);
  const ends = endsOf(planned.length, steps);
  return planned.map((layer, index) => {
    const cut = steps.slice(index > 0 ? ends[index - 1] : 0, ends[index]);
    const mine = own.get(index) ?? [];
    const start = mine.reduce((least, step) => Math.min(least, step.start), Infinity);
    const end = mine.reduce((most, step) => Math.max(most, step.end), 0);
    const tiling = tilings.get(index);
    return {
      ...layer,
      tiles: tiling?.pieces ?? 0,
      tileShape: tiling?.shape ?? [],
      steps: cut,
      estimatedCycles: mine.length > 0 ? end - start : 0,
    };
  });
}
