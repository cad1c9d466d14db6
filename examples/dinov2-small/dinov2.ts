// DINOv2-Small (Oquab et al., 2023; a Vision Transformer of 14x14 patches) in 8-bit integers, at its true topology.
// The parameters are synthetic; see examples/transformer.ts for what that means and for how layers are written.

import { IntegerBuilder, Random } from "../integer_builder.ts";
import { finishNetwork, type NetworkExample, type NetworkOptions } from "../network_example.ts";
import { TransformerBuilder } from "../transformer.ts";

/** Sizes of DINOv2-Small. */
const dinoSizes = {
  channels: 3,
  /** Height and width of an image. */
  image: 224,
  /** Edge of the square patch that becomes one token. */
  patch: 14,
  /** Patches in a row and in a column. */
  grid: 16,
  /** S: 16 x 16 patches and the class token. */
  tokens: 257,
  hidden: 384,
  heads: 6,
  feedForward: 1536,
  layers: 12,
} as const;

/** Builds the network. Its input is an image [1, 3, 224, 224], its output all tokens [1, 257, 384], the class first. */
export function buildDinoV2({ layers = dinoSizes.layers, seed = 1 }: NetworkOptions = {}): NetworkExample {
  const { channels, image, patch, grid, tokens, hidden, heads, feedForward } = dinoSizes;
  const random = new Random(seed);
  const images = Array.from({ length: 3 }, () => picture(random));
  const net = new IntegerBuilder("dinov2-small");
  const builder = new TransformerBuilder(net, seed + 1);

  // The convolution whose kernels and strides are one patch is a product of patches and filters.
  let x = net.input("image", [1, channels, image, image], images);
  x = net.apply("Reshape", "patch_split", [x], { shape: [1, channels, grid, patch, grid, patch] });
  x = net.apply("Transpose", "patch_order", [x], { perm: [0, 2, 4, 1, 3, 5] });
  x = net.apply("Reshape", "patches", [x], { shape: [1, grid * grid, channels * patch * patch] });
  x = builder.linear("embedding", x, hidden);
  x = net.apply("Concat", "tokens", [builder.constant("class", [1, 1, hidden], 36), x], { axis: 1 });
  const positions = builder.constant("positions", [1, tokens, hidden], 20);
  x = builder.activation("positioned", net.apply("Add", "positions_add", [x, positions]));
  for (let layer = 0; layer < layers; layer++) {
    x = builder.preNormLayer(`layer${layer}`, x, { heads, feedForward, keyBias: true });
  }
  return finishNetwork(net, builder.layerNorm("norm", x));
}

/** An image: soft spots of colour, a grating and grain. Elements of [3, 224, 224]. */
function picture(random: Random): Int8Array {
  const { channels, image } = dinoSizes;
  const spots = Array.from({ length: 8 }, () => ({
    y: random.uniform() * image,
    x: random.uniform() * image,
    radius: 10 + 40 * random.uniform(),
    colours: Array.from({ length: channels }, () => random.normal(40)),
  }));
  const grating = { y: random.normal(0.3), x: random.normal(0.3), strength: 15 + 10 * random.uniform() };
  const result = new Int8Array(channels * image * image);
  for (let y = 0; y < image; y++) {
    for (let x = 0; x < image; x++) {
      const values = new Array<number>(channels).fill(
        grating.strength * Math.sign(triangle(y * grating.y + x * grating.x)),
      );
      for (const spot of spots) {
        const distance = ((y - spot.y) ** 2 + (x - spot.x) ** 2) / spot.radius ** 2;
        spot.colours.forEach((colour, c) => values[c] += colour / (1 + distance));
      }
      values.forEach((value, c) => {
        const grain = 24 * (random.uniform() - 0.5);
        result[(c * image + y) * image + x] = Math.max(-127, Math.min(127, Math.round(value + grain)));
      });
    }
  }
  return result;
}

/** A wave of period 2 between -1 and 1: exact on every machine, unlike a sine. */
function triangle(x: number): number {
  return 2 * Math.abs(x - 2 * Math.floor(x / 2) - 1) - 1;
}
