// From a decoded file to a graph whose references hold: inputs, constants, and nodes in an order in which each
// follows what it reads. Everything wrong with the file is collected, not just the first.

import { AttoflowError } from "../../targets/errors.ts";
import { printName } from "../model/print.ts";
import { Attributes } from "./attributes.ts";
import { checkShape, type Constant, decodeTensor, elementTypeName } from "./constant.ts";
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxValue } from "./protobuf.ts";

/** A node of the file, or one that stands for a recognised pattern of nodes. */
export interface SourceNode {
  /** Unique; from the file where it has one. */
  readonly name: string;
  /** ONNX's `op_type`. Domains are dropped: the dialect puts its operators into any of them. */
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
  /** Attributes of the model's operator of this name, where a pattern has settled them. */
  readonly settled?: Readonly<Record<string, unknown>>;
}

/** A graph input that is no initializer. */
export interface SourceInput {
  readonly name: string;
  readonly shape: readonly number[];
  /** Element type as the file has it (ONNX's number). In the dialect FLOAT says nothing. */
  readonly elementType: number;
}

/** A checked graph. */
export interface SourceGraph {
  readonly opset: number;
  readonly producer: string;
  readonly inputs: readonly SourceInput[];
  readonly outputs: readonly string[];
  readonly constants: ReadonlyMap<string, Constant>;
  /** Only nodes that the outputs depend on. */
  readonly nodes: readonly SourceNode[];
}

/** How a node of the file is called in messages. */
export function sourceNodeText(node: Pick<SourceNode, "name" | "operator">): string {
  return `node ${printName(node.name)} (${printName(node.operator).slice(1, -1)})`;
}

/** Checks a decoded file; adds what is wrong to `problems` and leaves it out of the graph. */
export function loadGraph(
  model: OnnxModel & { readonly graph: OnnxGraph },
  problems: AttoflowError[],
): SourceGraph {
  const { graph } = model;
  const attempt = <T>(f: () => T): T | undefined => {
    try {
      return f();
    } catch (error) {
      if (!(error instanceof AttoflowError)) throw error;
      problems.push(error);
    }
  };

  const constants = new Map<string, Constant>();
  const initializers = new Set(graph.initializer.map((tensor) => tensor.name));
  for (const tensor of graph.initializer) {
    const where = `initializer ${printName(tensor.name)}`;
    const constant = attempt(() => decodeTensor(tensor, where));
    if (constant) constants.set(tensor.name, constant);
  }

  // Files of IR version 3 and older list initializers among the inputs.
  const inputs = graph.input.filter((input) => !initializers.has(input.name))
    .map((input) => attempt(() => loadInput(input)))
    .filter((input) => input !== undefined);
  const listed = new Set<string>();
  for (const { name } of graph.input) {
    if (listed.has(name)) {
      problems.push(new AttoflowError("it is listed twice", { where: `input ${printName(name)}` }));
    }
    listed.add(name);
  }
  const outputs = graph.output.map((output) => output.name);
  if (outputs.length === 0) {
    problems.push(new AttoflowError("the graph has no outputs", { where: printName(graph.name) }));
  }
  const sources = new Set([...listed, ...initializers]);
  const nodes = orderNodes(namedNodes(graph.node), sources, outputs, problems);
  return {
    opset: model.opset_import.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 1,
    producer: `${model.producer_name} ${model.producer_version}`.trim(),
    inputs,
    outputs,
    constants,
    nodes,
  };
}

function loadInput(input: OnnxValue): SourceInput {
  const where = `input ${printName(input.name)}`;
  if (input.name === "") throw new AttoflowError("an input of the graph has no name");
  const type = input.type?.tensor_type;
  if (!type) throw new AttoflowError("it is not a tensor", { where });
  if (!type.shape) {
    throw new AttoflowError("the file does not say its shape", {
      where,
      hint: "Export the model with fixed input shapes.",
    });
  }
  const shape = type.shape.dim.map(({ dim_value, dim_param }, axis) => {
    if (dim_value !== undefined) return dim_value;
    const called = dim_param ? `called ${printName(dim_param)}` : "without a number";
    throw new AttoflowError(
      `its dimension ${axis} is dynamic (${called}); memory is planned for fixed sizes`,
      {
        where,
        hint: "Export the model with a fixed size there, such as a batch of 1, or set it in the file " +
          "(python -m onnxruntime.tools.make_dynamic_shape_fixed).",
      },
    );
  });
  checkShape(shape, where);
  if (![1, 2, 3, 4, 5, 6, 7, 9, 10, 11].includes(type.elem_type)) {
    throw new AttoflowError(`its element type (${elementTypeName(type.elem_type)}) is not supported`, {
      where,
    });
  }
  return { name: input.name, shape, elementType: type.elem_type };
}

