// Sums of products, and GELU behind them: what the operator means and what ITA makes of it: constants, jobs, and on the
// device every bit.

import assert from "node:assert/strict";
import { elementCount, type Tensor } from "../src/model/types.ts";
import { parameterTensor } from "../src/operators/ranges.ts";
import { operatorNamed } from "../src/operators/registry.ts";
import { requantizedGelu, type TermKind } from "../src/operators/requantized_product_sum.ts";
import type { NodeView } from "../targets/engines/engine.ts";
import { itaMapping } from "../targets/engines/ita/mapping.ts";
import { activate } from "../targets/engines/ita/arithmetic.ts";
import { translateGelu } from "../targets/engines/ita/gelu.ts";
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
import { apply, constant, input, parameter } from "./operators.ts";

const int8 = { min: -128, max: 127 };
const plain = { axis: -1, shift: 0, signed: true, levels: 256 };
const mapping = itaMapping.mappings.get("RequantizedProductSum")!;

Deno.test("RequantizedProductSum: two products, a scaled tensor and a bias, by hand", () => {
  const constants = [parameter([3]), parameter([1]), undefined];
  const { values, shape } = apply("RequantizedProductSum", [
    parameter([10, 20]),
    ...constants,
    input([2, 2], [1, 2, 3, 4]),
    constant([2, 2], [1, 0, -1, 2]),
    input([2, 3], [1, 0, 2, 0, 1, 0]),
    constant([2, 3], [5, 6, 7, 8, 9, 10]),
    input([2, 2], [1, 1, -1, 2]),
    constant([1, 2], [4, -3]),
  ], { ...plain, shift: 2, terms: ["product", "transposed", "diagonal"] });
  // a·b = [-1 4; -1 8], a·bᵀ = [19 28; 6 9], scaled = [4 -3; -4 -6], with the bias [32 49; 11 31]; (3x + 1 + 2) >> 2.
  assert.deepEqual([...values], [24, 37, 9, 24]);
  assert.deepEqual(shape, [2, 2]);
  const scaled = apply("RequantizedProductSum", [
    undefined,
    ...constants,
    input([1, 2, 2], [1, 2, 3, -4]),
    constant([], [5]),
  ], { ...plain, terms: ["diagonal"] });
  assert.deepEqual([...scaled.values], [16, 31, 46, -59]);
});

Deno.test("RequantizedProductSum: its interval, its multiply-accumulates, and operands that do not fit", () => {
  const operator = operatorNamed("RequantizedProductSum");
  const tensor = (shape: number[], data?: Int8Array): Tensor => ({
    name: "t",
    shape,
    dtype: "int8",
    range: int8,
    data,
  });
  const constants = [undefined, parameterTensor("m", [1], [1]), parameterTensor("a", [1], [0]), undefined];
  const infer = (operands: Tensor[], terms: TermKind[], levels = 2 ** 20) =>
    operator.infer([...constants, ...operands], { ...plain, levels, terms })[0];
  const weights = { ...tensor([3, 4], new Int8Array(12).fill(2)), range: { min: 2, max: 2 } };
  const scale = { ...tensor([4], new Int8Array(4).fill(-3)), range: { min: -3, max: -3 } };
  const all = [tensor([5, 3]), weights, tensor([5, 4]), scale];
  const terms: TermKind[] = ["product", "diagonal"];
  assert.deepEqual(infer(all, terms).range, { min: -128 * 6 - 127 * 3, max: 127 * 6 + 128 * 3 });
  assert.equal(operator.macs([...constants, ...all], { ...plain, terms }, []), 5 * 3 * 4);
  assert.throws(() => infer(all.slice(0, 3), terms), /2 terms need 4 operands, not 3/);
  assert.throws(
    () => infer([...all.slice(0, 2), tensor([1, 5, 4]), scale], terms),
    /shapes \[5, 4\] and \[1, 5, 4\] differ/,
  );
  assert.throws(
    () => infer([tensor([5, 3]), scale], ["diagonal"]),
    /columns of \[5, 3\] cannot be scaled by \[4\]/,
  );
  assert.throws(() => infer([tensor([5, 4]), tensor([4])], ["diagonal"]), /must be constant/);
});

