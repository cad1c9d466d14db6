// The WebAssembly module behind simd.ts: one function a stage of a job, written instruction by instruction with
// runtime/wasm (which imports nothing of the SoC). M = elements; all arrays are in the module's own memory.

import type { Expression, Local } from "../../../runtime/wasm/expression.ts";
import type { FunctionBuilder } from "../../../runtime/wasm/function.ts";
import { f64, f64x2, i16x8, i32, i32x4, i8x16, v128 } from "../../../runtime/wasm/instructions.ts";
import { ModuleBuilder } from "../../../runtime/wasm/module.ts";
import type { Geometry } from "./arithmetic.ts";

type I32 = Expression<"i32">;
type V128 = Expression<"v128">;

/** Addresses of the module's arrays, for tiles of `m` × `m`. */
export function layoutOf(m: number) {
  let end = 0;
  const array = (bytes: number) => {
    const start = end;
    end += bytes;
    return start;
  };
  return {
    input: array(m * m),
    weights: array(m * m),
    output: array(m * m),
    columnBias: array(4 * m),
    rowBias: array(4 * m),
    /** One s8 in a 4-byte cell for each row. */
    maximum: array(4 * m),
    denominator: array(4 * m),
    activation: array(256),
    /** Input as s16, row major. */
    wideInput: array(2 * m * m),
    /** Weights as s16 pairs: for 8 columns, for each pair of inner indices, the pair of each column. */
    packedWeights: array(2 * m * m),
    partial: array(4 * m * m),
    end,
    get pages() {
      return Math.ceil(end / 65536);
    },
  };
}

type Layout = ReturnType<typeof layoutOf>;

/** The module: one function a stage. */
export function tileModule(geometry: Geometry, layout: Layout): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.memory(layout.pages, "memory");
  const stage = { parameters: [], result: "none" } as const;
  const m = geometry.elements;
  module.define({ ...stage, export: "widen" }, (body) => widen(body, m, layout));
  module.define({ ...stage, export: "probabilities" }, (body) => probabilities(body, geometry, layout));
  module.define({ ...stage, export: "pack" }, (body) => pack(body, m, layout));
  module.define(
    { parameters: ["i32"], result: "none", export: "multiply" },
    (body, keepMask) => multiply(body, m, layout, keepMask),
  );
  module.define(
    { parameters: ["f64", "f64"], result: "none", export: "requantise" },
    (body, scale, offset) => requantise(body, m, layout, scale, offset),
  );
  module.define(
    { parameters: ["i32"], result: "none", export: "collect" },
    (body, first) => collect(body, geometry, layout, first),
  );
  module.define({ ...stage, export: "invert" }, (body) => {
    const cell = body.local("i32");
    body.count(cell, layout.denominator, layout.denominator + 4 * m, 4, () => {
      body.do(i32.store(cell, i32.div_u(i32.const(geometry.softmaxFullScale * 256), i32.load(cell))));
    });
  });
  module.define({ ...stage, export: "activate" }, (body) => {
    const at = body.local("i32");
    body.count(at, 0, m * m, 8, () => {
      for (let i = 0; i < 8; i++) {
        body.do(
          i32.store8(
            at,
            i32.load8_s(i32.load8_u(at, layout.output + i), layout.activation),
            layout.output + i,
          ),
        );
      }
    });
  });
  return module.build();
}

/** Input s8 → s16. */
function widen(body: FunctionBuilder, m: number, layout: Layout): void {
  const at = body.local("i32");
  const bytes = body.local("v128");
  const wide = body.local("i32");
  body.count(at, 0, m * m, 16, () => {
    body.set(bytes, v128.load(at, layout.input));
    body.set(wide, i32.shl(at, i32.const(1)));
    body.do(
      v128.store(wide, i16x8.extend_low_i8x16_s(bytes), layout.wideInput),
      v128.store(wide, i16x8.extend_high_i8x16_s(bytes), layout.wideInput + 16),
    );
  });
}

