// The normalisations' exactness where it is hardest: rows of every root, elements at every distance from the mean,
// weights and biases at the ends of what the kernels take, against the operators' reference meaning.

import assert from "node:assert/strict";
import { operators } from "../src/operators/registry.ts";
import { loadTarget } from "../targets/load.ts";
import { KernelProgram, Random, type Trial } from "./cores_harness.ts";
import { runProgram } from "./cores_runner.ts";

const columns = 384;
const rows = 40;

/** Rows that differ in mean and in spread, from constant ones to two-valued ones. */
function spreadRows(random: Random, signed: boolean): Int8Array | Uint8Array {
  const [low, high] = signed ? [-128, 127] : [0, 255];
  const data = new (signed ? Int8Array : Uint8Array)(rows * columns);
  for (let row = 0; row < rows; row++) {
    const reach = random.integer(0, 255);
    const middle = random.pick([low, high, Math.round((low + high) / 2), random.integer(low, high)]);
    const extremes = random.chance(0.3);
    for (let column = 0; column < columns; column++) {
      const offset = extremes ? random.pick([-reach, reach]) : random.integer(-reach, reach);
      data[row * columns + column] = Math.max(low, Math.min(high, middle + offset));
    }
  }
  return data;
}

function trial(random: Random, operator: string): Trial {
  const signed = random.chance(0.6);
  const data = spreadRows(random, signed);
  const shift = random.pick([0, 3, 6, 7, 8, 8, 8]);
  const levels = random.pick([256, 256, 256, 16]);
  const top = levels / 2 * 2 ** shift;
  const constant = (value: number) => vector(new Int32Array(columns).fill(value));
  const most = 2 ** (8 + shift) - 1;
  const weight = random.pick([1, 2, most, 36 * 2 ** shift, random.integer(1, most), random.integer(1, most)]);
  const bias = random.pick([0, 2 ** shift >> 1, -top, top - 1, random.integer(-top, top - 1)]);
  const constants = operator === "iLayerNorm" ? [constant(weight), constant(bias)] : [constant(weight)];
  return application(operator, { shift, levels }, data, constants);
}

/** Weights and biases that differ, up to the largest whose products with a distance fit in 32 bits. */
function trialByColumn(random: Random, operator: string): Trial {
  const most = random.pick([300, 2 ** 16, 2 ** 18, 2 ** 23, Math.floor((2 ** 31 - 1) / 255)]);
  const shift = random.pick([0, 8, 14, 20]);
  const drawn = (most: number) =>
    Int32Array.from(
      { length: columns },
      () => random.chance(0.1) ? random.pick([-most, most, 0]) : random.integer(-most, most),
    );
  const weights = vector(drawn(most));
  const constants = operator === "iLayerNorm" ? [weights, vector(drawn(2 ** (7 + shift)))] : [weights];
  return application(operator, { shift, levels: 256 }, spreadRows(random, random.chance(0.6)), constants);
}

const vector = (data: Int32Array) => ({
  name: "c",
  dtype: "int32" as const,
  shape: [columns],
  range: { min: Math.min(...data), max: Math.max(...data) },
  data,
});

function application(
  operator: string,
  attributes: Record<string, unknown>,
  data: Int8Array | Uint8Array,
  constants: readonly ReturnType<typeof vector>[],
): Trial {
  const signed = data instanceof Int8Array;
  const found = operators.get(operator)!;
  const range = signed ? { min: -128, max: 127 } : { min: 0, max: 255 };
  const x = { name: "x", dtype: signed ? "int8" as const : "uint8" as const, shape: [rows, columns], range };
  return {
    operator: found,
    attributes: found.parse(attributes),
    inputs: [x, ...constants],
    data: [data, ...constants.map((tensor) => tensor.data)],
  };
}

Deno.test("a row's table is exact: a million elements", async () => {
  const random = new Random(1607);
  const program = new KernelProgram(await loadTarget("snitch-ita"), random);
  for (let i = 0; i < 48; i++) program.add(trial(random, "iLayerNorm"));
  for (let i = 0; i < 24; i++) program.add(trial(random, "iRMSNorm"));
  assert.deepEqual(program.sources, ["norm_uniform.c"]);
  assert.deepEqual(await runProgram(program), []);
});

Deno.test("division by the root is exact: a million elements", async () => {
  const random = new Random(1994);
  const program = new KernelProgram(await loadTarget("snitch-ita"), random);
  for (let i = 0; i < 48; i++) program.add(trialByColumn(random, "iLayerNorm"));
  for (let i = 0; i < 24; i++) program.add(trialByColumn(random, "iRMSNorm"));
  assert.deepEqual(program.sources, ["norm_columns.c"]);
  assert.deepEqual(await runProgram(program), []);
});