/** GELU at a scale of 1/32 for input and output, its sign changed. */
const negatedGelu = {
  b: -80,
  one: 7091,
  mul: -148,
  add: 0,
  shift: 20,
  signed: true,
  levels: 256,
  negated: false,
};

Deno.test("RequantizedProductSum: GELU behind the requantisation, by hand", () => {
  const { values } = apply("RequantizedProductSum", [
    undefined,
    parameter([1]),
    parameter([0]),
    undefined,
    input([1, 5], [100, -30, 0, 1, -128]),
    constant([1], [1]),
  ], { ...plain, terms: ["diagonal"], gelu: negatedGelu });
  // 100·7091, -30·floor((7091 - (7091 - 50²)) / 2), 0, floor((7091 + 7091 - 79²) / 2), 0; each times -148 / 2^20.
  assert.deepEqual(values, [-100, 5, 0, -1, 0]);
});

Deno.test("GELU of networks in constants of ITA: equal for all inputs, or why not", () => {
  const translated = (change: Partial<typeof negatedGelu>) => translateGelu({ ...negatedGelu, ...change });
  const found = translated({});
  assert.ok("gelu" in found);
  for (let y = -128; y <= 127; y++) {
    assert.equal(activate(y, { kind: "gelu", ...found.gelu }), requantizedGelu(y, negatedGelu), `${y}`);
  }
  assert.deepEqual(found.gelu, { b: -80, c: -7091, requant: { multiplier: 37, shift: 19, offset: 0 } });
  const reason = (change: Partial<typeof negatedGelu>) => (translated(change) as { reason: string }).reason;
  assert.match(reason({ mul: 148 }), /opposite sign/);
  assert.match(reason({ one: 40000 }), /constants -80 and 40000 do not fit ITA's 16 bits/);
  assert.match(reason({ mul: -4001, shift: 20 }), /no multiplier of 8 bits/);
  assert.match(reason({ add: 300 * 2 ** 20, levels: 1024 }), /is 300 at 0/);
  assert.ok("gelu" in translated({ add: 5 * 2 ** 20 }));
  assert.ok("gelu" in translated({ mul: 148, negated: true }));
  assert.match(reason({ negated: true }), /opposite sign/);
});

Deno.test("random sums, with tiles that are zero: what the operator says", async () => {
  const target = await targetWith();
  const machine = new PieceMachine(1 << 20);
  const random = new Random(9);
  const size = () => random.pick([1, 20, 63, 64, 65, 128, 150]);
  let refused = 0;
  for (let trial = 0; trial < 60; trial++) {
    const batch = random.pick([[], [1], [2], [2, 1]]);
    const [m, n] = [size(), Math.max(size(), 20)];
    const shape = [...batch, m, n];
    const kinds: TermKind[] = Array.from(
      { length: random.integer(1, 3) },
      () => random.pick(["product", "transposed", "diagonal"]),
    );
    if (m < 64 && !kinds.some((kind) => kind !== "diagonal")) kinds.push("product");
    const operands = kinds.flatMap((kind): TestValue[] => {
      if (kind === "diagonal") {
        const scale = randomTensor(random, random.pick([[1], [n], [1, n]]), int8, { constant: true });
        if (random.chance(0.2)) scale.data.fill(0, 0, Math.min(64, scale.data.length));
        return [randomTensor(random, shape, int8), scale];
      }
      const k = size();
      const weights = kind === "product" ? [k, n] : [n, k];
      const constant = kind === "product" || random.chance(0.5);
      const front = constant && random.chance(0.5) ? [] : batch;
      const b = randomTensor(random, [...front, ...weights], int8, { constant });
      if (constant) clearTiles(random, b, 0.4);
      return [randomTensor(random, [...batch, m, k], int8), b];
    });
    const bias = random.pick([undefined, [n], [m, 1], [1]]);
    const relu = random.chance(0.3);
    const gelu = !relu && random.chance(0.3) ? negatedGelu : undefined;
    const inputs = [
      bias &&
      parameterValue(Array.from({ length: elementCount(bias) }, () => random.integer(-9999, 9999)), bias),
      parameterValue([random.integer(1, 255)]),
      parameterValue([random.pick([0, 0, 1 << 15])]),
      undefined,
      ...operands,
    ];
    const view = viewOf("RequantizedProductSum", inputs.map((value) => value?.tensor), {
      axis: -1,
      shift: random.integer(10, 16),
      signed: !relu,
      levels: relu ? 128 : 256,
      terms: kinds,
      gelu,
    });
    const reason = mapping.rejects(view, target);
    if (reason) {
      assert.match(reason, /no 8-bit multiplier and offset/);
      refused++;
      continue;
    }
    const boxes = piecesOf(view, random.chance(0.3) ? undefined : random);
    assert.deepEqual(
      machine.run(view, inputs, boxes, target),
      referenceOf(view, inputs),
      `trial ${trial}: ${kinds} ${inputs.map((value) => value?.tensor.shape.join("x"))}`,
    );
  }
  assert.ok(refused < 6, `${refused} of 60 were refused`);
});

/** A view with a product of [100, depth] by [depth, 128] and other terms; `zero` says which weight tiles are zero. */
function sumView(depth: number, kinds: TermKind[], zero: (k: number, n: number) => boolean): NodeView {
  const random = new Random(4);
  const operands = kinds.flatMap((kind) => {
    if (kind === "diagonal") {
      return [
        randomTensor(random, [100, 128], int8).tensor,
        randomTensor(random, [128], { min: 1, max: 9 }, { constant: true }).tensor,
      ];
    }
    const weights = randomTensor(random, [depth, 128], { min: 1, max: 9 }, { constant: true });
    for (let i = 0; i < weights.data.length; i++) {
      if (zero(Math.floor(i / 128 / 64), Math.floor(i % 128 / 64))) weights.data[i] = 0;
    }
    return [randomTensor(random, [100, depth], int8).tensor, weights.tensor];
  });
  const constants = [parameterTensor("m", [1], [3]), parameterTensor("a", [1], [0])];
  const attributes = { axis: -1, shift: 14, signed: true, levels: 256 };
  return kinds.length === 1 && kinds[0] === "product"
    ? viewOf("RequantizedMatMul", [...operands, undefined, ...constants], attributes)
    : viewOf("RequantizedProductSum", [undefined, ...constants, undefined, ...operands], {
      ...attributes,
      terms: kinds,
    });
}

Deno.test("tiles of weights that are zero are no jobs and take no memory", async () => {
  const target = await targetWith();
  const work = (view: NodeView) => {
    const [box] = [{ start: [0, 0], shape: view.outputs[0].shape }];
    const call = mapping.piece(view, box, target);
    const jobs = call.accelerator!.flatMap((sequence) => sequence.jobs);
    const bytes = call.tables!.reduce(
      (sum, { field, data }) => field === "bias" ? sum : sum + data.length,
      0,
    );
    return { jobs: jobs.length, outputs: jobs.filter(({ output }) => output).length, tiles: bytes / 4096 };
  };
  assert.deepEqual(work(sumView(256, ["product"], () => false)), { jobs: 16, outputs: 4, tiles: 8 });
  // Every second tile; of the second column of tiles none is left, and one job writes it.
  const half = (k: number, n: number) => n === 1 || k % 2 === 0;
  assert.deepEqual(work(sumView(256, ["product"], half)), { jobs: 6, outputs: 4, tiles: 3 });
  assert.deepEqual(work(sumView(256, ["product", "diagonal"], half)), { jobs: 8, outputs: 4, tiles: 5 });
  assert.deepEqual(work(sumView(64, ["diagonal", "diagonal"], half)), { jobs: 8, outputs: 4, tiles: 4 });
});

Deno.test("what counts for the longest accumulation is tiles that are not zero", async () => {
  const target = await targetWith();
  const reason = (...args: Parameters<typeof sumView>) => mapping.rejects(sumView(...args), target);
  assert.match(reason(1024, ["product"], () => false)!, /inner dimension is 1024, .* at most 960/);
  assert.equal(reason(1024, ["product"], (k, n) => k === n), undefined);
  assert.match(reason(1024, ["product"], (k, n) => k === 3 && n === 1)!, /inner dimension is 1024/);
  assert.equal(reason(448, ["product", "product", "diagonal"], () => false), undefined);
  assert.match(
    reason(448, ["product", "product", "diagonal", "diagonal"], () => false)!,
    /the sum of 16 products of tiles, ITA accumulates 15/,
  );
  assert.equal(reason(448, ["product", "product", "diagonal", "diagonal"], (k) => k === 0), undefined);
});
