// The WebAssembly module builder: what it writes is loaded and run by the engine, which validates it.

import assert from "node:assert/strict";
import { ByteSink } from "../runtime/wasm/bytes.ts";
import { call, callIndirect, ifElse, perform, select } from "../runtime/wasm/expression.ts";
import { f64, f64x2, i16x8, i32, i32x4, i64, i8x16, v128 } from "../runtime/wasm/instructions.ts";
import { ModuleBuilder } from "../runtime/wasm/module.ts";

type Exports = Record<string, (...values: (number | bigint)[]) => number>;

function load(module: ModuleBuilder, imports: WebAssembly.Imports = {}): Exports {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.build()), imports);
  return instance.exports as unknown as Exports;
}

/** A module with memory and one function that stores a vector at address 0. */
function vectorOf(make: () => ReturnType<typeof v128.const>, before?: Uint8Array): Uint8Array {
  const module = new ModuleBuilder();
  module.memory(1, "memory");
  module.define({ parameters: [], result: "none", export: "run" }, (body) => {
    body.do(v128.store(i32.const(0), make()));
  });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.build()));
  const memory = new Uint8Array((instance.exports.memory as WebAssembly.Memory).buffer);
  if (before) memory.set(before, 16);
  (instance.exports.run as () => void)();
  return memory.slice(0, 16);
}

Deno.test("LEB128 of the format's edge cases", () => {
  const bytes = (write: (sink: ByteSink) => void) => {
    const sink = new ByteSink();
    write(sink);
    return [...sink.bytes];
  };
  assert.deepEqual(bytes((s) => s.unsigned(624485)), [0xe5, 0x8e, 0x26]);
  assert.deepEqual(bytes((s) => s.unsigned(0xffff_ffff)), [0xff, 0xff, 0xff, 0xff, 0x0f]);
  assert.deepEqual(bytes((s) => s.signed(-123456)), [0xc0, 0xbb, 0x78]);
  assert.deepEqual(bytes((s) => s.signed(63)), [63]);
  assert.deepEqual(bytes((s) => s.signed(64)), [0xc0, 0x00]);
  assert.deepEqual(bytes((s) => s.signed(-64)), [0x40]);
  assert.deepEqual(bytes((s) => s.signed(0x7fff_ffff)), [0xff, 0xff, 0xff, 0xff, 0x07]);
  assert.deepEqual(bytes((s) => s.signed64(-(2n ** 63n))), [...Array(9).fill(0x80), 0x7f]);
  assert.equal(bytes((s) => s.raw(new Uint8Array(1000).fill(7))).length, 1000);
});

Deno.test("loops, branches and calls between functions", () => {
  const module = new ModuleBuilder();
  const double = module.define({ parameters: ["i32"], result: "i32" }, (body, x) => {
    body.return(i32.shl(x, i32.const(1)));
  });
  module.define({ parameters: ["i32"], result: "i32", export: "sumOfDoubles" }, (body, end) => {
    const i = body.local("i32");
    const sum = body.local("i32");
    body.block((done) => {
      body.loop((again) => {
        body.branchIf(done, i32.ge_s(i, end));
        body.set(sum, i32.add(sum, call(double, i)));
        body.set(i, i32.add(i, i32.const(1)));
        body.branch(again);
      });
    });
    body.return(sum);
  });
  module.define({ parameters: ["i32"], result: "i32", export: "classify" }, (body, x) => {
    body.block((other) => {
      body.block((one) => {
        body.block((zero) => {
          body.branchTable(x, [zero, one], other);
        });
        body.return(i32.const(100));
      });
      body.return(i32.const(101));
    });
    const answer = body.local("i32");
    body.if(
      i32.gt_u(x, i32.const(9)),
      () => body.set(answer, i32.const(-1)),
      () => body.set(answer, i32.const(-2)),
    );
    body.return(answer);
  });
  const { sumOfDoubles, classify } = load(module);
  assert.equal(sumOfDoubles(10), 90);
  assert.equal(sumOfDoubles(0), 0);
  assert.deepEqual([0, 1, 2, 10].map((x) => classify(x)), [100, 101, -2, -1]);
});

Deno.test("64-bit integers give the high word of a product", () => {
  const module = new ModuleBuilder();
  module.define({ parameters: ["i32", "i32"], result: "i32", export: "mulh" }, (body, a, b) => {
    const product = i64.mul(i64.extend_i32_s(a), i64.extend_i32_s(b));
    body.return(i32.wrap_i64(i64.shr_s(product, i64.const(32n))));
  });
  const { mulh } = load(module);
  for (const [a, b] of [[-1, -1], [0x7fff_ffff, -7], [-0x8000_0000, -0x8000_0000], [123456789, 987654321]]) {
    assert.equal(mulh(a, b), Number(BigInt.asIntN(32, (BigInt(a) * BigInt(b)) >> 32n)));
  }
});

