// RequantizedAttention on ITA: pieces run on the device and give what the operator says, padding keys included.

import assert from "node:assert/strict";
import { itaMapping } from "../targets/engines/ita/mapping.ts";
import { Random, randomTensor } from "./cores_harness.ts";
import { buildMend } from "./ita_mend.ts";
import { PieceMachine, piecesOf, referenceOf, targetWith, type TestValue, viewOf } from "./ita_pieces.ts";

const mapping = itaMapping.mappings.get("RequantizedAttention")!;
const memory = 1 << 20;
const int8 = { min: -128, max: 127 };

interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
}

/** An attention with random operands; `logits` and `more` change attributes. */
function attention(
  random: Random,
  { batch, heads, queries, keys, width }: Sizes,
  more: {
    logits?: Record<string, unknown>;
    softmax?: Record<string, unknown>;
    split?: Record<string, boolean>;
  } = {},
): { inputs: TestValue[]; attributes: Record<string, unknown> } {
  const split = {
    query: random.chance(0.5),
    key: random.chance(0.5),
    output: random.chance(0.5),
    ...more.split,
  };
  const shape = (rows: number, apart: boolean) =>
    apart ? [batch, heads, rows, width] : [batch, rows, heads * width];
  const perHead = random.chance(0.5);
  const list = (make: () => number) => Array.from({ length: perHead ? heads : 1 }, make);
  const requant = (shift: number) => ({
    mul: list(() => random.integer(40, 127)),
    add: list(() => random.chance(0.5) ? 0 : random.integer(-20 << shift, 20 << shift)),
    shift: list(() => shift),
    signed: true,
    levels: 256,
  });
  return {
    inputs: [
      randomTensor(random, shape(queries, split.query), int8),
      randomTensor(random, shape(keys, split.key), int8),
      randomTensor(random, [batch, heads, width, keys], int8),
    ],
    attributes: {
      heads,
      split,
      softmax: { shift: 0, fullScale: 255, levels: 256, groupWidth: 16, ...more.softmax },
      logits: { ...requant(Math.round(13 + Math.log2(width) / 2)), ...more.logits },
      output: requant(14),
    },
  };
}

const tensorsOf = (inputs: readonly TestValue[]) => inputs.map(({ tensor }) => tensor);

const anyLength = (random: Random, most: number) =>
  random.chance(0.5) ? 64 * random.integer(1, Math.ceil(most / 64)) : random.integer(1, most);

Deno.test("any number of queries and keys, any width, heads side by side or apart", async () => {
  const mend = await buildMend();
  const target = await targetWith();
  const machine = new PieceMachine(memory, target.ita, mend);
  const random = new Random(11);
  for (let trial = 0; trial < 25; trial++) {
    const keys = anyLength(random, 200);
    if (!mend && keys % 64 !== 0) continue;
    const sizes = {
      batch: random.chance(0.8) ? 1 : 2,
      heads: random.integer(1, 3),
      queries: random.chance(0.5) ? keys : anyLength(random, 200),
      keys,
      width: random.pick([64, 64, 32, 1, 48, 96, 128]),
    };
    const { inputs, attributes } = attention(random, sizes);
    const view = viewOf("RequantizedAttention", tensorsOf(inputs), attributes);
    const boxes = piecesOf(view, random.chance(0.5) ? undefined : random);
    assert.deepEqual(
      machine.run(view, inputs, boxes, target),
      referenceOf(view, inputs),
      JSON.stringify(sizes),
    );
  }
});

Deno.test("rows whose logits are all near -128 are mended, the others left alone", async () => {
  const mend = await buildMend();
  if (!mend) return;
  const target = await targetWith();
  const random = new Random(5);
  const add = (value: number) => ({
    mul: [64],
    add: [value * 2 ** 15],
    shift: [15],
    signed: true,
    levels: 256,
  });
  const wrongAlone: number[] = [];
  for (const offset of [-118, -119, -120, -121, -122, -124, -128]) {
    // Small products, so that logits lie close about the offset, on both sides of what counts.
    const { inputs, attributes } = attention(
      random,
      { batch: 1, heads: 2, queries: 130, keys: 70, width: 16 },
      { logits: add(offset) },
    );
    for (const { data } of inputs.slice(0, 2)) data.forEach((value, i) => data[i] = value >> 2);
    const view = viewOf("RequantizedAttention", tensorsOf(inputs), attributes);
    let calls = 0;
    const machine = new PieceMachine(memory, target.ita, (...args) => {
      calls++;
      mend(...args);
    });
    const expected = referenceOf(view, inputs);
    assert.deepEqual(machine.run(view, inputs, piecesOf(view, random), target), expected, `offset ${offset}`);
    assert.ok(calls > 0);
    const alone = new PieceMachine(memory, target.ita, () => {}).run(view, inputs, piecesOf(view), target);
    if (alone.some((value, i) => value !== expected[i])) wrongAlone.push(offset);
  }
  // Without the kernel the engine is wrong in such rows: the test tests something.
  assert.deepEqual(wrongAlone, [-124, -128]);
});

