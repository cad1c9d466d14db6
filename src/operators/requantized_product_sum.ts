// RequantizedProductSum: matrix products, int8 tensors scaled by columns and a bias, added up and requantised, perhaps
// with GELU behind: a linear layer with its residual connection or activation in one. Only passes make it.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { elementCount, integerLimits, type Range } from "../model/types.ts";
import { geluFactor, iGELUAttributes } from "./activations.ts";
import {
  addBroadcast,
  checkBias,
  multiplyMatrices,
  productInterval,
  productMacs,
  productSizes,
  type Transposition,
} from "./matrix_product.ts";
import { defineOperator, type Operand, type TensorType, type Value } from "./operator.ts";
import {
  allocate,
  asInt32,
  integerOperand,
  integerType,
  mapRange,
  parameter,
  productRange,
  sumRange,
} from "./ranges.ts";
import {
  largestShift,
  type RequantAttributes,
  requantConstants,
  requantFields,
  requantize,
  requantizeAll,
  requantLimits,
  requantRange,
  requantValues,
} from "./requant_shift.ts";
import { broadcastStrides, forEachRow, sameShape, shapeText } from "./shapes.ts";

/**
 * What two operands make: `product`: a · b; `transposed`: a · bᵀ; `diagonal`: a, of the result's shape, each column
 * times its own element of the constant vector b ([1], [N], with axes of size 1 in front), which is a · diag(b).
 */
export const termKinds = ["product", "transposed", "diagonal"] as const;

/** One of {@link termKinds}. */
export type TermKind = (typeof termKinds)[number];

const int32 = z.number().int().min(integerLimits.int32.min).max(integerLimits.int32.max);

/** iGELU of the requantised sum, and one more requantisation, the same for all elements. */
export const geluAttributes = z.strictObject({
  ...iGELUAttributes.shape,
  mul: int32,
  add: int32,
  shift: z.number().int().min(0).max(largestShift),
  signed: requantFields.signed,
  levels: requantFields.levels,
  /** Whether the result is negated at last. */
  negated: z.boolean().default(false),
});

/** Parsed {@link geluAttributes}. */
export type GeluAttributes = z.output<typeof geluAttributes>;

/** What {@link geluAttributes} make of an element. */
export function requantizedGelu(x: number, gelu: GeluAttributes): number {
  const { mul, add, shift, negated } = gelu;
  const y = requantize(Math.imul(x, geluFactor(x, gelu)), mul, add, shift, requantLimits(gelu));
  return negated ? -y + 0 : y;
}

/**
 * Attributes of {@link requantizedProductSum}. Inputs: bias (int32, may be absent, broadcasts to the result), mul, add,
 * shift (absent unless the attribute is -1), then a and b of each term.
 */
export const requantizedProductSumAttributes = z.strictObject({
  ...requantFields,
  terms: z.array(z.enum(termKinds)).min(1),
  gelu: geluAttributes.optional(),
});

/** Position of the first term's operand a among the inputs; the others follow. */
export const firstTerm = 4;

type Attributes = RequantAttributes & { readonly terms: readonly TermKind[] };

/** Terms with their operands. Throws {@link AttoflowError} if operands are missing or left over. */
function termsOf<T>({ terms }: Attributes, inputs: readonly (T | undefined)[]) {
  if (inputs.length !== firstTerm + 2 * terms.length) {
    throw new AttoflowError(
      `${terms.length} terms need ${2 * terms.length} operands, not ${inputs.length - firstTerm}`,
    );
  }
  return terms.map((kind, i) => {
    const [a, b] = [inputs[firstTerm + 2 * i], inputs[firstTerm + 2 * i + 1]];
    if (a === undefined || b === undefined) throw new AttoflowError(`an operand of term ${i + 1} is absent`);
    return { kind, a, b };
  });
}

const transposition = (kind: TermKind): Transposition => ({ transA: false, transB: kind === "transposed" });

/** mul, add and, if there is one for each position, shift. */
const constantsAmong = <T>({ shift }: Attributes, inputs: readonly T[]) => inputs.slice(1, shift < 0 ? 4 : 3);

