// Finds the groups of floating-point nodes that stand for one operator of the dialect: Quant and Dequant
// (section 4). Everything else in an integer network is integers, whatever types the file names.

import type { Constant } from "./constant.ts";
import type { SourceGraph, SourceNode } from "./graph.ts";

/** A graph with its patterns replaced, and what that says of its inputs. */
export interface PatternGraph {
  readonly nodes: readonly SourceNode[];
  /** Graph inputs that reach a Quant unchanged, so that they are floating point. */
  readonly floatInputs: ReadonlySet<string>;
}

/** Replaces each pattern by one node whose attributes are settled. */
export function recognisePatterns(graph: SourceGraph): PatternGraph {
  const constants = new Map(graph.constants);
  const producer = new Map<string, SourceNode>();
  const readers = new Map<string, SourceNode[]>();
  for (const node of graph.nodes) {
    for (const name of node.outputs) producer.set(name, node);
    for (const name of new Set(node.inputs)) {
      const list = readers.get(name);
      if (list) list.push(node);
      else readers.set(name, [node]);
    }
    const value = node.operator === "Constant" && node.attributes.has("value") ? valueOf(node) : undefined;
    if (value) constants.set(node.outputs[0], value);
  }
  const outputs = new Set(graph.outputs);
  const context: Context = {
    constants,
    reader: (node) => {
      const all = readers.get(node.outputs[0]) ?? [];
      return all.length === 1 && !outputs.has(node.outputs[0]) ? all[0] : undefined;
    },
  };

  const gone = new Set<SourceNode>();
  const instead = new Map<SourceNode, SourceNode>();
  for (const node of graph.nodes) {
    if (gone.has(node)) continue;
    const match = matchQuant(node, context) ?? matchDequant(node, context);
    if (!match) continue;
    for (const member of match.members) gone.add(member);
    instead.set(match.members.at(-1)!, match.node);
  }
  const nodes = graph.nodes.flatMap((node) => instead.get(node) ?? (gone.has(node) ? [] : [node]));

  const floatInputs = new Set<string>();
  const seen = new Set<string>();
  const pending = nodes.filter((node) => node.settled && node.operator === "Quant").map((node) =>
    node.inputs[0]
  );
  while (pending.length > 0) {
    const name = pending.pop()!;
    if (seen.has(name)) continue;
    seen.add(name);
    const maker = producer.get(name);
    if (!maker) floatInputs.add(name);
    else if (moving.has(maker.operator)) {
      pending.push(...maker.inputs.slice(0, maker.operator === "Concat" ? undefined : 1));
    }
  }
  return { nodes, floatInputs };
}

/** Operators whose result has the type of their first input (Concat: of all). */
const moving: ReadonlySet<string> = new Set([
  "Concat",
  "Dropout",
  "Flatten",
  "Gather",
  "Identity",
  "MaxPool",
  "Pad",
  "Reshape",
  "Slice",
  "Squeeze",
  "Transpose",
  "Unsqueeze",
]);

interface Context {
  readonly constants: ReadonlyMap<string, Constant>;
  /** The only reader of a node's result, if it has just one and is no graph output. */
  readonly reader: (node: SourceNode) => SourceNode | undefined;
}

interface Match {
  readonly members: readonly SourceNode[];
  readonly node: SourceNode;
}

function valueOf(node: SourceNode): Constant | undefined {
  try {
    return node.attributes.tensor("value");
  } catch {
    // A constant that cannot be read is reported when the node itself is converted.
    return undefined;
  }
}

/** The number that a constant of one element is. */
function scalar(name: string | undefined, { constants }: Context): number | undefined {
  const constant = name === undefined ? undefined : constants.get(name);
  return constant?.values.length === 1 ? constant.values[0] : undefined;
}

/** Div(scale), perhaps Add(zero point), Round, Clip. */
function matchQuant(div: SourceNode, context: Context): Match | undefined {
  if (div.operator !== "Div" || div.inputs.length !== 2) return undefined;
  const scale = scalar(div.inputs[1], context);
  if (scale === undefined || !(scale > 0) || scale === Infinity) return undefined;
  const members = [div];
  let zeroPoint = 0;
  let next = context.reader(div);
  if (next?.operator === "Add") {
    const addend = next.inputs.find((name) => name !== div.outputs[0]);
    const value = scalar(addend, context);
    if (value === undefined || !Number.isFinite(value)) return undefined;
    zeroPoint = value;
    members.push(next);
    next = context.reader(next);
  }
  if (next?.operator !== "Round") return undefined;
  members.push(next);
  const clip = context.reader(next);
  if (clip?.operator !== "Clip") return undefined;
  members.push(clip);
  const [min, max] = [1, 2].map((index) => {
    const constant = scalar(clip.inputs[index], context);
    const name = index === 1 ? "min" : "max";
    return constant ?? (clip.attributes.has(name) ? clip.attributes.numbers(name)![0] : undefined);
  });
  if (!Number.isInteger(min) || !Number.isInteger(max)) return undefined;
  const settled = { scale: Math.fround(scale), zeroPoint: Math.fround(zeroPoint), min, max };
  return { members, node: { ...clip, operator: "Quant", inputs: [div.inputs[0]], settled } };
}

/** Perhaps Sub(zero point), then Mul by a scale that is no integer. */
function matchDequant(first: SourceNode, context: Context): Match | undefined {
  let zeroPoint = 0;
  let mul: SourceNode | undefined = first;
  if (first.operator === "Sub") {
    const value = scalar(first.inputs[1], context);
    if (value === undefined || !Number.isInteger(value)) return undefined;
    zeroPoint = value;
    mul = context.reader(first);
  }
  if (mul?.operator !== "Mul" || mul.inputs.length !== 2) return undefined;
  const position = scalar(mul.inputs[0], context) === undefined ? 1 : 0;
  const scale = scalar(mul.inputs[position], context);
  if (scale === undefined || Number.isInteger(scale) || !Number.isFinite(scale)) return undefined;
  const members = mul === first ? [mul] : [first, mul];
  const x = mul === first ? mul.inputs[1 - position] : first.inputs[0];
  const settled = { scale: Math.fround(scale), zeroPoint };
  return { members, node: { ...mul, operator: "Dequant", inputs: [x], settled } };
}
