// Linear layers (RequantizedMatMul of an activation and constant weights) taken apart and put together otherwise: some
// of the columns, one matrix a head, or the transpose of the result. Weights are moved at compile time, so that nothing
// has to be moved when the network runs.

import type { ModelBuilder } from "../model/builder.ts";
import { elementCount, type Node, type Tensor } from "../model/types.ts";
import { allocate } from "../operators/ranges.ts";
import type { RequantAttributes } from "../operators/requant_shift.ts";
import { gatherStrided, padFront, sameShape, stridesOf, swapLast } from "../operators/shapes.ts";

/** A linear layer: result [.., rows, columns] = requantise(x [.., rows, inner] · weights [inner, columns] + bias). */
export interface LinearLayer {
  readonly name: string;
  readonly x: Tensor;
  /** [inner, columns], row major. */
  readonly weights: Tensor;
  /** [columns] */
  readonly bias?: Tensor;
  /** mul, add and perhaps shift: one element, or one for each column. */
  readonly constants: readonly Tensor[];
  readonly attributes: RequantAttributes;
}

/** How a new layer is to give its result. */
export interface LayerForm {
  /** Heads that its columns divide into, each a matrix of its own behind the batch axis; 1: all in one matrix. */
  readonly heads: number;
  /** Whether each matrix is transposed: [columns, rows]. */
  readonly transposed: boolean;
}

/** The node as a linear layer: weights of one constant matrix, bias and requantisation by columns at most. */
export function linearLayer(builder: ModelBuilder, node: Node): LinearLayer | undefined {
  if (node.operator !== "RequantizedMatMul" || node.attributes.transA) return undefined;
  const [x, b, bias, ...constants] = node.inputs.map((name) => builder.tensors.get(name));
  const rank = builder.tensors.get(node.outputs[0])!.shape.length;
  const attributes = node.attributes as unknown as RequantAttributes;
  const perColumn = attributes.axis === rank - 1;
  if (!b?.data || b.shape.length !== 2 || !x || x.data) return undefined;
  if (bias && elementCount(bias.shape) !== bias.shape.at(-1)) return undefined;
  if (!perColumn && constants.some((tensor) => !uniform(tensor!))) return undefined;
  const columns = b.shape[node.attributes.transB ? 0 : 1];
  const weights = node.attributes.transB ? moved(builder, b, [1, 0]) : b;
  return {
    name: node.name,
    x,
    weights,
    bias: bias && (elementCount(bias.shape) === columns ? bias : stretched(builder, bias, columns)),
    constants: constants.map((tensor) => perColumn ? tensor! : firstOf(builder, tensor!)),
    attributes,
  };
}

/** The columns `start … start + count - 1` of a layer. */
export function cutLayer(
  builder: ModelBuilder,
  layer: LinearLayer,
  start: number,
  count: number,
): LinearLayer {
  const [inner, columns] = layer.weights.shape;
  if (start === 0 && count === columns) return layer;
  const vector = (tensor: Tensor) =>
    elementCount(tensor.shape) === 1 ? tensor : builder.parameter(
      `${tensor.name}:${start}`,
      [count],
      tensor.data!.slice(start, start + count),
    );
  const weights = allocate(layer.weights.dtype, inner * count);
  gatherStrided(weights, [inner, count], layer.weights.data!, [columns, 1], start);
  return {
    ...layer,
    name: `${layer.name}:${start}`,
    weights: builder.constant(`${layer.weights.name}:${start}`, [inner, count], weights),
    bias: layer.bias && vector(layer.bias),
    constants: layer.constants.map(vector),
  };
}

/** Whether a layer's requantisation is the same for all columns of each head. */
export function uniformHeads({ constants, weights }: LinearLayer, heads: number): boolean {
  const width = weights.shape[1] / heads;
  return constants.every(({ data }) =>
    data!.length === 1 || data!.every((value, i) => value === data![i - i % width])
  );
}

/** Whether a layer's requantisation is the same for all columns. */
export function uniformLayer({ constants }: LinearLayer): boolean {
  return constants.every(uniform);
}

/**
 * Appends a layer to a model.
 *
 * @param rows shape of x is [batch, rows, inner] after merging; the result is [batch, rows, columns], transposed
 *   [batch, columns, rows], with more than one head [batch, heads, rows, width] or [batch, heads, width, rows]. A layer
 *   of more than one head must be uniform in each of them.
 */
