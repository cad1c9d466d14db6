// Writes a model as an ONNX file of the integer dialect, in the form that its importer (and others') reads.
// Operators that only passes make have no place in a file.

import { AttoflowError } from "../../targets/errors.ts";
import { printName } from "../model/print.ts";
import { tensorOf } from "../model/graph.ts";
import type { DType, Model, Node } from "../model/types.ts";
import { nodeText } from "../operators/registry.ts";
import type { RequantAttributes } from "../operators/requant_shift.ts";
import { type FileAttribute, type FileType, OnnxFile } from "./file.ts";

const fileTypes: Readonly<Record<DType, FileType>> = {
  int8: "INT8",
  uint8: "UINT8",
  int32: "INT32",
  float32: "FLOAT",
};

/**
 * Writes a model as ONNX. Inputs and constants carry their true element types, so that reading the file needs no
 * further hints; names of tensors and nodes stay.
 *
 * @throws {AttoflowError} if a node has no form in the dialect
 */
export function exportModel(model: Model): Uint8Array {
  const file = new OnnxFile(model.name);
  for (const name of model.inputs) {
    const { shape, dtype } = tensorOf(model, name);
    file.input(name, shape, fileTypes[dtype]);
  }
  const exporter = new Exporter(model, file);
  for (const node of model.nodes) exporter.node(node);
  for (const name of model.outputs) {
    const { shape, dtype } = tensorOf(model, name);
    file.output(name, shape, fileTypes[dtype]);
  }
  return file.bytes();
}

/** Attributes as an operator's file defines them; which those are is known where they are used. */
// deno-lint-ignore no-explicit-any
type Known = any;

/** Writes one node. */
type Write = (exporter: Exporter, node: Node, attributes: Known) => void;

class Exporter {
  readonly #written = new Set<string>();
  readonly #names: Set<string>;

  constructor(readonly model: Model, readonly file: OnnxFile) {
    this.#names = new Set(model.tensors.keys());
  }

  node(node: Node): void {
    const write = writers.get(node.operator);
    if (!write) throw this.error(node, "this operator has no form in an ONNX file");
    for (const name of node.inputs) this.#constant(name);
    write(this, node, node.attributes);
  }

  error(node: Node, problem: string): AttoflowError {
    return new AttoflowError(problem, {
      where: `${printName(this.model.name)}, ${nodeText(node)}`,
      hint: "Export the model as it was before any pass rewrote it.",
    });
  }

  #constant(name: string): void {
    if (name === "" || this.#written.has(name)) return;
    const tensor = tensorOf(this.model, name);
    if (!tensor.data) return;
    this.#written.add(name);
    this.file.constant(name, { shape: tensor.shape, values: tensor.data, type: fileTypes[tensor.dtype] });
  }

  /** A constant that the model does not have, under a name of its own. */
  list(
    base: string,
    values: ArrayLike<number>,
    shape: readonly number[] = [values.length],
    type: FileType = "INT64",
  ) {
    return this.file.constant(this.name(base), { shape, values, type });
  }

