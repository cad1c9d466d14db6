// A network's requantisation in ITA's constants: the same result for every accumulator, or none at all.

import assert from "node:assert/strict";
import { requantize } from "../src/operators/requant_shift.ts";
import { activate, requantise } from "../targets/engines/ita/arithmetic.ts";
import { type ItaRequant, type NetworkRequant, translateRequant } from "../targets/engines/ita/requantise.ts";
import { Random } from "./cores_harness.ts";

const signed = { min: -128, max: 127 };
const plainRelu = { kind: "relu", b: 0, c: 0, requant: { multiplier: 1, shift: 0, offset: 0 } } as const;

/** What ITA makes of an accumulator. */
function ita(x: number, constants: ItaRequant): number {
  const y = requantise(x + constants.bias, constants);
  return constants.relu ? activate(y, plainRelu) : y;
}

/** Compares all accumulators from one end to the other. */
function compareAll(network: NetworkRequant, min: number, max: number, constants: ItaRequant): void {
  const { mul, add, shift, limits } = network;
  for (let x = min; x <= max; x++) {
    const wanted = requantize(x, mul, add, shift, limits);
    if (ita(x, constants) !== wanted) {
      assert.fail(
        `${JSON.stringify({ network, constants })}: ${x} gives ${ita(x, constants)}, not ${wanted}`,
      );
    }
  }
}

function constantsFor(...args: Parameters<typeof translateRequant>): ItaRequant {
  const translation = translateRequant(...args);
  assert.ok("constants" in translation, "reason" in translation ? translation.reason : "");
  return translation.constants;
}

function reasonFor(...args: Parameters<typeof translateRequant>): string {
  const translation = translateRequant(...args);
  assert.ok("reason" in translation, JSON.stringify(translation));
  return translation.reason;
}

Deno.test("constants that are found are right for every accumulator", () => {
  const random = new Random(21);
  let found = 0;
  for (let trial = 0; trial < 300; trial++) {
    const shift = random.integer(0, 20);
    const network = {
      mul: random.chance(0.7) ? random.integer(1, 255) : random.integer(1, 70000),
      add: random.chance(0.4) ? 0 : random.integer(-130 * 2 ** shift, 130 * 2 ** shift),
      shift,
      limits: random.pick([signed, signed, { min: 0, max: 127 }, { min: 0, max: 255 }, { min: -8, max: 7 }]),
    };
    const min = random.integer(-20000, 10000);
    const max = min + random.integer(0, 20000);
    const room = random.pick([0, 0, 100, 2 ** 22]);
    const translation = translateRequant(network, { min, max }, { min: -room, max: room });
    if ("reason" in translation) continue;
    found++;
    assert.ok(Math.abs(translation.constants.bias) <= room);
    compareAll(network, min, max, translation.constants);
  }
  assert.ok(found > 100, `${found} of 300 were found`);
});

Deno.test("a refusal means that there are no constants: all of them tried", () => {
  const random = new Random(4);
  let refused = 0;
  for (let trial = 0; refused < 3; trial++) {
    const shift = random.integer(2, 8);
    const network = {
      mul: random.integer(1, 2000),
      add: random.integer(-3 << shift, 3 << shift),
      shift,
      limits: signed,
    };
    const [min, max] = [-random.integer(10, 60), random.integer(10, 60)];
    if ("constants" in translateRequant(network, { min, max })) continue;
    refused++;
    const wanted = Array.from(
      { length: max - min + 1 },
      (_, i) => requantize(min + i, network.mul, network.add, shift, signed),
    );
    for (let multiplier = 0; multiplier < 256; multiplier++) {
      for (let s = 0; s <= 35; s++) {
        for (let offset = -128; offset < 128; offset++) {
          const constants = { multiplier, shift: s, offset };
          const first = requantise(min, constants);
          if (first !== wanted[0] || requantise(max, constants) !== wanted.at(-1)) continue;
          assert.ok(
            wanted.some((y, i) => requantise(min + i, constants) !== y),
            JSON.stringify({ network, constants }),
          );
        }
      }
    }
  }
});

