// Random integer networks of the dialect, small and odd: linear layers with residuals in their accumulators, attention,
// GELU, normalisations, chains of elementwise operators, moves, convolutions, in any order, with several readers and
// outputs in the middle.

import { elementCount, type Model, type Tensor } from "../src/model/types.ts";
import type { Random } from "./cores_harness.ts";
import { type NetworkSizes, RandomLayers } from "./random_layers.ts";

const smallSizes: NetworkSizes = { blocks: 4, macs: 600_000 };

/** A random network. The same state of `random` gives the same. */
export function randomNetwork(random: Random, sizes: NetworkSizes = smallSizes): Model {
  return new NetworkMaker(random, sizes).make();
}

/** Elements for a network's inputs: at random, or the ends of their ranges. */
export function randomInputs(random: Random, model: Model): (Int8Array | Uint8Array)[] {
  return model.inputs.map((name) => {
    const { shape, dtype, range: { min, max } } = model.tensors.get(name)!;
    const kind = random.integer(0, 5);
    const element = () =>
      kind === 0 ? random.pick([min, max]) : kind === 1 ? min : kind === 2 ? max : random.integer(min, max);
    const data = Array.from({ length: elementCount(shape) }, element);
    return dtype === "int8" ? Int8Array.from(data) : Uint8Array.from(data);
  });
}

const isByte = ({ dtype }: Tensor) => dtype === "int8" || dtype === "uint8";
const sameShape = (a: Tensor, b: Tensor) => a.shape.join() === b.shape.join();

class NetworkMaker extends RandomLayers {
  make(): Model {
    const { random } = this;
    const rows = random.pick([1, 2, 5, 16, 31, 64, 65]);
    const columns = random.pick([1, 3, 16, 40, 64, 65, 100, 128]);
    this.input([...random.pick([[], [1], [1], [1], [2]]), rows, columns]);
    if (random.chance(0.3)) this.input(this.inputs[0].shape);
    const blocks = random.integer(1, this.sizes.blocks);
    for (let i = 0; i < blocks; i++) this.keep(this.block());
    const last = this.pool.at(-1)!;
    if (this.inputs.includes(last)) this.keep(this.linear(last));
    this.outputs.add(this.pool.at(-1)!.name);
    return this.builder.finish("random", this.inputs.map(({ name }) => name), [...this.outputs]);
  }

  block(): Tensor {
    const { random } = this;
    const x = this.operand();
    const made = random.pick([
      () => this.linear(x),
      () => this.linear(x),
      () => this.linear(x),
      () => this.feedForward(x),
      () => this.attention(x),
      () => this.attention(x),
      () => this.norm(x),
      () => this.chain(x),
      () => this.sum(x),
      () => this.move(x),
      () => this.move(x),
      () => this.joined(x),
      () => this.convolution(x),
      () => this.product(x),
      () => this.reduced(x),
    ])();
    return made ?? this.linear(x);
  }

  /** A linear layer, perhaps over several operands, with residuals. */
  linear(x: Tensor, columns = this.columnsFor(x)): Tensor {
    const { random } = this;
    let y = this.matmul(x, columns);
    if (random.chance(0.6)) y = this.biased(y);
    const like = this.pool.filter((other) =>
      other.shape.length === x.shape.length &&
      other.shape.slice(0, -1).join() === x.shape.slice(0, -1).join()
    );
    if (random.chance(0.25)) {
      const other = random.pick(like);
      if (this.affords(elementCount(other.shape) * columns)) y = this.add(y, this.matmul(other, columns));
    }
    for (const other of like) {
      if (other.shape.at(-1) === columns && random.chance(0.5)) y = this.add(y, this.scaled(other));
    }
    if (random.chance(0.1)) y = this.biased(y);
    if (random.chance(0.03)) {
      return this.requant(this.add(y, this.apply("Clip", [y], { min: -9000, max: 9000 })));
    }
    return this.activated(this.requant(y, y.shape.length - 1));
  }

  activated(y: Tensor): Tensor {
    const { random } = this;
    if (random.chance(0.15)) return this.apply("Relu", [y]);
    if (random.chance(0.2)) return this.gelu(y);
    return y;
  }

