// Attention in the forms in which files have it, made at random: QuantLib's and PyITA's, heads as batches or one by one,
// bias first or second. Small, but shaped like the real ones.

import { ModelBuilder } from "../src/model/builder.ts";
import { elementCount, integerLimits, type Model, type Tensor } from "../src/model/types.ts";
import type { Random } from "./cores_harness.ts";

/** How an attention is written down. */
export interface AttentionForm {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly embedding: number;
  readonly width: number;
  /**
   * What happens to the heads: `batched`: side by side again behind the second product, one output layer (QuantLib);
   * `summed`: an output layer each, requantised, summed, requantised (PyITA); `picked`: one by one behind the second
   * product, an output layer each, added; `separate`: one by one from the projections on.
   */
  readonly arrangement: "batched" | "summed" | "picked" | "separate";
  /**
   * Where query, key and values come from: `apart`: a linear layer each, from two inputs; `joined`: columns of one layer;
   * `stacked`: likewise, turned over as a whole and then picked (as PyTorch's vision transformers do); `heads`: a matrix
   * of weights for each head.
   */
  readonly projection: "apart" | "joined" | "stacked" | "heads";
  /** Whether requantisations differ from head to head. */
  readonly perHead: boolean;
  /** Which operand of its addition it is; `scalar`: the second, one number without axes. */
  readonly bias: "none" | "first" | "second" | "scalar";
  readonly softmax: Record<string, unknown>;
  readonly operator: "ITAPartialMax" | "ITAMax";
}

/** ITA's own softmax. */
export const itaSoftmax = { shift: 0, fullScale: 255, levels: 256, groupWidth: 16 };

/** A form with sizes at random. */
export function randomForm(random: Random, more: Partial<AttentionForm> = {}): AttentionForm {
  const queries = more.queries ?? random.integer(1, 20);
  const form: AttentionForm = {
    batch: random.chance(0.8) ? 1 : 2,
    heads: random.integer(1, 3),
    queries,
    keys: random.chance(0.5) ? queries : random.integer(1, 20),
    embedding: random.integer(1, 12),
    width: random.pick([1, 3, 8]),
    arrangement: random.pick(["batched", "summed", "picked", "separate"]),
    projection: random.pick(["apart", "apart", "joined", "stacked", "heads"]),
    perHead: random.chance(0.5),
    bias: random.pick(["none", "first", "second"]),
    softmax: itaSoftmax,
    operator: "ITAPartialMax",
    ...more,
  };
  // One layer has one input.
  return ["joined", "stacked"].includes(form.projection) ? { ...form, keys: form.queries } : form;
}

