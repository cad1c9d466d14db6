// The encoder of Whisper-Tiny (Radford et al., 2022) in 8-bit integers, at its true topology, for 10 seconds of sound:
// 1024 frames of the spectrogram, 512 tokens. The parameters are synthetic; see examples/transformer.ts for what that
// means and for how layers are written.

import { IntegerBuilder, Random, type TensorName } from "../integer_builder.ts";
import { finishNetwork, type NetworkExample, type NetworkOptions } from "../network_example.ts";
import { TransformerBuilder } from "../transformer.ts";

/** Sizes of Whisper-Tiny's encoder. */
const whisperSizes = {
  /** Bins of the mel spectrogram. */
  bins: 80,
  frames: 1024,
  /** S: the second convolution halves the frames. */
  tokens: 512,
  hidden: 384,
  heads: 6,
  feedForward: 1536,
  layers: 4,
} as const;

/** Builds the encoder. Its input is a mel spectrogram [1, 80, 1024], its output [1, 512, 384]. */
export function buildWhisperEncoder(
  { layers = whisperSizes.layers, seed = 1 }: NetworkOptions = {},
): NetworkExample {
  const { bins, frames, tokens, hidden, heads, feedForward } = whisperSizes;
  const random = new Random(seed);
  const spectrograms = Array.from({ length: 3 }, () => spectrogram(random));
  const net = new IntegerBuilder("whisper-tiny-encoder");
  const builder = new TransformerBuilder(net, seed + 1);

  let x = convolutions(builder, net.input("mel", [1, bins, frames], spectrograms));
  const positions = net.constant("positions", [1, tokens, hidden], sinusoids());
  x = builder.activation("positioned", net.apply("Add", "positions_add", [x, positions]));
  for (let layer = 0; layer < layers; layer++) {
    // Keys have no bias in this model.
    x = builder.preNormLayer(`layer${layer}`, x, { heads, feedForward, keyBias: false });
  }
  return finishNetwork(net, builder.layerNorm("norm", x));
}

/** Two convolutions over time of three taps each, the second with stride 2, each with GELU, as matrix products. */
function convolutions(builder: TransformerBuilder, mel: TensorName): TensorName {
  const { net } = builder;
  const { tokens, hidden } = whisperSizes;
  // Frames as rows; a tap is a product with the rows shifted by one frame.
  const frames = net.apply("Transpose", "frames", [mel], { perm: [0, 2, 1] });
  const taps = [
    builder.shiftedRows("frame_before", frames, -1),
    frames,
    builder.shiftedRows("frame_behind", frames, 1),
  ];
  const first = builder.gelu("conv1_gelu", builder.linearSum("conv1", taps, hidden));

  // Token t takes frames 2t - 1, 2t and 2t + 1. Two frames side by side are one row: the last two taps are one product
  // of 768. The first tap takes the second half of the row before. ITA accumulates over at most 960: the two parts are
  // requantised one after the other.
  const pairs = net.apply("Reshape", "conv2_pairs", [first], { shape: [1, tokens, 2 * hidden] });
  const before = builder.shiftedRows("conv2_before", pairs, -1, { start: hidden, count: hidden });
  const early = builder.linear("conv2_early", before, hidden);
  const second = builder.linear("conv2", pairs, hidden, {
    // Two taps beside one.
    residual: { x: early, byChannel: false, ratio: Math.SQRT2 },
  });
  return builder.gelu("conv2_gelu", second);
}

/** Positions as the model has them, in the units of GELU's result, 1/32, and negated as that: [512, 384]. */
function sinusoids(): Int8Array {
  const { tokens, hidden } = whisperSizes;
  const half = hidden / 2;
  return Int8Array.from({ length: tokens * hidden }, (_, i) => {
    const [token, channel] = [Math.floor(i / hidden), i % hidden];
    const angle = token / 10000 ** ((channel % half) / (half - 1));
    return -Math.round(32 * (channel < half ? Math.sin(angle) : Math.cos(angle)));
  });
}

/** A spectrogram of something like speech: harmonics of a moving pitch under moving formants, pauses, noise. */
function spectrogram(random: Random): Int8Array {
  const { bins, frames } = whisperSizes;
  const result = new Int8Array(bins * frames);
  let [pitch, loudness] = [8, 0];
  const formants = [15, 35, 55].map((centre) => ({ centre, at: centre }));
  for (let frame = 0; frame < frames; frame++) {
    // A syllable every 24 frames, a pause at every fourth.
    const voiced = Math.floor(frame / 24) % 4 !== 3;
    loudness += ((voiced ? 90 : 0) - loudness) / 6;
    pitch = Math.max(5, Math.min(12, pitch + random.normal(0.2)));
    for (const formant of formants) formant.at += random.normal(1.2) + (formant.centre - formant.at) / 30;
    for (let bin = 0; bin < bins; bin++) {
      const nearest = Math.min(...formants.map(({ at }) => Math.abs(bin - at)));
      const harmonic = Math.abs((bin / pitch) % 1 - 0.5) * 2;
      const value = -55 + loudness * (0.35 + 0.65 * harmonic) / (1 + (nearest / 8) ** 2) * 1.8 +
        random.normal(10);
      result[bin * frames + frame] = Math.max(-127, Math.min(127, Math.round(value)));
    }
  }
  return result;
}
