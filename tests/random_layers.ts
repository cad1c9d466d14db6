// What random networks are made of: tensors with sample data, to which each operator is applied as it is added, so that
// constants can be chosen with which results use their 8 bits; odd weights, biases and requantisations.

import { ModelBuilder, type NewNode } from "../src/model/builder.ts";
import { elementCount, integerLimits, type Tensor, type TensorData } from "../src/model/types.ts";
import { evaluateNode } from "../src/operators/registry.ts";
import type { Random } from "./cores_harness.ts";

/** How large networks become. */
export interface NetworkSizes {
  /** Blocks of layers. */
  readonly blocks: number;
  /** Multiplications at most in all products together. */
  readonly macs: number;
}

/** A network under construction. */
export class RandomLayers {
  protected readonly builder = new ModelBuilder();
  protected readonly inputs: Tensor[] = [];
  /** Activations of 8 bits. */
  protected readonly pool: Tensor[] = [];
  protected readonly outputs = new Set<string>();
  protected readonly samples = new Map<string, TensorData>();
  /** Part of the requantisations whose constants are such as accelerators do not have. */
  protected readonly oddities: number;
  protected macs = 0;

  constructor(readonly random: Random, readonly sizes: NetworkSizes) {
    this.oddities = random.pick([0, 0, 0.1, 1]);
  }

  /** An operand from the pool: mostly the latest. */
  operand(): Tensor {
    const { random } = this;
    return random.chance(0.7) ? this.pool.at(-1)! : random.pick(this.pool);
  }

  /** Puts a result into the pool, sometimes out of the network. */
  keep(x: Tensor): Tensor {
    const { random } = this;
    this.pool.push(x);
    if (random.chance(0.12)) this.outputs.add(x.name);
    if (random.chance(0.02)) this.outputs.add(random.pick(this.inputs).name);
    return x;
  }

  input(shape: readonly number[], dtype: "int8" | "uint8" = this.random.chance(0.9) ? "int8" : "uint8") {
    const range = integerLimits[dtype];
    const tensor = this.builder.add({ name: `x${this.inputs.length}`, shape, dtype, range });
    const data = Int32Array.from({ length: elementCount(shape) }, () => this.normal(range.min, range.max));
    this.samples.set(tensor.name, dtype === "int8" ? Int8Array.from(data) : Uint8Array.from(data));
    this.inputs.push(tensor);
    this.pool.push(tensor);
    return tensor;
  }

  /** About normal in an interval. */
  normal(min: number, max: number): number {
    let sum = 0;
    for (let i = 0; i < 4; i++) sum += this.random.next();
    return Math.round(min + (max - min) * sum / 4);
  }

  apply(operator: string, inputs: readonly Tensor[], attributes: NewNode["attributes"] = {}): Tensor {
    const tensor = this.builder.append({ operator, inputs, attributes, name: operator.toLowerCase() });
    const node = this.builder.nodes.at(-1)!;
    const values = inputs.map(({ name, shape, data }) => ({
      shape,
      data: data ?? this.samples.get(name)!,
    }));
    this.samples.set(tensor.name, evaluateNode(node, values, [tensor])[0]);
    // An accumulator, a probability, a part of a fused operator may leave the network.
    if (this.random.chance(0.015)) this.outputs.add(tensor.name);
    return tensor;
  }

  parameter(shape: readonly number[], value: () => number): Tensor {
    const data = Int32Array.from({ length: elementCount(shape) }, value);
    return this.builder.parameter("p", shape, data);
  }

  bytes(name: string, shape: readonly number[], value: () => number): Tensor {
    return this.builder.constant(
      name,
      shape,
      Int8Array.from({ length: elementCount(shape) }, value),
    );
  }

  weights(shape: readonly number[]): Tensor {
    const { random } = this;
    const columns = shape.at(-1)!;
    const form = random.integer(0, 9);
    const kept = new Map<number, boolean>();
    const low = random.chance(0.2) ? -128 : -127;
    let at = 0;
    return this.bytes("w", shape, () => {
      const [row, column] = [Math.floor(at / columns), at++ % columns];
      if (form === 0) return 0;
      if (form <= 2) {
        const tile = Math.floor(row / 64) * 64 + Math.floor(column / 64);
        if (!kept.has(tile)) kept.set(tile, random.chance(0.5));
        if (!kept.get(tile)) return 0;
      }
      return form === 3 ? random.integer(0, 1) : random.integer(low, 127);
    });
  }