/** The model of an attention, as the importer gives it. */
export function attentionModel(random: Random, form: AttentionForm): Model {
  const { batch, heads, queries, keys, embedding, width } = form;
  const builder = new ModelBuilder();
  const inputs: string[] = [];
  const input = (rows: number) => {
    const name = `x${inputs.length}`;
    inputs.push(name);
    return builder.add({ name, dtype: "int8", shape: [batch, rows, embedding], range: integerLimits.int8 });
  };
  const apply = (operator: string, operands: Tensor[], attributes: Record<string, unknown> = {}) =>
    builder.append({ operator, inputs: operands, attributes, name: operator });
  const weights = (shape: number[]) =>
    builder.constant(
      "w",
      shape,
      Int8Array.from({ length: elementCount(shape) }, () => random.integer(-128, 127)),
    );

  /** Requantises so that results spread over 8 bits; by heads, `repeat` entries each, along `axis`, so many times. */
  const requant = (x: Tensor, scale: number, axis = -1, repeat = 1, parts = 1) => {
    const shift = Math.max(8, Math.min(20, Math.round(Math.log2(scale))));
    const many = form.perHead && axis >= 0 && heads > 1;
    const own = Array.from({ length: many ? heads * parts : 1 }, () => random.integer(64, 127));
    const values = own.flatMap((mul) => new Array<number>(many ? repeat : 1).fill(mul));
    return apply("RequantShift", [
      x,
      builder.parameter("mul", [values.length], values),
      builder.parameter("add", [values.length], values.map(() => 0)),
    ], { axis: many ? axis : -1, shift, signed: true, levels: 256 });
  };
  const biased = (x: Tensor, wanted: number[]) => {
    if (form.bias === "none") return x;
    const shape = form.bias === "scalar" ? [] : wanted;
    const values = Int32Array.from({ length: elementCount(shape) }, () => random.integer(-3000, 3000));
    const bias = builder.parameter("bias", shape, values);
    return apply("Add", form.bias === "first" ? [bias, x] : [x, bias]);
  };
  const depthScale = (depth: number) => 40 * 80 * Math.sqrt(depth);
  const linear = (x: Tensor, columns: number, byHeads: boolean, parts = 1) => {
    const product = biased(apply("MatMul", [x, weights([x.shape.at(-1)!, columns])]), [columns]);
    return requant(product, depthScale(x.shape.at(-1)!), byHeads ? x.shape.length - 1 : -1, width, parts);
  };
  const split = (x: Tensor, rows: number, perm: number[]) =>
    apply("Transpose", [apply("Reshape", [x], { shape: [batch, rows, heads, width] })], { perm });
  const slice = (x: Tensor, axis: number, head: number) => {
    const sizes = x.shape.with(axis, 1);
    const part = apply("Slice", [x], {
      starts: x.shape.map((_, i) => i === axis ? head : 0),
      steps: x.shape.map(() => 1),
      sizes,
    });
    return apply("Reshape", [part], { shape: sizes.toSpliced(axis, 1) });
  };
  const core = (q: Tensor, k: Tensor, v: Tensor) => {
    const axis = q.shape.length === 4 ? 1 : -1;
    const logits = requant(apply("MatMul", [q, k]), 60 * depthScale(width) / 80, axis);
    const probabilities = apply(form.operator, [logits], form.softmax);
    return requant(apply("MatMul", [probabilities, v]), 2 ** 13, axis);
  };

  const total = heads * width;
  const [toHeads, toKeys] = [[0, 2, 1, 3], [0, 2, 3, 1]];
  /** Query, key (transposed) and values, [batch, heads, …] each. */
  const projections = (): [Tensor, Tensor, Tensor] => {
    const x = input(queries);
    if (form.projection === "joined") {
      const joined = linear(x, 3 * total, true, 3);
      const part = (i: number) =>
        apply("Slice", [joined], {
          starts: [0, 0, i * total],
          steps: [1, 1, 1],
          sizes: [batch, queries, total],
        });
      return [split(part(0), queries, toHeads), split(part(1), keys, toKeys), split(part(2), keys, toHeads)];
    }
    if (form.projection === "stacked") {
      const joined = apply("Reshape", [linear(x, 3 * total, true, 3)], {
        shape: [batch, queries, 3, heads, width],
      });
      const turned = apply("Transpose", [joined], { perm: [2, 0, 3, 1, 4] });
      const [q, k, v] = [0, 1, 2].map((i) => slice(turned, 0, i));
      return [q, apply("Transpose", [k], { perm: [0, 1, 3, 2] }), v];
    }
    const y = input(keys);
    if (form.projection === "heads") {
      const layer = (z: Tensor) => {
        const wide = apply("Reshape", [z], { shape: [batch, 1, ...z.shape.slice(1)] });
        const product = biased(apply("MatMul", [wide, weights([heads, embedding, width])]), [
          heads,
          1,
          width,
        ]);
        return requant(product, depthScale(embedding), 1);
      };
      return [layer(x), apply("Transpose", [layer(y)], { perm: [0, 1, 3, 2] }), layer(y)];
    }
    const [q, k, v] = [x, y, y].map((z) => linear(z, total, true));
    return [split(q, queries, toHeads), split(k, keys, toKeys), split(v, keys, toHeads)];
  };
  const [qs, ks, vs] = projections();
  const perHeadLayers = (attended: readonly Tensor[]) =>
    attended.map((head) => linear(head, embedding, false)).reduce((sum, layer) => apply("Add", [sum, layer]));
  let output: Tensor;
  if (form.arrangement === "separate") {
    const attended = Array.from(
      { length: heads },
      (_, head) => core(slice(qs, 1, head), slice(ks, 1, head), slice(vs, 1, head)),
    );
    output = perHeadLayers(attended);
  } else {
    const attended = core(qs, ks, vs);
    if (form.arrangement === "picked") {
      output = perHeadLayers(Array.from({ length: heads }, (_, head) => slice(attended, 1, head)));
    } else if (form.arrangement === "batched") {
      const turned = apply("Transpose", [attended], { perm: toHeads });
      output = linear(apply("Reshape", [turned], { shape: [batch, queries, total] }), embedding, false);
    } else {
      const layer = biased(apply("MatMul", [attended, weights([heads, width, embedding])]), [
        heads,
        1,
        embedding,
      ]);
      const scaled = requant(layer, depthScale(width), 1);
      output = requant(apply("ReduceSum", [scaled], { axes: [1], keepdims: false }), 128 * heads);
    }
  }
  return builder.finish("attention", inputs, [output.name]);
}
