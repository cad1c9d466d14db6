// The smallest networks worth the name, as ONNX files, for tests of everything that begins with a file.

import { OnnxFile } from "../src/onnx/file.ts";

/** Names that a test chooses for the parts of {@link smallNetwork}. */
export interface SmallNames {
  readonly input?: string;
  readonly output?: string;
  readonly weights?: string;
  readonly product?: string;
  readonly requant?: string;
}

/**
 * output = requant(input · weights): int8 [4, 8] by [8, columns], scaled by 5/256.
 *
 * @param operator ONNX name of the second node
 */
export function smallNetwork(
  { columns = 4, operator = "RequantShift", names = {} }: {
    columns?: number;
    operator?: string;
    names?: SmallNames;
  } = {},
): Uint8Array {
  const { input = "x", output = "y", weights = "w", product = "product", requant = "requant" } = names;
  const file = new OnnxFile("small");
  file.input(input, [4, 8], "INT8");
  file.constant(weights, { shape: [8, columns], values: smallWeights(columns), type: "INT8" });
  file.constant("mul", { shape: [1], values: [5] });
  file.constant("add", { shape: [1], values: [0] });
  const between = file.node("MatMul", product, [input, weights]);
  const scalar = (value: number) => ({ shape: [1], values: [value] });
  const attributes = { div: scalar(256), n_levels: scalar(256), signed: scalar(1) };
  file.node(operator, requant, [between, "mul", "add"], attributes, { outputs: [output] });
  file.output(output, [4, columns], "INT8");
  return file.bytes();
}

/** Weights of {@link smallNetwork}. */
export function smallWeights(columns = 4): Int8Array {
  return Int8Array.from({ length: 8 * columns }, (_, i) => (i * 37) % 255 - 127);
}

/** What {@link smallNetwork} with four columns makes of an input, worked out here and nowhere else. */
export function smallResult(input: ArrayLike<number>): Int8Array {
  const weights = smallWeights();
  return Int8Array.from({ length: 16 }, (_, i) => {
    const [row, column] = [Math.floor(i / 4), i % 4];
    let sum = 0;
    for (let k = 0; k < 8; k++) sum += input[8 * row + k] * weights[4 * k + column];
    return Math.max(-128, Math.min(127, Math.floor((5 * sum + 128) / 256)));
  });
}

/** Inputs for `count` inferences of {@link smallNetwork}, one behind the other. */
export function smallInputs(count: number): Int8Array {
  return Int8Array.from({ length: 32 * count }, (_, i) => (i * 101) % 256 - 128);
}
