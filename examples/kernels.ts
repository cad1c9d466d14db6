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

/** Sizes of an attention. */
export interface AttentionSizes {
  /** S */
  readonly tokens: number;
  /** E */
  readonly embedding: number;
  /** P, of one head. */
  readonly width: number;
  readonly heads: number;
}

/**
 * Self-attention with all its projections, as transformers have it after quantisation: heads side by side in one
 * projection, batched products, ITA's streaming softmax (shift 0, full scale 255).
 */
export function attention({ tokens, embedding, width, heads }: AttentionSizes): KernelExample {
  const name = `attention_S${tokens}_E${embedding}_P${width}_H${heads}`;
  return build(name, [1, tokens, embedding], (net, x, random) => {
    const head = (which: string, perm: number[]) => {
      const projected = net.linear(which, x, heads * width, random);
      const split = net.apply("Reshape", `${which}_split`, [projected], {
        shape: [1, tokens, heads, width],
      });
      return net.apply("Transpose", `${which}_heads`, [split], { perm });
    };
    const [q, k, v] = [head("q", [0, 2, 1, 3]), head("k", [0, 2, 3, 1]), head("v", [0, 2, 1, 3])];
    // A step of one is a factor of two in the softmax: a few steps between the keys of a row are plenty.
    const logits = net.requant("logits_requant", net.apply("MatMul", "logits", [q, k]), 12);
    const weights = net.apply("ITAPartialMax", "softmax", [logits], {
      shift: 0,
      fullScale: 255,
      levels: 256,
      groupWidth: 16,
    });
    const mixed = net.requant("mixed_requant", net.apply("MatMul", "mixed", [weights, v]));
    const merged = net.apply("Transpose", "merge", [mixed], { perm: [0, 2, 1, 3] });
    const joined = net.apply("Reshape", "joined", [merged], { shape: [1, tokens, heads * width] });
    return net.linear("out", joined, embedding, random);
  });
}