/** Input logits → probabilities as s16: a swizzle looks INV >> octaves up in a row's table of eight entries. */
function probabilities(body: FunctionBuilder, geometry: Geometry, layout: Layout): void {
  const m = geometry.elements;
  const cell = body.local("i32");
  const at = body.local("i32");
  const wide = body.local("i32");
  const inverse = body.local("i32");
  const table = body.local("v128");
  const maximum = body.local("v128");
  const bytes = body.local("v128");
  body.count(cell, 0, 4 * m, 4, () => {
    body.set(inverse, i32.load(cell, layout.denominator));
    body.set(table, v128.const(Array(16).fill(0)));
    for (let octaves = 0; octaves < 8; octaves++) {
      body.set(table, i8x16.replace_lane(table, octaves, i32.shr_u(inverse, i32.const(octaves))));
    }
    body.set(maximum, i8x16.splat(i32.load(cell, layout.maximum)));
    body.set(at, i32.mul(cell, i32.const(m / 4)));
    for (let part = 0; part < m; part += 16) {
      const distance = i8x16.sub(maximum, v128.load(at, layout.input + part));
      body.set(bytes, i8x16.swizzle(table, octavesOf(distance, geometry)));
      body.set(wide, i32.shl(at, i32.const(1)));
      body.do(
        v128.store(wide, i16x8.extend_low_i8x16_u(bytes), layout.wideInput + 2 * part),
        v128.store(wide, i16x8.extend_high_i8x16_u(bytes), layout.wideInput + 2 * part + 16),
      );
    }
  });
}

/** Right shift of the softmax for u8 distances: (d + 16) >> 5 = ((d >> 4) + 1) >> 1, a rounded-up average. */
function octavesOf(distance: V128, { softmaxShift }: Geometry): V128 {
  if (softmaxShift === 0) return distance;
  return i8x16.avgr_u(i8x16.shr_u(distance, i32.const(4)), v128.const(Array(16).fill(0)));
}

/** Byte numbers that interleave the low (or high) halves of two vectors in units of `unit` bytes. */
function interleave(unit: number, half: "low" | "high"): number[] {
  const start = half === "low" ? 0 : 8;
  const lanes: number[] = [];
  for (let i = start; i < start + 8; i += unit) {
    for (const vector of [0, 16]) for (let b = 0; b < unit; b++) lanes.push(vector + i + b);
  }
  return lanes;
}

/**
 * Weights s8 [column][inner] → s16 so that one `dot_i16x8_s` with a pair of inputs in all lanes multiplies
 * for four columns at a time: [8 columns][inner pair][column] pairs, 32 bytes for each inner pair.
 */
function pack(body: FunctionBuilder, m: number, layout: Layout): void {
  const source = body.local("i32");
  const target = body.local("i32");
  const quad = body.local("i32");
  const inner = body.local("i32");
  const pairs = [body.local("v128"), body.local("v128")];
  const fours = body.local("v128");
  body.count(quad, 0, m / 4, 1, () => {
    body.set(source, i32.mul(quad, i32.const(4 * m)));
    body.set(
      target,
      i32.add(
        i32.mul(i32.shr_u(quad, i32.const(1)), i32.const(16 * m)),
        i32.shl(i32.and(quad, i32.const(1)), i32.const(4)),
      ),
    );
    body.count(inner, 0, m, 16, () => {
      const column = (n: number) => v128.load(source, layout.weights + n * m);
      for (const [h, half] of (["low", "high"] as const).entries()) {
        // Two bytes of columns 0 and 1 (2 and 3) side by side, then those of all four.
        body.set(pairs[0], i8x16.shuffle(column(0), column(1), interleave(2, half)));
        body.set(pairs[1], i8x16.shuffle(column(2), column(3), interleave(2, half)));
        for (const [q, quarter] of (["low", "high"] as const).entries()) {
          body.set(fours, i8x16.shuffle(pairs[0], pairs[1], interleave(4, quarter)));
          const at = layout.packedWeights + 32 * (4 * h + 2 * q);
          body.do(
            v128.store(target, i16x8.extend_low_i8x16_s(fours), at),
            v128.store(target, i16x8.extend_high_i8x16_s(fours), at + 32),
          );
        }
      }
      body.set(source, i32.add(source, i32.const(16)));
      body.set(target, i32.add(target, i32.const(32 * 8)));
    });
  });
}

