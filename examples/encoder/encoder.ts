// The example network: a small transformer encoder that classifies 32x16 images, all in 8-bit integers.
// Nothing is trained: the weights are random, and what counts is that every bit of the results is right.

import type { Model } from "../../src/model/types.ts";
import { IntegerBuilder, Random, type TensorName } from "../integer_builder.ts";

/** Sizes of the encoder. */
export const encoderSizes = {
  channels: 3,
  height: 32,
  width: 16,
  /** Edge of the square patch that becomes one token. */
  patch: 4,
  /** S: 8 x 4 patches. */
  tokens: 32,
  /** E */
  embedding: 64,
  heads: 2,
  feedForward: 128,
  layers: 2,
  classes: 10,
} as const;

/** An image: soft spots on a plain ground. Elements of [3, 32, 16], int8. */
function image(random: Random): Int8Array {
  const { channels, height, width } = encoderSizes;
  const spots = Array.from({ length: 5 }, () => ({
    y: random.uniform() * height,
    x: random.uniform() * width,
    radius: 2 + 6 * random.uniform(),
    colours: Array.from({ length: channels }, () => random.normal(70)),
  }));
  return Int8Array.from({ length: channels * height * width }, (_, i) => {
    const [c, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    let value = -20;
    for (const spot of spots) {
      const distance = ((y - spot.y) ** 2 + (x - spot.x) ** 2) / spot.radius ** 2;
      value += spot.colours[c] / (1 + distance);
    }
    return Math.max(-128, Math.min(127, Math.round(value)));
  });
}

/**
 * Builds the encoder and some images for it. The same seed always gives the same network and images.
 *
 * @param count images to make; the first are the samples by which the requantisations are chosen
 */
export function buildEncoder(seed = 1, count = 4): { model: Model; images: Int8Array[] } {
  const { channels, height, width, patch, tokens, embedding, layers, classes } = encoderSizes;
  const random = new Random(seed);
  const images = Array.from({ length: count }, () => image(random));
  const net = new IntegerBuilder("encoder");

  let x = net.input("image", [1, channels, height, width], images);
  const filters = net.constant(
    "patch_weights",
    [embedding, channels, patch, patch],
    random.int8(embedding * channels * patch * patch, 30),
  );
  x = net.apply("Conv", "patch", [x, filters], {
    kernel: [patch, patch],
    strides: [patch, patch],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    group: 1,
  });
  x = net.requant("patch_requant", x);
  x = net.apply("Reshape", "patch_flat", [x], { shape: [1, embedding, tokens] });
  x = net.apply("Transpose", "tokens", [x], { perm: [0, 2, 1] });
  const position = net.constant("position", [1, tokens, embedding], random.int8(tokens * embedding, 20));
  x = net.requant("position_requant", net.apply("Add", "position_add", [x, position]));

  for (let layer = 0; layer < layers; layer++) x = encoderLayer(net, `layer${layer}`, x, random);

  x = norm(net, "head_norm", x, random);
  x = net.apply("ReduceMean", "head_mean", [x], { axes: [1], keepdims: false });
  x = net.linear("head", x, classes, random);
  return { model: net.finish([x]), images };
}

/** Self-attention and feed-forward network, each behind a normalisation and beside a residual connection. */
function encoderLayer(net: IntegerBuilder, name: string, x: TensorName, random: Random): TensorName {
  const { tokens, embedding, heads, feedForward } = encoderSizes;
  const width = embedding / heads;
  const normed = norm(net, `${name}_attention_norm`, x, random);
  const head = (which: string, perm: number[]) => {
    const projected = net.linear(`${name}_${which}`, normed, embedding, random);
    const split = net.apply("Reshape", `${name}_${which}_split`, [projected], {
      shape: [1, tokens, heads, width],
    });
    return net.apply("Transpose", `${name}_${which}_heads`, [split], { perm });
  };
  const [q, k, v] = [head("q", [0, 2, 1, 3]), head("k", [0, 2, 3, 1]), head("v", [0, 2, 1, 3])];
  const logits = net.requant(`${name}_logits_requant`, net.apply("MatMul", `${name}_logits`, [q, k]));
  // The paper's softmax: 32 steps an octave, full scale 255 (dialect, section 5).
  const weights = net.apply("ITAMax", `${name}_softmax`, [logits], {
    shift: 5,
    fullScale: 255,
    levels: 256,
    groupWidth: 0,
  });
  const mixed = net.requant(`${name}_mixed_requant`, net.apply("MatMul", `${name}_mixed`, [weights, v]));
  const joined = net.apply("Reshape", `${name}_joined`, [
    net.apply("Transpose", `${name}_merge`, [mixed], { perm: [0, 2, 1, 3] }),
  ], { shape: [1, tokens, embedding] });
  x = residual(net, `${name}_attention`, x, net.linear(`${name}_out`, joined, embedding, random));

  const inner = net.linear(
    `${name}_ffn1`,
    norm(net, `${name}_ffn_norm`, x, random),
    feedForward,
    random,
  );
  // I-BERT's polynomial for erf (a = -0.2888, b = -1.769) at a scale of 4/127: b and one in units of that scale.
  const active = net.requant(
    `${name}_gelu_requant`,
    net.apply("iGELU", `${name}_gelu`, [inner], { b: -79, one: 6982 }),
  );
  return residual(net, `${name}_ffn`, x, net.linear(`${name}_ffn2`, active, embedding, random));
}

function residual(net: IntegerBuilder, name: string, x: TensorName, y: TensorName): TensorName {
  return net.requant(`${name}_residual_requant`, net.apply("Add", `${name}_residual`, [x, y]));
}

function norm(net: IntegerBuilder, name: string, x: TensorName, random: Random): TensorName {
  const size = encoderSizes.embedding;
  const shift = 8;
  const vector = (what: string, mean: number, deviation: number) =>
    net.constant(
      `${name}_${what}`,
      [size],
      Int32Array.from({ length: size }, () => Math.round((mean + random.normal(deviation)) * 2 ** shift)),
    );
  // A standard deviation of one becomes about 40.
  return net.apply("iLayerNorm", name, [x, vector("weight", 40, 4), vector("bias", 0, 4)], {
    shift,
    levels: 256,
  });
}
