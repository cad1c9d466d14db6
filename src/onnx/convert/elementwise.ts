// Converts ONNX's element-by-element operators: Add, Sub, Mul, Relu, Clip.

import { AttoflowError } from "../../../targets/errors.ts";
import { integerLimits, type Tensor } from "../../model/types.ts";
import type { Conversion, Converter } from "./conversion.ts";

/** Add; a bias per head and column, as PyITA writes it, is brought into a shape that broadcasts. */
export const convertAdd: Converter = (conversion) => {
  const operands = [conversion.tensor(0), conversion.tensor(1)];
  for (const [index, bias] of operands.entries()) {
    const other = operands[1 - index];
    if (!bias.data || !isHeadBias(conversion, bias, other)) continue;
    const [heads, columns] = bias.shape;
    operands[index] = conversion.step("bias", "Reshape", [bias], { shape: [heads, 1, columns] });
  }
  return conversion.finish("Add", operands);
};

/**
 * Whether a bias of shape (H, E) belongs to a product of shape [N, H, S, E] whose weights are (H, P, E): it then
 * means (H, 1, E), whatever plain broadcasting would make of it (dialect, section 6, trap b).
 */
function isHeadBias({ builder }: Conversion, bias: Tensor, product: Tensor): boolean {
  if (bias.shape.length !== 2 || product.shape.length !== 4) return false;
  const [heads, columns] = bias.shape;
  if (heads === 1 || product.shape[1] !== heads || product.shape[3] !== columns) return false;
  const node = builder.producerOf(product);
  if (node?.operator !== "MatMul") return false;
  return node.inputs.some((name) => {
    const operand = builder.tensors.get(name);
    return operand?.data !== undefined && operand.shape.length === 3 && operand.shape[0] === heads;
  });
}

/** Operators of two operands without attributes that the model has under the same name. */
export const convertBinary: Converter = (conversion) =>
  conversion.finish(conversion.node.operator, [conversion.tensor(0), conversion.tensor(1)]);

/** Operators of one operand without attributes that the model has under the same name. */
export const convertUnary: Converter = (conversion) =>
  conversion.finish(conversion.node.operator, [conversion.tensor(0)]);

/** Clip, with its bounds as inputs (opset 11 and later) or attributes. */
export const convertClip: Converter = (conversion) => {
  const bound = (index: number, name: "min" | "max") => {
    const constant = conversion.optionalConstant(index, name);
    if (constant && constant.values.length !== 1) throw new AttoflowError(`its ${name} is not one number`);
    const limits = integerLimits.int32;
    const value = constant?.values[0] ?? conversion.attributes.number(name, limits[name]);
    // "No bound" is written as the largest float; an integer is cut by the next integer inside the bound.
    const integer = name === "min" ? Math.ceil(value) : Math.floor(value);
    return Math.min(Math.max(integer, limits.min), limits.max);
  };
  return conversion.finish("Clip", [conversion.tensor(0)], { min: bound(1, "min"), max: bound(2, "max") });
};
