// The same arithmetic as arithmetic.ts, in WebAssembly SIMD: a job in microseconds.
// Here: which stages a job goes through, with which constants. The stages are in simd_module.ts.

import {
  activate,
  type ActivationFunction,
  type Geometry,
  type TileArithmetic,
  type TileJob,
} from "./arithmetic.ts";
import { layoutOf, tileModule } from "./simd_module.ts";

/** Whether the geometry suits 16-byte vectors; if not, `PlainTileArithmetic` serves. */
export function simdSuits({ lanes, elements }: Geometry): boolean {
  return lanes % 16 === 0 && elements % lanes === 0;
}

/** What the module exports: its memory and one function a stage of a job. */
interface Exports {
  memory: WebAssembly.Memory;
  widen(): void;
  probabilities(): void;
  pack(): void;
  multiply(keepMask: number): void;
  requantise(scale: number, offset: number): void;
  collect(first: number): void;
  invert(): void;
  activate(): void;
}

/** {@link TileArithmetic} in WebAssembly, for geometries that {@link simdSuits}. */
export class SimdTileArithmetic implements TileArithmetic {
  readonly input: Int8Array;
  readonly weights: Int8Array;
  readonly columnBias: Int32Array;
  readonly rowBias: Int32Array;
  readonly output: Int8Array;
  readonly #exports: Exports;
  readonly #table: Int8Array;
  #tableOf = "";

  constructor(geometry: Geometry) {
    const m = geometry.elements;
    const layout = layoutOf(m);
    const module = new WebAssembly.Module(tileModule(geometry, layout));
    this.#exports = new WebAssembly.Instance(module).exports as unknown as Exports;
    const { buffer } = this.#exports.memory;
    this.input = new Int8Array(buffer, layout.input, m * m);
    this.weights = new Int8Array(buffer, layout.weights, m * m);
    this.output = new Int8Array(buffer, layout.output, m * m);
    this.columnBias = new Int32Array(buffer, layout.columnBias, m);
    this.rowBias = new Int32Array(buffer, layout.rowBias, m);
    this.#table = new Int8Array(buffer, layout.activation, 256);
  }

  run(job: TileJob): void {
    const code = this.#exports;
    if (job.softmax === "apply") code.probabilities();
    else code.widen();
    code.pack();
    code.multiply(job.first ? 0 : -1);
    if (!job.last) return;
    const { multiplier, shift, offset } = job.requant;
    // floor(v · m / 2^s + 1/2 + b) with every term exact in a double: at most 44 bits lie between the highest and
    // the lowest. From s = 36 on the product vanishes but for its sign (section 6): s = 36 without rounding.
    const rounding = shift >= 1 && shift <= 35 ? 0.5 : 0;
    code.requantise(multiplier / 2 ** Math.min(shift, 36), offset + rounding);
    if (job.softmax === "collect") {
      code.collect(job.firstOfRow ? 1 : 0);
      if (job.lastOfRow) code.invert();
    }
    if (job.activation.kind !== "identity") {
      this.#tabulate(job.activation);
      code.activate();
    }
  }

  /** An activation is a function of one byte: a table of 256, rewritten when the constants change. */
  #tabulate(activation: ActivationFunction): void {
    const { kind, b, c, requant } = activation;
    const key = `${kind} ${b} ${c} ${requant.multiplier} ${requant.shift} ${requant.offset}`;
    if (key === this.#tableOf) return;
    this.#tableOf = key;
    for (let y = -128; y < 128; y++) this.#table[y & 0xff] = activate(y, activation);
  }
}
