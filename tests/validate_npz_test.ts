// Tests of runtime/validate/npz.ts: types, byte orders and layouts of NumPy's files, and damaged ones.

import assert from "node:assert/strict";
import { zipSync } from "fflate";
import { type NpyArray, readNpz, writeNpz } from "../runtime/validate/npz.ts";
import { AttoflowError } from "../targets/errors.ts";

/** A .npy file with the header that NumPy would write and the given bytes of data. */
function npy(descr: string, fortran: boolean, shape: string, data: number[], version = 1): Uint8Array {
  const header = `{'descr': ${descr}, 'fortran_order': ${fortran ? "True" : "False"}, 'shape': ${shape}, }\n`;
  const length = version === 1
    ? [header.length, 0]
    : [header.length & 0xff, header.length >> 8 & 0xff, header.length >> 16 & 0xff, 0];
  const magic = [0x93, ...new TextEncoder().encode("NUMPY"), version, 0];
  return Uint8Array.of(...magic, ...length, ...new TextEncoder().encode(header), ...data);
}

function readOne(file: Uint8Array): NpyArray {
  return readNpz(zipSync({ "x.npy": file })).get("x")!;
}

Deno.test("every dtype in both byte orders", () => {
  const cases: [string, number[], number][] = [
    ["'|b1'", [1], 1],
    ["'|i1'", [0xfe], -2],
    ["'|u1'", [0xfe], 254],
    ["'<i2'", [0xfe, 0xff], -2],
    ["'>i2'", [0xff, 0xfe], -2],
    ["'<u2'", [0xfe, 0xff], 65534],
    ["'<i4'", [0xfe, 0xff, 0xff, 0xff], -2],
    ["'>i4'", [0xff, 0xff, 0xff, 0xfe], -2],
    ["'>u4'", [0x80, 0, 0, 0], 2 ** 31],
    ["'<i8'", [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], -2],
    ["'>i8'", [0, 0, 0, 1, 0, 0, 0, 0], 2 ** 32],
    ["'<u8'", [0, 0, 0, 0, 1, 0, 0, 0], 2 ** 32],
    ["'<f2'", [0x00, 0xc0], -2],
    ["'>f2'", [0xc0, 0x00], -2],
    ["'<f4'", [0, 0, 0x20, 0xc0], -2.5],
    ["'>f4'", [0xc0, 0x20, 0, 0], -2.5],
    ["'<f8'", [0, 0, 0, 0, 0, 0, 0x04, 0xc0], -2.5],
    ["'>f8'", [0xc0, 0x04, 0, 0, 0, 0, 0, 0], -2.5],
  ];
  for (const [descr, bytes, value] of cases) {
    const array = readOne(npy(descr, false, "(1,)", bytes));
    assert.equal(array.data[0], value, descr);
    assert.deepEqual(array.shape, [1], descr);
    assert.ok(descr.includes(array.dtype), descr);
  }
});

