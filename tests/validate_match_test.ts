// Tests of runtime/validate/match.ts: which array becomes which tensor of which inference.

import assert from "node:assert/strict";
import { matchInputs, matchOutputs } from "../runtime/validate/match.ts";
import type { NpyArray } from "../runtime/validate/npz.ts";
import { AttoflowError } from "../targets/errors.ts";
import type { ManifestTensor } from "../targets/manifest.ts";

function tensor(
  name: string,
  dtype: ManifestTensor["dtype"],
  shape: number[],
  min: number,
  max: number,
): ManifestTensor {
  return { name, dtype, shape, address: 0, bytes: 0, range: { min, max } };
}

function file(...arrays: [string, number[], number[]][]): Map<string, NpyArray> {
  return new Map(
    arrays.map(([name, shape, data]) => [name, { dtype: "f8", shape, data: Float64Array.from(data) }]),
  );
}

const x = tensor("x", "int8", [1, 2], -128, 127);
const cache = tensor("cache", "int8", [1, 0, 4], -128, 127);

function explains(action: () => unknown, ...parts: RegExp[]) {
  assert.throws(action, (error) => {
    assert.ok(error instanceof AttoflowError, String(error));
    for (const part of parts) assert.match(error.paragraph, part);
    assert.match(error.paragraph, /^f\.npz: /);
    assert.ok(!error.paragraph.includes("\n"));
    return true;
  });
}

Deno.test("arrays match by order, whatever their names and ranks; arrays beyond the inputs are passed over", () => {
  const arrays = file(["second?", [2], [1, 2]], ["x", [2, 1], [3, 4]], ["weights", [3], [7, 8, 9]]);
  const { inferences, notes } = matchInputs(arrays, [x, tensor("y", "uint8", [2, 1], 0, 255)], "f.npz");
  assert.deepEqual(inferences, [[Int8Array.of(1, 2), Uint8Array.of(3, 4)]]);
  assert.deepEqual(notes, []);
});

Deno.test("k times the elements are k inferences", () => {
  const arrays = file(["a", [3, 2], [1, 2, 3, 4, 5, 6]], ["b", [3], [7, 8, 9]], ["none", [0], []]);
  const { inferences } = matchInputs(arrays, [x, tensor("y", "int32", [], -10, 10), cache], "f.npz");
  assert.equal(inferences.length, 3);
  assert.deepEqual(inferences[2], [Int8Array.of(5, 6), Int32Array.of(9), new Int8Array()]);
});

Deno.test("inputs without any element are one inference", () => {
  assert.deepEqual(matchInputs(file(["c", [1, 0, 4], []]), [cache], "f.npz").inferences, [[new Int8Array()]]);
  assert.deepEqual(matchInputs(file(), [], "f.npz").inferences, [[]]);
});

Deno.test("values that are no integers are rounded, and that is said", () => {
  const { inferences, notes } = matchInputs(file(["a", [2], [1.6, -2]]), [x], "f.npz");
  assert.deepEqual(inferences, [[Int8Array.of(2, -2)]]);
  assert.match(notes[0], /1 of 2 elements of array a/);
  const real = tensor("r", "float32", [2], -Infinity, Infinity);
  assert.deepEqual(matchInputs(file(["a", [2], [0.5, -2]]), [real], "f.npz").inferences, [[
    Float32Array.of(0.5, -2),
  ]]);
});

Deno.test("wrong counts name the array, its shape and what is wanted", () => {
  const y = tensor("y", "int8", [2], -128, 127);
  explains(
    () => matchInputs(file(["a", [3], [1, 2, 3]]), [x], "f.npz"),
    /array a of shape \[3\]/,
    /input x of shape \[1,2\] wants 2 or a multiple/,
  );
  explains(() => matchInputs(file(["a", [0], []]), [x], "f.npz"), /has 0 elements/);
  explains(() => matchInputs(file(["a", [1], [1]]), [cache], "f.npz"), /wants none/);
  explains(
    () => matchInputs(file(["a", [2, 2], [1, 2, 3, 4]], ["b", [2], [1, 2]]), [x, y], "f.npz"),
    /array b of shape \[2\] has 2 elements/,
    /wants 4, for the 2 inferences/,
  );
  explains(
    () => matchInputs(file(["a", [2], [1, 2]]), [x, y], "f.npz"),
    /there are 1 arrays \(a \[2\]\)/,
    /2 inputs/,
    /without an array is y of shape \[2\]/,
  );
  explains(() => matchInputs(file(), [x], "f.npz"), /there are 0 arrays, /);
});

Deno.test("values that the image cannot take are explained", () => {
  const narrow = tensor("x", "int8", [1, 2], -8, 7);
  explains(
    () => matchInputs(file(["a", [1, 2], [1, 8]]), [narrow], "f.npz"),
    /\[0,1\] of array a is 8/,
    /from -8 to 7/,
    /--input-type/,
  );
  explains(() => matchInputs(file(["a", [1, 2], [1, 128]]), [x], "f.npz"), /is 128/);
  explains(() => matchInputs(file(["a", [1, 2], [NaN, 1]]), [x], "f.npz"), /is NaN/);
  explains(
    () =>
      matchInputs(
        file(["a", [1, 2], [2 ** 33, 1]]),
        [tensor("x", "int32", [2], -(2 ** 31), 2 ** 31 - 1)],
        "f.npz",
      ),
    /is 8589934592/,
  );
});

Deno.test("names from the file cannot break the message", () => {
  const name = `evil\n${"x".repeat(4000)}`;
  explains(() => matchInputs(file([name, [3], [1, 2, 3]]), [{ ...x, name }], "f.npz"), /array evil\?x+…/);
});

Deno.test("expected outputs are cut the same way and keep values that the output cannot take", () => {
  const arrays = file(["o", [2, 2], [1, 2, 3, 400]], ["extra", [1], [0]]);
  assert.deepEqual(matchOutputs(arrays, [x], 2, "f.npz"), [[Float64Array.of(1, 2)], [
    Float64Array.of(3, 400),
  ]]);
  explains(
    () => matchOutputs(arrays, [x], 3, "f.npz"),
    /array o of shape \[2,2\] has 4 elements/,
    /2 for each of 3 inferences/,
  );
  explains(() => matchOutputs(file(), [x], 1, "f.npz"), /1 outputs/);
});
