// Layers of 8-bit transformers with synthetic parameters, in a form that costs little beside the matrix products:
//
//  - A residual connection, a scale by channel (LayerScale, NoNorm's gamma) and a bias are added in the accumulators of
//    the product in front of them: requantise(h·W + b + x·d). The weights' scale is chosen so that h·W and x·d have the
//    same unit. As d has 8 bits, and h·W is a sum of hundreds, these weights use about 6 of theirs (standard deviation
//    7 to 12); activations and all other weights use all 8.
//  - One multiplier of 8 bits and one shift for a whole tensor in every requantisation, and nothing added behind it.
//  - LayerNorm has one gamma for all channels: a gamma by channel belongs to the weights of the product behind it, a
//    beta to that product's bias. Here both are drawn with those.
//
// Nothing is trained. What stands in for training: each layer is applied to a sample as soon as it is added, and its
// constants are chosen by what comes out, so that every activation uses its 8 bits and tokens stay different from each
// other through all layers.

import type { TensorData } from "../src/model/types.ts";
import { type IntegerBuilder, Random, type TensorName } from "./integer_builder.ts";

/** Of an activation's magnitudes, all but this part come to lie within its 8 bits. */
const clippedPart = 0.0005;

/** Standard deviation of weights that nothing binds: three and a half of them are 127. */
const freeDeviation = 36;

/** Of a residual's scale by channel: its mean, and how much channels differ from it. With 8 bits it is at most 127. */
const residualScale = { mean: 106, spread: 10 };

/** Scale of a residual without one: the most that 8 bits hold, so that the weights beside it have most of theirs. */
const plainResidualScale = 127;

/**
 * GELU by I-BERT's polynomial for erf (a = -0.2888, b = -1.769) at a scale of 1/32 for input and output: b·√2·32,
 * 2·32²/0.2888, and a factor that makes the result's scale 1/32 again.
 *
 * The result is negated, and the factor is one of those with which ITA's activation unit gives the same for all 256
 * inputs (ita.md, section 8.3: it makes -GELU, with am 148 and as 21). The weights behind it take care of the sign.
 */
export const gelu = { b: -80, one: 7091, mul: -148, shift: 20 } as const;

/** Units of a logit's standard deviation in its row. In this softmax one unit is a factor of two. */
const logitDeviation = 4.8;

/** What a linear layer has beside its weights. */
export interface LayerOptions {
  /** What is added in the accumulators, of the result's shape. */
  readonly residual?: {
    readonly x: TensorName;
    /** One scale for each channel (NoNorm's gamma), or one for all. */
    readonly byChannel: boolean;
    /** Standard deviation of the product, that of the scaled residual being 1. */
    readonly ratio: number;
  };
  /** Whether it has a bias; it has one if not given. */
  readonly bias?: boolean;
}

/** Adds layers to a network. The same seed gives the same parameters. */
export class TransformerBuilder {
  readonly #random: Random;

  constructor(readonly net: IntegerBuilder, seed: number) {
    this.#random = new Random(seed);
  }

  /** About normal int8 constants. */
  constant(name: string, shape: readonly number[], deviation: number): TensorName {
    const data = this.#random.weights(shape.reduce((a, b) => a * b, 1), deviation);
    return this.net.constant(name, shape, data);
  }

  /** requantise(x·W + b), with a residual requantise(x·W + b + residual·d); x [.., rows, depth]. */
  linear(name: string, x: TensorName, columns: number, options: LayerOptions = {}): TensorName {
    return this.linearSum(name, [x], columns, options);
  }

