// Reads an ONNX file of the integer dialect into a Model. All problems are collected, so that a person sees at
// once what stands between a file and a binary.

import { AttoflowError } from "../../targets/errors.ts";
import { ModelBuilder } from "../model/builder.ts";
import { printName } from "../model/print.ts";
import type { DType, Model, Tensor } from "../model/types.ts";
import { checkShape, type Constant } from "./constant.ts";
import { Conversion, type Entry, integerValues, operatorText, quantizeHint } from "./convert/conversion.ts";
import { converters } from "./convert/registry.ts";
import { foldNode, integers, isFoldable, mostFolded } from "./fold.ts";
import { loadGraph, type SourceGraph, type SourceNode, sourceNodeText } from "./graph.ts";
import { type InputHint, resolveInput } from "./inputs.ts";
import { recognisePatterns } from "./patterns.ts";
import { decodeOnnx } from "./protobuf.ts";

/** How to read a file. */
export interface ImportOptions {
  /** Name of the model. */
  readonly name: string;
  /** Shift of ITA's softmax in PyITA's graphs (ITAPartialMax with `groups`), which the file does not say. */
  readonly softmaxShift: 0 | 5;
  /** Types of inputs, by name, where the caller knows them. */
  readonly inputTypes?: Readonly<Record<string, DType>>;
}

/** What a file holds, whether or not it can be imported. */
export interface Inspection {
  readonly opset: number;
  readonly producer: string;
  /** Nodes by operator, as the file names them, of those that the outputs depend on. */
  readonly operators: ReadonlyMap<string, number>;
  readonly inputs: readonly InputHint[];
  /** Everything that keeps the file from being imported; empty if and only if `model` is there. */
  readonly problems: readonly AttoflowError[];
  readonly model?: Model;
}

/** A file that cannot be imported, with everything that is wrong with it. */
export class ImportError extends AttoflowError {
  override name = "ImportError";

  constructor(readonly problems: readonly AttoflowError[], where: string) {
    const shown = problems.slice(0, 5).map((problem) =>
      problem.where ? `${problem.where}: ${problem.message}` : problem.message
    );
    const more = problems.length > shown.length ? [`and ${problems.length - shown.length} more`] : [];
    const hint = problems.find((problem) => problem.hint)?.hint;
    super(`the model cannot be imported: ${[...shown, ...more].join("; ")}`, { where, hint });
  }
}

/**
 * Imports an ONNX file.
 *
 * @returns the model in canonical operators, nodes named as in the file
 * @throws {ImportError} that lists all problems of a file that can be read but not imported
 * @throws {AttoflowError} if the bytes are no ONNX file
 */
export function importModel(bytes: Uint8Array, options: ImportOptions): Model {
  const { model, problems } = inspectModel(bytes, options);
  if (!model) throw new ImportError(problems, printName(options.name));
  return model;
}

/**
 * Looks into an ONNX file without demanding that it can be imported.
 *
 * @throws {AttoflowError} if the bytes are no ONNX file
 */
export function inspectModel(bytes: Uint8Array, options: ImportOptions): Inspection {
  try {
    const problems: AttoflowError[] = [];
    const graph = loadGraph(decodeOnnx(bytes), problems);
    const operators = new Map<string, number>();
    for (const { operator } of graph.nodes) operators.set(operator, (operators.get(operator) ?? 0) + 1);
    const importer = new Importer(graph, options, problems);
    const model = importer.run();
    const { opset, producer } = graph;
    return { opset, producer, operators, inputs: importer.hints, problems, model };
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new AttoflowError(`the model is too large to be read: ${cause.message}`, {
      where: printName(options.name),
      cause,
    });
  }
}

/** One import: the names known so far and the model being built. */
class Importer {
  readonly hints: InputHint[] = [];
  readonly #builder = new ModelBuilder();
  /** What stands behind each name; undefined behind those whose node could not be converted. */
  readonly #entries = new Map<string, Entry | undefined>();
  readonly #converted = new Map<Constant, Tensor>();
  /** Nodes of operators that nothing here converts, by operator. */
  readonly #unsupported = new Map<string, SourceNode[]>();
  #folded = 0;

  constructor(
    readonly graph: SourceGraph,
    readonly options: ImportOptions,
    readonly problems: AttoflowError[],
  ) {}

  /** The model, or undefined if there were problems. */
  run(): Model | undefined {
    const { graph, options, problems } = this;
    const { nodes, floatInputs } = recognisePatterns(graph);
    for (const [name, constant] of graph.constants) this.#entries.set(name, { constant });
    this.#checkInputTypes();
    for (const input of graph.inputs) {
      const types = options.inputTypes ?? {};
      const option = Object.hasOwn(types, input.name) ? types[input.name] : undefined;
      const { tensor, hint } = resolveInput(input, option, floatInputs.has(input.name));
      this.hints.push(hint);
      if (!this.#entries.has(input.name)) {
        this.#entries.set(input.name, { tensor: this.#builder.add(tensor) });
      }
    }
    for (const node of nodes) this.#convert(node);
    for (const [operator, list] of this.#unsupported) problems.push(unsupported(operator, list));
    if (problems.length > 0) return undefined;
    const inputs = graph.inputs.map((input) => input.name);
    try {
      return this.#builder.finish(options.name, inputs, this.#outputs());
    } catch (cause) {
      if (!(cause instanceof AttoflowError)) throw cause;
      problems.push(cause);
    }
  }

  #checkInputTypes(): void {
    const names = new Set(this.graph.inputs.map((input) => input.name));
    for (const name of Object.keys(this.options.inputTypes ?? {})) {
      if (names.has(name)) continue;
      this.problems.push(
        new AttoflowError(`a type is given for ${printName(name)}, which is no input of the model`, {
          hint: `Its inputs are ${[...names].slice(0, 10).map(printName).join(", ")}.`,
        }),
      );
    }
  }

