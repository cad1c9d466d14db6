// What a requantised matrix product, or a sum of such, is for ITA: its terms, its bias, its constants; or why it is none
// of ITA's work. What mapping_matmul.ts makes pieces of.

import type { Node, Range, Tensor } from "../../../src/model/types.ts";
import { broadcastStrides } from "../cores/boxes.ts";
import { type NodeView, wholeBox } from "../engine.ts";
import { type ConstantTiles, diagonalTiles, matrixTiles } from "./constant_tiles.ts";
import { type ItaGelu, type NetworkGelu, translateGelu } from "./gelu.ts";
import { biasLimits, type ItaRequant, limitsOf, translateRequant } from "./requantise.ts";
import { longest, mostTiles, tileEdge, tilesOf, wasteOf } from "./tiles.ts";

/** A requantisation's attributes, and how the operands lie (src/operators/requantized_matmul.ts, …_product_sum.ts). */
interface Attributes {
  readonly axis: number;
  readonly shift: number;
  readonly signed: boolean;
  readonly levels: number;
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly terms?: readonly ("product" | "transposed" | "diagonal")[];
  readonly gelu?: NetworkGelu;
}

/** One of the products that are added up. */
export interface Term {
  /** The second operand is the vector of a diagonal matrix. */
  readonly diagonal: boolean;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly a: Tensor;
  readonly b: Tensor;
  /** Which inputs of the node the operands are. */
  readonly inputs: readonly [a: number, b: number];
  /** Inner dimension. */
  readonly depth: number;
  /** The constant operand in tiles, if one is constant. */
  readonly constant?: { readonly operand: "a" | "b"; readonly tiles: () => ConstantTiles };
}

/** What a node is for ITA, worked out once. */
export interface Product {
  readonly terms: readonly Term[];
  /** Shape of the result. */
  readonly shape: readonly number[];
  /** Bias values by position of the result, if there is a bias. */
  readonly bias?: { readonly at: (index: readonly number[]) => number; readonly byRow: boolean };
  /** Axis along which the constants change; -1: they do not. */
  readonly axis: number;
  /** Constants by position along the axis; one entry if that is -1. */
  readonly requants: readonly ItaRequant[];
  /** GELU behind the requantisation. */
  readonly gelu?: ItaGelu;
}

type Refusal = { readonly reason: string };
type Outcome = { readonly product: Product } | Refusal;

const outcomes = new WeakMap<Node, Outcome>();

/** The node as ITA sees it, or why ITA cannot run it. */
export function productOf(view: NodeView): Outcome {
  let outcome = outcomes.get(view.node);
  if (!outcome) outcomes.set(view.node, outcome = analyse(view));
  return outcome;
}

/** Inputs of the two operators, by what they are. */
function inputsOf({ node, inputs }: NodeView) {
  const { terms, transA = false, transB = false } = node.attributes as unknown as Attributes;
  if (!terms) {
    const [, , bias, ...constants] = inputs;
    return { terms: [termOf(inputs, [0, 1], "product", transA, transB)], bias, constants };
  }
  const [bias, ...constants] = inputs.slice(0, 4);
  return {
    terms: terms.map((kind, i) => termOf(inputs, [4 + 2 * i, 5 + 2 * i], kind, false, kind === "transposed")),
    bias,
    constants,
  };
}

function termOf(
  inputs: NodeView["inputs"],
  [indexA, indexB]: readonly [number, number],
  kind: string,
  transA: boolean,
  transB: boolean,
): Term {
  const [a, b] = [inputs[indexA]!, inputs[indexB]!];
  const base = { a, b, transA, transB, inputs: [indexA, indexB] as const };
  if (kind === "diagonal") {
    const columns = a.shape.at(-1)!;
    const tiles = () => diagonalTiles(b, columns);
    return { ...base, diagonal: true, depth: 1, constant: { operand: "b", tiles } };
  }
  const operand = b.data ? "b" : a.data ? "a" : undefined;
  const tiles = operand === "b"
    ? () => matrixTiles(b, transB ? "rows" : "columns")
    : () => matrixTiles(a, transA ? "columns" : "rows");
  const depth = a.shape.at(transA ? -2 : -1)!;
  return { ...base, diagonal: false, depth, constant: operand && { operand, tiles } };
}