  /** As {@link linear}, over several x whose products are added up. */
  linearSum(
    name: string,
    xs: readonly TensorName[],
    columns: number,
    { residual, bias = true }: LayerOptions = {},
  ): TensorName {
    const { net } = this;
    const depths = xs.map((x) => net.shapeOf(x).at(-1)!);
    let deviation = freeDeviation;
    if (residual) {
      const energy = xs.reduce((sum, x, i) => sum + depths[i] * meanSquare(net.samplesOf(x)), 0);
      const scale = residual.byChannel ? residualScale.mean : plainResidualScale;
      const wanted = residual.ratio * scale * Math.sqrt(meanSquare(net.samplesOf(residual.x)));
      deviation = Math.min(freeDeviation, wanted / Math.sqrt(energy));
    }
    const terms = xs.map((x, i) => {
      const part = xs.length === 1 ? name : `${name}_part${i}`;
      const weights = this.constant(`${part}_weights`, [depths[i], columns], deviation);
      return net.apply("MatMul", `${part}_matmul`, [x, weights]);
    });
    if (residual) {
      const scales = this.#residualScales(name, columns, residual.byChannel);
      terms.push(net.apply("Mul", `${name}_scaled`, [residual.x, scales]));
    }
    let sum = terms.reduce((a, b, i) => net.apply("Add", `${name}_sum${i}`, [a, b]));
    if (bias) sum = net.apply("Add", `${name}_biased`, [sum, this.#bias(name, sum, columns)]);
    return this.activation(`${name}_requant`, sum);
  }

  /** Requantises so that 8 bits hold all magnitudes but outliers. */
  activation(name: string, x: TensorName): TensorName {
    return this.net.rescale(name, x, 127 / magnitude(this.net.samplesOf(x), 1 - clippedPart));
  }

  /** Row i of the result is row i + offset of x [1, rows, columns], or of some columns; zero where there is none. */
  shiftedRows(
    name: string,
    x: TensorName,
    offset: number,
    columns = { start: 0, count: this.net.shapeOf(x)[2] },
  ): TensorName {
    const { net } = this;
    const part = net.apply("Slice", `${name}_slice`, [x], {
      starts: [0, Math.max(0, offset), columns.start],
      steps: [1, 1, 1],
      sizes: [1, net.shapeOf(x)[1] - Math.abs(offset), columns.count],
    });
    const pads = [0, Math.max(0, -offset), 0, 0, Math.max(0, offset), 0];
    return net.apply("Pad", name, [part], { pads, value: 0 });
  }

  /** GELU of the values in units of 1/32, in the same units, negated; see {@link gelu}. */
  gelu(name: string, x: TensorName): TensorName {
    const { b, one, mul, shift } = gelu;
    return this.net.requantBy(`${name}_requant`, this.net.apply("iGELU", name, [x], { b, one }), mul, shift);
  }

  /** max(x, 0). */
  relu(name: string, x: TensorName): TensorName {
    return this.net.apply("Relu", name, [x]);
  }

  /**
   * Layer normalisation to a standard deviation of 36 (three and a half of them are 127); gamma and beta are in the
   * products behind it.
   */
  layerNorm(name: string, x: TensorName): TensorName {
    const shift = 8;
    const channels = this.net.shapeOf(x).at(-1)!;
    const vector = (what: string, value: number) =>
      this.net.constant(`${name}_${what}`, [channels], new Int32Array(channels).fill(value));
    // Half a unit, so that the shift rounds to the nearest.
    const constants = [vector("weight", freeDeviation * 2 ** shift), vector("bias", 2 ** (shift - 1))];
    return this.net.apply("iLayerNorm", name, [x, ...constants], { shift, levels: 256 });
  }

  /**
   * Attention of queries [1, rows, heads·width] to keys and values, before its output projection: heads by Reshape and
   * Transpose, ITA's streaming softmax of shift 0 and full scale 255.
   */
  attention(
    name: string,
    [q, k, v]: readonly [TensorName, TensorName, TensorName],
    heads: number,
  ): TensorName {
    const { net } = this;
    const [, tokens, channels] = net.shapeOf(q);
    const width = channels / heads;
    const split = (x: TensorName, what: string, perm: number[]) => {
      const apart = net.apply("Reshape", `${name}_${what}_split`, [x], { shape: [1, tokens, heads, width] });
      return net.apply("Transpose", `${name}_${what}_heads`, [apart], { perm });
    };
    const product = net.apply("MatMul", `${name}_logits`, [
      split(q, "q", [0, 2, 1, 3]),
      split(k, "k", [0, 2, 3, 1]),
    ]);
    const factor = logitDeviation / rowDeviation(net.samplesOf(product), tokens);
    const logits = net.rescale(`${name}_logits_requant`, product, factor);
    const weights = net.apply("ITAPartialMax", `${name}_softmax`, [logits], {
      shift: 0,
      fullScale: 255,
      levels: 256,
      groupWidth: 16,
    });
    const mixed = net.apply("MatMul", `${name}_mixed`, [weights, split(v, "v", [0, 2, 1, 3])]);
    const merged = net.apply(
      "Transpose",
      `${name}_merge`,
      [this.activation(`${name}_mixed_requant`, mixed)],
      {
        perm: [0, 2, 1, 3],
      },
    );
    return net.apply("Reshape", `${name}_joined`, [merged], { shape: [1, tokens, channels] });
  }

  /**
   * A layer of a transformer whose branches start with LayerNorm: x + attention(norm(x)), then x + network(norm(x)),
   * the network of two products with GELU between them. LayerScale, where the model has it, is in the weights.
   *
   * The inner width of the network is cut in two, because ITA accumulates over at most 15 tiles of 64: each half adds
   * its part to the residual, and the bias is divided over both.
   */
  preNormLayer(
    name: string,
    x: TensorName,
    { heads, feedForward, keyBias }: { heads: number; feedForward: number; keyBias: boolean },
  ): TensorName {
    const channels = this.net.shapeOf(x).at(-1)!;
    const added = (what: string, branch: TensorName, to: TensorName, ratio: number) =>
      this.linear(`${name}_${what}`, branch, channels, { residual: { x: to, byChannel: false, ratio } });

    const normed = this.layerNorm(`${name}_attention_norm`, x);
    const attended = this.attention(`${name}_attention`, [
      this.linear(`${name}_query`, normed, channels),
      this.linear(`${name}_key`, normed, channels, { bias: keyBias }),
      this.linear(`${name}_value`, normed, channels),
    ], heads);
    let y = added("attention_output", attended, x, 1);
    const inner = this.layerNorm(`${name}_network_norm`, y);
    for (const half of ["a", "b"]) {
      const wide = this.linear(`${name}_inner_${half}`, inner, feedForward / 2);
      y = added(`outer_${half}`, this.gelu(`${name}_gelu_${half}`, wide), y, 1.25);
    }
    return y;
  }

  #residualScales(name: string, columns: number, byChannel: boolean): TensorName {
    const { mean, spread } = residualScale;
    const scale = () => Math.max(1, Math.min(127, Math.round(mean + this.#random.normal(spread))));
    const data = byChannel ? Int8Array.from({ length: columns }, scale) : Int8Array.of(plainResidualScale);
    return this.net.constant(`${name}_scale`, [data.length], data);
  }

  /**
   * A bias that takes away each channel's mean over the samples' tokens and puts a random one in its place, a quarter
   * of the channels' deviation wide. Without, what all tokens have in common would grow from layer to layer.
   */
  #bias(name: string, sum: TensorName, columns: number): TensorName {
    const samples = this.net.samplesOf(sum);
    const means = columnMeans(samples, columns);
    const deviation = Math.sqrt(Math.max(0, meanSquare(samples) - meanSquare([means])));
    const values = Int32Array.from(means, (mean) => Math.round(this.#random.normal(deviation / 4) - mean));
    return this.net.constant(`${name}_bias`, [columns], values);
  }
}

type Elements = readonly (TensorData | Float64Array)[];

function meanSquare(samples: Elements): number {
  let [sum, count] = [0, 0];
  for (const data of samples) {
    for (let i = 0; i < data.length; i++) sum += data[i] * data[i];
    count += data.length;
  }
  return sum / count;
}

function columnMeans(samples: Elements, columns: number): Float64Array {
  const means = new Float64Array(columns);
  const rows = samples.reduce((count, data) => count + data.length / columns, 0);
  for (const data of samples) {
    for (let i = 0; i < data.length; i++) means[i % columns] += data[i] / rows;
  }
  return means;
}

/** Standard deviation of elements from the mean of their row. */
function rowDeviation(samples: Elements, columns: number): number {
  let [sum, count] = [0, 0];
  for (const data of samples) {
    for (let row = 0; row < data.length; row += columns) {
      const values = data.subarray(row, row + columns);
      let mean = 0;
      for (let i = 0; i < columns; i++) mean += values[i] / columns;
      for (let i = 0; i < columns; i++) sum += (values[i] - mean) ** 2;
    }
    count += data.length;
  }
  return Math.sqrt(sum / count);
}

/** The magnitude that a part of all elements does not exceed, to a thousandth of the greatest. */
function magnitude(samples: Elements, part: number): number {
  const bins = 1024;
  let greatest = 1;
  for (const data of samples) {
    for (let i = 0; i < data.length; i++) greatest = Math.max(greatest, Math.abs(data[i]));
  }
  const histogram = new Float64Array(bins + 1);
  for (const data of samples) {
    for (let i = 0; i < data.length; i++) histogram[Math.ceil(Math.abs(data[i]) / greatest * bins)]++;
  }
  let left = samples.reduce((count, data) => count + data.length, 0) * (1 - part);
  let bin = bins;
  while (bin > 1 && (left -= histogram[bin]) > 0) bin--;
  return bin / bins * greatest;
}
