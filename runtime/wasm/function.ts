// Writes one function's body, statement by statement: variables, structured control flow, branches.
// Labels are values, not depths: a branch names the block that it leaves or the loop that it repeats.

import { ByteSink } from "./bytes.ts";
import { type Expression, Local, type Statement, typeCodes, type ValueType } from "./expression.ts";
import { i32 } from "./instructions.ts";

const opcode = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  drop: 0x1a,
  localSet: 0x21,
} as const;

/** Type byte of a block that leaves no value. */
const noValue = 0x40;

/** A block, loop or if that a branch can name. */
export interface Label {
  /** Nesting depth of the construct; 1 for those directly in the function. */
  readonly depth: number;
}

/** What the compiler is told of a conditional branch: its place in the body, and whether it is likely taken. */
export interface BranchHint {
  readonly offset: number;
  readonly likely: boolean;
}

/** A function's body in the binary format (variables, then code), and the hints for its branches. */
export interface FinishedFunction {
  readonly body: Uint8Array;
  readonly hints: readonly BranchHint[];
}

/** The body of a function while it is written. Made by `ModuleBuilder.define`. */
export class FunctionBuilder {
  readonly #code = new ByteSink();
  readonly #hints: BranchHint[] = [];
  readonly #locals: ValueType[] = [];
  readonly #parameters: number;
  #depth = 0;

  constructor(parameters: readonly ValueType[]) {
    this.#parameters = parameters.length;
  }

  /** A new variable, 0 at the start. */
  local<T extends ValueType>(type: T): Local<T> {
    this.#locals.push(type);
    return new Local(type, this.#parameters + this.#locals.length - 1);
  }

  /** Assigns a variable. */
  set<T extends ValueType>(variable: Local<T>, value: Expression<T>): void {
    value.emit(this.#code);
    this.#code.byte(opcode.localSet);
    this.#code.unsigned(variable.index);
  }

  /** Adds statements: stores and calls. */
  do(...statements: Statement[]): void {
    for (const statement of statements) statement.emit(this.#code);
  }

  /** Evaluates an expression for its effect. */
  drop(value: Expression<ValueType>): void {
    value.emit(this.#code);
    this.#code.byte(opcode.drop);
  }

  /** Code that a branch to its label leaves. */
  block(body: (exit: Label) => void): void {
    this.#nested(opcode.block, body);
  }

  /** Code that a branch to its label repeats; it ends when it runs through. */
  loop(body: (again: Label) => void): void {
    this.#nested(opcode.loop, body);
  }

  /** Code for a condition that is not 0, and code for one that is; `likely` says which, where it is known. */
  if(
    condition: Expression<"i32">,
    then: (exit: Label) => void,
    otherwise?: () => void,
    likely?: boolean,
  ): void {
    condition.emit(this.#code);
    this.#hint(likely);
    this.#nested(opcode.if, (exit) => {
      then(exit);
      if (otherwise) {
        this.#code.byte(opcode.else);
        otherwise();
      }
    });
  }

  /** Counts a variable from `from` in steps while it is below `end` (unsigned); the body runs at least once. */
  count(variable: Local<"i32">, from: number, end: number, step: number, body: () => void): void {
    this.set(variable, i32.const(from));
    this.loop((again) => {
      body();
      this.branchIf(again, i32.lt_u(variable.tee(i32.add(variable, i32.const(step))), i32.const(end)));
    });
  }

  branch(label: Label): void {
    this.#code.byte(opcode.br);
    this.#code.unsigned(this.#depth - label.depth);
  }

  /** Branches if the condition is not 0; `likely` says whether it mostly is, where that is known. */
  branchIf(label: Label, condition: Expression<"i32">, likely?: boolean): void {
    condition.emit(this.#code);
    this.#hint(likely);
    this.#code.byte(opcode.brIf);
    this.#code.unsigned(this.#depth - label.depth);
  }

  /** Branches to `labels[index]`, or to `otherwise` if there is no such label. */
  branchTable(index: Expression<"i32">, labels: readonly Label[], otherwise: Label): void {
    index.emit(this.#code);
    this.#code.byte(opcode.brTable);
    this.#code.unsigned(labels.length);
    for (const label of [...labels, otherwise]) this.#code.unsigned(this.#depth - label.depth);
  }

  return(value?: Expression<ValueType>): void {
    value?.emit(this.#code);
    this.#code.byte(opcode.return);
  }

  unreachable(): void {
    this.#code.byte(opcode.unreachable);
  }

  /** What has been written. */
  finish(): FinishedFunction {
    const out = new ByteSink();
    out.unsigned(this.#locals.length);
    for (const type of this.#locals) {
      out.unsigned(1);
      out.byte(typeCodes[type]);
    }
    const start = out.length;
    out.raw(this.#code.bytes);
    out.byte(opcode.end);
    return {
      body: out.bytes,
      hints: this.#hints.map(({ offset, likely }) => ({ offset: start + offset, likely })),
    };
  }

  #hint(likely: boolean | undefined): void {
    if (likely !== undefined) this.#hints.push({ offset: this.#code.length, likely });
  }

  #nested(kind: number, body: (label: Label) => void): void {
    this.#code.byte(kind);
    this.#code.byte(noValue);
    this.#depth++;
    body({ depth: this.#depth });
    this.#depth--;
    this.#code.byte(opcode.end);
  }
}
