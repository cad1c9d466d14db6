// From the memory through the arithmetic and back, one job at a time: operands, the weight blocks that wait inside
// the engine (ita.md, section 5), bias, results.

import type { WidePort } from "../../../runtime/soc/device.ts";
import { type Geometry, PlainTileArithmetic, type TileArithmetic } from "./arithmetic.ts";
import type { JobRegisters } from "./registers.ts";
import type { Place } from "./sequencer.ts";
import { simdSuits, SimdTileArithmetic } from "./simd.ts";

/** Weight blocks that the engine can hold for later jobs (section 5). */
const blockCapacity = 2;

/** A block of weights: where it comes from, and its bytes. */
interface WeightBlock {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** The engine's data side. Reads outside the memory give 0 and writes there are lost (silent mode only). */
export class Datapath {
  readonly #port: Pick<WidePort, "base" | "bytes">;
  readonly #elements: number;
  /** Bytes of a weight block: the weights of one group of output columns. */
  readonly #block: number;
  readonly #arithmetic: TileArithmetic;
  readonly #input: Uint8Array;
  readonly #weights: Uint8Array;
  readonly #output: Uint8Array;
  /** Blocks fetched ahead that no job has used yet. */
  #waiting: WeightBlock[] = [];

  /** @param plain compute with the plain arithmetic, whatever the geometry */
  constructor(port: Pick<WidePort, "base" | "bytes">, geometry: Geometry, plain: boolean) {
    this.#port = port;
    this.#elements = geometry.elements;
    this.#block = geometry.elements * geometry.lanes;
    this.#arithmetic = plain || !simdSuits(geometry)
      ? new PlainTileArithmetic(geometry)
      : new SimdTileArithmetic(geometry);
    const bytes = ({ buffer, byteOffset, length }: Int8Array) => new Uint8Array(buffer, byteOffset, length);
    this.#input = bytes(this.#arithmetic.input);
    this.#weights = bytes(this.#arithmetic.weights);
    this.#output = bytes(this.#arithmetic.output);
  }

  /** Address of the block that the next job will use first, if one waits. */
  get prefetched(): number | undefined {
    return this.#waiting[0]?.address;
  }

  /** Takes a job's operands from the memory and computes it. */
  compute(job: JobRegisters, place: Place): void {
    this.#input.set(this.#bytesAt(job.pointer("INPUT_PTR"), this.#input.length));
    this.#loadWeights(job.pointer("WEIGHT_PTR0"), job.stream("weightPreload"));
    this.#loadBias(job);
    this.#arithmetic.run({
      first: place.first,
      last: place.last,
      requant: job.requant(place.constants),
      activation: job.activation,
      softmax: place.step === "QK" ? "collect" : place.step === "AV" ? "apply" : "none",
      firstOfRow: place.firstTile,
      lastOfRow: place.lastTile,
    });
  }

  /** Fetches the first block of the next job's weights. */
  prefetch(address: number): void {
    const bytes = this.#bytesAt(address, this.#block).slice();
    if (this.#waiting.length < blockCapacity) this.#waiting.push({ address, bytes });
  }

  /** Writes the results; without the last column group if the job had no weights for it. */
  store(address: number, starved: boolean): void {
    const { base, bytes } = this.#port;
    const start = address - base;
    if (!starved && start >= 0 && start + this.#output.length <= bytes.length) {
      bytes.set(this.#output, start);
      return;
    }
    const columns = this.#elements - (starved ? this.#block / this.#elements : 0);
    this.#output.forEach((value, i) => {
      const at = start + i;
      if (i % this.#elements < columns && at >= 0 && at < bytes.length) bytes[at] = value;
    });
  }

  /** The engine takes blocks in the order in which they were fetched: those that wait, then the job's own. */
  #loadWeights(address: number, preload: boolean): void {
    const blocks = this.#waiting;
    for (let offset = preload ? 0 : this.#block; offset < this.#weights.length; offset += this.#block) {
      blocks.push({ address: address + offset, bytes: this.#bytesAt(address + offset, this.#block) });
    }
    const used = this.#weights.length / this.#block;
    blocks.slice(0, used).forEach(({ bytes }, i) => this.#weights.set(bytes, i * this.#block));
    this.#waiting = blocks.slice(used, used + blockCapacity).map(({ address, bytes }) => ({
      address,
      bytes: bytes.slice(),
    }));
  }

  /** Bias values have 24 bits, little endian, without gaps. */
  #loadBias(job: JobRegisters): void {
    const { columnBias, rowBias } = this.#arithmetic;
    columnBias.fill(0);
    rowBias.fill(0);
    if (job.stream("biasDisable")) return;
    const bias = job.stream("biasByRow") ? rowBias : columnBias;
    const bytes = this.#bytesAt(job.pointer("BIAS_PTR"), 3 * bias.length);
    for (let i = 0; i < bias.length; i++) {
      bias[i] = bytes[3 * i] | (bytes[3 * i + 1] << 8) | ((bytes[3 * i + 2] << 24) >> 8);
    }
  }

  #bytesAt(address: number, length: number): Uint8Array {
    const { bytes, base } = this.#port;
    const start = address - base;
    if (start >= 0 && start + length <= bytes.length) return bytes.subarray(start, start + length);
    return Uint8Array.from({ length }, (_, i) => bytes[start + i] ?? 0);
  }
}
