// Translates a network's requantisation into ITA's constants, or says why there are none. Both are monotone step
// functions of the accumulator; they are equal if and only if they step at the same accumulators, and that is what is
// compared: exactly, for all of them, never by sampling.

import type { Range } from "../../../src/model/types.ts";

/** A requantisation as networks have it: y = clip((x·mul + add + 2^(shift-1)) >> shift). */
export interface NetworkRequant {
  readonly mul: number;
  readonly add: number;
  readonly shift: number;
  readonly limits: Range;
}

/**
 * The same in ITA: y = clamp(round((x + bias)·multiplier / 2^shift) + offset) to 8 bits, then max(y, 0) with `relu`
 * (ita.md, sections 6 and 8.3; ReLU with activation constants 1, 0, 0).
 */
export interface ItaRequant {
  /** 0 … 255. */
  readonly multiplier: number;
  /** 0 … 35. */
  readonly shift: number;
  /** -128 … 127. */
  readonly offset: number;
  /** To be added to every accumulator, by ITA's bias. */
  readonly bias: number;
  readonly relu: boolean;
}

/** ITA's constants, or in one line why there are none. */
type Translation = { readonly constants: ItaRequant } | { readonly reason: string };

/** What a network clips the result of a requantisation to. */
export function limitsOf({ signed, levels }: { readonly signed: boolean; readonly levels: number }): Range {
  const min = signed ? -Math.floor(levels / 2) : 0;
  return { min, max: min + levels - 1 };
}

/** What an accumulator (26 bits), a bias (24 bits) and a result can be (ita.md, section 6). */
const accumulatorLimits: Range = { min: -(2 ** 25), max: 2 ** 25 - 1 };
export const biasLimits: Range = { min: -(2 ** 23), max: 2 ** 23 - 1 };
const resultLimits: Range = { min: -128, max: 127 };
const offsetLimits = resultLimits;
/** Most that a multiplier and a shift can be. */
export const largestMultiplier = 255;
export const largestShift = 35;

/**
 * Finds constants of ITA that give the network's result for every accumulator of an interval.
 *
 * @param accumulators values that product and bias of the network can take, both ends included
 * @param freedom what may be added to ITA's accumulators; only 0 where the job has no bias
 */
export function translateRequant(
  requant: NetworkRequant,
  accumulators: Range,
  freedom: Range = { min: 0, max: 0 },
): Translation {
  const { min, max } = accumulators;
  if (min < accumulatorLimits.min || max > accumulatorLimits.max) {
    return { reason: `accumulators ${min} … ${max} do not fit ITA's 26 bits` };
  }
  const first = resultOf(requant, min);
  const last = resultOf(requant, max);
  if (first === last && isByte(first)) {
    return { constants: { multiplier: 0, shift: 0, offset: first, bias: 0, relu: false } };
  }
  if (last < first) return { reason: `the multiplier ${requant.mul} is negative` };
  if (!isByte(first) || !isByte(last)) {
    return { reason: `its results are ${first} … ${last}, ITA's are -128 … 127` };
  }
  // Where the network clips inside the interval, ITA must do so too.
  const clipsLow = unclipped(requant, min) < BigInt(first);
  const clipsHigh = unclipped(requant, max) > BigInt(last);
  const relu = clipsLow && first === 0;
  if ((clipsLow && !relu && first !== resultLimits.min) || (clipsHigh && last !== resultLimits.max)) {
    return { reason: `it clips to ${first} … ${last}, ITA to -128 … 127 or 0 … 127` };
  }
  const steps: Steps = {
    min,
    max,
    first,
    last,
    at: Array.from({ length: last - first }, (_, i) => thresholdOf(requant, first + 1 + i)),
    lowest: relu ? 0 : resultLimits.min,
  };
  const found = search(steps, {
    min: Math.max(freedom.min, accumulatorLimits.min - min),
    max: Math.min(freedom.max, accumulatorLimits.max - max),
  });
  if (!found) {
    const { mul, add, shift } = requant;
    return {
      reason:
        `no 8-bit multiplier and offset of ITA equal (x·${mul} + ${add}) / 2^${shift} for all x from ${min} to ${max}`,
    };
  }
  return { constants: { ...found, relu } };
}

/** A monotone step function on the integers min … max. */
interface Steps {
  readonly min: number;
  readonly max: number;
  /** Its values at the ends. */
  readonly first: number;
  readonly last: number;
  /** Smallest argument at which it is at least first + 1, first + 2, … last. */
  readonly at: readonly number[];
  /** What ITA clips to from below. */
  readonly lowest: number;
}

