// Bench for ITA's mappings: a node's pieces run on the accelerator's device, with operands in L1 as the mapping says
// they lie there and noise everywhere else; the results are compared with the operator's reference meaning.

import assert from "node:assert/strict";
import { recordedHardware } from "../runtime/validate/ita.ts";
import { elementCount, type Tensor } from "../src/model/types.ts";
import { parameterTensor } from "../src/operators/ranges.ts";
import { operatorNamed } from "../src/operators/registry.ts";
import {
  type AcceleratorSequence,
  type Box,
  type KernelCall,
  type Layout,
  type NodeView,
  type OperandPlace,
  wholeBox,
} from "../targets/engines/engine.ts";
import { Ita, type ItaParameters } from "../targets/engines/ita/device.ts";
import { itaMapping } from "../targets/engines/ita/mapping.ts";
import { layers, registers, streamBits } from "../targets/engines/ita/registers.ts";
import { loadTarget } from "../targets/load.ts";
import type { Target } from "../targets/schema.ts";
import { cutBox, type Random } from "./cores_harness.ts";

const base = 0x1000_0000;
const alignment = 64;

/** Layer numbers of the registers, by the names of the contract. */
const layerNumbers: Readonly<Record<AcceleratorSequence["layer"], number>> = {
  attention: layers.indexOf("attention"),
  feedforward: layers.indexOf("feedforward"),
  linear: layers.indexOf("linear"),
  "single-attention": layers.indexOf("singleAttention"),
};

/** A target whose ITA has other parameters than the default. */
export async function targetWith(parameters: Partial<ItaParameters> = {}): Promise<Target> {
  const target = await loadTarget("snitch-ita");
  return { ...target, ita: { ...target.ita!, ...parameters } };
}

/** An operand of a node under test. */
export interface TestValue {
  readonly tensor: Tensor;
  readonly data: NonNullable<Tensor["data"]>;
}

/** A constant of int32, as requantisations and biases have them. */
export function parameterValue(
  values: ArrayLike<number>,
  shape: readonly number[] = [values.length],
): TestValue {
  const tensor = parameterTensor("parameter", shape, values);
  return { tensor, data: tensor.data! };
}

/** Sets tiles of a constant's matrices to zero, each with some probability. */
export function clearTiles(random: Random, { tensor, data }: TestValue, probability: number): void {
  const [rows, columns] = tensor.shape.slice(-2);
  const cleared = new Map<string, boolean>();
  for (let i = 0; i < data.length; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const tile = `${Math.floor(i / rows / columns)} ${Math.floor(row % rows / 64)} ${
      Math.floor(column / 64)
    }`;
    if (!cleared.has(tile)) cleared.set(tile, random.chance(probability));
    if (cleared.get(tile)) data[i] = 0;
  }
}

/** The view of a node, its result's type inferred. */
export function viewOf(
  operator: string,
  inputs: readonly (Tensor | undefined)[],
  attributes: Record<string, unknown>,
): NodeView {
  const parsed = operatorNamed(operator).parse(attributes);
  const [type] = operatorNamed(operator).infer(inputs, parsed);
  return {
    node: {
      name: "node",
      operator,
      attributes: parsed,
      inputs: inputs.map((t) => t?.name ?? ""),
      outputs: ["y"],
    },
    inputs,
    outputs: [{ name: "y", ...type }],
  };
}

