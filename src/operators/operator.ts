// The shape of an operator: what every file of this room exports, and how the rest of the house calls it.
// An operator is written once: attributes, types, exact meaning. Engines map it; they share no code with it.

import type { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import type { Tensor, TensorData } from "../model/types.ts";

/** What is known of a tensor before anything runs. */
export type TensorType = Pick<Tensor, "dtype" | "shape" | "range">;

/** An operand when an operator is inferred: its type and, if it is constant, its elements. */
export type Operand = TensorType & Pick<Tensor, "data">;

/** An operand when an operator is evaluated. */
export interface Value {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** An operator as its file defines it; `A` is what its attributes parse to. */
export interface Definition<A> {
  /** Name in a {@link Model}'s nodes; that of ONNX or of the dialect where there is one. */
  readonly name: string;
  /** What it computes, in one line. */
  readonly summary: string;
  readonly attributes: z.ZodType<A>;
  /** How many inputs it takes; an optional input in the middle may be absent. */
  readonly inputs: { readonly min: number; readonly max: number };
  /** Positions of inputs below `inputs.max` that may be absent though others follow. */
  readonly optional?: readonly number[];
  /**
   * Types of the outputs: shape rule, interval of the values, and the smallest dtype that holds it.
   * Throws {@link AttoflowError} when the inputs do not fit together; the caller says which node it was.
   */
  infer(inputs: readonly (Operand | undefined)[], attributes: A): TensorType[];
  /** Exact elements of the outputs, stored in the dtypes of `outputs` (as inferred). */
  evaluate(
    inputs: readonly (Value | undefined)[],
    attributes: A,
    outputs: readonly TensorType[],
  ): TensorData[];
  /** Multiply-accumulates, for operators whose cost is counted so. */
  macs?(inputs: readonly (TensorType | undefined)[], attributes: A, outputs: readonly TensorType[]): number;
}

/** An operator as the rest of the house sees it: attributes are checked on the way in. */
export interface Operator {
  readonly name: string;
  readonly summary: string;
  readonly inputs: { readonly min: number; readonly max: number };
  /** Checks attributes. Throws {@link AttoflowError} that names every wrong one. */
  parse(attributes: unknown): Record<string, unknown>;
  /** See {@link Definition.infer}. */
  infer(inputs: readonly (Operand | undefined)[], attributes: unknown): TensorType[];
  /** See {@link Definition.evaluate}. */
  evaluate(
    inputs: readonly (Value | undefined)[],
    attributes: unknown,
    outputs: readonly TensorType[],
  ): TensorData[];
  /** Multiply-accumulates of one application; 0 where the operator has none. */
  macs(
    inputs: readonly (TensorType | undefined)[],
    attributes: unknown,
    outputs: readonly TensorType[],
  ): number;
}

/** Wraps a typed definition so that operators of all kinds can stand in one registry. */
export function defineOperator<A extends object>(definition: Definition<A>): Operator {
  const { name, summary, inputs: arity, optional = [] } = definition;

  const parse = (attributes: unknown): A => {
    const result = definition.attributes.safeParse(attributes);
    if (result.success) return result.data;
    const problems = result.error.issues.map((issue) =>
      `${issue.path.join(".") || "(all)"}: ${issue.message}`
    );
    throw new AttoflowError(`attributes of ${name} are wrong: ${problems.join("; ")}`);
  };

  const check = (inputs: readonly unknown[]) => {
    if (inputs.length < arity.min || inputs.length > arity.max) {
      const wanted = arity.min === arity.max ? `${arity.min}` : `${arity.min} to ${arity.max}`;
      throw new AttoflowError(`${name} takes ${wanted} inputs, not ${inputs.length}`);
    }
    for (const [index, input] of inputs.entries()) {
      // Trailing inputs of an operator with a fixed number of them are optional as well.
      const absentable = optional.includes(index) || (index >= arity.min && arity.max !== Infinity);
      if (input === undefined && !absentable) {
        throw new AttoflowError(`input ${index} of ${name} is absent`);
      }
    }
  };

  return {
    name,
    summary,
    inputs: arity,
    parse: (attributes) => parse(attributes) as Record<string, unknown>,
    infer(inputs, attributes) {
      check(inputs);
      return definition.infer(inputs, parse(attributes));
    },
    evaluate(inputs, attributes, outputs) {
      check(inputs);
      return definition.evaluate(inputs, parse(attributes), outputs);
    },
    macs: (inputs, attributes, outputs) => definition.macs?.(inputs, parse(attributes), outputs) ?? 0,
  };
}
