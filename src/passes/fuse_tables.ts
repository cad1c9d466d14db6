// Turns chains of elementwise operators on 8-bit tensors into one table lookup, and sums of two such chains with what
// follows into another: a few instructions an element, whatever the chain computes, and one trip to L2.

import { AttoflowError } from "../../targets/errors.ts";
import type { ModelBuilder } from "../model/builder.ts";
import { inputsOf } from "../model/graph.ts";
import { elementCount, integerLimits, type Node, type Range, type Tensor } from "../model/types.ts";
import type { Operand, TensorType, Value } from "../operators/operator.ts";
import { asInt32, dataRange, integerType, store, sumRange } from "../operators/ranges.ts";
import { evaluateNode, inferNode } from "../operators/registry.ts";
import { sameShape } from "../operators/shapes.ts";
import { Graph, type Pass, rebuild } from "./pass.ts";

/** Operators of one tensor, each element by itself, if their other inputs hold one value each. */
const unary = new Set([
  "iGELU",
  "iHardswish",
  "Relu",
  "Clip",
  "RequantShift",
  "Add",
  "Sub",
  "Mul",
  "TrueIntegerDiv",
  "iNoNorm",
]);

/** Operators that cost less than a lookup if they stand alone. */
const cheap = new Set(["Relu"]);

/** A node that maps each element of `x`. */
interface Step {
  readonly node: Node;
  /** Position of x among its inputs. */
  readonly position: number;
}

/** A chain of steps: the first reads `x`, each other one the result of the one in front. */
interface Chain {
  readonly x: Tensor;
  readonly steps: readonly Step[];
}

/** A sum of two chains (of any length) and the chain behind it. */
interface Sum {
  readonly node: Node;
  readonly operands: readonly [Chain, Chain];
  readonly behind: readonly Step[];
}

/** Chains of elementwise operators become Lookup, sums of two LookupSum. */
export const fuseTables: Pass = {
  name: "fuse-tables",
  summary: "elementwise operators on 8-bit tensors become table lookups",
  run(model) {
    const graph = new Graph(model);
    const members = new Set<Node>();
    const sums = new Map<Node, Sum>();
    for (const node of model.nodes) {
      const sum = matchSum(graph, node, members);
      if (!sum) continue;
      for (const { node } of [...sum.operands.flatMap(({ steps }) => steps), ...sum.behind]) {
        members.add(node);
      }
      members.add(node);
      sums.set(sum.behind.at(-1)!.node, sum);
    }
    const chains = new Map<Node, Chain>();
    for (const node of model.nodes) {
      const chain = members.has(node) ? undefined : matchChain(graph, node, members);
      if (!chain) continue;
      for (const { node } of chain.steps) members.add(node);
      chains.set(chain.steps.at(-1)!.node, chain);
    }
    return rebuild(model, (node, _inputs, builder) => {
      const sum = sums.get(node);
      const chain = chains.get(node);
      if (sum) appendSum(builder, graph, sum);
      else if (chain) appendChain(builder, graph, chain);
      return members.has(node);
    });
  },
};

const isByte = ({ dtype }: Pick<Tensor, "dtype">) => dtype === "int8" || dtype === "uint8";

/** Whether all elements are the same. */
const isUniform = ({ data }: Tensor) =>
  data !== undefined && data.length > 0 && data.every((v) => v === data[0]);

/** The node as a step, if it is one. */
function stepOf(graph: Graph, node: Node): Step | undefined {
  if (!unary.has(node.operator)) return undefined;
  const inputs = inputsOf(graph.model, node);
  const position = inputs.findIndex((input) => input && !input.data);
  const x = inputs[position];
  if (!x || x.dtype === "float32") return undefined;
  const others = inputs.filter((_, i) => i !== position);
  const alone = others.every((input) => input && isUniform(input));
  // A constant of more axes or elements than x would spread it.
  const keepsShape = sameShape(graph.tensor(node.outputs[0]).shape, x.shape);
  if (!alone || !keepsShape || (node.operator === "RequantShift" && node.attributes.shift as number < 0)) {
    return undefined;
  }
  return { node, position };
}

/** Steps from a tensor on, through results that nobody else reads. */
function stepsBehind(graph: Graph, name: string, members: ReadonlySet<Node>): Step[] {
  const steps: Step[] = [];
  for (;;) {
    const reader = graph.onlyReader(name);
    const step = reader && !members.has(reader) ? stepOf(graph, reader) : undefined;
    if (!step || step.node.inputs[step.position] !== name) return steps;
    steps.push(step);
    name = step.node.outputs[0];
  }
}

/** The longest beginning of a chain whose result is 8 bits wide. */
function upToByte(graph: Graph, steps: readonly Step[]): Step[] {
  const last = steps.findLastIndex(({ node }) => isByte(graph.tensor(node.outputs[0])));
  return steps.slice(0, last + 1);
}

/** The chain that begins with `node`: to the last 8-bit result, or else all of it if that is more than one step. */
function matchChain(graph: Graph, node: Node, members: ReadonlySet<Node>): Chain | undefined {
  const first = stepOf(graph, node);
  if (!first) return undefined;
  const x = graph.tensor(node.inputs[first.position]);
  if (!isByte(x) || elementCount(x.shape) === 0) return undefined;
  const all = [first, ...stepsBehind(graph, node.outputs[0], members)];
  const bytes = upToByte(graph, all);
  const steps = bytes.length > 0 ? bytes : all.length > 1 ? all : [];
  if (steps.length === 0 || (steps.length === 1 && cheap.has(node.operator))) return undefined;
  return { x, steps };
}

