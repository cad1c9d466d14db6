// RequantShift: resolves the many ways in which files broadcast mul, add and div (dialect, sections 3 and 6) to
// one axis and vectors along it.

import { AttoflowError } from "../../../targets/errors.ts";
import { elementCount, type Tensor } from "../../model/types.ts";
import { broadcastStrides, gatherStrided, shapeText, stridesOf } from "../../operators/shapes.ts";
import type { Constant } from "../constant.ts";
import { type Conversion, type Converter, integerValues } from "./conversion.ts";

/** One number for the whole tensor (axis -1), or one for each position on an axis. */
interface Vector {
  readonly axis: number;
  readonly values: ArrayLike<number>;
}

/** Converts RequantShift. */
export const convertRequantShift: Converter = (conversion) => {
  const x = conversion.tensor(0);
  const channels = ["Conv", "MaxPool"].includes(conversion.builder.producerOf(x)?.operator ?? "");
  const vector = (constant: Constant, what: string) =>
    resolve(x.shape, constant.shape, integerValues(constant, what), channels, what);
  const mul = vector(conversion.requiredConstant(1, "mul"), "mul");
  const add = vector(conversion.requiredConstant(2, "add"), "add");
  const div = divisors(conversion);
  const shift = resolve(x.shape, [div.length], div.map((value) => log2(value, "div")), channels, "div");

  const axes = new Set([mul, add, shift].map(({ axis }) => axis).filter((axis) => axis >= 0));
  if (axes.size > 1) {
    throw new AttoflowError(`its mul, add and div vary along different axes of ${shapeText(x.shape)}`);
  }
  const axis = [...axes][0] ?? -1;
  const length = axis < 0 ? 1 : x.shape[axis];
  const spread = ({ axis, values }: Vector) => axis < 0 ? new Array<number>(length).fill(values[0]) : values;
  const constant = (index: number, vector: Vector) =>
    conversion.builder.parameter(conversion.node.inputs[index], [length], spread(vector));

  const uniform = shift.axis < 0;
  const inputs: Tensor[] = [x, constant(1, mul), constant(2, add)];
  if (!uniform) {
    inputs.push(conversion.builder.parameter(`${conversion.node.name}:shift`, [length], spread(shift)));
  }
  return conversion.finish("RequantShift", inputs, {
    axis,
    shift: uniform ? shift.values[0] : -1,
    ...requantLevels(conversion),
  });
};

/** The result's levels and sign. */
function requantLevels({ attributes }: Conversion): { signed: boolean; levels: number } {
  const levels = attributes.has("n_levels_out") ? "n_levels_out" : "n_levels";
  return { signed: attributes.integer("signed") !== 0, levels: attributes.integer(levels) };
}

/** The divisors; a list of equal ones is one. */
function divisors({ attributes }: Conversion): number[] {
  const div = attributes.integers("div");
  if (!div || div.length === 0) throw new AttoflowError('attribute "div" is missing');
  return div.every((value) => value === div[0]) ? [div[0]] : div;
}

/** Exponent of a power of two. Throws {@link AttoflowError}. */
export function log2(value: number, what: string): number {
  const exponent = Math.round(Math.log2(value));
  if (!(value >= 1) || 2 ** exponent !== value) {
    throw new AttoflowError(`its ${what} is ${value}, which is not a power of two`);
  }
  return exponent;
}

/**
 * Finds the axis of x along which a constant varies.
 *
 * @param shape shape of x
 * @param own shape of the constant
 * @param channels whether x comes of a convolution, so that vectors are per channel
 */
function resolve(
  shape: readonly number[],
  own: readonly number[],
  values: ArrayLike<number>,
  channels: boolean,
  what: string,
): Vector {
  if (values.length === 1) return { axis: -1, values };
  const long = own.flatMap((dimension, axis) => dimension === 1 ? [] : [axis]);
  if (long.length === 1) {
    const [position] = long;
    const length = own[position];
    const rank = shape.length;
    const axis = preferredAxes(rank, own.length, position, channels).find((axis) => shape[axis] === length);
    if (axis !== undefined) return { axis, values };
    // One entry a head, for the columns of all heads side by side (section 6, trap a).
    const last = shape[rank - 1] ?? 0;
    if (own.length === 1 && length > 0 && last % length === 0) {
      const block = last / length;
      return {
        axis: rank - 1,
        values: Array.from({ length: last }, (_, i) => values[Math.floor(i / block)]),
      };
    }
    if (rank > 2 && shape[1] === length) return { axis: 1, values };
  } else {
    const vector = alongOneAxis(shape, own, values);
    if (vector) return vector;
  }
  throw new AttoflowError(
    `its ${what} of shape ${shapeText(own)} fits no axis of its input of shape ${shapeText(shape)}`,
  );
}

/**
 * Axes that a vector may run along, the most likely first.
 *
 * @param rank rank of x
 * @param own rank of the constant
 * @param position the constant's axis that is not 1
 */
function preferredAxes(rank: number, own: number, position: number, channels: boolean): number[] {
  const numpy = rank - own + position;
  if (own === 1) {
    // Per head (or channel) in front of a plain per-column vector: only PyITA writes vectors for four axes.
    if (rank === 4 || (rank > 2 && channels)) return [1, numpy];
    return [numpy];
  }
  // (C, 1, 1) beside [N, C, L]: the channel, though numpy would align it with the batch.
  if (own === 3 && position === 0 && rank === 3) return [1, numpy];
  return [numpy, 1];
}

/** A constant of several long axes that varies along one only, or undefined. */
function alongOneAxis(
  shape: readonly number[],
  own: readonly number[],
  values: ArrayLike<number>,
): Vector | undefined {
  const shift = shape.length - own.length;
  if (shift < 0 || own.some((dimension, axis) => dimension !== 1 && dimension !== shape[axis + shift])) {
    return undefined;
  }
  const all = new Int32Array(elementCount(shape));
  gatherStrided(all, shape, Int32Array.from(values), broadcastStrides(own, shape));
  if (all.every((value) => value === all[0])) return { axis: -1, values: [all[0] ?? 0] };
  const strides = stridesOf(shape);
  for (let axis = 0; axis < shape.length; axis++) {
    const line = Array.from({ length: shape[axis] }, (_, i) => all[i * strides[axis]]);
    if (all.every((value, i) => value === line[Math.floor(i / strides[axis]) % shape[axis]])) {
      return { axis, values: line };
    }
  }
}
