// Builds integer networks of the dialect for the examples: each operator is applied to a few sample inputs as soon as
// it is added, so that a requantisation can be given constants that make its result use the 8-bit range.

import type { DType, Model, Node, Tensor, TensorData } from "../src/model/types.ts";
import { inferNode, operatorNamed } from "../src/operators/registry.ts";

/** Name of a tensor in the network under construction. */
export type TensorName = string;

/** Random numbers that are the same on every machine (Mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.word() / 2 ** 32;
  }

  /** Uniform of 32 bits, unsigned. */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** About normal, mean 0 (twelve uniform numbers: the same bits everywhere, unlike logarithms and cosines). */
  normal(deviation: number): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.uniform();
    return sum * deviation;
  }

  /**
   * As {@link int8}, quickly, for millions of weights: the four bytes of one random word, added up, are about normal,
   * within three and a half deviations. These are at most 127.
   */
  weights(length: number, deviation: number): Int8Array {
    const mean = 2 * 255;
    const unit = Math.sqrt((256 ** 2 - 1) / 12 * 4);
    const scaled = Int8Array.from(
      { length: 2 * mean + 1 },
      (_, sum) => Math.max(-127, Math.min(127, Math.round((sum - mean) / unit * deviation))),
    );
    const result = new Int8Array(length);
    for (let i = 0; i < length; i++) {
      const word = this.word();
      const sum = (word >>> 24) + (word >>> 16 & 255) + (word >>> 8 & 255) + (word & 255);
      result[i] = scaled[sum];
    }
    return result;
  }

  /** `length` about normal integers, clipped to int8. */
  int8(length: number, deviation: number): Int8Array {
    return Int8Array.from(
      { length },
      () => Math.max(-128, Math.min(127, Math.round(this.normal(deviation)))),
    );
  }
}

/** A network under construction. Methods that add an operator return the name of its result. */
export class IntegerBuilder {
  readonly #inputs: TensorName[] = [];
  readonly #tensors = new Map<TensorName, Tensor>();
  readonly #nodes: Node[] = [];
  /** Elements for each sample. */
  readonly #samples = new Map<TensorName, readonly TensorData[]>();

  constructor(private readonly name: string) {}

  /** Adds a graph input with its elements in each sample. */
  input(name: TensorName, shape: readonly number[], samples: readonly Int8Array[]): TensorName {
    this.#tensors.set(name, { name, dtype: "int8", shape, range: { min: -128, max: 127 } });
    this.#samples.set(name, samples);
    this.#inputs.push(name);
    return name;
  }

  /** Adds a constant; its range is that of its elements. */
  constant(name: TensorName, shape: readonly number[], data: Int8Array | Int32Array): TensorName {
    const dtype: DType = data instanceof Int8Array ? "int8" : "int32";
    let [min, max] = [Infinity, -Infinity];
    for (const value of data) [min, max] = [Math.min(min, value), Math.max(max, value)];
    this.#tensors.set(name, { name, dtype, shape, range: { min, max }, data });
    return name;
  }

  /** Applies an operator. */
  apply(
    operator: string,
    name: string,
    inputs: readonly TensorName[],
    attributes: Record<string, unknown> = {},
  ): TensorName {
    const output = `${name}_out`;
    const parsed = operatorNamed(operator).parse(attributes);
    const node: Node = { name, operator, attributes: parsed, inputs, outputs: [output] };
    const operands = inputs.map((input) => this.#tensors.get(input)!);
    const types = inferNode(node, operands);
    this.#tensors.set(output, { name: output, ...types[0] });
    this.#nodes.push(node);
    const count = Math.max(...inputs.map((input) => this.#samples.get(input)?.length ?? 0));
    this.#samples.set(
      output,
      Array.from({ length: count }, (_, sample) => {
        const values = operands.map(({ name, shape, data }) => ({
          shape,
          data: data ?? this.#samples.get(name)![sample],
        }));
        return operatorNamed(operator).evaluate(values, parsed, types)[0];
      }),
    );
    return output;
  }

  /**
   * Requantises to int8 so that the greatest sample value comes to about `peak`. The multiplier has eight bits, as
   * accelerators have.
   */
  requant(name: string, x: TensorName, peak = 110): TensorName {
    let greatest = 1;
    for (const data of this.samplesOf(x)) {
      for (const v of data) greatest = Math.max(greatest, Math.abs(v));
    }
    return this.rescale(name, x, peak / greatest);
  }

  /** Requantises to int8 by about `factor`: an 8-bit multiplier, of which the highest bit is set, and a shift. */
  rescale(name: string, x: TensorName, factor: number): TensorName {
    const shift = Math.max(0, Math.min(31, Math.floor(Math.log2(255 / factor))));
    const mul = Math.max(1, Math.min(255, Math.round(factor * 2 ** shift)));
    return this.requantBy(name, x, mul, shift);
  }

  /** Requantises to int8: x·mul / 2^shift. */
  requantBy(name: string, x: TensorName, mul: number, shift: number): TensorName {
    const constants = [
      this.constant(`${name}_mul`, [1], Int32Array.of(mul)),
      this.constant(`${name}_add`, [1], Int32Array.of(0)),
    ];
    const attributes = { axis: -1, shift, signed: true, levels: 256 };
    const result = this.apply("RequantShift", name, [x, ...constants], attributes);
    this.#release(x);
    return result;
  }

  /** Drops the samples of accumulators: once requantised nobody wants them, and they are what takes the memory. */
  #release(x: TensorName): void {
    if (this.#tensors.get(x)!.dtype !== "int32" || !this.#samples.delete(x)) return;
    const producer = this.#nodes.findLast(({ outputs }) => outputs[0] === x);
    for (const input of producer?.inputs ?? []) this.#release(input);
  }

  /** x · weights + bias, requantised: a linear layer with random parameters. */
  linear(name: string, x: TensorName, outputs: number, random: Random, peak?: number): TensorName {
    const depth = this.shapeOf(x).at(-1)!;
    const weights = this.constant(`${name}_weights`, [depth, outputs], random.int8(depth * outputs, 30));
    const bias = this.constant(
      `${name}_bias`,
      [outputs],
      Int32Array.from({ length: outputs }, () => Math.round(random.normal(1500))),
    );
    const product = this.apply("MatMul", `${name}_matmul`, [x, weights]);
    return this.requant(`${name}_requant`, this.apply("Add", `${name}_add`, [product, bias]), peak);
  }

  shapeOf(name: TensorName): readonly number[] {
    return this.#tensors.get(name)!.shape;
  }

  /** Elements of a tensor in each sample. */
  samplesOf(name: TensorName): readonly TensorData[] {
    return this.#samples.get(name)!;
  }

  /** The finished network. */
  finish(outputs: readonly TensorName[]): Model {
    return {
      name: this.name,
      inputs: this.#inputs,
      outputs,
      tensors: this.#tensors,
      nodes: this.#nodes,
    };
  }
}
