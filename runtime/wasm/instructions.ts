// The instructions, by the names that WebAssembly's text format gives them: `i32.add(a, b)`,
// `i32x4.dot_i16x8_s(a, b)`. Tables of opcodes (core specification 2.0, section 5.4) make the functions.

import type { ByteSink } from "./bytes.ts";
import { emitOpcode, type Expression, operation, type Statement, type ValueType } from "./expression.ts";

type Unary<Name extends string, A extends ValueType, R extends ValueType> = Record<
  Name,
  (value: Expression<A>) => Expression<R>
>;
type Binary<Name extends string, A extends ValueType, B extends ValueType, R extends ValueType> = Record<
  Name,
  (left: Expression<A>, right: Expression<B>) => Expression<R>
>;
type Load<Name extends string, R extends ValueType> = Record<
  Name,
  (address: Expression<"i32">, offset?: number, memory?: number) => Expression<R>
>;
type Store<Name extends string, V extends ValueType> = Record<
  Name,
  (address: Expression<"i32">, value: Expression<V>, offset?: number, memory?: number) => Statement
>;

function mapped<Name extends string, F>(codes: Record<Name, number>, make: (code: number) => F) {
  return Object.fromEntries(
    Object.entries<number>(codes).map(([name, code]) => [name, make(code)]),
  ) as Record<Name, F>;
}

/** Instructions with one operand. */
function unary<Name extends string, A extends ValueType, R extends ValueType>(
  _operand: A,
  result: R,
  codes: Record<Name, number>,
): Unary<Name, A, R> {
  return mapped(codes, (code) => (value: Expression<A>) => operation(result, code, [value]));
}

/** Instructions with two operands, the second of type `right`. */
function binary<Name extends string, A extends ValueType, B extends ValueType, R extends ValueType>(
  _left: A,
  _right: B,
  result: R,
  codes: Record<Name, number>,
): Binary<Name, A, B, R> {
  return mapped(
    codes,
    (code) => (left: Expression<A>, right: Expression<B>) => operation(result, code, [left, right]),
  );
}

/** Loads; alignment 0 (a byte) is always allowed and costs nothing on today's engines. */
function loads<Name extends string, R extends ValueType>(
  result: R,
  codes: Record<Name, number>,
): Load<Name, R> {
  return mapped(
    codes,
    (code) => (address: Expression<"i32">, offset = 0, memory = 0) =>
      operation(result, code, [address], (out) => emitPlace(out, offset, memory)),
  );
}

function stores<Name extends string, V extends ValueType>(
  _value: V,
  codes: Record<Name, number>,
): Store<Name, V> {
  return mapped(
    codes,
    (code) => (address: Expression<"i32">, value: Expression<V>, offset = 0, memory = 0): Statement => ({
      emit(out) {
        address.emit(out);
        value.emit(out);
        emitOpcode(out, code);
        emitPlace(out, offset, memory);
      },
    }),
  );
}

/** Immediates of a load or store: alignment, the memory's index unless it is 0, offset. */
function emitPlace(out: ByteSink, offset: number, memory: number): void {
  const otherMemory = 0x40;
  out.byte(memory === 0 ? 0 : otherMemory);
  if (memory !== 0) out.unsigned(memory);
  out.unsigned(offset);
}

/** SIMD instructions that take a lane number as an immediate. */
function extracts<Name extends string, R extends ValueType>(result: R, codes: Record<Name, number>) {
  return mapped(
    codes,
    (code) => (vector: Expression<"v128">, lane: number) =>
      operation(result, code, [vector], (out) => out.byte(lane)),
  );
}
function replaces<Name extends string, A extends ValueType>(_scalar: A, codes: Record<Name, number>) {
  return mapped(
    codes,
    (code) => (vector: Expression<"v128">, lane: number, value: Expression<A>) =>
      operation("v128", code, [vector, value], (out) => out.byte(lane)),
  );
}

/** 32-bit integers. Addresses and conditions are of this type. */
export const i32 = {
  const: (value: number) => operation("i32", 0x41, [], (out) => out.signed(value)),
  ...unary("i32", "i32", {
    eqz: 0x45,
    clz: 0x67,
    ctz: 0x68,
    popcnt: 0x69,
    extend8_s: 0xc0,
    extend16_s: 0xc1,
  }),
  ...unary("i64", "i32", { wrap_i64: 0xa7 }),
  ...binary("i32", "i32", "i32", {
    eq: 0x46,
    ne: 0x47,
    lt_s: 0x48,
    lt_u: 0x49,
    gt_s: 0x4a,
    gt_u: 0x4b,
    le_s: 0x4c,
    le_u: 0x4d,
    ge_s: 0x4e,
    ge_u: 0x4f,
    add: 0x6a,
    sub: 0x6b,
    mul: 0x6c,
    div_s: 0x6d,
    div_u: 0x6e,
    rem_s: 0x6f,
    rem_u: 0x70,
    and: 0x71,
    or: 0x72,
    xor: 0x73,
    shl: 0x74,
    shr_s: 0x75,
    shr_u: 0x76,
    rotl: 0x77,
    rotr: 0x78,
  }),
  ...loads("i32", { load: 0x28, load8_s: 0x2c, load8_u: 0x2d, load16_s: 0x2e, load16_u: 0x2f }),
  ...stores("i32", { store: 0x36, store8: 0x3a, store16: 0x3b }),
};

