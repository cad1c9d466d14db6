// What code is made of: typed expressions (they leave a value) and statements (they leave none).
// Both are small trees that write themselves into a function's body when a statement is added to it.

import type { ByteSink } from "./bytes.ts";

/** The value types of WebAssembly that the builder knows. */
export type ValueType = "i32" | "i64" | "f64" | "v128";

/** Code of each value type in the binary format. */
export const typeCodes: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b };

/** Something that computes one value of type `T`. Its operands are evaluated in order, each time it is used. */
export interface Expression<T extends ValueType> {
  readonly type: T;
  emit(out: ByteSink): void;
}

/** Something that acts and leaves no value. */
export interface Statement {
  emit(out: ByteSink): void;
}

/** A local variable or parameter of a function; as an expression it is the variable's value. */
export class Local<T extends ValueType> implements Expression<T> {
  constructor(readonly type: T, readonly index: number) {}

  emit(out: ByteSink): void {
    out.byte(0x20);
    out.unsigned(this.index);
  }

  /** Assigns, and is the assigned value. */
  tee(value: Expression<T>): Expression<T> {
    const { index, type } = this;
    return {
      type,
      emit(out) {
        value.emit(out);
        out.byte(0x22);
        out.unsigned(index);
      },
    };
  }
}

/** Function as a caller sees it: an index in the module and a type. */
export interface FunctionReference<
  P extends readonly ValueType[] = readonly ValueType[],
  R extends ValueType | "none" = ValueType | "none",
> {
  readonly index: number;
  readonly parameters: P;
  readonly result: R;
}

/** Type that functions of a table have; made by `ModuleBuilder.type`. */
export interface FunctionType<
  P extends readonly ValueType[] = readonly ValueType[],
  R extends ValueType | "none" = ValueType | "none",
> {
  readonly typeIndex: number;
  readonly parameters: P;
  readonly result: R;
}

/** One expression for each type of a list. */
export type Arguments<P extends readonly ValueType[]> = { [K in keyof P]: Expression<P[K]> };

/** A call for its result. */
export function call<P extends readonly ValueType[], R extends ValueType>(
  callee: FunctionReference<P, R>,
  ...values: Arguments<P>
): Expression<R> {
  return { type: callee.result, emit: (out) => emitCall(out, callee, values) };
}

/** A call of a function that returns nothing. */
export function perform<P extends readonly ValueType[]>(
  callee: FunctionReference<P, "none">,
  ...values: Arguments<P>
): Statement {
  return { emit: (out) => emitCall(out, callee, values) };
}

function emitCall(
  out: ByteSink,
  callee: FunctionReference,
  values: readonly Expression<ValueType>[],
): void {
  for (const value of values) value.emit(out);
  out.byte(0x10);
  out.unsigned(callee.index);
}

/**
 * An instruction applied to its operands.
 *
 * @param code opcode; 0xfd00 + n stands for the n-th instruction behind the SIMD prefix
 * @param immediate writes what follows the opcode
 */
export function operation<T extends ValueType>(
  type: T,
  code: number,
  operands: readonly Expression<ValueType>[],
  immediate?: (out: ByteSink) => void,
): Expression<T> {
  return {
    type,
    emit(out) {
      for (const operand of operands) operand.emit(out);
      emitOpcode(out, code);
      immediate?.(out);
    },
  };
}

/** `yes` where the condition is not 0, else `no`; both are evaluated. */
export function select<T extends ValueType>(
  condition: Expression<"i32">,
  yes: Expression<T>,
  no: Expression<T>,
): Expression<T> {
  return operation(yes.type, 0x1b, [yes, no, condition]);
}

/** `yes` where the condition is not 0, else `no`; only that one is evaluated. */
export function ifElse<T extends ValueType>(
  condition: Expression<"i32">,
  yes: Expression<T>,
  no: Expression<T>,
): Expression<T> {
  return {
    type: yes.type,
    emit(out) {
      condition.emit(out);
      out.raw([0x04, typeCodes[yes.type]]);
      yes.emit(out);
      out.byte(0x05);
      no.emit(out);
      out.byte(0x0b);
    },
  };
}

/** Calls the function of a type that stands at `index` in the module's table. */
export function callIndirect<P extends readonly ValueType[], R extends ValueType>(
  type: FunctionType<P, R>,
  index: Expression<"i32">,
  ...values: Arguments<P>
): Expression<R> {
  return operation(type.result, 0x11, [...values, index], (out) => {
    out.unsigned(type.typeIndex);
    out.byte(0);
  });
}

/** Writes an opcode, with its prefix byte if it has one. */
export function emitOpcode(out: ByteSink, code: number): void {
  if (code < 0x100) {
    out.byte(code);
  } else {
    out.byte(code >> 8);
    out.unsigned(code & 0xff);
  }
}