  /** GELU; mostly with the constants that ITA has it for, of either sign. */
  gelu(x: Tensor): Tensor {
    const { random } = this;
    const own = random.chance(0.75);
    const b = own ? -80 : -random.integer(1, 300);
    const y = this.apply("iGELU", [x], { b, one: own ? 7091 : random.integer(1, 40000) });
    if (!own) return this.requant(y);
    return this.apply("RequantShift", [
      y,
      this.parameter([1], () => random.pick([148, -148])),
      this.parameter([1], () => 0),
    ], { axis: -1, shift: 20, signed: true, levels: 256 });
  }

  /** Two layers with GELU between them, which others may read as well. */
  feedForward(x: Tensor): Tensor {
    const { random } = this;
    let inner = this.requant(this.matmul(x, this.columnsFor(x)));
    inner = this.gelu(inner);
    if (random.chance(0.3)) this.pool.push(inner);
    if (random.chance(0.1)) this.keep(this.linear(inner));
    if (random.chance(0.2)) {
      const one = this.matmul(inner, inner.shape.at(-1)!);
      return this.requant(this.add(one, this.scaled(inner)));
    }
    return this.linear(inner, random.chance(0.5) ? x.shape.at(-1)! : undefined);
  }

  attention(x: Tensor): Tensor | undefined {
    const { random } = this;
    if (x.shape.length < 2) return undefined;
    const tokens = x.shape.at(-2)!;
    const batch = elementCount(x.shape.slice(0, -2));
    const heads = random.pick([1, 2, 3, 4, 6]);
    const width = random.pick([1, 3, 8, 16, 33, 64]);
    const channels = heads * width;
    const macs = 3 * elementCount(x.shape) * channels + 2 * batch * tokens * tokens * channels;
    if (tokens > 70 || !this.affords(macs)) return undefined;
    const y =
      this.pool.filter((other) =>
        other.shape.length === x.shape.length && other.shape.at(-1) === x.shape.at(-1) &&
        elementCount(other.shape.slice(0, -2)) === batch
      ).at(random.integer(0, 3)) ?? x;
    const split = (z: Tensor, perm: number[]) => {
      const layer = this.requant(this.perhapsBiased(this.matmul(z, channels)), z.shape.length - 1);
      const apart = this.apply("Reshape", [layer], {
        shape: [batch, z.shape.at(-2)!, heads, width],
      });
      return this.apply("Transpose", [apart], { perm });
    };
    const [q, k, v] = [split(x, [0, 2, 1, 3]), split(y, [0, 2, 3, 1]), split(y, [0, 2, 1, 3])];
    const logits = this.requant(this.apply("MatMul", [q, k]), random.chance(0.3) ? 1 : -1);
    if (logits.dtype !== "int8" && random.chance(0.9)) return undefined;
    const [operator, attributes] = random.pick([
      ["ITAPartialMax", { shift: 0, fullScale: 255, levels: 256, groupWidth: 16 }],
      ["ITAPartialMax", { shift: 0, fullScale: 255, levels: 256, groupWidth: 16 }],
      ["ITAPartialMax", { shift: 5, fullScale: 127, levels: 256, groupWidth: 64 }],
      ["ITAMax", { shift: 5, fullScale: 255, levels: 256, groupWidth: 0 }],
      ["iSoftmax", { coeffA: 1, coeffB: 8, coeffC: 30, log2: 5, levels: 256 }],
    ]);
    const weights = this.apply(operator as string, [logits], attributes as Record<string, unknown>);
    const mixed = this.requant(this.apply("MatMul", [weights, v]), random.chance(0.3) ? 1 : -1);
    if (random.chance(0.15)) return mixed;
    const merged = this.apply("Transpose", [mixed], { perm: [0, 2, 1, 3] });
    const joined = this.apply("Reshape", [merged], { shape: [...x.shape.slice(0, -1), channels] });
    this.pool.push(joined);
    if (random.chance(0.2)) return joined;
    return this.linear(joined, random.chance(0.6) ? x.shape.at(-1)! : undefined);
  }