  /** Requantises to 8 bits so that the samples spread over them. */
  requant(x: Tensor, columns = -1): Tensor {
    const { random } = this;
    let greatest = 1;
    for (const v of this.samples.get(x.name)!) greatest = Math.max(greatest, Math.abs(v));
    const odd = random.chance(this.oddities);
    const factor = (odd && random.chance(0.1) ? 1 : random.integer(50, 200)) / greatest;
    const eightBits = !odd || random.chance(0.85);
    const shift = Math.max(0, Math.min(31, Math.floor(Math.log2((eightBits ? 250 : 30000) / factor))));
    const mul = Math.max(1, Math.round(factor * 2 ** shift));
    const sign = odd && random.chance(0.2) ? -1 : 1;
    const zero = odd && random.chance(0.1);
    const byColumn = columns >= 0 && random.chance(0.2);
    const length = byColumn ? x.shape[columns] : 1;
    const add = random.pick([0, 0, 0, 1, -1, 13]);
    const half = shift > 0 ? 2 ** shift : 1;
    const constants = [
      this.parameter(
        [length],
        () => zero ? 0 : sign * Math.max(0, Math.round(byColumn ? mul * (0.5 + random.next() / 2) : mul)),
      ),
      this.parameter(
        [length],
        () =>
          Math.max(
            -(2 ** 31),
            Math.min(2 ** 31 - 1, Math.round(add * half * (byColumn ? random.next() : 1))),
          ),
      ),
    ];
    const signed = random.chance(odd ? 0.7 : 0.9);
    const levels = !odd || random.chance(0.8) ? 256 : random.pick([2, 16, 100, 255]);
    return this.apply("RequantShift", [x, ...constants], {
      axis: byColumn ? columns : -1,
      shift,
      signed,
      levels,
    });
  }

  /** Whether so many more multiplications are allowed. */
  affords(macs: number): boolean {
    if (this.macs + macs > this.sizes.macs) return false;
    this.macs += macs;
    return true;
  }

  columnsFor(x: Tensor): number {
    const { random } = this;
    const rows = elementCount(x.shape);
    const columns = random.pick([1, 3, 16, 40, 64, 64, 65, 100, 128, 130, x.shape.at(-1)!]);
    return this.affords(rows * columns) ? columns : (this.affords(rows * 4), 4);
  }

  bias(shape: readonly number[]): Tensor {
    const { random } = this;
    const most = random.pick([10, 3000, 3000, 3000, 100_000]);
    return this.parameter(shape, () => random.integer(-most, most));
  }

  add(a: Tensor, b: Tensor): Tensor {
    return this.apply("Add", this.random.chance(0.5) ? [a, b] : [b, a]);
  }

  /** x · weights, int32. */
  matmul(x: Tensor, columns: number): Tensor {
    const { random } = this;
    const depth = x.shape.at(-1)!;
    if (x.shape.length === 2 && random.chance(0.4)) {
      const transB = random.chance(0.5);
      const w = this.weights(transB ? [columns, depth] : [depth, columns]);
      const bias = random.chance(0.5) ? [this.bias([columns])] : [];
      return this.apply("Gemm", [x, w, ...bias], {
        alpha: 1,
        beta: bias.length > 0 && random.chance(0.3) ? random.pick([2, -1]) : 1,
        transA: false,
        transB,
      });
    }
    const fronts = x.shape.slice(0, -2);
    const shape = fronts.length > 0 && elementCount(fronts) < 4 && random.chance(0.15) ? fronts : [];
    return this.apply("MatMul", [x, this.weights([...shape, depth, columns])]);
  }

  /** A tensor of 8 bits, as it is or scaled by a constant. */
  scaled(x: Tensor): Tensor {
    const { random } = this;
    if (random.chance(0.3)) return x;
    const columns = x.shape.at(-1)!;
    const shape = random.pick([[1], [columns], [1, columns], [], x.shape]);
    const range = random.pick([[-128, 127], [1, 127], [-1, 1], [0, 0], [100, 200], [-5000, 5000]]);
    const scale = this.builder.constant(
      "d",
      shape,
      Int32Array.from({ length: elementCount(shape) }, () => random.integer(range[0], range[1])),
    );
    return this.apply("Mul", random.chance(0.5) ? [x, scale] : [scale, x]);
  }

  biased(y: Tensor): Tensor {
    const { random } = this;
    const columns = y.shape.at(-1)!;
    return this.add(
      y,
      this.bias(random.pick([[columns], [columns], [columns], [1, columns], [1], y.shape.slice(-2)])),
    );
  }

  perhapsBiased(y: Tensor): Tensor {
    return this.random.chance(0.5) ? this.biased(y) : y;
  }
}