/** partial = wrap26((partial & keepMask) + input · weights), 4 rows × 8 columns at a time in registers. */
function multiply(body: FunctionBuilder, m: number, layout: Layout, keepMask: Local<"i32">): void {
  const blockRows = 4;
  const unrolled = 4;
  const columns = body.local("i32");
  const row = body.local("i32");
  const inner = body.local("i32");
  const rowBytes = 2 * m;
  const inputAt = body.local("i32");
  const weightsAt = body.local("i32");
  const sumsAt = body.local("i32");
  const x = body.local("v128");
  const weights = [body.local("v128"), body.local("v128")];
  const sums = Array.from({ length: blockRows }, () => [body.local("v128"), body.local("v128")]);
  body.count(columns, 0, m, 8, () => {
    body.count(row, 0, m, blockRows, () => {
      for (const sum of sums.flat()) body.set(sum, v128.const(Array(16).fill(0)));
      body.set(inputAt, i32.mul(row, i32.const(rowBytes)));
      body.set(weightsAt, i32.mul(columns, i32.const(rowBytes)));
      body.count(inner, 0, m / 2, unrolled, () => {
        for (let u = 0; u < unrolled; u++) {
          weights.forEach((w, q) =>
            body.set(w, v128.load(weightsAt, layout.packedWeights + 32 * u + 16 * q))
          );
          sums.forEach((rowSums, r) => {
            body.set(x, v128.load32_splat(inputAt, layout.wideInput + r * rowBytes + 4 * u));
            rowSums.forEach((sum, q) => body.set(sum, i32x4.add(sum, i32x4.dot_i16x8_s(x, weights[q]))));
          });
        }
        body.set(inputAt, i32.add(inputAt, i32.const(4 * unrolled)));
        body.set(weightsAt, i32.add(weightsAt, i32.const(32 * unrolled)));
      });
      body.set(sumsAt, i32.shl(i32.add(i32.mul(row, i32.const(m)), columns), i32.const(2)));
      sums.forEach((rowSums, r) =>
        rowSums.forEach((sum, q) => {
          const at = layout.partial + r * 4 * m + 16 * q;
          const before = v128.and(v128.load(sumsAt, at), i32x4.splat(keepMask));
          body.do(v128.store(sumsAt, wrap26(i32x4.add(sum, before)), at));
        })
      );
    });
  });
}

function wrap26(vector: V128): V128 {
  return i32x4.shr_s(i32x4.shl(vector, i32.const(6)), i32.const(6));
}

/** output = clamp(floor(wrap26(partial + bias) · scale + offset)), in doubles, which are exact here. */
function requantise(
  body: FunctionBuilder,
  m: number,
  layout: Layout,
  scale: Local<"f64">,
  offset: Local<"f64">,
): void {
  const row = body.local("i32");
  const at = body.local("i32");
  const sum = body.local("v128");
  const rowBias = body.local("v128");
  const factors = body.local("v128");
  const offsets = body.local("v128");
  const low = body.local("v128");
  const quads = Array.from({ length: 4 }, () => body.local("v128"));
  const everyOther = [0, 8, 16, 24].flatMap((start) => [0, 1, 2, 3].map((b) => start + b));
  const highHalf = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];
  const splat = (value: number) => f64x2.splat(f64.const(value));
  // 1.5 · 2^52 added to a small integer leaves that integer in the low word of the double's bits.
  const quotients = (pair: V128) => {
    const quotient = f64x2.floor(f64x2.add(f64x2.mul(f64x2.convert_low_i32x4_s(pair), factors), offsets));
    return f64x2.add(f64x2.pmax(f64x2.pmin(quotient, splat(127)), splat(-128)), splat(1.5 * 2 ** 52));
  };
  body.set(factors, f64x2.splat(scale));
  body.set(offsets, f64x2.splat(offset));
  body.count(row, 0, m, 1, () => {
    body.set(rowBias, v128.load32_splat(i32.shl(row, i32.const(2)), layout.rowBias));
    body.set(at, i32.mul(row, i32.const(m)));
    for (let column = 0; column < m; column += 16) {
      quads.forEach((quad, q) => {
        const cell = 4 * (column + 4 * q);
        const bias = i32x4.add(rowBias, v128.load(i32.const(0), layout.columnBias + cell));
        const partial = v128.load(i32.shl(at, i32.const(2)), layout.partial + cell);
        body.set(sum, wrap26(i32x4.add(partial, bias)));
        body.set(low, quotients(sum));
        body.set(quad, i8x16.shuffle(low, quotients(i8x16.shuffle(sum, sum, highHalf)), everyOther));
      });
      const eights = [0, 2].map((q) => i16x8.narrow_i32x4_s(quads[q], quads[q + 1]));
      body.do(v128.store(at, i8x16.narrow_i16x8_s(eights[0], eights[1]), layout.output + column));
    }
  });
}