/** A sum of two 8-bit tensors or of chains from such, with a chain behind it that ends in 8 bits. */
function matchSum(graph: Graph, node: Node, members: ReadonlySet<Node>): Sum | undefined {
  if ((node.operator !== "Add" && node.operator !== "Sub") || members.has(node)) return undefined;
  const { shape } = graph.tensor(node.outputs[0]);
  const terms = node.inputs.map((name) => graph.tensor(name));
  if (terms[0] === terms[1] || terms.some((term) => !sameShape(term.shape, shape) || isUniform(term))) {
    return undefined;
  }
  const behind = upToByte(graph, stepsBehind(graph, node.outputs[0], members));
  const operands = terms.map((term) => chainTo(graph, term, node, members));
  if (behind.length === 0 || elementCount(shape) === 0 || !operands[0] || !operands[1]) return undefined;
  return { node, operands: [operands[0], operands[1]], behind };
}

/** The longest chain from an 8-bit tensor to `term`, whose values a byte tells apart. */
function chainTo(
  graph: Graph,
  term: Tensor,
  reader: Node,
  members: ReadonlySet<Node>,
): Chain | undefined {
  let found: Chain | undefined = isByte(term) ? { x: term, steps: [] } : undefined;
  if (term.range.max - term.range.min > 255) return undefined;
  const steps: Step[] = [];
  for (let [name, next] = [term.name, reader];;) {
    const producer = graph.privateProducer(name, next);
    const step = producer && !members.has(producer) ? stepOf(graph, producer) : undefined;
    if (!step) return found;
    steps.unshift(step);
    const x = graph.tensor(step.node.inputs[step.position]);
    if (isByte(x)) found = { x, steps: [...steps] };
    [name, next] = [x.name, step.node];
  }
}

/** Results of steps for all arguments of an interval, in their order. */
function tabulate(graph: Graph, steps: readonly Step[], range: Range): Int32Array {
  const { dtype } = integerType([], range);
  const count = range.max - range.min + 1;
  let data = store(dtype, Array.from({ length: count }, (_, i) => range.min + i));
  let type: TensorType = { dtype, shape: [count], range };
  for (const { node, position } of steps) {
    // Every axis but the last has one element, so that constants of any rank fit.
    const shape = [...graph.tensor(node.outputs[0]).shape.slice(1).map(() => 1), count];
    const constants = inputsOf(graph.model, node).map((input) =>
      input?.data &&
      { ...input, shape: [1], data: input.data.slice(0, 1), range: dataRange(input.data.slice(0, 1)) }
    );
    const inputs: (Operand & Value)[] = constants.map((constant, i) =>
      i === position ? { ...type, shape, data } : constant as Operand & Value
    );
    // Constants of one value for each channel are one for the tensor.
    const attributes = node.operator === "RequantShift" ? { ...node.attributes, axis: -1 } : node.attributes;
    const operands = inputs.map((input, i) => i === position ? { ...input, data: undefined } : input);
    const types = inferNode({ ...node, attributes }, operands);
    [data] = evaluateNode({ ...node, attributes }, inputs, types);
    type = types[0];
  }
  return asInt32(data);
}

/** A table for all 256 values of an 8-bit operand; values that it never has give what its nearest one gives. */
function byteTable(graph: Graph, { x, steps }: Chain): Int32Array {
  const { min, max } = integerLimits[x.dtype as "int8" | "uint8"];
  const range = { min: Math.max(x.range.min, min), max: Math.min(x.range.max, max) };
  const values = tabulate(graph, steps, range);
  return Int32Array.from(
    { length: 256 },
    (_, i) => values[Math.min(Math.max(i + min - range.min, 0), values.length - 1)],
  );
}

function made(builder: ModelBuilder, name: string): Tensor {
  const tensor = builder.tensors.get(name);
  if (!tensor) throw new AttoflowError(`the rewritten model lacks ${name}`);
  return tensor;
}

function appendChain(builder: ModelBuilder, graph: Graph, chain: Chain): void {
  const { node } = chain.steps.at(-1)!;
  builder.append({
    operator: "Lookup",
    inputs: [
      made(builder, chain.x.name),
      builder.parameter(`${node.name}_table`, [256], byteTable(graph, chain)),
    ],
    name: node.name,
    output: node.outputs[0],
  });
}

function appendSum(builder: ModelBuilder, graph: Graph, { node, operands, behind }: Sum): void {
  const last = behind.at(-1)!.node;
  const terms = operands.map((chain, i) => {
    const negative = i === 1 && node.operator === "Sub";
    if (chain.steps.length === 0 && !negative) return { range: chain.x.range };
    const table = byteTable(graph, chain).map((value) => negative ? -value : value);
    return { range: dataRange(table), table };
  });
  const range = sumRange(terms[0].range, terms[1].range);
  const tables = terms.map(({ table }, i) =>
    table && builder.parameter(`${last.name}_table_${"ab"[i]}`, [256], table)
  );
  const table = tabulate(graph, behind, range);
  builder.append({
    operator: "LookupSum",
    inputs: [
      ...operands.map(({ x }) => made(builder, x.name)),
      builder.parameter(`${last.name}_table`, [table.length], table),
      ...tables.slice(0, tables.findLastIndex((own) => own !== undefined) + 1),
    ],
    attributes: { first: range.min },
    name: last.name,
    output: last.outputs[0],
  });
}
