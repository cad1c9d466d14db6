// All operators by name, and the two things that are done with a node: infer its outputs, evaluate them.

import { AttoflowError } from "../../targets/errors.ts";
import { printName } from "../model/print.ts";
import type { Node, TensorData } from "../model/types.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { clip, relu } from "./clip.ts";
import { concat } from "./concat.ts";
import { conv } from "./conv.ts";
import { gather } from "./gather.ts";
import { gemm } from "./gemm.ts";
import { iGELU, iHardswish } from "./activations.ts";
import { iSoftmax } from "./i_softmax.ts";
import { integerDiv, trueIntegerDiv } from "./integer_div.ts";
import { itaMax, itaPartialMax } from "./ita_max.ts";
import { lookup, lookupSum } from "./lookup.ts";
import { matMul } from "./matmul.ts";
import { maxPool } from "./max_pool.ts";
import { iLayerNorm, iNoNorm, iRMSNorm } from "./norms.ts";
import type { Operand, Operator, TensorType, Value } from "./operator.ts";
import { pad } from "./pad.ts";
import { dequant, quant } from "./quant.ts";
import { reduceMean, reduceSum } from "./reduce.ts";
import { requantizedAttention } from "./requantized_attention.ts";
import { requantizedConv } from "./requantized_conv.ts";
import { requantizedMatMul } from "./requantized_matmul.ts";
import { requantizedProductSum } from "./requantized_product_sum.ts";
import { requantShift } from "./requant_shift.ts";
import { flatten, identity, reshape, squeeze, unsqueeze } from "./reshape.ts";
import { slice } from "./slice.ts";
import { transpose } from "./transpose.ts";

/** Every operator that a {@link Model} can hold, by name. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  [
    add,
    sub,
    mul,
    relu,
    clip,
    requantShift,
    matMul,
    gemm,
    requantizedMatMul,
    requantizedProductSum,
    requantizedAttention,
    conv,
    requantizedConv,
    maxPool,
    pad,
    transpose,
    concat,
    slice,
    gather,
    reshape,
    identity,
    flatten,
    squeeze,
    unsqueeze,
    reduceSum,
    reduceMean,
    iSoftmax,
    itaMax,
    itaPartialMax,
    iGELU,
    iHardswish,
    iLayerNorm,
    iRMSNorm,
    iNoNorm,
    integerDiv,
    trueIntegerDiv,
    quant,
    dequant,
    lookup,
    lookupSum,
  ].map((operator) => [operator.name, operator]),
);

/** Operators of which no engine has any work to do: the output is the input's bytes under another shape. */
export const aliasOperators: ReadonlySet<string> = new Set([
  "Reshape",
  "Identity",
  "Flatten",
  "Squeeze",
  "Unsqueeze",
]);

/** The operator of that name. Throws {@link AttoflowError} if there is none. */
export function operatorNamed(name: string): Operator {
  const operator = operators.get(name);
  if (!operator) throw new AttoflowError(`there is no operator ${JSON.stringify(name)}`);
  return operator;
}

/** Types of a node's outputs. Throws {@link AttoflowError} that names the node. */
export function inferNode(node: Node, inputs: readonly (Operand | undefined)[]): TensorType[] {
  try {
    return operatorNamed(node.operator).infer(inputs, node.attributes);
  } catch (cause) {
    if (!(cause instanceof AttoflowError)) throw cause;
    throw new AttoflowError(cause.message, { where: nodeText(node), hint: cause.hint, cause });
  }
}

/** Elements of a node's outputs, exactly. `outputs` are the types that {@link inferNode} gave. */
export function evaluateNode(
  node: Node,
  inputs: readonly (Value | undefined)[],
  outputs: readonly TensorType[],
): TensorData[] {
  return operatorNamed(node.operator).evaluate(inputs, node.attributes, outputs);
}

/** Multiply-accumulates of a node. */
export function macsOf(
  node: Node,
  inputs: readonly (TensorType | undefined)[],
  outputs: readonly TensorType[],
): number {
  return operatorNamed(node.operator).macs(inputs, node.attributes, outputs);
}

/** How a node is called in messages: operator and name, the latter cut where it is long. */
export function nodeText(node: Pick<Node, "name" | "operator">): string {
  return `${node.operator} ${printName(node.name)}`;
}