/** Cuts the result as the mapping allows: at random, or (without a source of chance) as finely as it can be. */
export function piecesOf(view: NodeView, random?: Random): Box[] {
  const mapping = itaMapping.mappings.get(view.node.operator)!;
  const { shape } = view.outputs[0];
  let boxes: Box[] = [wholeBox(shape)];
  for (const { axis, granule, most = shape[axis] } of mapping.cuts(view)) {
    const largest = Math.max(1, Math.floor(Math.min(most, shape[axis] + granule - 1) / granule));
    const size = granule * (random ? random.integer(1, largest) : 1);
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

/** What a kernel behind the jobs does to the memory: address of each field, and where in `bytes` it is. */
export type Mend = (call: KernelCall, places: ReadonlyMap<string, number>, bytes: Uint8Array) => void;

/** A flat memory with ITA on it. */
export class PieceMachine {
  readonly memory: Uint8Array;
  readonly #device: Ita;
  readonly #mend: Mend | undefined;
  /** Jobs done since the machine exists. */
  done = 0;
  cycle = 0;

  constructor(bytes: number, parameters: ItaParameters = recordedHardware, mend?: Mend) {
    this.memory = new Uint8Array(bytes);
    this.#mend = mend;
    this.#device = new Ita(
      {
        port: { base, bytes: this.memory, request: () => true },
        raise: () => {},
        fail: (message) => {
          throw new Error(message);
        },
      },
      parameters,
      { observe: () => this.done++ },
    );
  }

  /** Runs all pieces of a node; gives the result, dense. Throws if a piece writes where it must not. */
  run(
    view: NodeView,
    inputs: readonly (TestValue | undefined)[],
    boxes: readonly Box[],
    target: Target,
  ): Int8Array {
    const mapping = itaMapping.mappings.get(view.node.operator)!;
    assert.equal(mapping.rejects(view, target), undefined);
    const { shape } = view.outputs[0];
    const result = new Int8Array(elementCount(shape));
    for (const box of boxes) {
      const call = mapping.piece(view, box, target);
      const places = this.#place(call, inputs);
      this.#jobs(call.accelerator!, places);
      if (call.kernel !== "") {
        assert.ok(this.#mend, `nothing here runs the kernel ${call.kernel}`);
        this.#mend(call, places, this.memory);
      }
      this.#checkUntouched(call, places, inputs);
      const [write] = call.writes;
      this.#collect(write.box, write.layout!, places.get(write.field)!, shape, result);
    }
    return result;
  }

  /** Lays the operands out; everything that no operand covers is noise. */
  #place(call: KernelCall, inputs: readonly (TestValue | undefined)[]): Map<string, number> {
    for (let i = 0; i < this.memory.length; i++) {
      this.memory[i] = Math.imul(i + 1 + this.cycle, 0x9e37_79b1) >>> 23;
    }
    const places = new Map<string, number>();
    let end = 0;
    const place = (field: string, bytes: number) => {
      places.set(field, end);
      const start = end;
      end += Math.ceil(bytes / alignment) * alignment + alignment;
      assert.ok(end <= this.memory.length, "the test's memory is too small");
      return start;
    };
    for (const { field, input, box, layout, clear } of call.reads) {
      const { tensor, data } = inputs[input]!;
      const bytes = tiledBytes(box, layout!);
      const start = place(field, bytes);
      if (clear) this.memory.fill(0, start, start + bytes);
      const values = cutBox(tensor.shape, data, box);
      forEachTiled(box, layout!, (index, offset) => this.memory[start + offset] = values[index]);
    }
    for (const { field, data } of call.tables ?? []) this.memory.set(data, place(field, data.length));
    for (const { field, bytes } of call.scratch ?? []) place(field, bytes);
    for (const { field, box, layout } of call.writes) place(field, tiledBytes(box, layout!));
    return places;
  }

  #checkUntouched(
    call: KernelCall,
    places: ReadonlyMap<string, number>,
    inputs: readonly (TestValue | undefined)[],
  ): void {
    for (const { field, input, box, layout } of call.reads) {
      const start = places.get(field)!;
      const values = cutBox(inputs[input]!.tensor.shape, inputs[input]!.data, box);
      forEachTiled(
        box,
        layout!,
        (index, offset) => assert.equal(this.memory[start + offset], values[index], field),
      );
    }
    for (const { field, data } of call.tables ?? []) {
      const start = places.get(field)!;
      assert.deepEqual(this.memory.subarray(start, start + data.length), data, field);
    }
  }

  #collect(box: Box, layout: Layout, start: number, shape: readonly number[], result: Int8Array): void {
    forEachTiled(box, layout, (index, offset) => {
      let rest = index;
      let at = 0;
      for (let axis = shape.length - 1, stride = 1; axis >= 0; stride *= shape[axis], axis--) {
        at += (box.start[axis] + rest % box.shape[axis]) * stride;
        rest = Math.floor(rest / box.shape[axis]);
      }
      result[at] = this.memory[start + offset];
    });
  }

  /** All jobs in one chain of prefetched weights. */
  #jobs(sequences: readonly AcceleratorSequence[], places: ReadonlyMap<string, number>): void {
    const address = ({ field, offset }: OperandPlace) => {
      const start = places.get(field);
      assert.ok(start !== undefined, `a job names the field ${field}, which the piece does not have`);
      return base + start + offset;
    };
    const before = this.done;
    const jobs = sequences.flatMap((sequence) => sequence.jobs.map((job) => ({ sequence, job })));
    for (const [i, { sequence, job }] of jobs.entries()) {
      const next = jobs[i + 1]?.job;
      this.#write("INPUT_PTR", address(job.input));
      this.#write("WEIGHT_PTR0", address(job.weights));
      this.#write("WEIGHT_PTR1", next ? address(next.weights) : 0);
      this.#write("BIAS_PTR", job.bias ? address(job.bias) : 0);
      this.#write("OUTPUT_PTR", job.output ? address(job.output) : 0);
      this.#write("TILES", tilesWord(sequence.tiles));
      for (const half of [0, 1] as const) {
        this.#write(`EPS_MULT${half}`, bytesWord(sequence.multipliers, half));
        this.#write(`RIGHT_SHIFT${half}`, bytesWord(sequence.shifts, half));
        this.#write(`ADD${half}`, bytesWord(sequence.offsets, half));
      }
      const { multiplier, shift, offset } = sequence.activationRequant ??
        { multiplier: 0, shift: 0, offset: 0 };
      this.#write("ACTIVATION_REQUANT", bytesWord([multiplier, shift, offset, 0], 0));
      const { b = 0, c = 0 } = sequence.gelu ?? {};
      this.#write("GELU_B_C", (b & 0xffff) | (c << 16));
      const activation = { identity: 0, gelu: 1, relu: 2 }[job.activation ?? "identity"];
      this.#write("CTRL_ENGINE", layerNumbers[sequence.layer] | (activation << 2));
      this.#write(
        "CTRL_STREAM",
        (i === 0 ? streamBits.weightPreload : 0) | (next ? streamBits.weightNextload : 0) |
          (job.bias ? 0 : streamBits.biasDisable) | (job.biasByRow ? streamBits.biasByRow : 0) |
          (job.output ? 0 : streamBits.outputDisable),
      );
      this.#write("TRIGGER", 0);
      // The next job is programmed while this one runs, so that the engine always finds its TILES.
      for (let wait = 0; this.done < before + i; wait++) {
        assert.ok(wait < 10_000, "a job does not end");
        this.#device.tick(this.cycle++);
      }
    }
    for (let wait = 0; this.#device.busy; wait++) {
      assert.ok(wait < 10_000, "a job does not end");
      this.#device.tick(this.cycle++);
    }
  }

  #write(register: keyof typeof registers, value: number): void {
    this.#device.writeUint32(registers[register], value, -1, this.cycle, 0);
    this.#device.tick(this.cycle++);
  }
}