Deno.test("a long row: 960 keys, and denominators beyond which all probabilities are 0", async () => {
  const target = await targetWith();
  const random = new Random(7);
  const machine = new PieceMachine(memory, target.ita);
  for (const flat of [false, true]) {
    const sizes = { batch: 1, heads: 1, queries: 64, keys: 960, width: 64 };
    const { inputs, attributes } = attention(random, sizes, {
      split: { query: false, key: false, output: false },
    });
    // Equal logits: 960 terms of 256.
    if (flat) inputs[0].data.fill(0);
    const view = viewOf("RequantizedAttention", tensorsOf(inputs), attributes);
    const expected = referenceOf(view, inputs);
    assert.deepEqual(machine.run(view, inputs, piecesOf(view), target), expected);
  }
});

Deno.test("the other revisions of the softmax, on an ITA that has them", async () => {
  const random = new Random(9);
  for (const [shift, fullScale] of [[5, 255], [5, 127], [0, 127]] as const) {
    const target = await targetWith({ softmaxShift: shift, softmaxFullScale: fullScale });
    const machine = new PieceMachine(memory, target.ita);
    const { inputs, attributes } = attention(
      random,
      { batch: 1, heads: 2, queries: 100, keys: 192, width: 64 },
      { softmax: { shift, fullScale } },
    );
    const view = viewOf("RequantizedAttention", tensorsOf(inputs), attributes);
    assert.deepEqual(machine.run(view, inputs, piecesOf(view, random), target), referenceOf(view, inputs));
    assert.match(
      mapping.rejects(view, await targetWith())!,
      new RegExp(`shift ${shift} and full scale ${fullScale}`),
    );
  }
});

Deno.test("what ITA cannot do is refused, with the number that is in the way", async () => {
  const target = await targetWith();
  const sizes = { batch: 1, heads: 2, queries: 64, keys: 64, width: 64 };
  const reason = (
    more: Partial<Sizes> = {},
    options: Parameters<typeof attention>[2] = {},
    on = target,
    change: (made: ReturnType<typeof attention>) => void = () => {},
  ) => {
    const made = attention(new Random(1), { ...sizes, ...more }, options);
    change(made);
    return mapping.rejects(viewOf("RequantizedAttention", tensorsOf(made.inputs), made.attributes), on);
  };
  assert.equal(reason(), undefined);
  assert.match(reason({ keys: 1500 })!, /1500 keys, ITA's softmax takes at most 960/);
  assert.match(reason({ width: 1024 })!, /1024 elements, ITA accumulates over at most 960/);
  assert.match(reason({}, { softmax: { groupWidth: 0 } })!, /takes 64 columns at once, ITA's takes 16/);
  assert.equal(reason({ keys: 12 }, { softmax: { groupWidth: 0 } }), undefined);
  assert.match(reason({ keys: 12 }, { softmax: { groupWidth: 8 } })!, /takes 8 columns/);
  assert.match(reason({}, { softmax: { shift: 5 } })!, /shift 5 and full scale 255, this ITA's 0 and 255/);
  const older = await targetWith({ softmaxShift: 5 });
  assert.match(reason({ keys: 100 }, { softmax: { shift: 5 } }, older)!, /100 keys are no multiple of 64/);
  const logits = (mul: number, add: number, shift: number, signed = true) => ({
    logits: { mul: [mul], add: [add], shift: [shift], signed, levels: 256 },
  });
  assert.match(
    reason({}, logits(257, 0, 16))!,
    /logits, head 0: no 8-bit multiplier .* \(x·257 \+ 0\) \/ 2\^16/,
  );
  assert.match(reason({}, logits(64, 0, 14, false))!, /logits, head 0: its results are 0 … 255/);
  assert.match(
    reason({ keys: 65 }, logits(1, 0, 24))!,
    /too small a multiplier to keep padding from 65 keys/,
  );
  const narrow = { split: { query: true, key: true, output: true } };
  const unequal = (made: ReturnType<typeof attention>) =>
    made.inputs[2] = randomTensor(new Random(2), [1, 2, 130, 64], int8);
  assert.match(reason({}, narrow, target, unequal)!, /keys have 64 elements and values 130/);
  const wide = (made: ReturnType<typeof attention>) =>
    made.inputs[0] = randomTensor(new Random(2), made.inputs[0].tensor.shape, { min: 0, max: 255 });
  assert.match(reason({}, {}, target, wide)!, /query is uint8/);
  assert.match(reason({}, {}, await targetWith({ elements: 32 }))!, /16 lanes of 32 elements/);
  assert.match(reason({}, {}, { ...target, ita: undefined })!, /no ITA/);
});
