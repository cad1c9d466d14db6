// MobileBERT (Sun et al., 2020; google/mobilebert-uncased) in 8-bit integers, at its true topology.
// The parameters are synthetic; see examples/transformer.ts for what that means and for how layers are written.

import { IntegerBuilder, Random, type TensorName } from "../integer_builder.ts";
import { finishNetwork, type NetworkExample, type NetworkOptions } from "../network_example.ts";
import { TransformerBuilder } from "../transformer.ts";

/** Sizes of MobileBERT. */
const mobileBertSizes = {
  /** S */
  tokens: 128,
  /** Width of the word table. */
  embedding: 128,
  hidden: 512,
  /** Width between the bottlenecks, where attention and feed-forward networks work. */
  bottleneck: 128,
  heads: 4,
  /** Inner width of a feed-forward network. */
  feedForward: 512,
  /** Feed-forward networks in a layer. */
  feedForwards: 4,
  layers: 24,
} as const;

/** Words in the synthetic table; real ones have 30522. */
const words = 2000;

/**
 * Builds the encoder. Its input is [1, 128, 128], the rows of the word table for a sentence's tokens (looking them up is
 * left to the host), its output the last hidden state [1, 128, 512].
 */
export function buildMobileBert(
  { layers = mobileBertSizes.layers, seed = 1 }: NetworkOptions = {},
): NetworkExample {
  const { tokens, embedding } = mobileBertSizes;
  const random = new Random(seed);
  const sentences = Array.from({ length: 3 }, () => sentence(random, seed));
  const net = new IntegerBuilder("mobilebert");
  const builder = new TransformerBuilder(net, seed + 1);

  let state = embeddings(builder, net.input("embedded", [1, tokens, embedding], sentences));
  for (let layer = 0; layer < layers; layer++) state = encoderLayer(builder, `layer${layer}`, state);
  return finishNetwork(net, state);
}

/** Word embeddings of three neighbours to the hidden width; positions are added, and NoNorm follows. */
function embeddings(builder: TransformerBuilder, x: TensorName): TensorName {
  const { net } = builder;
  const { tokens, hidden } = mobileBertSizes;
  // The model joins next, this and previous token, zeros beyond the ends, and multiplies by one matrix: a sum of three
  // products.
  const neighbours = [builder.shiftedRows("next", x, 1), x, builder.shiftedRows("previous", x, -1)];
  const words = builder.linearSum("embedding", neighbours, hidden);
  // Position and token type together, with NoNorm's beta; gamma is in the weights and in this table.
  const positions = builder.constant("positions", [1, tokens, hidden], 20);
  return builder.activation("embedding_norm", net.apply("Add", "embedding_positions", [words, positions]));
}

function encoderLayer(builder: TransformerBuilder, name: string, state: TensorName): TensorName {
  const { bottleneck, heads, feedForward, feedForwards } = mobileBertSizes;
  const linear = (what: string, x: TensorName, columns: number = bottleneck) =>
    builder.linear(`${name}_${what}`, x, columns);
  /** NoNorm(x·W + b + residual), with NoNorm's gamma and beta in W, b and the residual's scale. */
  const merged = (what: string, x: TensorName, residual: TensorName, ratio: number) =>
    builder.linear(`${name}_${what}`, x, builder.net.shapeOf(residual).at(-1)!, {
      residual: { x: residual, byChannel: true, ratio },
    });

  // Bottlenecks, each with NoNorm. Queries and keys share one; values are made from the whole hidden state.
  const input = linear("bottleneck", state);
  const shared = linear("shared", state);
  const attended = builder.attention(`${name}_attention`, [
    linear("query", shared),
    linear("key", shared),
    linear("value", state),
  ], heads);
  let x = merged("attention_output", attended, input, 0.6);
  for (let i = 0; i < feedForwards; i++) {
    const inner = builder.relu(`${name}_relu${i}`, linear(`ffn${i}_inner`, x, feedForward));
    x = merged(`ffn${i}_output`, inner, x, 1.25);
  }
  return merged("output", x, state, 1.25);
}

/** A sentence as rows of the synthetic word table: [128, 128], int8. Frequent words come often, as in a language. */
function sentence(random: Random, seed: number): Int8Array {
  const { tokens, embedding } = mobileBertSizes;
  const result = new Int8Array(tokens * embedding);
  for (let token = 0; token < tokens; token++) {
    const word = Math.floor(words ** random.uniform());
    result.set(new Random(seed * words + word).int8(embedding, 36), token * embedding);
  }
  return result;
}
