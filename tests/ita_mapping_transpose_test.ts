// Transposition on ITA: pieces run on the device and give what the operator says; what is not worth it is refused.

import assert from "node:assert/strict";
import { itaMapping } from "../targets/engines/ita/mapping.ts";
import { Random, randomTensor } from "./cores_harness.ts";
import { PieceMachine, piecesOf, referenceOf, targetWith, viewOf } from "./ita_pieces.ts";

const int8 = { min: -128, max: 127 };
const mapping = itaMapping.mappings.get("Transpose")!;

Deno.test("matrices of any shape, cut at random, come out transposed", async () => {
  const target = await targetWith();
  const machine = new PieceMachine(1 << 20);
  const random = new Random(21);
  for (let trial = 0; trial < 20; trial++) {
    const size = () => random.pick([23, 63, 64, 65, 100, 128, 150]);
    const front = random.pick([[], [1], [2], [2, 3]]);
    const perm = [...front.keys(), front.length + 1, front.length];
    const x = randomTensor(random, [...front, size(), size()], int8);
    const view = viewOf("Transpose", [x.tensor], { perm });
    const boxes = piecesOf(view, random.chance(0.3) ? undefined : random);
    assert.deepEqual(machine.run(view, [x], boxes, target), referenceOf(view, [x]), `${x.tensor.shape}`);
  }
});

Deno.test("other orders, wide elements and small matrices stay on the cores", async () => {
  const target = await targetWith();
  const reason = (shape: number[], perm: number[], range = int8) =>
    mapping.rejects(
      viewOf("Transpose", [randomTensor(new Random(1), shape, range).tensor], { perm }),
      target,
    );
  assert.equal(reason([80, 64], [1, 0]), undefined);
  assert.equal(reason([80, 64], [1, 0], { min: 0, max: 255 }), undefined);
  assert.match(reason([80, 64], [1, 0], { min: 0, max: 256 })!, /moves int32, ITA has 8 bits/);
  assert.match(reason([8, 64, 64], [1, 0, 2])!, /the last two axes only/);
  assert.match(reason([8, 64, 64], [2, 0, 1])!, /the last two axes only/);
  assert.match(reason([9, 20, 20], [0, 2, 1])!, /20 x 20 .* mostly empty/);
  assert.match(reason([0, 20], [1, 0])!, /nothing to move/);
});
