// RequantizedMatMul on ITA: pieces run on the device and give what the operator says; what cannot is refused, and why.

import assert from "node:assert/strict";
import { parameterTensor } from "../src/operators/ranges.ts";
import { itaMapping } from "../targets/engines/ita/mapping.ts";
import { Random, randomTensor } from "./cores_harness.ts";
import {
  clearTiles,
  parameterValue,
  PieceMachine,
  piecesOf,
  referenceOf,
  targetWith,
  type TestValue,
  viewOf,
} from "./ita_pieces.ts";

const int8 = { min: -128, max: 127 };

interface Case {
  readonly attributes: Record<string, unknown>;
  readonly inputs: (TestValue | undefined)[];
}

/** Sizes around multiples of 64 among them. */
const anySize = (random: Random, most: number) =>
  random.chance(0.5)
    ? 64 * random.integer(1, Math.ceil(most / 64))
    : random.chance(0.3)
    ? random.pick([1, 63, 65])
    : random.integer(1, most);

function randomCase(random: Random): Case {
  const [m, n, k] = [anySize(random, 200), anySize(random, 200), anySize(random, 200)];
  const batch = random.chance(0.6)
    ? []
    : random.chance(0.5)
    ? [1]
    : [random.integer(1, 3), random.integer(1, 2)];
  const constant = random.pick(["a", "b", "b", "none"] as const);
  const transA = constant === "a" && random.chance(0.5);
  const transB = constant !== "b" || random.chance(0.5);
  const front = () => random.chance(0.3) ? [] : batch.map((size) => random.chance(0.3) ? 1 : size);
  const swap = (rows: number, columns: number, swapped: boolean) =>
    swapped ? [columns, rows] : [rows, columns];
  const fronts = [batch, front()];
  if (random.chance(0.5)) fronts.reverse();
  const a = randomTensor(random, [...fronts[0], ...swap(m, k, transA)], int8, { constant: constant === "a" });
  const b = randomTensor(random, [...fronts[1], ...swap(k, n, transB)], int8, { constant: constant === "b" });
  if (constant !== "none" && random.chance(0.4)) clearTiles(random, constant === "a" ? a : b, 0.4);
  const shape = [...batch, m, n];
  const rank = shape.length;

  const axes = [-1, -1, ...batch.keys(), rank - 2, rank - 1];
  const axis = random.pick(axes);
  const perTile = axis >= rank - 2 && random.chance(0.8);
  const length = axis < 0 ? 1 : shape[axis];
  const entries = (make: () => number) => {
    const steps: number[] = [];
    return Array.from(
      { length },
      (_, i) => steps[perTile ? Math.floor(i / 64) : axis >= rank - 2 ? 0 : i] ??= make(),
    );
  };
  const shift = random.integer(9, 18);
  const mul = entries(() => random.integer(1, 255));
  const add = entries(() =>
    random.chance(0.5) ? 0 : random.integer(-60, 60) * 2 ** shift + random.integer(-999, 999)
  );
  const biasShape = random.pick([undefined, [n], [m, 1], [1], [...batch, 1, n], [
    ...batch.map(() => 1),
    m,
    1,
  ]]);
  const bias = biasShape &&
    parameterValue(
      randomTensor(random, biasShape, { min: -16384, max: 16383 }, { dtype: "int32" }).data,
      biasShape,
    );
  const relu = random.chance(0.3);
  return {
    attributes: { axis, shift, transA, transB, signed: !relu, levels: relu ? 128 : 256 },
    inputs: [a, b, bias, parameterValue(mul), parameterValue(add)],
  };
}

Deno.test("any shape, any constant operand, bias and requantisation: what the operator says", async () => {
  const target = await targetWith();
  const machine = new PieceMachine(1 << 20);
  const random = new Random(3);
  let refused = 0;
  for (let trial = 0; trial < 60; trial++) {
    const { attributes, inputs } = randomCase(random);
    const view = viewOf("RequantizedMatMul", inputs.map((value) => value?.tensor), attributes);
    const reason = itaMapping.mappings.get("RequantizedMatMul")!.rejects(view, target);
    if (reason) {
      // Offsets that no bias and no 8-bit offset make are rare; nothing else of this is refused.
      assert.match(reason, /no 8-bit multiplier and offset|negative/);
      refused++;
      continue;
    }
    const boxes = piecesOf(view, random.chance(0.3) ? undefined : random);
    assert.deepEqual(
      machine.run(view, inputs, boxes, target),
      referenceOf(view, inputs),
      `trial ${trial}: ${JSON.stringify(attributes)} ${inputs.map((value) => value?.tensor.shape.join("x"))}`,
    );
  }
  assert.ok(refused < 10, `${refused} of 60 were refused`);
});

Deno.test("the longest inner dimension: 15 tiles, the last one not full", async () => {
  const target = await targetWith();
  const random = new Random(6);
  for (const depth of [960, 959]) {
    const inputs = [
      randomTensor(random, [65, depth], int8),
      randomTensor(random, [depth, 70], int8, { constant: true }),
      parameterValue(
        randomTensor(random, [70], { min: -(2 ** 23), max: 2 ** 23 - 1 }, { dtype: "int32" }).data,
      ),
      parameterValue([200]),
      parameterValue([0]),
    ];
    const view = viewOf("RequantizedMatMul", inputs.map(({ tensor }) => tensor), {
      axis: -1,
      shift: 22,
      signed: true,
      levels: 256,
    });
    const machine = new PieceMachine(1 << 20);
    assert.deepEqual(machine.run(view, inputs, piecesOf(view), target), referenceOf(view, inputs));
  }
});