Deno.test("multipliers of 8 bits stay, larger ones are reduced where that is exact", () => {
  const range = { min: -(2 ** 20), max: 2 ** 20 };
  const plain = { add: 0, limits: signed };
  assert.deepEqual(constantsFor({ mul: 75, shift: 15, ...plain }, range), {
    multiplier: 75,
    shift: 15,
    offset: 0,
    bias: 0,
    relu: false,
  });
  const halved = constantsFor({ mul: 300, shift: 15, ...plain }, range);
  assert.deepEqual([halved.multiplier, halved.shift], [75, 13]);
  const huge = constantsFor({ mul: 2 ** 29, shift: 31, ...plain }, { min: -500, max: 500 });
  assert.deepEqual([huge.multiplier, huge.shift], [1, 2]);
  // 257 / 2^16 is not a multiple of anything; over a range short enough it does not matter.
  assert.match(
    reasonFor({ mul: 257, shift: 16, ...plain }, range),
    /\(x·257 \+ 0\) \/ 2\^16 for all x from -1048576/,
  );
  const short = { min: -300, max: 300 };
  compareAll(
    { mul: 257, shift: 16, ...plain },
    -300,
    300,
    constantsFor({ mul: 257, shift: 16, ...plain }, short),
  );
});

Deno.test("an offset becomes ITA's offset, and what is left of it a bias", () => {
  const range = { min: -100000, max: 100000 };
  const network = (add: number) => ({ mul: 75, add, shift: 14, limits: signed });
  const whole = constantsFor(network(-3 * 2 ** 14), range);
  assert.deepEqual([whole.offset, whole.bias], [-3, 0]);
  assert.match(reasonFor(network(777), range), /no 8-bit multiplier and offset/);
  const freedom = { min: -(2 ** 23), max: 2 ** 23 - 1 };
  const rest = constantsFor(network(777), range, freedom);
  assert.notEqual(rest.bias, 0);
  compareAll(network(777), range.min, range.max, rest);
  // QuantLib's asymmetric softmax input (ICCT): an offset of -1066 steps, beyond any 8 bits.
  const large = { mul: 103, add: -17473536, shift: 14, limits: signed };
  compareAll(large, -300000, 300000, constantsFor(large, { min: -300000, max: 300000 }, freedom));
});

Deno.test("signs, clips and widths that are not ITA's", () => {
  const range = { min: -1000, max: 1000 };
  const network = { mul: 75, add: 0, shift: 8, limits: signed };
  assert.match(reasonFor({ ...network, mul: -75 }, range), /-75 is negative/);
  assert.match(reasonFor({ ...network, limits: { min: 0, max: 255 } }, range), /results are 0 … 255/);
  assert.match(reasonFor({ ...network, limits: { min: -8, max: 7 } }, range), /clips to -8 … 7/);
  assert.match(reasonFor(network, { min: -(2 ** 25) - 1, max: 0 }), /-33554433 … 0 do not fit ITA's 26 bits/);
  // Clipped at 0: ReLU. Never below 0 and never above 127: no clip at all.
  assert.equal(constantsFor({ ...network, limits: { min: 0, max: 127 } }, range).relu, true);
  assert.equal(
    constantsFor({ ...network, limits: { min: 0, max: 255 } }, { min: -900, max: 400 }).relu,
    true,
  );
  assert.equal(constantsFor({ ...network, limits: { min: 0, max: 255 } }, { min: 0, max: 400 }).relu, false);
  // Always the same result, whatever the sign of the multiplier.
  const constant = constantsFor({ ...network, mul: -75, add: 500 * 256 }, { min: -5, max: 5 });
  assert.deepEqual([constant.multiplier, constant.offset], [0, 127]);
});