/** Running row maxima and denominators over the parts of a tile of logits (section 8.1). */
function collect(body: FunctionBuilder, geometry: Geometry, layout: Layout, first: Local<"i32">): void {
  const { elements: m, lanes } = geometry;
  const cell = body.local("i32");
  const at = body.local("i32");
  const maximum = body.local("i32");
  const risen = body.local("i32");
  const sum = body.local("i32");
  const peak = body.local("v128");
  const octaves = body.local("v128");
  const pairs = body.local("v128");
  // 256 >> n as bytes; 256 itself does not fit: 255, and 1 more for each lane with n = 0.
  const terms = v128.const([255, 128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0]);
  const rotated = (by: number) => Array.from({ length: 16 }, (_, i) => (i + by) % 16);
  body.count(cell, 0, 4 * m, 4, () => {
    body.if(first, () => {
      body.set(maximum, i32.const(-128));
      body.set(sum, i32.const(0));
    }, () => {
      body.set(maximum, i32.load(cell, layout.maximum));
      body.set(sum, i32.load(cell, layout.denominator));
    });
    body.set(at, i32.mul(cell, i32.const(m / 4)));
    for (let part = 0; part < m; part += lanes) {
      const vectors = Array.from(
        { length: lanes / 16 },
        (_, i) => v128.load(at, layout.output + part + 16 * i),
      );
      body.set(peak, vectors.reduce((a, b) => i8x16.max_s(a, b)));
      for (const by of [8, 4, 2, 1]) {
        body.set(peak, i8x16.max_s(peak, i8x16.shuffle(peak, peak, rotated(by))));
      }
      body.set(peak, i8x16.max_s(peak, i8x16.splat(maximum)));
      body.set(risen, i8x16.extract_lane_s(peak, 0));
      body.set(sum, i32.shr_u(sum, scalarOctaves(i32.sub(risen, maximum), geometry)));
      for (const logits of vectors) {
        body.set(octaves, octavesOf(i8x16.sub(peak, logits), geometry));
        body.set(
          pairs,
          i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(i8x16.swizzle(terms, octaves))),
        );
        for (const by of [8, 4]) body.set(pairs, i32x4.add(pairs, i8x16.shuffle(pairs, pairs, rotated(by))));
        const ones = i32.popcnt(i8x16.bitmask(i8x16.eq(octaves, v128.const(Array(16).fill(0)))));
        body.set(sum, i32.add(sum, i32.add(i32x4.extract_lane(pairs, 0), ones)));
      }
      body.set(sum, i32.and(sum, i32.const(0x7ffff)));
      body.set(maximum, risen);
    }
    body.do(i32.store(cell, maximum, layout.maximum), i32.store(cell, sum, layout.denominator));
  });
}

/** The softmax's right shift for a sum of 19 bits; WebAssembly takes shift amounts modulo 32. */
function scalarOctaves(distance: I32, { softmaxShift }: Geometry): I32 {
  if (softmaxShift === 5) return i32.shr_u(i32.add(distance, i32.const(16)), i32.const(5));
  const mask = i32.sub(i32.const(0), i32.gt_u(distance, i32.const(31)));
  return i32.and(i32.or(distance, mask), i32.const(31));
}
