// Meanings of the instruction table as WebAssembly: the same expression trees that make the JavaScript interpreter.

import type { BinaryOperator, Expression as Meaning, Leaf } from "../expression.ts";
import type { FunctionBuilder } from "../../wasm/function.ts";
import { type Expression, ifElse, type Local, select } from "../../wasm/expression.ts";
import { i32, i64 } from "../../wasm/instructions.ts";

type Word = Expression<"i32">;

/** What a leaf stands for. Division reads its operands more than once, so leaves are cheap to repeat. */
export type Leaves = Readonly<Record<Leaf, Word>>;

const zero = i32.const(0), one = i32.const(1), allOnes = i32.const(-1), thirtyOne = i32.const(31);

function high(a: Expression<"i64">, b: Expression<"i64">): Word {
  return i32.wrap_i64(i64.shr_u(i64.mul(a, b), i64.const(32n)));
}

const signed = i64.extend_i32_s, unsigned = i64.extend_i32_u;

/**
 * Division is what WebAssembly does where it does not trap. Divisors 0 and -1 (all that can overflow) are told apart
 * by one comparison: -1 gives the negated dividend, which wraps as the M extension wants.
 */
const operators: Record<BinaryOperator, (a: Word, b: Word) => Word> = {
  add: i32.add,
  sub: i32.sub,
  and: i32.and,
  or: i32.or,
  xor: i32.xor,
  sll: i32.shl,
  srl: i32.shr_u,
  sra: i32.shr_s,
  eq: i32.eq,
  ne: i32.ne,
  lt: i32.lt_s,
  ge: i32.ge_s,
  ltu: i32.lt_u,
  geu: i32.ge_u,
  mul: i32.mul,
  mulh: (a, b) => high(signed(a), signed(b)),
  mulhsu: (a, b) => high(signed(a), unsigned(b)),
  mulhu: (a, b) => high(unsigned(a), unsigned(b)),
  div: (a, b) =>
    ifElse(i32.gt_u(i32.add(b, one), one), i32.div_s(a, b), select(b, i32.sub(zero, a), allOnes)),
  divu: (a, b) => ifElse(b, i32.div_u(a, b), allOnes),
  rem: (a, b) => ifElse(i32.gt_u(i32.add(b, one), one), i32.rem_s(a, b), select(b, zero, a)),
  remu: (a, b) => ifElse(b, i32.rem_u(a, b), a),
};

/** WebAssembly that computes an expression of the table. */
export function toWasm(meaning: Meaning, leaves: Leaves): Word {
  switch (meaning.kind) {
    case "leaf":
      return leaves[meaning.leaf];
    case "constant":
      return i32.const(meaning.value);
    case "binary":
      return operators[meaning.operator](toWasm(meaning.a, leaves), toWasm(meaning.b, leaves));
    case "choose":
      return select(
        toWasm(meaning.condition, leaves),
        toWasm(meaning.yes, leaves),
        toWasm(meaning.no, leaves),
      );
  }
}

/** Loads of each width: from memory 0, whose index is the guest's address. */
export function guestLoad(bytes: 1 | 2 | 4, isSigned: boolean, address: Word, offset = 0): Word {
  if (bytes === 4) return i32.load(address, offset);
  if (bytes === 2) return isSigned ? i32.load16_s(address, offset) : i32.load16_u(address, offset);
  return isSigned ? i32.load8_s(address, offset) : i32.load8_u(address, offset);
}

/** Stores of each width. */
export function guestStore(bytes: 1 | 2 | 4, address: Word, value: Word, offset = 0) {
  const store = bytes === 4 ? i32.store : bytes === 2 ? i32.store16 : i32.store8;
  return store(address, value, offset);
}

/** Longest that a division takes beyond the shortest one (snitch-cluster.md, 2.2). */
export const longestDelay = 33;
/** The divider is taken for 2 cycles and what the division takes beyond the shortest one (section 8, rule 3). */
export const shortestDivision = 2;
const constantDelay = i32.const(longestDelay);

/**
 * Writes a division: sets its result, and `delay` to its use latency beyond the shortest one. With
 * s = clz(b') - clz(a') the latency is 4 for s < 0, else 5 + s; 37 for a divisor of 0. For a negative dividend the
 * hardware counts in ~a << 1, for a negative divisor in ~b.
 *
 * @param a dividend; both operands are variables that `result` may be one of
 * @param delay undefined if nobody wants to know
 */
export function writeDivision(
  body: FunctionBuilder,
  operator: BinaryOperator,
  [a, b]: readonly [Word, Word],
  result: Local<"i32">,
  delay: Local<"i32"> | undefined,
): void {
  const isSigned = operator === "div" || operator === "rem";
  const setDelay = (byZero: boolean) => {
    if (!delay) return;
    const sign = i32.shr_s(a, thirtyOne), ones = i32.xor(a, sign);
    const dividend = isSigned ? i32.add(ones, i32.and(ones, sign)) : a;
    const divisor = isSigned ? i32.xor(b, i32.shr_s(b, thirtyOne)) : b;
    const beyond = i32.add(i32.sub(i32.clz(divisor), i32.clz(dividend)), one);
    body.set(delay, byZero ? select(b, beyond, constantDelay) : beyond);
    body.set(delay, notNegative(delay));
  };
  // Divisors 0 and, for signed ones, -1 (all that can overflow) go another way.
  const plain = isSigned ? i32.gt_u(i32.add(b, one), one) : i32.ne(b, zero);
  const quotient = { div: i32.div_s, divu: i32.div_u, rem: i32.rem_s, remu: i32.rem_u }[operator as "div"];
  body.if(
    plain,
    () => {
      setDelay(false);
      body.set(result, quotient(a, b));
    },
    () => {
      setDelay(true);
      body.set(result, operators[operator](a, b));
    },
    true,
  );
}

/** A word, or 0 if it is negative. */
export function notNegative(value: Local<"i32">): Word {
  return i32.and(value, i32.xor(i32.shr_s(value, thirtyOne), allOnes));
}
