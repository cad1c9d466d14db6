// Matrix products and attention by themselves, for measuring what ITA reaches with everything around it: DMA,
// programming, padding.

import type { Model } from "../../src/model/types.ts";
import { IntegerBuilder, Random } from "../integer_builder.ts";

/** A network and an input for it. */
export interface Workload {
  readonly model: Model;
  readonly input: Int8Array;
}

/** `rows` x `depth` times constant `depth` x `columns`, with bias, requantised to int8. */
export function buildGemm(rows: number, depth: number, columns: number): Workload {
  const random = new Random(1);
  const input = random.int8(rows * depth, 40);
  const net = new IntegerBuilder(`gemm_${rows}x${depth}x${columns}`);
  const x = net.input("x", [rows, depth], [input]);
  return { model: net.finish([net.linear("y", x, columns, random)]), input };
}

/** Sizes of an attention: tokens (S), embedding (E), width of a head (P), heads (H). */
export interface AttentionSizes {
  readonly tokens: number;
  readonly embedding: number;
  readonly width: number;
  readonly heads: number;
}

/**
 * Self-attention with all its projections, in the form that transformers have after quantisation: heads side by side
 * in one projection, batched products, ITA's streaming softmax (shift 0, full scale 255).
 */
export function buildAttention({ tokens, embedding, width, heads }: AttentionSizes): Workload {
  const random = new Random(1);
  const input = random.int8(tokens * embedding, 40);
  const net = new IntegerBuilder(`attention_S${tokens}_E${embedding}_P${width}_H${heads}`);
  const x = net.input("x", [1, tokens, embedding], [input]);
  const head = (name: string, perm: number[]) => {
    const projected = net.linear(name, x, heads * width, random);
    const split = net.apply("Reshape", `${name}_split`, [projected], { shape: [1, tokens, heads, width] });
    return net.apply("Transpose", `${name}_heads`, [split], { perm });
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
  return { model: net.finish([net.linear("out", joined, embedding, random)]), input };
}
