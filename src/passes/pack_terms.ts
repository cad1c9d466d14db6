// Lays narrow operands of a sum of products side by side: three products over 80 elements take six tiles of 64 along the
// inner dimension, one over 240 takes four. The taps of a convolution over time are such.

import type { Target } from "../../targets/schema.ts";
import type { ModelBuilder } from "../model/builder.ts";
import type { Model, Node, Tensor } from "../model/types.ts";
import { allocate } from "../operators/ranges.ts";
import { firstTerm, type TermKind } from "../operators/requantized_product_sum.ts";
import { type Pass, rebuild } from "./pass.ts";

/** Shorter rows cost more to be laid side by side than the tiles that they save. */
const narrowest = 32;

/** Products of a sum become one where that saves the target's ITA tiles. */
export function packTerms(target: Target): Pass {
  const edge = target.ita?.elements ?? 1;
  return {
    name: "pack-terms",
    summary: "narrow products of a RequantizedProductSum become one over their operands side by side",
    run: (model) =>
      rebuild(model, (node, inputs, builder) => {
        const narrow = narrowTerms(model, node, edge);
        if (narrow.length > 0) appendPacked(builder, node, inputs, new Set(narrow));
        return narrow.length > 0;
      }),
  };
}

const kindsOf = ({ attributes }: Node) => attributes.terms as readonly TermKind[];

/** Numbers of the terms that are worth being joined. */
function narrowTerms({ tensors }: Model, node: Node, edge: number): number[] {
  if (node.operator !== "RequantizedProductSum") return [];
  const depth = (term: number) => tensors.get(node.inputs[firstTerm + 2 * term])!.shape.at(-1)!;
  const narrow = [...kindsOf(node).keys()].filter((term) => {
    const [a, b] = node.inputs.slice(firstTerm + 2 * term).map((name) => tensors.get(name)!);
    return kindsOf(node)[term] !== "diagonal" && !a.data && b.data && b.shape.length === 2 &&
      depth(term) >= narrowest && depth(term) % edge !== 0;
  });
  const tiles = (elements: number) => Math.ceil(elements / edge);
  const apart = narrow.reduce((sum, term) => sum + tiles(depth(term)), 0);
  const joined = tiles(narrow.reduce((sum, term) => sum + depth(term), 0));
  return joined < apart ? narrow : [];
}

function appendPacked(
  builder: ModelBuilder,
  node: Node,
  inputs: readonly (Tensor | undefined)[],
  narrow: ReadonlySet<number>,
): void {
  const terms = kindsOf(node).map((kind, i) => {
    const [a, b] = [inputs[firstTerm + 2 * i]!, inputs[firstTerm + 2 * i + 1]!];
    return { kind, a, b };
  });
  const joined = terms.filter((_, i) => narrow.has(i));
  const rest = terms.filter((_, i) => !narrow.has(i));
  const a = builder.append({
    operator: "Concat",
    inputs: joined.map(({ a }) => a),
    attributes: { axis: joined[0].a.shape.length - 1 },
    name: `${node.name}:operands`,
  });
  const all = [{ kind: "product", a, b: stacked(builder, joined) }, ...rest];
  builder.append({
    operator: node.operator,
    inputs: [...inputs.slice(0, firstTerm), ...all.flatMap(({ a, b }) => [a, b])],
    attributes: { ...node.attributes, terms: all.map(({ kind }) => kind) },
    name: node.name,
    output: node.outputs[0],
  });
}

/** The terms' weights one above the other: [Σ depth, columns]. */
function stacked(builder: ModelBuilder, terms: readonly { kind: TermKind; a: Tensor; b: Tensor }[]): Tensor {
  const [{ kind, b: first }] = terms;
  const columns = first.shape[kind === "transposed" ? 0 : 1];
  const depths = terms.map(({ a }) => a.shape.at(-1)!);
  const depth = depths.reduce((sum, own) => sum + own);
  const data = allocate("int32", depth * columns);
  let row = 0;
  for (const [i, { kind, b }] of terms.entries()) {
    for (let k = 0; k < depths[i]; k++, row++) {
      for (let n = 0; n < columns; n++) {
        data[row * columns + n] = b.data![kind === "transposed" ? n * depths[i] + k : k * columns + n];
      }
    }
  }
  return builder.constant(`${first.name}:stacked`, [depth, columns], data);
}
