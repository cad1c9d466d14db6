// ITA's arithmetic: the plain meaning against worked examples, the WebAssembly one against the plain one.

import assert from "node:assert/strict";
import {
  activate,
  type Geometry,
  PlainTileArithmetic,
  requantise,
  type TileArithmetic,
  type TileJob,
} from "../targets/engines/ita/arithmetic.ts";
import { benchIta, itaBenchLine } from "../targets/engines/ita/bench.ts";
import { simdSuits, SimdTileArithmetic } from "../targets/engines/ita/simd.ts";

const hardware: Geometry = { lanes: 16, elements: 64, softmaxShift: 0, softmaxFullScale: 255 };
const plain = { multiplier: 1, shift: 0, offset: 0 };
const identity = { kind: "identity", b: 0, c: 0, requant: plain } as const;

/** A job that is whole in itself; fields replace its own. */
function job(fields: Partial<TileJob> = {}): TileJob {
  return {
    first: true,
    last: true,
    requant: { multiplier: 77, shift: 14, offset: -3 },
    activation: identity,
    softmax: "none",
    firstOfRow: false,
    lastOfRow: false,
    ...fields,
  };
}

/** Deterministic bytes and words (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

function fill(seed: number, ...machines: TileArithmetic[]): void {
  const next = generator(seed);
  const [model, ...others] = machines;
  for (const array of [model.input, model.weights]) array.forEach((_, i) => array[i] = next());
  const bias = next() & 1 ? model.columnBias : model.rowBias;
  for (const array of [model.columnBias, model.rowBias]) array.fill(0);
  bias.forEach((_, i) => bias[i] = (next() << 8) >> (8 + (next() % 12)));
  for (const other of others) {
    other.input.set(model.input);
    other.weights.set(model.weights);
    other.columnBias.set(model.columnBias);
    other.rowBias.set(model.rowBias);
  }
}

Deno.test("requantisation rounds halves up and clamps behind the offset (ita.md, section 6)", () => {
  const halves = { multiplier: 1, shift: 1, offset: 0 };
  assert.deepEqual([-1, -3, 1, 3].map((v) => requantise(v, halves)), [0, -1, 1, 2]);
  assert.equal(requantise(1000, { multiplier: 1, shift: 0, offset: -100 }), 127);
  assert.equal(requantise(200, { multiplier: 1, shift: 0, offset: -100 }), 100);
  assert.equal(requantise(-(2 ** 25), { multiplier: 255, shift: 35, offset: 5 }), 5);
  assert.deepEqual([-1, 0, 2 ** 25].map((v) => requantise(v, { multiplier: 9, shift: 200, offset: 7 })), [
    6,
    7,
    7,
  ]);
});

Deno.test("GELU has the sign of the specification's example (section 8.3)", () => {
  const gelu = { kind: "gelu", b: -80, c: -7091, requant: { multiplier: 74, shift: 20, offset: 0 } } as const;
  assert.equal(activate(100, gelu), -100);
  assert.equal(activate(-30, gelu), 5);
  assert.equal(activate(-7, { ...gelu, kind: "relu", requant: plain }), 0);
});

Deno.test("softmax: a one-hot row, equal maxima, and a denominator that is too large (section 8.1)", () => {
  const machine = new PlainTileArithmetic(hardware);
  const logits = machine.input;
  // Weights are the identity, so the results of the QK step are its input.
  for (let i = 0; i < 64; i++) machine.weights[65 * i] = 1;
  logits.fill(-128);
  logits[3] = 20; // row 0: one hot
  logits.fill(50, 64, 128); // row 1: 64 equal maxima
  const kept = logits.slice();
  machine.run(job({ requant: plain, softmax: "collect", firstOfRow: true, lastOfRow: true }));
  assert.deepEqual(machine.output, kept);
  // AV with identity weights shows the probabilities, halved to fit s8.
  machine.run(job({ requant: { multiplier: 1, shift: 1, offset: 0 }, softmax: "apply" }));
  assert.equal(machine.output[3], 127); // 255 / 2 = 127.5 rounds to 128, clamped
  assert.equal(machine.output[4], 0);
  assert.deepEqual([...machine.output.subarray(64, 68)], [2, 2, 2, 2]); // floor(65280 / (64 · 256)) = 3, halved: 2
  for (let tile = 0; tile < 4; tile++) {
    machine.input.set(kept);
    machine.run(job({ requant: plain, softmax: "collect", firstOfRow: tile === 0, lastOfRow: tile === 3 }));
  }
  machine.run(job({ requant: plain, softmax: "apply" }));
  assert.ok(machine.output.subarray(64, 128).every((p) => p === 0)); // 256 equal maxima: SUM = 65536 > 65280
});

const geometries: Geometry[] = [
  hardware,
  { ...hardware, softmaxShift: 5 },
  { ...hardware, softmaxShift: 5, softmaxFullScale: 127 },
  { ...hardware, lanes: 32 },
  { ...hardware, elements: 32 },
];
for (const geometry of geometries) {
  const { lanes, elements, softmaxShift, softmaxFullScale } = geometry;
  Deno.test(`SIMD = plain: N ${lanes}, M ${elements}, softmax shift ${softmaxShift} / ${softmaxFullScale}`, () => {
    assert.ok(simdSuits(geometry));
    const reference = new PlainTileArithmetic(geometry);
    const simd = new SimdTileArithmetic(geometry);
    const next = generator(lanes * 1000 + elements + softmaxShift);
    const byte = () => next() & 0xff;
    const requant = () => ({ multiplier: byte(), shift: next() % 40, offset: (next() << 24) >> 24 });
    const same = (what: string) => assert.deepEqual(simd.output, reference.output, what);
    const run = (seed: number, fields: TileJob) => {
      fill(seed, reference, simd);
      for (const machine of [reference, simd]) machine.run(fields);
    };
    for (let round = 0; round < 12; round++) {
      const kind = (["identity", "gelu", "relu"] as const)[round % 3];
      const activation = { kind, b: next() << 16 >> 16, c: next() << 16 >> 16, requant: requant() };
      run(next(), job({ last: false }));
      run(next(), job({ first: false, last: false }));
      run(next(), job({ first: false, requant: requant(), activation }));
      same(`accumulation, round ${round}`);
    }
    for (let round = 0; round < 4; round++) {
      const spread = { multiplier: 40 + byte() % 200, shift: 14 + round, offset: 0 };
      for (let tile = 0; tile < 3; tile++) {
        const [firstOfRow, lastOfRow] = [tile === 0, tile === 2];
        run(next(), job({ requant: spread, softmax: "collect", firstOfRow, lastOfRow }));
        same(`logits, round ${round}`);
      }
      run(next(), job({ softmax: "apply", last: false }));
      run(next(), job({ softmax: "apply", first: false, requant: { multiplier: 90, shift: 13, offset: 4 } }));
      same(`probabilities, round ${round}`);
    }
  });
}

Deno.test("accumulators wrap at 26 bit, in partial sums and with the bias", () => {
  const reference = new PlainTileArithmetic(hardware);
  const simd = new SimdTileArithmetic(hardware);
  for (const machine of [reference, simd]) {
    machine.input.fill(-128);
    machine.weights.fill(-128);
    machine.columnBias.fill(0x7f_ffff);
    for (let i = 0; i < 40; i++) machine.run(job({ first: i === 0, last: false }));
    machine.run(job({ first: false, requant: { multiplier: 1, shift: 20, offset: 0 } }));
  }
  const sum = 41 * 64 * 128 * 128 + 0x7f_ffff;
  assert.equal(reference.output[0], Math.floor((((sum << 6) >> 6) + 2 ** 19) / 2 ** 20));
  assert.deepEqual(simd.output, reference.output);
});

Deno.test("the bench measures the device at work", () => {
  const bench = benchIta({ ...hardware, contexts: 4 }, 0.1);
  assert.match(itaBenchLine(bench), /^ITA: \d+\.\d GMAC\/s/);
  // Plain arithmetic takes milliseconds; a loaded machine must not fail this, a lost fast path must.
  assert.ok(bench.fullJob > 0 && bench.fullJob < 400, `${bench.fullJob} µs`);
});