function termShape(kind: TermKind, a: TensorType, b: TensorType): readonly number[] {
  if (kind !== "diagonal") return productSizes(a.shape, b.shape, transposition(kind)).shape;
  const length = elementCount(b.shape);
  if (a.shape.length < 2 || (b.shape.at(-1) ?? 1) !== length || (length !== 1 && length !== a.shape.at(-1))) {
    throw new AttoflowError(`columns of ${shapeText(a.shape)} cannot be scaled by ${shapeText(b.shape)}`);
  }
  return a.shape;
}

function termRange(kind: TermKind, a: Operand, b: Operand): Range {
  return kind === "diagonal" ? productRange(a.range, b.range) : productInterval(a, b, transposition(kind));
}

/** Adds a, each column times its element of b, wrapping to 32 bit. */
function addScaled(accumulators: Int32Array, a: Value, b: Value): void {
  const columns = a.shape[a.shape.length - 1];
  const scale = asInt32(b.data);
  const [step] = broadcastStrides([scale.length], [columns]);
  let at = 0;
  forEachRow(a.shape, [], () => {
    for (let i = 0; i < columns; i++, at++) accumulators[at] += Math.imul(a.data[at], scale[i * step]);
  });
}

/** requantise(Σ a · b + bias), or requantise(iGELU(requantise(Σ a · b + bias))). */
export const requantizedProductSum = defineOperator({
  name: "RequantizedProductSum",
  summary: "y = clip(((Σ a · b + bias)·mul + add + 2^(shift-1)) >> shift)",
  attributes: requantizedProductSumAttributes,
  inputs: { min: firstTerm + 2, max: Infinity },
  optional: [0, 3],
  infer(inputs, attributes) {
    const terms = termsOf(attributes, inputs.map((input, i) => input && integerOperand(inputs, i)));
    const [shape, ...others] = terms.map(({ kind, a, b }) => termShape(kind, a, b));
    for (const other of others) {
      if (!sameShape(shape, other)) {
        throw new AttoflowError(`terms of shapes ${shapeText(shape)} and ${shapeText(other)} differ`);
      }
    }
    for (const { kind, b } of terms) {
      if (kind === "diagonal" && !b.data) throw new AttoflowError("the scale of columns must be constant");
    }
    let sum = terms.map(({ kind, a, b }) => termRange(kind, a, b)).reduce(sumRange);
    const [bias] = inputs;
    if (bias) {
      parameter(bias, "bias");
      checkBias(bias.shape, shape);
      sum = sumRange(sum, bias.range);
    }
    const constants = requantConstants(attributes, shape, constantsAmong(attributes, inputs));
    // Beyond int32 the sum wraps, and may be anything.
    const range = requantRange(integerType(shape, sum).range, constants);
    const { gelu } = attributes;
    if (!gelu) return [integerType(shape, range)];
    const { min, max } = requantLimits(gelu);
    const widest = gelu.negated ? { min: -max, max: -min } : { min, max };
    return [integerType(shape, mapRange((x) => requantizedGelu(x, gelu), range, widest))];
  },
  evaluate(inputs, attributes, [output]) {
    const accumulators = new Int32Array(elementCount(output.shape));
    for (const { kind, a, b } of termsOf(attributes, inputs)) {
      if (kind === "diagonal") {
        addScaled(accumulators, a, b);
      } else {
        const product = multiplyMatrices(a, b, transposition(kind));
        for (let i = 0; i < product.length; i++) accumulators[i] += product[i];
      }
    }
    if (inputs[0]) addBroadcast(accumulators, output.shape, inputs[0]);
    const { axis, gelu } = attributes;
    const result = allocate(output.dtype, accumulators.length);
    const requantized = gelu ? accumulators : result;
    const constants = requantValues(attributes, constantsAmong(attributes, inputs));
    requantizeAll(requantized, accumulators, output.shape, axis, constants);
    if (gelu) { for (let i = 0; i < result.length; i++) result[i] = requantizedGelu(requantized[i], gelu); }
    return [result];
  },
  macs(inputs, attributes) {
    return termsOf(attributes, inputs).reduce(
      (sum, { kind, a, b }) => kind === "diagonal" ? sum : sum + productMacs([a, b], transposition(kind)),
      0,
    );
  },
});
