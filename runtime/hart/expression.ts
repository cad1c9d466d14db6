// The small language in which the instruction table says what an instruction computes.
// Values are 32-bit words, held as signed integers; comparisons give 0 or 1. Interpreter, translator and
// tests each read these trees, so a meaning is written once.

/** What a leaf of an expression stands for; `old` is the word that an atomic finds in memory. */
export type Leaf = "rs1" | "rs2" | "imm" | "pc" | "old";

/** Operators on two words. Shifts use the low five bits of `b`; division follows the M extension. */
export type BinaryOperator =
  | "add"
  | "sub"
  | "and"
  | "or"
  | "xor"
  | "sll"
  | "srl"
  | "sra"
  | "eq"
  | "ne"
  | "lt"
  | "ge"
  | "ltu"
  | "geu"
  | "mul"
  | "mulh"
  | "mulhsu"
  | "mulhu"
  | "div"
  | "divu"
  | "rem"
  | "remu";

/** A tree that yields one 32-bit word. */
export type Expression =
  | { readonly kind: "leaf"; readonly leaf: Leaf }
  | { readonly kind: "constant"; readonly value: number }
  | {
    readonly kind: "binary";
    readonly operator: BinaryOperator;
    readonly a: Expression;
    readonly b: Expression;
  }
  | {
    readonly kind: "choose";
    readonly condition: Expression;
    readonly yes: Expression;
    readonly no: Expression;
  };

const leaf = (name: Leaf): Expression => ({ kind: "leaf", leaf: name });
export const rs1 = leaf("rs1");
export const rs2 = leaf("rs2");
export const imm = leaf("imm");
export const pc = leaf("pc");
export const old = leaf("old");

/** A fixed word. */
export const constant = (value: number): Expression => ({ kind: "constant", value });

/** `operator` applied to two words. */
export const binary = (operator: BinaryOperator, a: Expression, b: Expression): Expression => ({
  kind: "binary",
  operator,
  a,
  b,
});

/** `yes` where the condition is not 0, else `no`. */
export const choose = (condition: Expression, yes: Expression, no: Expression): Expression => ({
  kind: "choose",
  condition,
  yes,
  no,
});

/** The leaves that occur in an expression. */
export function leavesOf(expression: Expression, found: Set<Leaf> = new Set()): Set<Leaf> {
  switch (expression.kind) {
    case "leaf":
      return found.add(expression.leaf);
    case "constant":
      return found;
    case "binary":
      leavesOf(expression.a, found);
      return leavesOf(expression.b, found);
    case "choose":
      leavesOf(expression.condition, found);
      leavesOf(expression.yes, found);
      return leavesOf(expression.no, found);
  }
}

/** High word of the product of two signed words. */
function mulh(a: number, b: number): number {
  return (mulhu(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0;
}

/** High word of the product of a signed and an unsigned word. */
function mulhsu(a: number, b: number): number {
  return (mulhu(a, b) - (a < 0 ? b : 0)) | 0;
}

/** High word of the product of two unsigned words, from four 16-bit products. */
function mulhu(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const carry = (aHigh * bLow) + ((aLow * bLow) >>> 16);
  const middle = (carry & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(carry / 0x10000) + Math.floor(middle / 0x10000)) | 0;
}

/** Signed quotient; -1 for a divisor of 0; -2³¹ / -1 is -2³¹. */
function div(a: number, b: number): number {
  return b === 0 ? -1 : (a / b) | 0;
}

function divu(a: number, b: number): number {
  return b === 0 ? -1 : ((a >>> 0) / (b >>> 0)) | 0;
}

/** Signed remainder; the dividend for a divisor of 0. */
function rem(a: number, b: number): number {
  return b === 0 ? a : (a % b) | 0;
}

function remu(a: number, b: number): number {
  return b === 0 ? a : ((a >>> 0) % (b >>> 0)) | 0;
}

/** Functions that the JavaScript of an expression calls, by name. */
export const expressionHelpers = { mulh, mulhsu, mulhu, div, divu, rem, remu };

const javaScriptOf: Record<BinaryOperator, (a: string, b: string) => string> = {
  add: (a, b) => `(${a} + ${b} | 0)`,
  sub: (a, b) => `(${a} - ${b} | 0)`,
  and: (a, b) => `(${a} & ${b})`,
  or: (a, b) => `(${a} | ${b})`,
  xor: (a, b) => `(${a} ^ ${b})`,
  sll: (a, b) => `(${a} << ${b})`,
  srl: (a, b) => `(${a} >>> ${b} | 0)`,
  sra: (a, b) => `(${a} >> ${b})`,
  eq: (a, b) => `(${a} === ${b} ? 1 : 0)`,
  ne: (a, b) => `(${a} !== ${b} ? 1 : 0)`,
  lt: (a, b) => `(${a} < ${b} ? 1 : 0)`,
  ge: (a, b) => `(${a} >= ${b} ? 1 : 0)`,
  ltu: (a, b) => `(${a} >>> 0 < ${b} >>> 0 ? 1 : 0)`,
  geu: (a, b) => `(${a} >>> 0 >= ${b} >>> 0 ? 1 : 0)`,
  mul: (a, b) => `Math.imul(${a}, ${b})`,
  mulh: (a, b) => `mulh(${a}, ${b})`,
  mulhsu: (a, b) => `mulhsu(${a}, ${b})`,
  mulhu: (a, b) => `mulhu(${a}, ${b})`,
  div: (a, b) => `div(${a}, ${b})`,
  divu: (a, b) => `divu(${a}, ${b})`,
  rem: (a, b) => `rem(${a}, ${b})`,
  remu: (a, b) => `remu(${a}, ${b})`,
};

/**
 * JavaScript that computes an expression as a signed 32-bit integer.
 *
 * @param leaves JavaScript for each leaf, itself a signed 32-bit integer
 */
export function toJavaScript(expression: Expression, leaves: Readonly<Record<Leaf, string>>): string {
  switch (expression.kind) {
    case "leaf":
      return leaves[expression.leaf];
    case "constant":
      return `(${expression.value | 0})`;
    case "binary":
      return javaScriptOf[expression.operator](
        toJavaScript(expression.a, leaves),
        toJavaScript(expression.b, leaves),
      );
    case "choose":
      return `(${toJavaScript(expression.condition, leaves)} ? ${toJavaScript(expression.yes, leaves)} : ${
        toJavaScript(expression.no, leaves)
      })`;
  }
}