/** Reason for a product of [100, K] by constant [K, 80], or of two activations. */
async function refusal(change: {
  a?: { min: number; max: number };
  depth?: number;
  shift?: number;
  mul?: number[];
  add?: number[];
  axis?: number;
  signed?: boolean;
  levels?: number;
  transA?: boolean;
  bias?: { values: number[]; shape: number[] };
  activations?: boolean;
  rows?: number;
  weights?: { min: number; max: number };
}): Promise<string | undefined> {
  const random = new Random(1);
  const { depth = 64, rows = 100, transA = false, shift = 14, activations = false } = change;
  const a = randomTensor(random, transA ? [depth, rows] : [rows, depth], change.a ?? int8);
  const b = randomTensor(random, [depth, 80], change.weights ?? int8, { constant: !activations });
  const mul = change.mul ?? [77];
  const inputs = [
    a.tensor,
    b.tensor,
    change.bias && parameterTensor("bias", change.bias.shape, change.bias.values),
    parameterTensor("mul", [mul.length], mul),
    parameterTensor("add", [mul.length], change.add ?? mul.map(() => 0)),
  ];
  const { axis = -1, signed = true, levels = 256 } = change;
  const view = viewOf("RequantizedMatMul", inputs, { axis, shift, signed, levels, transA, transB: false });
  return itaMapping.mappings.get("RequantizedMatMul")!.rejects(view, await targetWith());
}

Deno.test("what ITA cannot multiply is refused, with the number that is in the way", async () => {
  assert.equal(await refusal({}), undefined);
  assert.match((await refusal({ depth: 1536 }))!, /inner dimension is 1536, .* at most 960/);
  assert.match((await refusal({ a: { min: 0, max: 255 } }))!, /operand a is uint8/);
  assert.match((await refusal({ weights: { min: -1000, max: 1000 } }))!, /operand b is int32/);
  assert.match((await refusal({ transA: true }))!, /operand a is stored by columns/);
  assert.match(
    (await refusal({ activations: true }))!,
    /operand b is an activation that is not stored by columns/,
  );
  assert.match((await refusal({ rows: 0 }))!, /empty/);
  assert.match((await refusal({ mul: [257], shift: 16 }))!, /\(x·257 \+ 0\) \/ 2\^16/);
  assert.match((await refusal({ mul: [-3] }))!, /multiplier -3 is negative/);
  assert.match((await refusal({ signed: false }))!, /results are 0 … 255, ITA's are -128 … 127/);
  assert.match((await refusal({ levels: 16 }))!, /clips to -8 … 7/);
  const bias = (values: number[], shape: number[]) => refusal({ bias: { values, shape } });
  assert.match((await bias([2 ** 23], [1]))!, /bias is 8388608 … 8388608, ITA's has 24 bits/);
  assert.equal(await bias([2 ** 23 - 1], [1]), undefined);
  const varied = Array.from({ length: 8000 }, (_, i) => i);
  assert.match((await bias(varied, [100, 80]))!, /shape \[100, 80\] differs along rows and columns/);
  const vector = (length: number, at: number) => Array.from({ length }, (_, i) => i < at ? 77 : 99);
  assert.equal(await refusal({ axis: 1, mul: vector(80, 64) }), undefined);
  assert.match((await refusal({ axis: 1, mul: vector(80, 65) }))!, /changes at column 65, inside a tile/);
  assert.match((await refusal({ axis: 0, mul: vector(100, 63) }))!, /changes at row 63, inside a tile/);
  // Unsigned results that the range keeps below 128 are ITA's; so are results clipped at 0.
  assert.equal(
    await refusal({ a: { min: 0, max: 3 }, weights: { min: 0, max: 9 }, signed: false }),
    undefined,
  );
  assert.equal(await refusal({ signed: false, levels: 128 }), undefined);
});

Deno.test("operators that only look like ITA's say why they are not", async () => {
  const target = await targetWith();
  const reason = (operator: string, attributes: Record<string, unknown>, shape = [1, 4, 64]) => {
    const { tensor } = randomTensor(new Random(1), shape, int8);
    return itaMapping.mappings.get(operator)!.rejects(viewOf(operator, [tensor], attributes), target);
  };
  const softmax = { shift: 0, fullScale: 255, levels: 256, groupWidth: 16 };
  assert.match(reason("ITAPartialMax", softmax)!, /inside an attention only/);
  assert.match(
    reason("ITAPartialMax", { ...softmax, fullScale: 127 })!,
    /full scale 127, this ITA's 0 and 255/,
  );
  assert.match(reason("ITAMax", { ...softmax, groupWidth: 0 })!, /takes 64 columns at once/);
  assert.match(reason("ITAPartialMax", softmax, [2, 1024])!, /1024 keys/);
  assert.match(reason("iGELU", { b: -42, one: 1929 })!, /opposite sign/);
});
