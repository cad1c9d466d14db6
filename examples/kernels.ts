// Single layers of the sizes that transformers have, for measuring: what one kernel costs without the rest.

import type { Model } from "../src/model/types.ts";
import { IntegerBuilder, Random, type TensorName } from "./integer_builder.ts";

/** A network of one layer and inputs for it. */
export interface KernelExample {
  readonly model: Model;
  /** Elements of each graph input. */
  readonly inputs: readonly Int8Array[];
}

function build(
  name: string,
  shape: readonly number[],
  add: (net: IntegerBuilder, x: TensorName, random: Random) => TensorName,
): KernelExample {
  const random = new Random(7);
  const net = new IntegerBuilder(name);
  const data = random.int8(shape.reduce((a, b) => a * b, 1), 40);
  const output = add(net, net.input("x", shape, [data]), random);
  return { model: net.finish([output]), inputs: [data] };
}

/** x [rows, depth] · weights [depth, columns] + bias, requantised. */
export function gemm(rows: number, depth: number, columns: number): KernelExample {
  return build(
    `gemm_${rows}x${depth}x${columns}`,
    [rows, depth],
    (net, x, random) => net.linear("linear", x, columns, random),
  );
}

/** A 3 x 3 convolution of [1, channels, size, size] with padding 1, requantised. */
export function conv(channels: number, size: number, filters: number): KernelExample {
  return build(`conv_${channels}x${size}x${size}_${filters}`, [1, channels, size, size], (net, x, random) => {
    const weights = net.constant(
      "weights",
      [filters, channels, 3, 3],
      random.int8(filters * channels * 9, 30),
    );
    const sum = net.apply("Conv", "conv", [x, weights], {
      kernel: [3, 3],
      strides: [1, 1],
      pads: [1, 1, 1, 1],
      dilations: [1, 1],
      group: 1,
    });
    return net.requant("requant", sum);
  });
}

/** ITA's softmax over rows of `columns` int8 logits. */
export function softmax(rows: number, columns: number): KernelExample {
  const attributes = { shift: 5, fullScale: 255, levels: 256, groupWidth: 0 };
  return build(
    `softmax_${rows}x${columns}`,
    [rows, columns],
    (net, x) => net.apply("ITAMax", "softmax", [x], attributes),
  );
}
