// Moves by the DMA: pieces of any cut put together are what the operator says; what the DMA is not worth is refused.

import assert from "node:assert/strict";
import { elementCount, type Tensor } from "../src/model/types.ts";
import { operatorNamed } from "../src/operators/registry.ts";
import { dmaEngine } from "../targets/engines/dma/mapping.ts";
import type { Box, KernelCall, NodeView } from "../targets/engines/engine.ts";
import { loadTarget } from "../targets/load.ts";
import { cutBox, Random, randomTensor } from "./cores_harness.ts";
import { type TestValue, viewOf } from "./ita_pieces.ts";

const target = await loadTarget("snitch-ita");
const int8 = { min: -128, max: 127 };

/** Cuts a shape at random along every axis. */
function randomPieces(random: Random, shape: readonly number[]): Box[] {
  return shape.reduce<Box[]>((boxes, extent, axis) => {
    const size = random.integer(1, extent);
    return boxes.flatMap((box) =>
      Array.from({ length: Math.ceil(extent / size) }, (_, i): Box => ({
        start: box.start.with(axis, i * size),
        shape: box.shape.with(axis, Math.min(size, extent - i * size)),
      }))
    );
  }, [{ start: shape.map(() => 0), shape }]);
}

/** Does what a piece says; every element of its box must be written once. */
function move(call: KernelCall, inputs: readonly TestValue[], shape: readonly number[], result: Int16Array) {
  const data = new Map<string, Uint8Array>();
  for (const { field, input, box } of call.reads) {
    data.set(field, cutBox(inputs[input].tensor.shape, inputs[input].data, box));
  }
  for (const { field, data: table } of call.tables ?? []) data.set(field, table);
  for (const { field, box } of call.writes) {
    const bytes = data.get(field)!;
    assert.equal(bytes.length, elementCount(box.shape));
    bytes.forEach((byte, index) => {
      let at = 0;
      for (let axis = shape.length - 1, stride = 1; axis >= 0; stride *= shape[axis], axis--) {
        at += (box.start[axis] + index % box.shape[axis]) * stride;
        index = Math.floor(index / box.shape[axis]);
      }
      assert.equal(result[at], 1000, "written twice");
      result[at] = byte << 24 >> 24;
    });
  }
}

function check(
  operator: string,
  inputs: readonly TestValue[],
  attributes: Record<string, unknown>,
  random: Random,
) {
  const view = viewOf(operator, inputs.map(({ tensor }) => tensor), attributes);
  const mapping = dmaEngine.mappings.get(operator)!;
  assert.equal(mapping.rejects(view, target), undefined);
  const [{ shape }] = view.outputs;
  const values = inputs.map(({ tensor, data }) => ({ shape: tensor.shape, data }));
  const [expected] = operatorNamed(operator).evaluate(values, view.node.attributes, view.outputs);
  for (const boxes of [[{ start: shape.map(() => 0), shape }], randomPieces(random, shape)]) {
    const result = new Int16Array(elementCount(shape)).fill(1000);
    for (const box of boxes) move(mapping.piece(view, box, target), inputs, shape, result);
    assert.deepEqual([...result], [...expected], `${operator} ${JSON.stringify(attributes)}`);
  }
}

Deno.test("slices, borders and concatenations, cut at random, are what the operators say", () => {
  const random = new Random(11);
  for (let trial = 0; trial < 40; trial++) {
    const shape = [1, random.integer(1, 4), random.integer(1, 3), random.pick([32, 40])];
    const value = () => randomTensor(random, shape, int8);
    const starts = shape.slice(0, -1).map((size) => random.integer(0, size - 1));
    const sizes = starts.map((start, axis) => random.integer(1, shape[axis] - start));
    const whole = shape.at(-1)!;
    const slice = { starts: [...starts, 0], steps: [1, 1, 1, 1], sizes: [...sizes, whole] };
    check("Slice", [value()], slice, random);
    const pads = [0, 1, 2, 3, 4, 5, 6, 7].map((i) =>
      i % 4 === 3 ? random.pick([0, 32]) : random.integer(0, 1)
    );
    check("Pad", [value()], { pads, value: random.integer(-128, 127) }, random);
    const axis = random.integer(0, 3);
    const parts = Array.from(
      { length: random.integer(1, 3) },
      () =>
        randomTensor(
          random,
          shape.with(axis, axis === 3 ? random.pick([32, 50]) : random.integer(1, 4)),
          int8,
        ),
    );
    check("Concat", parts, { axis }, random);
  }
});

Deno.test("what the cores do better, or the DMA cannot do, is refused", () => {
  const random = new Random(1);
  const tensor = (shape: number[], range = int8): Tensor => randomTensor(random, shape, range).tensor;
  const reason = (operator: string, inputs: Tensor[], attributes: Record<string, unknown>) => {
    const view: NodeView = viewOf(operator, inputs, attributes);
    return dmaEngine.mappings.get(operator)!.rejects(view, target);
  };
  const slice = (starts: number[], steps: number[], sizes: number[]) =>
    reason("Slice", [tensor([8, 64])], { starts, steps, sizes });
  assert.equal(slice([0, 0], [1, 1], [8, 32]), undefined);
  assert.match(slice([0, 0], [1, 1], [8, 31])!, /rows of 31 bytes are shorter than 32/);
  assert.equal(slice([3, 0], [1, 1], [1, 5]), undefined);
  assert.match(slice([0, 0], [2, 1], [4, 64])!, /every step must be 1/);
  const words = tensor([8, 10], { min: -70000, max: 70000 });
  assert.equal(reason("Slice", [words], { starts: [0, 0], steps: [1, 1], sizes: [8, 8] }), undefined);
  const unsigned = tensor([8, 64], { min: 0, max: 255 });
  assert.match(
    reason("Concat", [unsigned, tensor([8, 64])], { axis: 0 })!,
    /not all of its inputs are int32/,
  );
  assert.match(reason("Concat", [tensor([8, 64]), tensor([8, 4])], { axis: 1 })!, /rows of 4 bytes/);
  const pad = (value: number, pads: number[], x = tensor([8, 64])) => reason("Pad", [x], { pads, value });
  assert.equal(pad(0, [1, 0, 0, 0]), undefined);
  assert.match(pad(-1, [1, 0, 0, 0], unsigned)!, /border makes int32 of uint8/);
  assert.match(pad(0, [70, 0, 0, 0])!, /border has 4480 bytes/);
  assert.match(pad(0, [0, 1, 0, 0])!, /rows of 1 bytes/);
  assert.match(pad(0, [0, 40, 0, 0], tensor([8, 20]))!, /rows of 20 bytes/);
});