function analyse(view: NodeView): Outcome {
  const { axis, gelu } = view.node.attributes as unknown as Attributes;
  const { terms, bias, constants } = inputsOf(view);
  const { shape } = view.outputs[0];
  const nameOf = (operand: string, term: number) =>
    terms.length === 1 ? `operand ${operand}` : `operand ${operand} of summand ${term + 1}`;
  const operands = terms.flatMap(({ a, b }, i) => [[nameOf("a", i), a], [nameOf("b", i), b]] as const);
  for (const [name, { dtype }] of operands) {
    if (dtype !== "int8" && dtype !== "uint8") {
      return { reason: `${name} is ${dtype}, ITA multiplies int8` };
    }
  }
  if (shape.includes(0) || terms.some(({ depth }) => depth === 0)) return { reason: "the product is empty" };
  const lengthReason = refuseLength(terms) ??
    (terms.every(({ diagonal }) => diagonal) ? wasteOf(shape) : undefined) ??
    (bias && refuseBias(bias, shape));
  if (lengthReason) return { reason: lengthReason };
  const sums = terms.map(sumRange);
  const range = {
    min: sums.reduce((sum, { min }) => sum + min, 0),
    max: sums.reduce((sum, { max }) => sum + max, 0),
  };
  const requants = requantsOf(view, constants, range, bias?.range ?? { min: 0, max: 0 });
  if ("reason" in requants) return requants;
  const activation = gelu && translateGelu(gelu);
  if (activation && "reason" in activation) return activation;
  if (activation && requants.some(({ relu }) => relu)) {
    return { reason: "it is clipped at 0 in front of GELU, and ITA has one activation" };
  }
  // Last, for passes can often do something about these.
  for (const [name, { dtype }] of operands) {
    if (dtype !== "int8") return { reason: `${name} is ${dtype}, ITA multiplies int8` };
  }
  for (const [i, { a, b, transA, transB, diagonal }] of terms.entries()) {
    if (transA && (!a.data || b.data)) return { reason: `${nameOf("a", i)} is stored by columns` };
    if (!transB && !b.data && !diagonal) {
      return { reason: `${nameOf("b", i)} is an activation that is not stored by columns` };
    }
  }
  const product = { terms, shape, bias: bias && accessBias(bias, shape), axis, requants };
  return { product: { ...product, gelu: activation?.gelu } };
}

/** Most tiles that a term adds to one tile of the result, all-zero ones not counted. */
function mostTilesOf({ depth, constant }: Term): number {
  // Most products are short enough whatever they hold; then nobody has to look.
  return tilesOf(depth) === 1 || !constant
    ? tilesOf(depth)
    : Math.max(...constant.tiles().counts.map((strips) => Math.max(...strips)));
}

function refuseLength(terms: readonly Term[]): string | undefined {
  if (terms.reduce((sum, { depth }) => sum + tilesOf(depth), 0) <= mostTiles) return undefined;
  // Counts of different strips need not meet in one tile of the result; that much closer nobody looks.
  const tiles = terms.reduce((sum, term) => sum + mostTilesOf(term), 0);
  if (tiles <= mostTiles) return undefined;
  return terms.length === 1
    ? `its inner dimension is ${terms[0].depth}, ITA accumulates over at most ${longest}`
    : `a tile of its result is the sum of ${tiles} products of tiles, ITA accumulates ${mostTiles}`;
}

/** Strides of a bias along the axes of the result. */
function biasStrides(bias: Tensor, shape: readonly number[]): number[] {
  const strides = broadcastStrides(bias.shape, wholeBox(bias.shape), shape.length);
  return strides.map((stride, axis) => shape[axis] === 1 ? 0 : stride);
}