const tilesWord = ({ s, e, p, f }: AcceleratorSequence["tiles"]) => s | (e << 4) | (p << 8) | (f << 12);

const bytesWord = (values: readonly number[], half: 0 | 1) =>
  values.slice(4 * half, 4 * half + 4).reduce((word, value, i) => word | ((value & 0xff) << (8 * i)), 0);

/** Calls back with every element's index in the dense box and its byte offset in the layout. */
function forEachTiled(box: Box, layout: Layout, visit: (index: number, offset: number) => void): void {
  assert.ok(layout !== "dense" && layout !== undefined);
  const [rows, columns] = box.shape.slice(-2);
  const down = Math.ceil(rows / layout.rows);
  const across = Math.ceil(columns / layout.columns);
  const matrices = elementCount(box.shape.slice(0, -2));
  const tile = layout.rows * layout.columns;
  for (let matrix = 0, index = 0; matrix < matrices; matrix++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, index++) {
        const number = (matrix * down + Math.floor(row / layout.rows)) * across +
          Math.floor(column / layout.columns);
        visit(index, number * tile + (row % layout.rows) * layout.columns + column % layout.columns);
      }
    }
  }
}

function tiledBytes(box: Box, layout: Layout): number {
  assert.ok(layout !== "dense" && layout !== undefined);
  const [rows, columns] = box.shape.slice(-2);
  return elementCount(box.shape.slice(0, -2)) * Math.ceil(rows / layout.rows) *
    Math.ceil(columns / layout.columns) * layout.rows * layout.columns;
}

/** What the operator itself says. */
export function referenceOf(view: NodeView, inputs: readonly (TestValue | undefined)[]): Int8Array {
  const values = inputs.map((value) => value && { shape: value.tensor.shape, data: value.data });
  const [data] = operatorNamed(view.node.operator).evaluate(values, view.node.attributes, view.outputs);
  assert.ok(data instanceof Int8Array, "the result is of 8 bits");
  return data;
}
