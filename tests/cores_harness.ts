// Bench for the kernels of the worker cores: one application of an operator becomes kernel calls on pieces that
// the mapping's own cuts offer, and a C program makes many such calls. Whoever runs the program hands its results
// back to be compared with the operator's reference meaning.

import { coresMapping } from "../targets/engines/cores/mapping.ts";
import { type Box, type KernelCall, type NodeView, wholeBox } from "../targets/engines/engine.ts";
import type { Target } from "../targets/schema.ts";
import { byteLength, bytesPerElement, type DType, elementCount, type Tensor } from "../src/model/types.ts";
import type { Operator } from "../src/operators/operator.ts";
import { sameBytes } from "../src/schedule/pieces.ts";

/** Deterministic pseudo-random numbers (mulberry32). */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  /** An integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }
  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)];
  }
  chance(probability: number): boolean {
    return this.next() < probability;
  }
}

/** One application of an operator, with data for all its inputs. */
export interface Trial {
  readonly operator: Operator;
  readonly attributes: Record<string, unknown>;
  readonly inputs: readonly (Tensor | undefined)[];
  /** Data of the inputs that are not constant, by position. */
  readonly data: readonly (Tensor["data"] | undefined)[];
}

/** A call of the generated program and the part of a trial's result that it makes. */
interface PlacedCall {
  readonly call: KernelCall;
  readonly cores: number;
  readonly pointers: Readonly<Record<string, string>>;
  readonly result: number;
}

/** Tables of a trial: as in L1, equal ones are one, and stay from one piece to the next. */
type PlacedTables = { data: Uint8Array; offset: number }[];

const typedArrays = { int8: Int8Array, uint8: Uint8Array, int32: Int32Array, float32: Float32Array };

/** Bytes kept free (and watched) around every region that a kernel may write. */
const guard = 16;
const sentinel = 0xa5;
const aligned = (bytes: number) => (bytes + 7) & ~7;

/** Elements of a box of a row-major tensor, dense. */
export function cutBox(shape: readonly number[], data: Tensor["data"], box: Box): Uint8Array {
  const size = data!.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(data!.buffer, data!.byteOffset, data!.byteLength);
  const result = new Uint8Array(elementCount(box.shape) * size);
  let to = 0;
  const copy = (axis: number, from: number) => {
    if (axis === shape.length) {
      result.set(bytes.subarray(from * size, (from + 1) * size), to);
      to += size;
      return;
    }
    for (let i = 0; i < box.shape[axis]; i++) copy(axis + 1, from * shape[axis] + box.start[axis] + i);
  };
  copy(0, 0);
  return result;
}

/** Cuts a result into boxes along the axes that the mapping offers, at random multiples of its granules. */
function randomBoxes(
  random: Random,
  view: NodeView,
  cuts: readonly { axis: number; granule: number }[],
): Box[] {
  const { shape } = view.outputs[0];
  let boxes: Box[] = [wholeBox(shape)];
  for (const { axis, granule } of cuts) {
    const most = Math.ceil(shape[axis] / granule);
    if (most < 2 || boxes.length > 12 || random.chance(0.5)) continue;
    const size = granule * random.integer(Math.ceil(most / 3), most);
    boxes = boxes.flatMap((box) => {
      const parts: Box[] = [];
      for (let start = 0; start < shape[axis]; start += size) {
        parts.push({
          start: box.start.with(axis, start),
          shape: box.shape.with(axis, Math.min(size, shape[axis] - start)),
        });
      }
      return parts;
    });
  }
  return boxes;
}