  /** A tensor name that is free. */
  name(base: string): string {
    let name = base;
    for (let i = 1; this.#names.has(name); i++) name = `${base}:${i}`;
    this.#names.add(name);
    return name;
  }

  /** Writes the ONNX node whose outputs are the model node's. */
  write(
    node: Node,
    attributes: Readonly<Record<string, FileAttribute>> = {},
    inputs: readonly string[] = node.inputs,
    operator = node.operator,
  ): void {
    this.file.node(operator, node.name, inputs, attributes, { outputs: node.outputs });
  }

  shapeOf(name: string): readonly number[] {
    return tensorOf(this.model, name).shape;
  }
}

/** A scalar as QuantLib writes it. */
const scalar = (value: number): FileAttribute => ({ shape: [1], values: [value] });

const plain: Write = (exporter, node) => exporter.write(node);

const requantShift: Write = (exporter, node, attributes: RequantAttributes) => {
  const [x, mul, add, shift] = node.inputs;
  const shape = exporter.shapeOf(x);
  const { axis, signed, levels } = attributes;
  const spread = (name: string) => {
    const { data } = tensorOf(exporter.model, name);
    if (axis < 0) return exporter.list(`${name}:vector`, data!, [1], "INT32");
    // (N, 1, 1) beside [N, N, L] reads as a channel; written out over both axes, it reads as what it is.
    const twice = shape.length === 3 && axis === 0 && shape[0] === shape[1];
    const values = twice
      ? Array.from({ length: shape[0] ** 2 }, (_, i) => data![Math.floor(i / shape[0])])
      : data!;
    const form = shape.map((dimension, i) => i === axis || (twice && i === 1) ? dimension : 1);
    return exporter.list(`${name}:vector`, values, form, "INT32");
  };
  let div = scalar(2 ** attributes.shift);
  if (shift !== undefined) {
    const readable = axis === shape.length - 1 || (shape.length === 4 && axis === 1);
    if (!readable) throw exporter.error(node, `shifts along axis ${axis} have no form in the dialect`);
    const values = [...tensorOf(exporter.model, shift).data!].map((s) => 2 ** s);
    div = { shape: [values.length], values };
  }
  exporter.write(
    node,
    { div, n_levels_out: scalar(levels), signed: scalar(signed ? 1 : 0) },
    [x, spread(mul), spread(add)],
  );
};

const itaPartialMax: Write = (exporter, node, { shift, fullScale, levels, groupWidth }: Known) => {
  const attributes = { n_levels: scalar(levels), group_width: groupWidth };
  // With `groups`, the reader of the file chooses the shift (dialect, section 5).
  if (fullScale === levels - 1) exporter.write(node, { ...attributes, groups: 4 });
  else if (shift === 5 && fullScale === Math.floor(levels / 2) - 1) exporter.write(node, attributes);
  else {throw exporter.error(
      node,
      `a softmax of shift ${shift} and full scale ${fullScale} has no form in the dialect`,
    );}
};

const quant: Write = (exporter, node, { scale, zeroPoint, min, max }: Known) => {
  const { file } = exporter;
  const number = (what: string, value: number) => exporter.list(`${node.name}:${what}`, [value], [], "FLOAT");
  const step = (operator: string, inputs: string[]) =>
    file.node(operator, `${node.name}:${operator}`, inputs, {}, {
      outputs: [exporter.name(`${node.name}:${operator}`)],
    });
  const divided = step("Div", [node.inputs[0], number("scale", scale)]);
  const rounded = step("Round", [step("Add", [divided, number("zeroPoint", zeroPoint)])]);
  exporter.write(node, {}, [rounded, number("min", min), number("max", max)], "Clip");
};

const dequant: Write = (exporter, node, { scale, zeroPoint }: Known) => {
  if (Number.isInteger(scale)) {
    throw exporter.error(node, "an integer scale would read as an integer product");
  }
  const number = (what: string, value: number) => exporter.list(`${node.name}:${what}`, [value], [], "FLOAT");
  const centred = exporter.name(`${node.name}:Sub`);
  exporter.file.node("Sub", `${node.name}:Sub`, [node.inputs[0], number("zeroPoint", zeroPoint)], {}, {
    outputs: [centred],
  });
  exporter.write(node, {}, [centred, number("scale", scale)], "Mul");
};

const norm: Write = (exporter, node, { shift, levels, mul }: Known) =>
  exporter.write(node, {
    D: scalar(2 ** shift),
    n_levels: scalar(levels),
    ...(mul === undefined ? {} : { mul: scalar(mul) }),
  });

const writers: ReadonlyMap<string, Write> = new Map<string, Write>([
  ...["Add", "Sub", "Mul", "Relu", "MatMul", "Identity"].map((name): [string, Write] => [name, plain]),
  [
    "Clip",
    (e, node, { min, max }) =>
      e.write(node, {}, [
        node.inputs[0],
        e.list(`${node.name}:min`, [min], []),
        e.list(`${node.name}:max`, [max], []),
      ]),
  ],
  [
    "Gemm",
    (e, node, { alpha, beta, transA, transB }) =>
      e.write(node, {
        alpha: { float: alpha },
        beta: { float: beta },
        transA: Number(transA),
        transB: Number(transB),
      }),
  ],
  ["RequantShift", requantShift],
  [
    "Conv",
    (e, node, { kernel, strides, pads, dilations, group }) =>
      e.write(node, { kernel_shape: kernel, strides, pads, dilations, group }),
  ],
  ["MaxPool", (e, node, { kernel, strides, pads }) => e.write(node, { kernel_shape: kernel, strides, pads })],
  [
    "Pad",
    (e, node, { pads, value }) =>
      e.write(node, {}, [
        node.inputs[0],
        e.list(`${node.name}:pads`, pads),
        e.list(`${node.name}:value`, [value], [], "FLOAT"),
      ]),
  ],
  ["Transpose", (e, node, { perm }) => e.write(node, { perm })],
  ["Concat", (e, node, { axis }) => e.write(node, { axis })],
  ["Gather", (e, node, { axis }) => e.write(node, { axis })],
  ["Flatten", (e, node, { axis }) => e.write(node, { axis })],
  [
    "Reshape",
    (e, node, { shape }) =>
      e.write(node, { allowzero: 1 }, [node.inputs[0], e.list(`${node.name}:shape`, shape)]),
  ],
  ["Squeeze", (e, node, { axes }) => e.write(node, {}, [node.inputs[0], e.list(`${node.name}:axes`, axes)])],
  [
    "Unsqueeze",
    (e, node, { axes }) => e.write(node, {}, [node.inputs[0], e.list(`${node.name}:axes`, axes)]),
  ],
  ["Slice", (e, node, { starts, steps, sizes }) => {
    // An end in front of the first element cannot be said by its index: negative ones count from the back.
    const ends = starts.map((start: number, i: number) => start + sizes[i] * steps[i])
      .map((end: number) => end < 0 ? -(2 ** 31) : end);
    const lists = { starts, ends, axes: starts.map((_: number, i: number) => i), steps };
    const inputs = Object.entries(lists).map(([what, list]) => e.list(`${node.name}:${what}`, list));
    e.write(node, {}, [node.inputs[0], ...inputs]);
  }],
  [
    "ReduceSum",
    (e, node, { axes, keepdims }) =>
      e.write(node, { keepdims: Number(keepdims) }, [node.inputs[0], e.list(`${node.name}:axes`, axes)]),
  ],
  ["ReduceMean", (e, node, { axes, keepdims }) => e.write(node, { axes, keepdims: Number(keepdims) })],
  ["iSoftmax", (e, node, { coeffA, coeffB, coeffC, log2, levels }) =>
    e.write(node, {
      coeffA: scalar(coeffA),
      coeffB: scalar(coeffB),
      coeffC: scalar(coeffC),
      log2: scalar(log2),
      n_levels: scalar(levels),
    })],
  ["ITAMax", (e, node, { shift, fullScale, levels, groupWidth }) => {
    if (shift !== 5 || fullScale !== levels - 1 || groupWidth !== 0) {
      throw e.error(
        node,
        `an ITAMax of shift ${shift} and full scale ${fullScale} has no form in the dialect`,
      );
    }
    e.write(node, { n_levels: scalar(levels) });
  }],
  ["ITAPartialMax", itaPartialMax],
  ["iGELU", (e, node, { b, one }) => e.write(node, { b, one })],
  [
    "iHardswish",
    (e, node, { oneOverSix, three, six }) => e.write(node, { one_over_six: oneOverSix, three, six }),
  ],
  ["iLayerNorm", norm],
  ["iRMSNorm", norm],
  ["iNoNorm", norm],
  ["IntegerDiv", (e, node, { numerator, eta, eps }) => {
    if (eta === 0 || numerator % eta !== 0) throw e.error(node, "its numerator is no multiple of eta");
    e.write(node, { Delta: numerator / eta, eta, eps });
  }],
  [
    "TrueIntegerDiv",
    (e, node, { numerator, denominator }) =>
      e.write(node, { Delta: numerator, eta: 1, y: 0, eps: denominator }),
  ],
  ["Quant", quant],
  ["Dequant", dequant],
]);
