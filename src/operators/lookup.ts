// Lookup and LookupSum: any function of an 8-bit element, or of a sum of two, by a table of its values. No file has
// them: src/passes/fuse_tables.ts makes them of chains of other operators.

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import { integerLimits, type Range } from "../model/types.ts";
import { defineOperator, type Operand, type Value } from "./operator.ts";
import { allocate, dataRange, integerOperand, integerType, parameter, sumRange, within } from "./ranges.ts";
import { sameShape, shapeText } from "./shapes.ts";

/** Attributes of {@link lookup}: none. */
export const lookupAttributes = z.strictObject({});

/** Attributes of {@link lookupSum}: the sum that entry 0 of the table belongs to. */
export const lookupSumAttributes = z.strictObject({
  first: z.number().int().min(-(2 ** 31)).max(2 ** 31 - 1),
});

/** An operand whose elements have a byte each. */
function byteOperand(inputs: readonly (Operand | undefined)[], index: number): Operand {
  const operand = integerOperand(inputs, index);
  if (operand.dtype === "int32") {
    throw new AttoflowError(`input ${index} of a table lookup is wider than 8 bits`);
  }
  return operand;
}

/** Argument that entry 0 of an element's table belongs to: the least of its type. */
const leastOf = (x: Operand) => integerLimits[x.dtype as "int8" | "uint8"].min;

/** Interval of a table's entries for arguments of an interval, all of which it must have. */
function entries(table: Operand | undefined, arguments_: Range, first: number): Range {
  const data = parameter(table, "table");
  const last = first + data.length - 1;
  if (!within(arguments_, { min: first, max: last })) {
    throw new AttoflowError(
      `a table for ${first} to ${last} is given arguments of ${arguments_.min} to ${arguments_.max}`,
    );
  }
  return dataRange(data.subarray(arguments_.min - first, arguments_.max - first + 1));
}

/** Entries for all elements of an operand, whose array tells its type; the elements themselves without a table. */
function looked(x: Value, table: Value | undefined): ArrayLike<number> {
  if (!table) return x.data;
  const first = x.data instanceof Int8Array ? -128 : 0;
  return Int32Array.from(x.data, (value) => table.data[value - first]);
}

/** y = table[x - least], least being -128 for int8 and 0 for uint8. Inputs: x and a table of 256 entries (int32). */
export const lookup = defineOperator({
  name: "Lookup",
  summary: "y = table[x]",
  attributes: lookupAttributes,
  inputs: { min: 2, max: 2 },
  infer(inputs) {
    const x = byteOperand(inputs, 0);
    return [integerType(x.shape, entries(inputs[1], x.range, leastOf(x)))];
  },
  evaluate([x, table], _attributes, [output]) {
    const result = allocate(output.dtype, x!.data.length);
    result.set(looked(x!, table));
    return [result];
  },
});

/**
 * y = table[A + B - first], where A is a or, if there is a tableA, the entry of it for a (as in {@link lookup}), and B
 * likewise. Inputs: a and b of one shape, table and perhaps tableA, tableB (int32 all).
 */
export const lookupSum = defineOperator({
  name: "LookupSum",
  summary: "y = table[tableA[a] + tableB[b] - first]",
  attributes: lookupSumAttributes,
  inputs: { min: 3, max: 5 },
  optional: [3],
  infer(inputs, { first }) {
    const [a, b] = [byteOperand(inputs, 0), byteOperand(inputs, 1)];
    if (!sameShape(a.shape, b.shape)) {
      throw new AttoflowError(
        `operands of shapes ${shapeText(a.shape)} and ${shapeText(b.shape)} do not match`,
      );
    }
    const [termsA, termsB] = [a, b].map((x, i) =>
      inputs[3 + i] ? entries(inputs[3 + i], x.range, leastOf(x)) : x.range
    );
    return [integerType(a.shape, entries(inputs[2], sumRange(termsA, termsB), first))];
  },
  evaluate([a, b, table, tableA, tableB], { first }, [output]) {
    const [termsA, termsB] = [looked(a!, tableA), looked(b!, tableB)];
    const result = allocate(output.dtype, termsA.length);
    for (let i = 0; i < result.length; i++) result[i] = table!.data[termsA[i] + termsB[i] - first];
    return [result];
  },
});