/** 64-bit integers. */
export const i64 = {
  const: (value: bigint) => operation("i64", 0x42, [], (out) => out.signed64(value)),
  ...unary("i64", "i32", { eqz: 0x50 }),
  ...unary("i32", "i64", { extend_i32_s: 0xac, extend_i32_u: 0xad }),
  ...binary("i64", "i64", "i32", {
    eq: 0x51,
    ne: 0x52,
    lt_s: 0x53,
    lt_u: 0x54,
    gt_s: 0x55,
    gt_u: 0x56,
    le_s: 0x57,
    le_u: 0x58,
    ge_s: 0x59,
    ge_u: 0x5a,
  }),
  ...binary("i64", "i64", "i64", {
    add: 0x7c,
    sub: 0x7d,
    mul: 0x7e,
    and: 0x83,
    or: 0x84,
    xor: 0x85,
    shl: 0x86,
    shr_s: 0x87,
    shr_u: 0x88,
  }),
  ...loads("i64", { load: 0x29 }),
  ...stores("i64", { store: 0x37 }),
};

/** Doubles. */
export const f64 = {
  const: (value: number) => operation("f64", 0x44, [], (out) => out.float64(value)),
};

/** 128-bit vectors as a whole. */
export const v128 = {
  /** Sixteen bytes, lane 0 first. */
  const: (bytes: readonly number[]) => operation("v128", 0xfd0c, [], (out) => out.raw(bytes)),
  ...loads("v128", { load: 0xfd00, load32_splat: 0xfd09, load64_splat: 0xfd0a }),
  ...stores("v128", { store: 0xfd0b }),
  ...binary("v128", "v128", "v128", { and: 0xfd4e, or: 0xfd50, xor: 0xfd51 }),
};

/** Sixteen lanes of 8 bit. */
export const i8x16 = {
  /** Byte i of the result is byte `lanes[i]` of the 32 bytes that are `left` followed by `right`. */
  shuffle: (left: Expression<"v128">, right: Expression<"v128">, lanes: readonly number[]) =>
    operation("v128", 0xfd0d, [left, right], (out) => out.raw(lanes)),
  ...unary("i32", "v128", { splat: 0xfd0f }),
  ...unary("v128", "i32", { bitmask: 0xfd64 }),
  ...binary("v128", "i32", "v128", { shl: 0xfd6b, shr_s: 0xfd6c, shr_u: 0xfd6d }),
  ...binary("v128", "v128", "v128", {
    swizzle: 0xfd0e,
    eq: 0xfd23,
    narrow_i16x8_s: 0xfd65,
    add: 0xfd6e,
    sub: 0xfd71,
    min_s: 0xfd76,
    max_s: 0xfd78,
    avgr_u: 0xfd7b,
  }),
  ...extracts("i32", { extract_lane_s: 0xfd15, extract_lane_u: 0xfd16 }),
  ...replaces("i32", { replace_lane: 0xfd17 }),
};

/** Eight lanes of 16 bit. */
export const i16x8 = {
  ...unary("i32", "v128", { splat: 0xfd10 }),
  ...unary("v128", "v128", {
    extadd_pairwise_i8x16_u: 0xfd7d,
    extend_low_i8x16_s: 0xfd87,
    extend_high_i8x16_s: 0xfd88,
    extend_low_i8x16_u: 0xfd89,
    extend_high_i8x16_u: 0xfd8a,
  }),
  ...binary("v128", "v128", "v128", { narrow_i32x4_s: 0xfd85 }),
};

/** Four lanes of 32 bit. */
export const i32x4 = {
  ...unary("i32", "v128", { splat: 0xfd11 }),
  ...unary("v128", "v128", { extadd_pairwise_i16x8_u: 0xfd7f }),
  ...binary("v128", "i32", "v128", { shl: 0xfdab, shr_s: 0xfdac, shr_u: 0xfdad }),
  ...binary("v128", "v128", "v128", { add: 0xfdae, sub: 0xfdb1, mul: 0xfdb5, dot_i16x8_s: 0xfdba }),
  ...extracts("i32", { extract_lane: 0xfd1b }),
  ...replaces("i32", { replace_lane: 0xfd1c }),
};

/** Two lanes of double. */
export const f64x2 = {
  ...unary("f64", "v128", { splat: 0xfd14 }),
  ...unary("v128", "v128", { floor: 0xfd75, convert_low_i32x4_s: 0xfdfe }),
  ...binary("v128", "v128", "v128", { add: 0xfdf0, sub: 0xfdf1, mul: 0xfdf2, pmin: 0xfdf6, pmax: 0xfdf7 }),
};