Deno.test("Fortran order becomes row major", () => {
  // Column by column: 1 4, 2 5, 3 6.
  const array = readOne(npy("'|i1'", true, "(2, 3)", [1, 4, 2, 5, 3, 6]));
  assert.deepEqual([...array.data], [1, 2, 3, 4, 5, 6]);
  const cube = readOne(npy("'|i1'", true, "(2, 2, 2)", [0, 4, 2, 6, 1, 5, 3, 7]));
  assert.deepEqual([...cube.data], [0, 1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("scalars, empty arrays and later header versions", () => {
  assert.deepEqual(readOne(npy("'|i1'", false, "()", [7])), {
    dtype: "i1",
    shape: [],
    data: Int8Array.of(7),
  });
  assert.deepEqual(readOne(npy("'<f8'", false, "(1, 0, 4)", [])).shape, [1, 0, 4]);
  for (const version of [2, 3]) {
    assert.deepEqual([...readOne(npy("'|u1'", false, "(2,)", [1, 255], version)).data], [1, 255]);
  }
});

Deno.test("what is written is read again, in order, and always gives the same bytes", () => {
  const arrays = new Map([
    ["input", { shape: [2, 3], data: Int8Array.of(-128, -1, 0, 1, 2, 127) }],
    ["0", { shape: [1], data: Float64Array.of(0.1) }],
    ["a long and / odd name", { shape: [], data: Uint32Array.of(0xffff_ffff) }],
    ["empty", { shape: [3, 0], data: new Int32Array() }],
    ["f", { shape: [1, 1], data: Float32Array.of(-0.5) }],
    ["s", { shape: [2], data: Int16Array.of(-2, 2) }],
    ["t", { shape: [1], data: Uint16Array.of(65535) }],
    ["u", { shape: [1], data: Uint8Array.of(200) }],
    ["w", { shape: [1], data: Int32Array.of(-(2 ** 31)) }],
  ]);
  const file = writeNpz(arrays);
  const read = readNpz(file);
  assert.deepEqual([...read.keys()], [...arrays.keys()]);
  for (const [name, array] of arrays) {
    assert.deepEqual(read.get(name)!.shape, array.shape);
    assert.deepEqual(read.get(name)!.data, array.data);
  }
  assert.deepEqual(writeNpz(arrays), file);
});

Deno.test("files in an archive that are no arrays are passed over", () => {
  const file = zipSync({ "README.txt": new Uint8Array(3), "x.npy": npy("'|i1'", false, "(1,)", [1]) });
  assert.deepEqual([...readNpz(file).keys()], ["x"]);
});

Deno.test("damaged and foreign files are explained", () => {
  const good = writeNpz(
    new Map([["x", { shape: [64], data: Int8Array.from({ length: 64 }, (_, i) => i * 37) }]]),
  );
  const flipped = good.slice();
  flipped[150] ^= 1;
  const bad: [string, Uint8Array, RegExp][] = [
    ["empty", new Uint8Array(), /no npz file/],
    ["text", new TextEncoder().encode("hello, I am a text file that is no archive"), /no npz file/],
    ["cut", good.subarray(0, good.length - 30), /no npz file/],
    ["beginning lost", good.subarray(20), /damaged|no npz file/],
    ["one bit flipped", flipped, /damaged/],
    ["objects", zipSync({ "x.npy": npy("'|O'", false, "(1,)", [1]) }), /'\|O'.*not a plain number/],
    ["structure", zipSync({ "x.npy": npy("[('a', '<i4')]", false, "(1,)", [1]) }), /structure/],
    ["complex", zipSync({ "x.npy": npy("'<c16'", false, "(1,)", [1]) }), /<c16/],
    ["too few elements", zipSync({ "x.npy": npy("'<i4'", false, "(5,)", [1, 2, 3, 4]) }), /wants 20 bytes/],
    ["huge shape", zipSync({ "x.npy": npy("'<i4'", false, "(99999999, 99999999)", []) }), /bytes of data/],
    ["no shape", zipSync({ "x.npy": npy("'<i4'", false, "None", []) }), /header/],
    ["version 9", zipSync({ "x.npy": npy("'<i4'", false, "(1,)", [1, 2, 3, 4], 9) }), /version 9/],
    ["not npy", zipSync({ "x.npy": new Uint8Array(100) }), /does not begin like/],
  ];
  for (const [what, file, message] of bad) {
    assert.throws(() => readNpz(file, "f.npz"), (error) => {
      assert.ok(error instanceof AttoflowError, `${what}: ${error}`);
      assert.match(error.paragraph, message, what);
      assert.match(error.paragraph, /^f\.npz: /, what);
      assert.ok(!error.paragraph.includes("\n"), what);
      return true;
    });
  }
});

Deno.test("no truncation or flipped byte of a file makes a crash", () => {
  const good = writeNpz(
    new Map([["x", { shape: [4, 4], data: Int8Array.from({ length: 16 }, (_, i) => i) }]]),
  );
  for (let at = 0; at < good.length; at++) {
    const flipped = good.slice();
    flipped[at] ^= 0xff;
    for (const file of [good.subarray(0, at), flipped]) {
      try {
        readNpz(file);
      } catch (error) {
        assert.ok(error instanceof AttoflowError, `byte ${at}: ${error}`);
      }
    }
  }
});