function unclipped({ mul, add, shift }: NetworkRequant, x: number): bigint {
  return (BigInt(x) * BigInt(mul) + BigInt(add) + half(shift)) >> BigInt(shift);
}

/** The network's result for an accumulator. */
export function resultOf(requant: NetworkRequant, x: number): number {
  const value = unclipped(requant, x);
  const { min, max } = requant.limits;
  return value < BigInt(min) ? min : value > BigInt(max) ? max : Number(value);
}

/** Smallest x whose result is at least y; mul is positive. */
function thresholdOf({ mul, add, shift }: NetworkRequant, y: number): number {
  const least = (BigInt(y) << BigInt(shift)) - BigInt(add) - half(shift);
  const divisor = BigInt(mul);
  // BigInt divides towards zero; this is the quotient rounded up.
  const quotient = least / divisor;
  return Number(least > 0n && quotient * divisor !== least ? quotient + 1n : quotient);
}

const half = (shift: number) => shift > 0 ? 1n << BigInt(shift - 1) : 0n;
const isByte = (value: number) => value >= resultLimits.min && value <= resultLimits.max;

/**
 * Tries all multipliers and shifts; among those that serve, takes the one with the smallest bias, which is 0 where
 * possible. An even multiplier equals its half with one shift less, so only odd ones are tried, but for shift 0.
 */
function search(steps: Steps, freedom: Range): Omit<ItaRequant, "relu"> | undefined {
  let best: Omit<ItaRequant, "relu"> | undefined;
  for (let shift = 0; shift <= largestShift; shift++) {
    const slopes = multipliersFor(steps, shift);
    for (let multiplier = slopes.min; multiplier <= slopes.max; multiplier++) {
      if (shift > 0 && multiplier % 2 === 0) continue;
      const offsets = offsetsFor(steps, multiplier, shift);
      const split = offsets && splitOffset(offsets, multiplier, shift, freedom);
      if (!split || (best && Math.abs(split.bias) >= Math.abs(best.bias))) continue;
      best = { multiplier, shift, ...split };
      if (split.bias === 0) return best;
    }
  }
  return best;
}

/**
 * Multipliers with which the first and the last step can be as far from each other as they are: with distances dx of the
 * arguments and dy of the results, |dy·2^shift - dx·m| < m.
 */
function multipliersFor({ at }: Steps, shift: number): Range {
  const rise = (at.length - 1) * 2 ** shift;
  const run = at[at.length - 1] - at[0];
  return {
    min: Math.max(1, Math.ceil((rise + 1) / (run + 1))),
    max: run > 1 ? Math.min(largestMultiplier, Math.floor((rise - 1) / (run - 1))) : largestMultiplier,
  };
}

/**
 * Every o for which (x·multiplier + o) >> shift steps as wanted; undefined if there is none. All numbers stay below
 * 2^44, so that they are exact in a double.
 */
function offsetsFor({ min, max, first, last, at, lowest }: Steps, multiplier: number, shift: number) {
  const unit = 2 ** shift;
  let low = -Infinity;
  let high = Infinity;
  // Below the first step and above the last one ITA may clip, if it clips to the right value.
  if (first > lowest) low = first * unit - min * multiplier;
  if (last < resultLimits.max) high = (last + 1) * unit - 1 - max * multiplier;
  for (const [i, x] of at.entries()) {
    const least = (first + 1 + i) * unit - x * multiplier;
    low = Math.max(low, least);
    high = Math.min(high, least + multiplier - 1);
    if (low > high) return undefined;
  }
  return { min: low, max: high };
}

/** Divides one of the offsets into rounding, ITA's offset and a bias that is as small as possible. */
function splitOffset(offsets: Range, multiplier: number, shift: number, freedom: Range) {
  const rounding = shift > 0 ? 2 ** (shift - 1) : 0;
  let best: { offset: number; bias: number } | undefined;
  for (let offset = offsetLimits.min; offset <= offsetLimits.max; offset++) {
    const rest = rounding + offset * 2 ** shift;
    const least = Math.max(Math.ceil((offsets.min - rest) / multiplier), freedom.min);
    const most = Math.min(Math.floor((offsets.max - rest) / multiplier), freedom.max);
    if (least > most) continue;
    const bias = Math.min(Math.max(0, least), most) + 0;
    if (!best || Math.abs(bias) < Math.abs(best.bias)) best = { offset, bias };
  }
  return best;
}