export function appendLayer(
  builder: ModelBuilder,
  layer: LinearLayer,
  [batch, rows]: readonly [batch: number, rows: number],
  { heads, transposed }: LayerForm,
): Tensor {
  const { name, weights, bias, constants, attributes } = layer;
  const [inner, columns] = weights.shape;
  const width = columns / heads;
  const apart = heads > 1;
  const x = reshaped(builder, layer.x, apart ? [batch, 1, rows, inner] : [batch, rows, inner]);
  // [inner, heads, width] to [heads, inner, width], or to [heads, width, inner] for the transposed product.
  const split: Tensor = { ...weights, shape: apart ? [inner, heads, width] : [inner, columns] };
  const order = apart ? (transposed ? [1, 2, 0] : [1, 0, 2]) : transposed ? [1, 0] : [0, 1];
  const matrix = moved(builder, split, order);
  const biasShape = [...(apart ? [heads] : []), ...(transposed ? [width, 1] : [1, width])];
  const same = uniformLayer(layer);
  const scale = (tensor: Tensor) => {
    if (same) return firstOf(builder, tensor);
    if (!apart) return tensor;
    const values = Int32Array.from({ length: heads }, (_, head) => tensor.data![head * width]);
    return builder.parameter(`${tensor.name}:heads`, [heads], values);
  };
  return builder.append({
    operator: "RequantizedMatMul",
    inputs: [
      ...(transposed ? [matrix, x] : [x, matrix]),
      bias && builder.parameter(`${bias.name}:${transposed ? "rows" : "columns"}`, biasShape, bias.data!),
      ...constants.map(scale),
    ],
    attributes: {
      ...attributes,
      axis: same ? -1 : apart || transposed ? 1 : 2,
      transA: false,
      transB: transposed,
    },
    // The layer that this one stands for may still be there, until dead nodes go.
    name: `${name}:${transposed ? "transposed" : "split"}`,
  });
}

/**
 * Appends the transpose of a product with constant weights, one matrix or one for each head: (x · w)ᵀ = wᵀ · xᵀ.
 * Undefined if the node is no such product.
 */
export function appendTurned(builder: ModelBuilder, node: Node | undefined): Tensor | undefined {
  if (node?.operator !== "RequantizedMatMul" || node.attributes.transA) return undefined;
  const [x, weights, bias, ...constants] = node.inputs.map((name) => builder.tensors.get(name));
  if (!weights?.data || x!.data) return undefined;
  const rank = builder.tensors.get(node.outputs[0])!.shape.length;
  const axis = node.attributes.axis as number;
  const matrix = node.attributes.transB
    ? weights
    : moved(builder, weights, swapLast([...weights.shape.keys()]));
  return builder.append({
    operator: node.operator,
    inputs: [matrix, x, bias && turnedBias(builder, bias), ...constants],
    attributes: {
      ...node.attributes,
      axis: axis < rank - 2 ? axis : 2 * rank - 3 - axis,
      transA: false,
      transB: true,
    },
    name: `${node.name}:transposed`,
  });
}

function turnedBias(builder: ModelBuilder, bias: Tensor): Tensor {
  const shape = padFront(bias.shape, 2);
  const to = swapLast(shape);
  const data = new Int32Array(elementCount(to));
  gatherStrided(data, to, bias.data!, swapLast(stridesOf(shape)));
  return builder.parameter(`${bias.name}:transposed`, to, data);
}

/** A Reshape, if the tensor has another shape. */
export function reshaped(
  builder: ModelBuilder,
  tensor: Tensor,
  shape: readonly number[],
  more: { name?: string; output?: string } = {},
): Tensor {
  if (sameShape(tensor.shape, shape) && more.output === undefined) return tensor;
  return builder.append({
    operator: "Reshape",
    inputs: [tensor],
    attributes: { shape },
    name: `${tensor.name}:shape`,
    ...more,
  });
}

function uniform({ data }: Tensor): boolean {
  return data!.every((value) => value === data![0]);
}

function firstOf(builder: ModelBuilder, tensor: Tensor): Tensor {
  if (tensor.data!.length === 1) return tensor;
  return builder.parameter(tensor.name, [1], tensor.data!.slice(0, 1));
}

function stretched(builder: ModelBuilder, bias: Tensor, columns: number): Tensor {
  return builder.parameter(bias.name, [columns], new Int32Array(columns).fill(bias.data![0]));
}

/** A constant with its axes in another order. */
function moved(builder: ModelBuilder, tensor: Tensor, perm: readonly number[]): Tensor {
  if (perm.every((axis, i) => axis === i)) return tensor;
  const strides = stridesOf(tensor.shape);
  const shape = perm.map((axis) => tensor.shape[axis]);
  const data = allocate(tensor.dtype, elementCount(shape));
  gatherStrided(data, shape, tensor.data!, perm.map((axis) => strides[axis]));
  return builder.constant(`${tensor.name}:transposed`, shape, data);
}
