// What `bench --kernels` measures: single operators (and chains that become one) of the sizes that transformers have,
// small enough for L1, and the same work for the plain versions in targets/engines/cores/bench/plain.c.

import { Random } from "../../examples/integer_builder.ts";
import { ModelBuilder } from "../model/builder.ts";
import { elementCount, integerLimits, type Model, type Tensor, type TensorData } from "../model/types.ts";
import type { RigCall } from "./kernel_rig.ts";

/** The same work for a plain version. */
type PlainCall = Omit<RigCall, "source">;

/** A piece of work. */
export interface KernelWorkload {
  readonly name: string;
  /** One node after the passes for tables. */
  readonly model: Model;
  /** Data of the model's inputs. */
  readonly inputs: readonly TensorData[];
  readonly plain: PlainCall;
}

/** A model under construction, with data for its inputs. */
class Sketch {
  readonly builder = new ModelBuilder();
  readonly random = new Random(11);
  readonly inputs: { name: string; data: TensorData }[] = [];

  /** int8 elements, about normal. */
  bytes(shape: readonly number[], deviation = 36): { tensor: Tensor; data: Int8Array } {
    const data = this.random.int8(elementCount(shape), deviation);
    return { tensor: this.#input(shape, "int8", data), data };
  }

  /** int32 elements, as accumulators of products. */
  words(shape: readonly number[], deviation: number): { tensor: Tensor; data: Int32Array } {
    const data = Int32Array.from(
      { length: elementCount(shape) },
      () => Math.round(this.random.normal(deviation)),
    );
    return { tensor: this.#input(shape, "int32", data, { min: -(2 ** 17), max: 2 ** 17 }), data };
  }

  #input(
    shape: readonly number[],
    dtype: "int8" | "int32",
    data: TensorData,
    range = integerLimits[dtype],
  ): Tensor {
    const name = `x${this.inputs.length}`;
    this.inputs.push({ name, data });
    return this.builder.add({ name, dtype, shape, range });
  }

  /** A vector of int32 parameters. */
  vector(name: string, length: number, value: (i: number) => number): Tensor {
    return this.builder.parameter(
      name,
      [length],
      Int32Array.from({ length }, (_, i) => Math.round(value(i))),
    );
  }

  node(operator: string, inputs: readonly Tensor[], attributes: Record<string, unknown> = {}): Tensor {
    return this.builder.append({ operator, inputs, attributes, name: operator });
  }

  requant(x: Tensor, mul: number, shift: number): Tensor {
    const constants = [this.vector("mul", 1, () => mul), this.vector("add", 1, () => 0)];
    return this.node("RequantShift", [x, ...constants], { axis: -1, shift, signed: true, levels: 256 });
  }

  finish(name: string, output: Tensor, plain: PlainCall): KernelWorkload {
    const model = this.builder.finish(name, this.inputs.map((input) => input.name), [output.name]);
    return { name, model, inputs: this.inputs.map(({ data }) => data), plain };
  }
}

const [rows, columns] = [64, 384];
const count = rows * columns;

function gelu(): KernelWorkload {
  const s = new Sketch();
  const x = s.bytes([rows, columns]);
  const [b, one, mul, shift] = [-80, 7091, 148, 20];
  return s.finish("GELU, requantised", s.requant(s.node("iGELU", [x.tensor], { b, one }), mul, shift), {
    kernel: "plain_gelu",
    pointers: { x: x.data, y: count },
    parameters: { count, b, one, mul, add: 0, shift },
  });
}

function residual(): KernelWorkload {
  const s = new Sketch();
  const [a, b] = [s.bytes([rows, columns]), s.bytes([rows, columns])];
  const [mul, shift] = [181, 8];
  return s.finish(
    "residual add, requantised",
    s.requant(s.node("Add", [a.tensor, b.tensor]), mul, shift),
    {
      kernel: "plain_add",
      pointers: { a: a.data, b: b.data, y: count },
      parameters: { count, mul, add: 0, shift },
    },
  );
}

/** LayerNorm; `spread` is how much the weights differ. */
function layerNorm(name: string, spread: number): KernelWorkload {
  const s = new Sketch();
  const x = s.bytes([rows, columns]);
  const shift = 8;
  const weight = s.vector("weight", columns, () => (36 + s.random.normal(spread)) * 2 ** shift);
  const bias = s.vector("bias", columns, () => 128 + s.random.normal(spread) * 256);
  return s.finish(name, s.node("iLayerNorm", [x.tensor, weight, bias], { shift, levels: 256 }), {
    kernel: "plain_layer_norm",
    pointers: { x: x.data, weight: weight.data!, bias: bias.data!, y: count },
    parameters: { rows, columns, shift },
  });
}

function noNorm(): KernelWorkload {
  const s = new Sketch();
  const x = s.bytes([rows, columns]);
  const weight = s.vector("weight", columns, () => 100 + s.random.normal(9));
  const bias = s.vector("bias", columns, () => s.random.normal(900));
  const [mul, shift] = [77, 13];
  return s.finish(
    "NoNorm, weight by column",
    s.node("iNoNorm", [x.tensor, weight, bias], { mul, shift, levels: 256 }),
    {
      kernel: "plain_no_norm",
      pointers: { x: x.data, weight: weight.data!, bias: bias.data!, y: count },
      parameters: { rows, columns, mul, shift },
    },
  );
}

/** Requantisation of accumulators, per tensor or by column. */
function requant(name: string, channels: number): KernelWorkload {
  const s = new Sketch();
  const x = s.words([32, columns], 9000);
  const shift = 14;
  const mul = s.vector("mul", channels, () => 60 + s.random.normal(channels > 1 ? 5 : 0));
  const add = s.vector("add", channels, () => s.random.normal(channels > 1 ? 90000 : 0));
  const output = s.node("RequantShift", [x.tensor, mul, add], {
    axis: channels > 1 ? 1 : -1,
    shift,
    signed: true,
    levels: 256,
  });
  return s.finish(name, output, {
    kernel: "plain_requant",
    pointers: { x: x.data, mul: mul.data!, add: add.data!, y: x.data.length },
    parameters: { count: x.data.length, channels, shift },
  });
}

/** Transpose of [outer, rows, columns, inner] to [outer, columns, rows, inner]. */
function transpose(name: string, [outer, rows, columns, inner]: readonly number[]): KernelWorkload {
  const s = new Sketch();
  const x = s.bytes([outer, rows, columns, inner]);
  return s.finish(name, s.node("Transpose", [x.tensor], { perm: [0, 2, 1, 3] }), {
    kernel: "plain_transpose",
    pointers: { x: x.data, y: x.data.length },
    parameters: { outer, rows, columns, inner },
  });
}

function softmax(): KernelWorkload {
  const s = new Sketch();
  const [rows, columns] = [64, 256];
  const x = s.bytes([rows, columns]);
  const attributes = { shift: 5, fullScale: 255, levels: 256, groupWidth: 0 };
  return s.finish("ITA's softmax", s.node("ITAMax", [x.tensor], attributes), {
    kernel: "plain_softmax",
    pointers: { x: x.data, y: rows * columns },
    parameters: { rows, columns, shift: 5, full_scale: 255 },
  });
}

/** All of them. */
export function kernelWorkloads(): KernelWorkload[] {
  return [
    gelu(),
    residual(),
    layerNorm("LayerNorm, one weight", 0),
    layerNorm("LayerNorm, weight by column", 4),
    noNorm(),
    requant("requantise int32", 1),
    requant("requantise int32, by column", columns),
    softmax(),
    transpose("transpose int8 128 x 192", [1, 128, 192, 1]),
    transpose("transpose int8 257 x 64", [1, 257, 64, 1]),
    transpose("heads, 64 x 6 x 64", [1, 64, 6, 64]),
    transpose("patches, rows of 14", [42, 14, 3, 14]),
  ];
}