  #convert(node: SourceNode): void {
    let entry: Entry | undefined;
    try {
      entry = this.#entryOf(node);
    } catch (cause) {
      if (!(cause instanceof AttoflowError)) throw cause;
      const inner = cause.where ? `${cause.where}: ` : "";
      this.problems.push(
        new AttoflowError(`${inner}${cause.message}`, {
          where: sourceNodeText(node),
          hint: cause.hint,
          cause,
        }),
      );
    }
    for (const [index, name] of node.outputs.entries()) {
      if (name !== "") this.#entries.set(name, index === 0 ? entry : undefined);
    }
  }

  /** What the node's first output is; undefined if an operator is not supported or an input is not known. */
  #entryOf(node: SourceNode): Entry | undefined {
    const { operator, attributes, settled } = node;
    if (operator === "Constant" && !settled) return { constant: constantOf(node) };
    const converter = settled
      ? (conversion: Conversion) => conversion.finish(operator, [conversion.tensor(0)], settled)
      : converters.get(operator);
    const entries = node.inputs.map((name) => name === "" ? undefined : this.#entries.get(name));
    if (node.inputs.some((name, i) => name !== "" && entries[i] === undefined)) {
      if (!converter && !isFoldable(operator)) this.#note(node);
      return undefined;
    }
    if (operator === "Shape" && entries[0]) {
      const shape = shapeOf(entries[0]);
      const start = attributes.integer("start", 0);
      const end = attributes.has("end") ? attributes.integer("end") : undefined;
      return { constant: integers(shape.slice(start, end)) };
    }
    const folded = settled ? undefined : this.#fold(node, entries);
    if (folded) return { constant: folded };
    if (!converter) {
      this.#note(node);
      return undefined;
    }
    const conversion = new Conversion(node, entries, this.#builder, this.options, this.#converted);
    const tensor = converter(conversion);
    checkShape(tensor.shape, "its result");
    return { tensor };
  }

  #fold(node: SourceNode, entries: readonly (Entry | undefined)[]): Constant | undefined {
    if (entries.length === 0 || entries.some((entry) => entry && !("constant" in entry))) return undefined;
    const constants = entries.map((entry) => entry && "constant" in entry ? entry.constant : undefined);
    const folded = foldNode(node, constants);
    this.#folded += folded?.values.length ?? 0;
    if (this.#folded > mostFolded) {
      throw new AttoflowError("the model's constants unfold to more than can be held");
    }
    return folded;
  }

  #note(node: SourceNode): void {
    const list = this.#unsupported.get(node.operator);
    if (list) list.push(node);
    else this.#unsupported.set(node.operator, [node]);
  }

  /** Names of the model's outputs: each a result of a node, none twice. */
  #outputs(): string[] {
    const taken = new Set<string>();
    return this.graph.outputs.map((name) => {
      const entry = this.#entries.get(name)!;
      let tensor = "tensor" in entry ? entry.tensor : undefined;
      if (!tensor || !this.#builder.producerOf(tensor) || taken.has(tensor.name)) {
        // An input, a constant, or an output listed before: the output is a copy of it.
        tensor = this.#copy(name, entry);
      }
      taken.add(tensor.name);
      return tensor.name;
    });
  }

  #copy(name: string, entry: Entry): Tensor {
    const source = "tensor" in entry
      ? entry.tensor
      : this.#builder.constant(name, entry.constant.shape, integerValues(entry.constant, "output"));
    return this.#builder.append({ operator: "Identity", inputs: [source], name: `${name}:copy` });
  }
}

function shapeOf(entry: Entry): readonly number[] {
  return "constant" in entry ? entry.constant.shape : entry.tensor.shape;
}

/** The constant that a Constant node holds in one of the attributes that ONNX has for it. */
function constantOf({ attributes }: SourceNode): Constant {
  const tensor = attributes.tensor("value");
  if (tensor) return tensor;
  for (const [name, floating] of [["value_float", true], ["value_int", false]] as const) {
    if (attributes.has(name)) {
      return { shape: [], values: Float64Array.of(attributes.number(name)), floating };
    }
    const list = attributes.numbers(`${name}s`);
    if (list) return { shape: [list.length], values: Float64Array.from(list), floating };
  }
  throw new AttoflowError("it holds no numbers");
}

/** Operators of ONNX that work on floating-point numbers only: where they are, the model is not quantised. */
const floatOperators: ReadonlySet<string> = new Set(
  ("Softmax LogSoftmax LayerNormalization BatchNormalization InstanceNormalization Gelu Erf Tanh Sigmoid Sqrt Exp " +
    "Log Pow Reciprocal HardSwish HardSigmoid Elu Selu Softplus AveragePool GlobalAveragePool Div Round")
    .split(" "),
);

function unsupported(operator: string, nodes: readonly SourceNode[]): AttoflowError {
  const names = nodes.slice(0, 3).map((node) => printName(node.name)).join(", ");
  const more = nodes.length > 3 ? ` and ${nodes.length - 3} more` : "";
  return new AttoflowError(`the operator is not supported; nodes: ${names}${more}`, {
    where: `operator ${operatorText(nodes[0])}`,
    hint: floatOperators.has(operator)
      ? quantizeHint
      : "src/operators/README.md tells how to add an operator; or export the model without it.",
  });
}
