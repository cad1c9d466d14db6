// The interpreter's arithmetic, generated from the instruction table: one function for what instructions
// compute and one for what atomics write. How instructions take their time is in pipeline.ts.

import { binary, type Expression, expressionHelpers, imm, type Leaf, toJavaScript } from "./expression.ts";
import { type Instruction, instructions } from "./instructions.ts";

/**
 * First operand of the instruction with that index in the table: the value of `compute`, the condition of a branch
 * (0 or 1), the target of a jump, the address of a memory access, the source of a CSR access, `a` of a transfer.
 */
export type Compute = (index: number, rs1: number, rs2: number, imm: number, pc: number) => number;

/** The word that a store, an atomic or a conditional store writes where memory holds `old`. */
export type Modify = (index: number, old: number, rs2: number) => number;

/** Second operand of a transfer. */
export type Second = (index: number, rs2: number, imm: number) => number;

/** The expression that {@link Compute} evaluates. */
function computed({ meaning }: Instruction): Expression | undefined {
  switch (meaning.kind) {
    case "compute":
      return meaning.value;
    case "branch":
      return meaning.condition;
    case "jump":
      return meaning.target;
    case "csr":
      return meaning.source;
    case "transfer":
      return meaning.a;
    case "system":
      return undefined;
    default:
      return meaning.address;
  }
}

/** The expression that {@link Modify} evaluates. */
function modified({ meaning }: Instruction): Expression | undefined {
  return meaning.kind === "atomic" || meaning.kind === "conditional" || meaning.kind === "store"
    ? meaning.value
    : undefined;
}

/** The expression of an access's address; atomics have no immediate, so theirs is that of a load with 0. */
function address({ meaning }: Instruction): Expression | undefined {
  if (!("address" in meaning)) return undefined;
  const { address } = meaning;
  return address.kind === "leaf" ? binary("add", address, imm) : address;
}

/** The cases of a switch; where all instructions have the same expression, that one without a switch. */
function cases(expression: (instruction: Instruction) => Expression | undefined): string {
  const leaves: Record<Leaf, string> = { rs1: "rs1", rs2: "rs2", imm: "imm", pc: "pc", old: "old" };
  const texts = instructions.map((instruction) => {
    const tree = expression(instruction);
    return tree && `return ${toJavaScript(tree, leaves)};`;
  });
  const [first, ...others] = new Set(texts.filter((text) => text !== undefined));
  if (others.length === 0) return first;
  return `switch (index) {\n${
    texts.map((text, i) => text ? `case ${i}: ${text}` : "").join("\n")
  }\n}\nreturn 0;`;
}

/** Makes the body of a function from the table, with the expression helpers in scope. */
function generate<T>(parameters: string, body: string): T {
  const names = Object.keys(expressionHelpers);
  const make = new Function(
    ...names,
    `"use strict"; return (${parameters}) => { \n${body}\n};`,
  );
  return make(...Object.values(expressionHelpers)) as T;
}

/** Address of the memory access that the instruction with that index makes. */
export type Address = (index: number, rs1: number, imm: number) => number;

/** See {@link Compute}. */
export const compute: Compute = generate("index, rs1, rs2, imm, pc", cases(computed));

/** See {@link Modify}. */
export const modify: Modify = generate("index, old, rs2", cases(modified));

/** See {@link Second}. */
export const second: Second = generate(
  "index, rs2, imm",
  cases(({ meaning }) => meaning.kind === "transfer" ? meaning.b : undefined),
);

/** See {@link Address}. */
export const addressOf: Address = generate("index, rs1, imm", cases(address));