  norm(x: Tensor): Tensor {
    const { random } = this;
    const columns = x.shape.at(-1)!;
    const shift = random.integer(0, 12);
    const same = random.chance(0.5);
    const most = random.pick([1, 36 * 2 ** shift, 36 * 2 ** shift, 100_000, 2 ** 30]);
    const fixed = random.integer(-most, most);
    const vector = (shape: number[], unit: number) =>
      this.parameter(
        shape,
        () => same ? Math.round(fixed / unit) : Math.round(random.integer(-most, most) / unit),
      );
    const levels = random.chance(0.9) ? 256 : random.pick([2, 100, 255]);
    switch (random.integer(0, 3)) {
      case 0:
        return this.apply("iRMSNorm", [x, vector([columns], 1)], { shift, levels });
      case 1: {
        const shape = random.pick([[columns], [1], [1, columns]]);
        return this.apply("iNoNorm", [x, vector(shape, 1), vector(shape, 1)], {
          shift,
          levels,
          mul: random.integer(-200, 200),
        });
      }
      default:
        return this.apply("iLayerNorm", [x, vector([columns], 1), vector([columns], 3)], { shift, levels });
    }
  }

  /** A chain of elementwise operators. */
  chain(x: Tensor): Tensor {
    const { random } = this;
    let y = x;
    for (let left = random.integer(1, 4); left > 0; left--) {
      y = random.pick([
        () => this.apply("Relu", [y]),
        () => this.apply("Clip", [y], { min: random.integer(-100, 0), max: random.integer(1, 200) }),
        () => this.scaled(y),
        () => this.add(y, this.bias(random.pick([[1], [], [1, 1], [y.shape.at(-1)!]]))),
        () => this.apply("Sub", [y, this.bias([1])]),
        () => this.apply("Sub", [this.bias([1]), y]),
        () => this.requant(y, y.shape.length - 1),
        () =>
          this.requant(this.apply("iHardswish", [isByte(y) ? y : this.requant(y)], {
            oneOverSix: random.integer(1, 40),
            three: random.integer(0, 60),
            six: random.integer(0, 120),
          })),
        () => this.gelu(isByte(y) ? y : this.requant(y)),
        () =>
          this.apply("TrueIntegerDiv", [y], {
            numerator: random.integer(1, 5),
            denominator: random.integer(1, 7),
          }),
      ])();
      if (random.chance(0.15) && isByte(y)) this.pool.push(y);
    }
    return isByte(y) ? y : this.requant(y);
  }

  /** A sum or product of two activations, element by element. */
  sum(x: Tensor): Tensor {
    const { random } = this;
    const like = this.pool.filter((other) => sameShape(other, x));
    let other = random.pick(like);
    if (random.chance(0.2)) {
      const rows = this.pool.filter(({ shape }) =>
        shape.length <= x.shape.length && shape.every((size, i) => {
          const full = x.shape[i + x.shape.length - shape.length];
          return size === full || size === 1;
        })
      );
      other = random.pick(rows);
    }
    const [a, b] = [x, other].map((term) => random.chance(0.4) ? this.scaled(term) : term);
    const y = this.apply(
      random.pick(["Add", "Add", "Add", "Sub", "Mul"]),
      random.chance(0.5) ? [a, b] : [b, a],
    );
    return this.activated(this.requant(y));
  }

  move(x: Tensor): Tensor {
    const { random } = this;
    const rank = x.shape.length;
    const axis = random.integer(0, rank - 1);
    const size = x.shape[axis];
    switch (random.integer(0, 5)) {
      case 0: {
        const perm = x.shape.map((_, i) => i);
        for (let i = rank - 1; i > 0; i--) {
          const j = random.integer(0, i);
          [perm[i], perm[j]] = [perm[j], perm[i]];
        }
        return this.apply("Transpose", [x], { perm });
      }
      case 1: {
        const step = random.chance(0.2) ? random.pick([2, -1]) : 1;
        const start = step < 0 ? size - 1 : random.integer(0, size - 1);
        const room = step < 0 ? size : Math.ceil((size - start) / step);
        const count = random.chance(0.15) ? room : random.integer(1, room);
        return this.apply("Slice", [x], {
          starts: x.shape.map((_, i) => i === axis ? start : 0),
          steps: x.shape.map((_, i) => i === axis ? step : 1),
          sizes: x.shape.with(axis, count),
        });
      }
      case 2: {
        const pads = x.shape.flatMap(() => 0).concat(x.shape.map(() => 0));
        pads[axis] = random.integer(0, 3);
        pads[rank + axis] = random.integer(0, 3);
        const { min, max } = x.range;
        return this.apply("Pad", [x], { pads, value: random.chance(0.5) ? 0 : random.integer(min, max) });
      }
      case 3: {
        const length = random.integer(1, 4);
        const shape = random.pick([[length], [1], [], [1, length]]);
        const indices = this.builder.constant(
          "i",
          shape,
          Int32Array.from({ length: elementCount(shape) }, () => random.integer(0, size - 1)),
        );
        if (rank - 1 + shape.length < 2 || rank - 1 + shape.length > 4) return x;
        return this.apply("Gather", [x, indices], { axis });
      }
      default: {
        const count = elementCount(x.shape);
        const parts = [1, 2, 4, 8, 16, 3, 5, 13].filter((part) => count % part === 0);
        const part = random.pick(parts);
        const shape = random.pick([[part, count / part], [count / part, part], [1, part, count / part], [
          1,
          part,
          1,
          count / part,
        ]]);
        return this.apply("Reshape", [x], { shape });
      }
    }
  }

