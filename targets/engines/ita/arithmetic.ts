// The meaning of one job's numbers (ita.md, sections 6 and 8), as plain as it can be said.
// The device computes with simd.ts; the tests hold the two against each other.

import type { Activation } from "./registers.ts";

/** y = clamp(round(v · multiplier / 2^shift) + offset), ties towards +∞. */
export interface Requant {
  /** 0 … 255. */
  readonly multiplier: number;
  /** 0 … 255; the hardware specifies 0 … 35 only. */
  readonly shift: number;
  /** -128 … 127, added before the clamp. */
  readonly offset: number;
}

/** An activation function with its constants. */
export interface ActivationFunction {
  readonly kind: Activation;
  /** GELU's polynomial, s16. */
  readonly b: number;
  readonly c: number;
  readonly requant: Requant;
}

/** What the engine computes in one job, beside its operands. */
export interface TileJob {
  /** First of an accumulation over the inner dimension: partial sums start at 0. */
  readonly first: boolean;
  /** Last of it: bias, requantisation, activation, output. */
  readonly last: boolean;
  readonly requant: Requant;
  readonly activation: ActivationFunction;
  /**
   * `collect`: the results are logits whose row maxima and denominators are gathered (step QK);
   * `apply`: the input are logits that become probabilities by them (step AV).
   */
  readonly softmax: "none" | "collect" | "apply";
  /** With `collect`: the tile's place in its rows. */
  readonly firstOfRow: boolean;
  readonly lastOfRow: boolean;
}

/** Sizes of the engine, and which revision of the softmax it has. */
export interface Geometry {
  /** N: output columns computed at a time; also the columns in a part of the streaming softmax. */
  readonly lanes: number;
  /** M: elements of a dot product, and edge of a tile. */
  readonly elements: number;
  readonly softmaxShift: 0 | 5;
  readonly softmaxFullScale: 255 | 127;
}

/**
 * The engine's operand buffers, its state from job to job (partial sums, row maxima and denominators) and its
 * arithmetic. M = elements.
 */
export interface TileArithmetic {
  /** [M, M] s8, row major. */
  readonly input: Int8Array;
  /** [M columns, M inner] s8: the transposed weights. */
  readonly weights: Int8Array;
  /** Bias of each output column and of each output row, s24; 0 where there is none. Added in last jobs. */
  readonly columnBias: Int32Array;
  readonly rowBias: Int32Array;
  /** [M, M] s8, row major: the results of a last job. */
  readonly output: Int8Array;
  run(job: TileJob): void;
}

/** Lowest 26 bits as a two's complement number: the width of ITA's accumulators. */
export function wrap26(value: number): number {
  return (value << 6) >> 6;
}

function wrap16(value: number): number {
  return (value << 16) >> 16;
}

/** Section 6, step 4. `value` is a 26-bit accumulator; the product has 34 bits and is exact in a double. */
export function requantise(value: number, { multiplier, shift, offset }: Requant): number {
  const product = value * multiplier;
  let quotient: number;
  if (shift === 0) quotient = product;
  else if (shift <= 35) quotient = Math.floor((product + 2 ** (shift - 1)) / 2 ** shift);
  else quotient = product < 0 ? -1 : 0;
  return Math.min(127, Math.max(-128, quotient + offset));
}

/** Section 8.3. `y` is s8. */
export function activate(y: number, { kind, b, c, requant }: ActivationFunction): number {
  if (kind === "identity") return y;
  if (kind === "relu") return requantise(Math.max(y, 0), requant);
  const limit = wrap16(-b);
  const clipped = Math.min(Math.abs(y), limit);
  const d = wrap16(clipped + b);
  const polynomial = wrap26(wrap26(d * d) + c);
  const signed = y < 0 ? wrap26(-polynomial) : polynomial;
  return requantise(wrap26(Math.imul(y, wrap26(signed + c))), requant);
}

/** Octaves that `distance` logits below the maximum are worth: the softmax's right shift. */
export function softmaxOctaves(distance: number, shift: 0 | 5): number {
  return shift === 0 ? distance : (distance + 16) >> 5;
}

/** {@link TileArithmetic} one element at a time. Any geometry. */
export class PlainTileArithmetic implements TileArithmetic {
  readonly input: Int8Array;
  readonly weights: Int8Array;
  readonly columnBias: Int32Array;
  readonly rowBias: Int32Array;
  readonly output: Int8Array;
  readonly #partial: Int32Array;
  readonly #maximum: Int8Array;
  /** SUM while a row's logits come in, INV (full scale · 256 / SUM) behind the last of them. */
  readonly #denominator: Int32Array;

  constructor(readonly geometry: Geometry) {
    const m = geometry.elements;
    this.input = new Int8Array(m * m);
    this.weights = new Int8Array(m * m);
    this.columnBias = new Int32Array(m);
    this.rowBias = new Int32Array(m);
    this.output = new Int8Array(m * m);
    this.#partial = new Int32Array(m * m);
    this.#maximum = new Int8Array(m);
    this.#denominator = new Int32Array(m);
  }

  run(job: TileJob): void {
    const m = this.geometry.elements;
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < m; column++) {
        let sum = job.first ? 0 : this.#partial[row * m + column];
        for (let k = 0; k < m; k++) {
          const x = this.input[row * m + k];
          const a = job.softmax === "apply" ? this.#probability(row, x) : x;
          sum += a * this.weights[column * m + k];
        }
        this.#partial[row * m + column] = wrap26(sum);
      }
    }
    if (!job.last) return;
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < m; column++) {
        const sum = wrap26(this.#partial[row * m + column] + this.columnBias[column] + this.rowBias[row]);
        this.output[row * m + column] = requantise(sum, job.requant);
      }
    }
    if (job.softmax === "collect") this.#collect(job);
    this.output.forEach((y, i) => this.output[i] = activate(y, job.activation));
  }

  /** Section 8.2: a logit becomes a probability, u8. */
  #probability(row: number, logit: number): number {
    const distance = (this.#maximum[row] - logit) & 0xff;
    const octaves = softmaxOctaves(distance, this.geometry.softmaxShift);
    return octaves > 8 ? 0 : (this.#denominator[row] >> octaves) & 0xff;
  }

  /** Section 8.1: running maximum and denominator over the parts of each row. */
  #collect(job: TileJob): void {
    const { elements: m, lanes, softmaxShift, softmaxFullScale } = this.geometry;
    for (let row = 0; row < m; row++) {
      let maximum = job.firstOfRow ? -128 : this.#maximum[row];
      let sum = job.firstOfRow ? 0 : this.#denominator[row];
      for (let part = 0; part < m; part += lanes) {
        const logits = this.output.subarray(row * m + part, row * m + part + lanes);
        const risen = Math.max(maximum, ...logits);
        sum = shifted(sum, softmaxOctaves(risen - maximum, softmaxShift));
        for (const y of logits) sum += shifted(256, softmaxOctaves(risen - y, softmaxShift));
        sum &= 0x7ffff;
        maximum = risen;
      }
      this.#maximum[row] = maximum;
      this.#denominator[row] = job.lastOfRow ? Math.floor(softmaxFullScale * 256 / sum) : sum;
    }
  }
}

/** `value >> amount` for amounts beyond 31 as well. */
function shifted(value: number, amount: number): number {
  return amount > 31 ? 0 : value >> amount;
}