function refuseBias(bias: Tensor, shape: readonly number[]): string | undefined {
  const { min, max } = bias.range;
  if (min < biasLimits.min || max > biasLimits.max) return `its bias is ${min} … ${max}, ITA's has 24 bits`;
  const [row, column] = biasStrides(bias, shape).slice(-2);
  return row !== 0 && column !== 0
    ? `its bias of shape [${bias.shape.join(", ")}] differs along rows and columns`
    : undefined;
}

function accessBias(bias: Tensor, shape: readonly number[]): Product["bias"] {
  const strides = biasStrides(bias, shape);
  const at = (index: readonly number[]) =>
    bias.data![strides.reduce((offset, stride, axis) => offset + stride * index[axis], 0)];
  return { at, byRow: strides.at(-2) !== 0 };
}

/** Constants of ITA for each position along the requantisation's axis. */
function requantsOf(
  { node, outputs: [{ shape }] }: NodeView,
  constants: readonly (Tensor | undefined)[],
  sums: Range,
  bias: Range,
): ItaRequant[] | Refusal {
  const { axis, shift, signed, levels } = node.attributes as unknown as Attributes;
  const [mul, add, shifts] = constants.map((tensor) => tensor?.data);
  const limits = limitsOf({ signed, levels });
  const positions = Array.from({ length: mul!.length }, (_, i) => ({
    mul: mul![i],
    add: add![i],
    shift: shifts ? shifts[i] : shift,
    limits,
  }));
  const keys = positions.map((position) => `${position.mul} ${position.add} ${position.shift}`);
  const rank = shape.length;
  if (axis >= rank - 2) {
    const changes = keys.findIndex((key, i) => i % tileEdge !== 0 && key !== keys[i - 1]);
    if (changes >= 0) {
      const what = axis === rank - 1 ? "column" : "row";
      return { reason: `its requantisation changes at ${what} ${changes}, inside a tile of ${tileEdge}` };
    }
  }
  const accumulators = { min: sums.min + bias.min, max: sums.max + bias.max };
  const freedom = { min: biasLimits.min - bias.min, max: biasLimits.max - bias.max };
  const translated = new Map<string, ItaRequant>();
  for (const [i, key] of keys.entries()) {
    if (translated.has(key)) continue;
    const translation = translateRequant(positions[i], accumulators, freedom);
    if ("reason" in translation) return translation;
    translated.set(key, translation.constants);
  }
  return keys.map((key) => translated.get(key)!);
}

/** Values that a term can take. */
function sumRange({ a, b, depth, diagonal, transA, transB }: Term): Range {
  if (b.data && !diagonal) return constantRange(b, a.range, transB);
  if (a.data && !diagonal) return constantRange(a, b.range, !transA);
  const products = [a.range.min, a.range.max].flatMap((x) => [x * b.range.min, x * b.range.max]);
  return { min: depth * Math.min(...products), max: depth * Math.max(...products) };
}

/** Widest sum over the rows (columns unless `rows`) of a constant's matrices, each element times any value of `x`. */
function constantRange({ data, shape }: Tensor, x: Range, rows: boolean): Range {
  const [height, width] = shape.slice(-2);
  const count = rows ? height : width;
  const total = { min: Infinity, max: -Infinity };
  for (let start = 0; start < data!.length; start += height * width) {
    const low = new Float64Array(count);
    const high = new Float64Array(count);
    for (let row = 0, i = start; row < height; row++) {
      for (let column = 0; column < width; column++, i++) {
        const w = data![i];
        const sum = rows ? row : column;
        low[sum] += w * (w > 0 ? x.min : x.max);
        high[sum] += w * (w > 0 ? x.max : x.min);
      }
    }
    for (let i = 0; i < count; i++) {
      total.min = Math.min(total.min, low[i]);
      total.max = Math.max(total.max, high[i]);
    }
  }
  return total;
}