  joined(x: Tensor): Tensor {
    const { random } = this;
    const axis = random.integer(0, x.shape.length - 1);
    const fitting = this.pool.filter(({ shape }) =>
      shape.length === x.shape.length && shape.every((size, i) => i === axis || size === x.shape[i])
    );
    const parts = Array.from(
      { length: random.integer(1, random.chance(0.1) ? 11 : 4) },
      () => random.pick(fitting),
    );
    return this.apply("Concat", [x, ...parts], { axis });
  }

  convolution(x: Tensor): Tensor | undefined {
    const { random } = this;
    const count = elementCount(x.shape);
    const channels = random.pick([1, 2, 3, 4, 8].filter((c) => count % c === 0));
    const width = random.pick([1, 2, 3, 4, 8, 13, 16].filter((w) => count / channels % w === 0));
    const height = count / channels / width;
    const image = this.apply("Reshape", [x], { shape: [1, channels, height, width] });
    const kernel = [random.integer(1, 3), random.integer(1, 3)];
    if (random.chance(0.2) && height >= 2 && width >= 2) {
      return this.apply("MaxPool", [image], { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] });
    }
    const pads = kernel.map((k) => random.integer(0, k - 1));
    if (height + 2 * pads[0] < kernel[0] || width + 2 * pads[1] < kernel[1]) return image;
    const group = random.chance(0.3) ? channels : 1;
    const filters = group * random.integer(1, 5);
    if (!this.affords(count / channels * filters * channels / group * kernel[0] * kernel[1])) {
      return undefined;
    }
    const weights = this.weights([filters, channels / group, ...kernel]);
    const bias = random.chance(0.5) ? [this.bias([filters])] : [];
    const sum = this.apply("Conv", [image, weights, ...bias], {
      kernel,
      strides: [random.integer(1, 2), random.integer(1, 2)],
      pads: [...pads, ...pads],
      dilations: [1, 1],
      group,
    });
    const y = this.activated(this.requant(sum, random.chance(0.5) ? 1 : -1));
    const [, c, h, w] = y.shape;
    return random.chance(0.7) ? this.apply("Reshape", [y], { shape: [c, h * w] }) : y;
  }

  /** A product of two activations. */
  product(x: Tensor): Tensor | undefined {
    const { random } = this;
    if (x.shape.length < 2) return undefined;
    const perm = x.shape.map((_, i) => i);
    [perm[perm.length - 1], perm[perm.length - 2]] = [perm[perm.length - 2], perm[perm.length - 1]];
    if (!this.affords(elementCount(x.shape) * x.shape.at(-2)!)) return undefined;
    const turned = this.apply("Transpose", [x], { perm });
    const other = random.chance(0.5) ? x : this.activated(x);
    return this.requant(this.perhapsBiased(this.apply("MatMul", [other, turned])));
  }

  reduced(x: Tensor): Tensor {
    const { random } = this;
    if (x.shape.length < 3) return this.chain(x);
    const axis = random.integer(0, x.shape.length - 1);
    const attributes = { axes: [axis], keepdims: random.chance(0.5) };
    return this.requant(this.apply("ReduceSum", [x], attributes));
  }
}
