// Finds constants with which ITA's activation unit gives a network's GELU, or says that there are none. Both are functions
// of 8 bits: they are compared for all values.

import { activate, type Requant } from "./arithmetic.ts";
import { largestMultiplier, largestShift, limitsOf, resultOf } from "./requantise.ts";

/** A network's GELU: iGELU, then y = clip((v·mul + add + 2^(shift-1)) >> shift) (src/operators/activations.ts). */
export interface NetworkGelu {
  readonly b: number;
  readonly one: number;
  readonly mul: number;
  readonly add: number;
  readonly shift: number;
  readonly signed: boolean;
  readonly levels: number;
  /** Whether the result is negated at last. */
  readonly negated: boolean;
}

/** Constants of the activation unit (ita.md, section 8.3). */
export interface ItaGelu {
  readonly b: number;
  readonly c: number;
  readonly requant: Requant;
}

type Translation = { readonly gelu: ItaGelu } | { readonly reason: string };

const s16 = { min: -(2 ** 15), max: 2 ** 15 - 1 };

const known = new Map<string, Translation>();

/**
 * Constants that give the network's result for every input of 8 bits.
 *
 * ITA's polynomial is that of the network with c = -one, but for its sign and a factor of two: v = -2·iGELU, rounding
 * aside. So it serves where the result is negated, by the requantisation or by whoever takes care of the sign behind it.
 */
export function translateGelu(gelu: NetworkGelu): Translation {
  const { b, one, mul, add, shift, signed, levels, negated } = gelu;
  const key = [b, one, mul, add, shift, signed, levels, negated].join();
  const found = known.get(key) ?? translate(gelu);
  known.set(key, found);
  return found;
}

function translate(network: NetworkGelu): Translation {
  const { b, one } = network;
  if (b < s16.min || one > -s16.min || one < -s16.max) {
    return { reason: `GELU's constants ${b} and ${one} do not fit ITA's 16 bits` };
  }
  if ((network.mul > 0) !== network.negated) {
    return { reason: "ITA's GELU gives results of the opposite sign" };
  }
  const sign = network.negated ? -1 : 1;
  const wanted = Array.from({ length: 256 }, (_, i) => sign * networkGelu(i - 128, network) + 0);
  // Inputs that tell most candidates from the right one come first.
  const inputs = Array.from({ length: 256 }, (_, i) => i - 128).sort((x, y) => Math.abs(y) - Math.abs(x));
  // At 0 both polynomials are 0: what comes out is what is added.
  const offset = wanted[128];
  if (offset < -128 || offset > 127) return { reason: `its GELU is ${offset} at 0, out of 8 bits` };
  for (let shift = 0; shift <= largestShift; shift++) {
    for (let multiplier = 1; multiplier <= largestMultiplier; multiplier++) {
      const ita: ItaGelu = { b, c: -one, requant: { multiplier, shift, offset } };
      if (inputs.every((y) => activate(y, { kind: "gelu", ...ita }) === wanted[y + 128])) {
        return { gelu: ita };
      }
    }
  }
  return { reason: "no multiplier of 8 bits makes ITA's GELU equal to the network's for all inputs" };
}

/** What the network makes of an input, not negated. */
function networkGelu(y: number, { b, one, mul, add, shift, signed, levels }: NetworkGelu): number {
  const d = Math.min(Math.abs(y), -b) + b;
  const value = y * Math.floor((one + Math.sign(y) * (one - d * d)) / 2);
  return resultOf({ mul, add, shift, limits: limitsOf({ signed, levels }) }, value);
}