/** A C program that makes the kernel calls of many trials. */
export class KernelProgram {
  readonly #target: Target;
  readonly #random: Random;
  readonly #trials: {
    trial: Trial;
    output: Tensor;
    expected: Uint8Array;
    boxes: Box[];
    results: number[];
  }[] = [];
  readonly #calls: PlacedCall[] = [];
  readonly #chunks: { offset: number; bytes: Uint8Array }[] = [];
  #dataSize = guard;
  #resultSize = guard;
  #scratchSize = 0;
  /** Regions that the program may touch, for memory checkers. */
  readonly regions: { array: "data" | "results"; offset: number; bytes: number }[] = [];

  constructor(target: Target, random: Random) {
    this.#target = target;
    this.#random = random;
  }

  /** C kernels' files that the calls need. */
  get sources(): string[] {
    return [...new Set(this.#calls.map(({ call }) => call.source))];
  }

  /** Adds a trial; throws if the mapping rejects it. */
  add(trial: Trial): void {
    const { operator, attributes, inputs, data } = trial;
    const values = inputs.map((tensor, i) =>
      tensor && { shape: tensor.shape, data: tensor.data ?? data[i]! }
    );
    const types = operator.infer(inputs, attributes);
    const [expected] = operator.evaluate(values, attributes, types);
    const output: Tensor = { name: "y", ...types[0] };
    const view: NodeView = {
      node: { name: "node", operator: operator.name, attributes, inputs: [], outputs: [] },
      inputs,
      outputs: [output],
    };
    const mapping = coresMapping.mappings.get(operator.name);
    if (!mapping) throw new Error(`the cores have no mapping for ${operator.name}`);
    const reason = mapping.rejects(view, this.#target);
    if (reason) throw new Error(`${describe(trial, output)}: rejected: ${reason}`);
    const boxes = randomBoxes(this.#random, view, mapping.cuts(view));
    const tables: PlacedTables = [];
    const results = boxes.map((box) => {
      const call = mapping.piece(view, box, this.#target);
      return this.#place(call, values, output.dtype, tables);
    });
    this.#trials.push({
      trial,
      output,
      expected: new Uint8Array(expected.buffer, expected.byteOffset, expected.byteLength),
      boxes,
      results,
    });
  }

  #place(
    call: KernelCall,
    values: readonly ({ shape: readonly number[]; data: Tensor["data"] } | undefined)[],
    dtype: DType,
    tables: PlacedTables,
  ): number {
    const pointers: Record<string, string> = {};
    for (const { field, input, box } of call.reads) {
      const { shape, data } = values[input]!;
      pointers[field] = `data + ${this.#addData(cutBox(shape, data, box))}`;
    }
    for (const { field, data } of call.tables ?? []) {
      const same = tables.find((table) => sameBytes(table.data, data));
      const offset = same?.offset ?? this.#addData(data);
      if (!same) tables.push({ data, offset });
      pointers[field] = `data + ${offset}`;
    }
    const [{ field, box }] = call.writes;
    const result = this.#resultSize;
    const bytes = elementCount(box.shape) * bytesPerElement[dtype];
    pointers[field] = `results + ${result}`;
    this.regions.push({ array: "results", offset: result, bytes });
    this.#resultSize = aligned(result + bytes) + guard;
    let scratch = 0;
    for (const { field, bytes } of call.scratch ?? []) {
      pointers[field] = `scratch + ${scratch}`;
      scratch = aligned(scratch + bytes) + guard;
    }
    this.#scratchSize = Math.max(this.#scratchSize, scratch);
    const { workers } = this.#target.harts;
    const cores = this.#random.chance(0.6) ? workers : this.#random.integer(1, workers);
    this.#calls.push({ call, cores, pointers, result });
    return result;
  }

  #addData(bytes: Uint8Array): number {
    const offset = this.#dataSize;
    this.#chunks.push({ offset, bytes });
    this.regions.push({ array: "data", offset, bytes: bytes.length });
    this.#dataSize = aligned(offset + bytes.length) + guard;
    return offset;
  }

  /** Bytes of the symbol `data`. */
  data(): Uint8Array {
    const bytes = new Uint8Array(this.#dataSize).fill(sentinel);
    for (const chunk of this.#chunks) bytes.set(chunk.bytes, chunk.offset);
    return bytes;
  }

  /** Bytes of the symbol `results`. */
  get resultSize(): number {
    return this.#resultSize;
  }

  /** C source that defines `void run_kernels(void)` and the array `results`; needs the array `data`. */
  source(): string {
    const byKernel = Map.groupBy(this.#calls, ({ call }) => call.kernel);
    const lines = [
      "/* Made by tests/cores_harness.ts. */",
      ...this.sources.map((source) => `#include "${source.replace(/\.c$/, ".h")}"`),
      "extern uint8_t data[];",
      `uint8_t results[${this.#resultSize}] __attribute__((aligned(8)));`,
      ...(this.#scratchSize > 0
        ? [`static uint8_t scratch[${this.#scratchSize + guard}] __attribute__((aligned(8)));`]
        : []),
    ];
    for (const [kernel, calls] of byKernel) {
      lines.push(
        `static const struct { uint32_t cores; struct ${kernel}_args args; } calls_${kernel}[] = {`,
      );
      for (const { call, cores, pointers } of calls) {
        const fields = [
          ...Object.entries(pointers).map(([field, place]) => `.${field} = (void *)(${place})`),
          ...Object.entries(call.parameters).map(([field, value]) => `.${field} = ${cInteger(value)}`),
        ];
        lines.push(`    {${cores}, {${fields.join(", ")}}},`);
      }
      lines.push("};");
    }
    lines.push("void run_kernels(void)", "{");
    lines.push(
      "    for (uint32_t i = 0; i < sizeof results; i++)",
      `        results[i] = ${sentinel};`,
    );
    for (const [kernel, calls] of byKernel) {
      lines.push(
        `    for (uint32_t i = 0; i < ${calls.length}; i++)`,
        `        for (uint32_t core = 0; core < calls_${kernel}[i].cores; core++)`,
        `            ${kernel}(&calls_${kernel}[i].args, core, calls_${kernel}[i].cores);`,
      );
    }
    lines.push("}", "");
    return lines.join("\n");
  }

  /** Compares the array `results` after a run. Returns one line for each trial that went wrong. */
  check(results: Uint8Array): string[] {
    const problems: string[] = [];
    const touched = new Uint8Array(results.length);
    for (const { trial, output, expected, boxes, results: places } of this.#trials) {
      let found = false;
      const reference = new typedArrays[output.dtype](expected.buffer as ArrayBuffer, expected.byteOffset);
      for (const [i, box] of boxes.entries()) {
        const want = cutBox(output.shape, reference, box);
        const got = results.subarray(places[i], places[i] + want.length);
        touched.fill(1, places[i], places[i] + want.length);
        const wrong = want.findIndex((byte, at) => byte !== got[at]);
        if (wrong < 0 || found) continue;
        found = true;
        const element = Math.floor(wrong / bytesPerElement[output.dtype]);
        const value = (bytes: Uint8Array) => new typedArrays[output.dtype](bytes.slice().buffer)[element];
        problems.push(
          `${describe(trial, output)} box [${box.start}]+[${box.shape}]: element ${element} is ${
            value(got)
          } and should be ${value(want)}`,
        );
      }
    }
    const stray = results.findIndex((byte, at) => !touched[at] && byte !== sentinel);
    if (stray >= 0) problems.push(`a kernel wrote outside its result, at byte ${stray} of results`);
    return problems;
  }
}

const cInteger = (value: number) => value === -(2 ** 31) ? "INT32_MIN" : `${value}`;

function describe({ operator, attributes, inputs }: Trial, output: Tensor): string {
  const type = (tensor?: Tensor) => tensor ? `${tensor.dtype}[${tensor.shape}]` : "-";
  return `${operator.name} ${JSON.stringify(attributes)} (${inputs.map(type).join(", ")}) -> ${type(output)}`;
}

/** A tensor of random values that lie in the range; its dtype is the smallest that holds it. */
export function randomTensor(
  random: Random,
  shape: readonly number[],
  range: { min: number; max: number },
  options: { constant?: boolean; dtype?: DType; name?: string } = {},
): { tensor: Tensor; data: NonNullable<Tensor["data"]> } {
  const dtype = options.dtype ??
    (range.min >= -128 && range.max <= 127 ? "int8" : range.min >= 0 && range.max <= 255 ? "uint8" : "int32");
  const data = new typedArrays[dtype](byteLength({ dtype, shape }) / bytesPerElement[dtype]);
  for (let i = 0; i < data.length; i++) {
    // Ends of the range are where overflows are.
    data[i] = random.chance(0.1)
      ? random.chance(0.5) ? range.min : range.max
      : random.integer(range.min, range.max);
  }
  const tensor: Tensor = { name: options.name ?? "x", dtype, shape, range };
  return { tensor: options.constant ? { ...tensor, data } : tensor, data };
}