/** Nodes under unique names. */
function namedNodes(nodes: readonly OnnxNode[]): SourceNode[] {
  const names = new Set(nodes.map((node) => node.name));
  const taken = new Set<string>();
  return nodes.map((node, index) => {
    let name = node.name;
    if (name === "" || taken.has(name)) {
      const base = name === "" ? node.op_type : name;
      for (let i = index; name === "" || taken.has(name) || names.has(name); i++) name = `${base}_${i}`;
    }
    taken.add(name);
    return {
      name,
      operator: node.op_type,
      inputs: node.input,
      outputs: node.output,
      attributes: new Attributes(node.attribute),
    };
  });
}

/** The nodes that the outputs depend on, each behind what it reads, else in the order of the file. */
function orderNodes(
  nodes: readonly SourceNode[],
  sources: ReadonlySet<string>,
  outputs: readonly string[],
  problems: AttoflowError[],
): SourceNode[] {
  const producer = new Map<string, number>();
  for (const [index, node] of nodes.entries()) {
    for (const name of node.outputs) {
      if (name === "") continue;
      if (producer.has(name) || sources.has(name)) {
        problems.push(
          new AttoflowError(`it makes ${printName(name)}, which exists already`, {
            where: sourceNodeText(node),
          }),
        );
      } else producer.set(name, index);
    }
  }
  for (const name of outputs) {
    if (!producer.has(name) && !sources.has(name)) {
      problems.push(new AttoflowError("no node makes it", { where: `output ${printName(name)}` }));
    }
  }

  const needed = new Set<number>();
  const pending = outputs.map((name) => producer.get(name));
  while (pending.length > 0) {
    const index = pending.pop();
    if (index === undefined || needed.has(index)) continue;
    needed.add(index);
    for (const name of nodes[index].inputs) {
      if (name === "") continue;
      if (producer.has(name)) pending.push(producer.get(name));
      else if (!sources.has(name)) {
        problems.push(
          new AttoflowError(`it reads ${printName(name)}, which nothing makes`, {
            where: sourceNodeText(nodes[index]),
          }),
        );
      }
    }
  }

  const inOrder = [...needed].sort((a, b) => a - b);
  const sourcesOf = (index: number) =>
    new Set(nodes[index].inputs.map((name) => producer.get(name)).filter((i) => i !== undefined));
  if (inOrder.every((index) => [...sourcesOf(index)].every((source) => source < index))) {
    return inOrder.map((index) => nodes[index]);
  }
  const waits = new Map<number, number>();
  const readers = new Map<number, number[]>();
  const ready: number[] = [];
  for (const index of inOrder) {
    const from = sourcesOf(index);
    waits.set(index, from.size);
    if (from.size === 0) ready.push(index);
    for (const source of from) {
      const list = readers.get(source);
      if (list) list.push(index);
      else readers.set(source, [index]);
    }
  }
  const ordered: SourceNode[] = [];
  for (let next = 0; next < ready.length; next++) {
    ordered.push(nodes[ready[next]]);
    for (const reader of readers.get(ready[next]) ?? []) {
      const left = waits.get(reader)! - 1;
      waits.set(reader, left);
      if (left === 0) ready.push(reader);
    }
  }
  if (ordered.length < needed.size) {
    const stuck = inOrder.find((index) => waits.get(index)! > 0)!;
    problems.push(new AttoflowError("it depends on its own output", { where: sourceNodeText(nodes[stuck]) }));
  }
  return ordered;
}