Deno.test("imports: functions and a memory that the host owns", () => {
  const module = new ModuleBuilder();
  module.importMemory("host", "memory", 1);
  const log = module.importFunction("host", "log", { parameters: ["i32"], result: "none" });
  module.define({ parameters: ["i32"], result: "none", export: "run" }, (body, address) => {
    body.do(perform(log, i32.load8_s(address, 3)), i32.store16(address, i32.const(-2), 4));
    body.drop(i32.const(1));
  });
  const memory = new WebAssembly.Memory({ initial: 1 });
  const seen: number[] = [];
  const { run } = load(module, { host: { memory, log: (value: number) => seen.push(value) } });
  new Uint8Array(memory.buffer)[1003] = 0xf0;
  run(1000);
  assert.deepEqual(seen, [-16]);
  assert.equal(new DataView(memory.buffer).getInt16(1004, true), -2);
  assert.throws(() => module.importFunction("host", "late", { parameters: [], result: "none" }), /before/);
  module.memory(1, "memory");
  assert.throws(() => module.memory(1, "again"), /one memory/);
  assert.throws(() => module.importMemory("host", "late", 1), /before/);
});

Deno.test("two memories, a table, choices, and hints that the engine takes", () => {
  const module = new ModuleBuilder();
  const first = module.importMemory("host", "first", 1), second = module.importMemory("host", "second", 1);
  module.importTable("host", "table");
  const unary = module.type({ parameters: ["i32"], result: "i32" });
  module.define({ parameters: ["i32"], result: "i32", export: "negative" }, (body, x) => {
    body.return(i32.sub(i32.const(0), x));
  });
  module.define({ parameters: ["i32"], result: "i32", export: "run" }, (body, x) => {
    body.if(i32.lt_s(x, i32.const(0)), () => body.return(i32.const(-1)), undefined, false);
    body.do(
      i32.store(i32.const(8), x, 0, first),
      i32.store(i32.const(8), callIndirect(unary, x, x), 4, second),
    );
    const sum = i32.add(i32.load(i32.const(8), 0, first), i32.load(i32.const(12), 0, second));
    const quotient = ifElse(sum, i32.div_s(i32.const(100), sum), i32.const(77));
    body.return(select(i32.eq(x, i32.const(1)), i32.const(5), quotient));
  });
  const memories = [1, 1].map((initial) => new WebAssembly.Memory({ initial }));
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 4 });
  const { run, negative } = load(module, { host: { first: memories[0], second: memories[1], table } });
  for (let i = 0; i < 4; i++) table.set(i, negative);
  assert.deepEqual([-3, 1, 3].map((x) => run(x)), [-1, 5, 77]);
  assert.equal(new Int32Array(memories[0].buffer)[2], 3);
  assert.equal(new Int32Array(memories[1].buffer)[3], -3);
});

Deno.test("vectors: dot products, shuffles, narrowing, doubles", () => {
  const int16 = (...values: number[]) => [...new Uint8Array(new Int16Array(values).buffer)];
  const a = [1, -2, 300, 4, 5, -600, 7, 8];
  const b = [9, 8, -7, 6, 5, 4, -32768, 2];
  const dots = vectorOf(() => i32x4.dot_i16x8_s(v128.const(int16(...a)), v128.const(int16(...b))));
  assert.deepEqual(
    [...new Int32Array(dots.buffer)],
    [0, 2, 4, 6].map((i) => a[i] * b[i] + a[i + 1] * b[i + 1]),
  );
  const counting = Array.from({ length: 16 }, (_, i) => i);
  const reversed = vectorOf(() =>
    i8x16.shuffle(v128.const(counting), v128.const(counting.map((i) => i + 16)), counting.map((i) => 31 - i))
  );
  assert.deepEqual([...reversed], counting.map((i) => 31 - i));
  const narrowed = vectorOf(() =>
    i8x16.narrow_i16x8_s(v128.const(int16(...a)), i16x8.splat(i32.const(-200)))
  );
  assert.deepEqual([...new Int8Array(narrowed.buffer)], [
    1,
    -2,
    127,
    4,
    5,
    -128,
    7,
    8,
    ...Array(8).fill(-128),
  ]);
  const floors = vectorOf(() =>
    f64x2.floor(f64x2.mul(f64x2.splat(f64.const(-3.5)), f64x2.splat(f64.const(0.5))))
  );
  assert.deepEqual([...new Float64Array(floors.buffer)], [-2, -2]);
  const loaded = vectorOf(() => v128.load32_splat(i32.const(0), 18), new Uint8Array([0, 0, 1, 2, 3, 4]));
  assert.deepEqual([...loaded], Array(4).fill([1, 2, 3, 4]).flat());
});
