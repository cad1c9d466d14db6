// Quant and Dequant on the worker cores: kernels/quant.c. Few results are searched for in a table of thresholds,
// 8-bit inputs looked up in a table of results.

import { elementCount, type Node } from "../../../src/model/types.ts";
import type { KernelCall, Mapping } from "../engine.ts";
import { lookupCall } from "./activations.ts";
import { estimateCycles, typeCode } from "./kernel_types.ts";

/** Bits of a float32 number, as an int32 field of an args struct. */
const floatBits = (value: number) => new Int32Array(Float32Array.of(value).buffer)[0];

interface QuantAttributes {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly min: number;
  readonly max: number;
}

/** Results that kernels/quant.c, quant_search tells apart. */
const searchable = 256;

/** What a float32 number is quantised to. */
function quantised(x: number, { scale, zeroPoint, min, max }: QuantAttributes): number {
  const value = Math.fround(Math.fround(x / scale) + zeroPoint);
  const below = Math.floor(value);
  const rest = value - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return Math.min(Math.max(up ? below + 1 : below, min), max);
}

/** The float32 number at a place in their order (ordered() in kernels/quant.c). */
function numberAt(place: number): number {
  return new Float32Array(Int32Array.of(place < 0 ? place ^ 0x7fff_ffff : place).buffer)[0];
}

const places = { minusInfinity: -0x7f80_0001, infinity: 0x7f80_0000, none: 0x7fff_ffff };

const thresholdsOf = new WeakMap<Node, Uint8Array>();

/** For each result above min the place of the least number that gives it: quantisation never falls as x grows. */
function thresholds(node: Node): Uint8Array {
  const known = thresholdsOf.get(node);
  if (known) return known;
  const attributes = node.attributes as unknown as QuantAttributes;
  const { min, max } = attributes;
  const list = new Int32Array(searchable).fill(places.none);
  for (let result = min + 1, low = places.minusInfinity; result <= max; result++) {
    let high = places.infinity;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (quantised(numberAt(middle), attributes) >= result) high = middle;
      else low = middle + 1;
    }
    list[result - min - 1] = low;
  }
  const bytes = new Uint8Array(list.buffer);
  thresholdsOf.set(node, bytes);
  return bytes;
}

export const quantMapping: Mapping = {
  rejects: ({ inputs: [x] }) => x!.dtype === "float32" ? undefined : "the operand is not float32",
  cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
  piece({ node, outputs: [y] }, box, target): KernelCall {
    const { scale, zeroPoint, min, max } = node.attributes as unknown as QuantAttributes;
    const count = elementCount(box.shape);
    const common = {
      source: "quant.c",
      reads: [{ field: "x", input: 0, box }],
      writes: [{ field: "y", output: 0, box }],
      macs: 0,
    };
    if (max - min < searchable) {
      return {
        ...common,
        kernel: "quant_search",
        tables: [{ field: "thresholds", data: thresholds(node) }],
        parameters: { count, y_type: typeCode[y.dtype], low: min },
        cycles: estimateCycles({ instructions: count * 45 }, target),
      };
    }
    return {
      ...common,
      kernel: "quant",
      parameters: {
        count,
        y_type: typeCode[y.dtype],
        scale: floatBits(scale),
        zero_point: floatBits(zeroPoint),
        low: min,
        high: max,
      },
      cycles: estimateCycles(
        { instructions: count * 420, products: count * 5, divisions: count * 45 },
        target,
      ),
    };
  },
};

export const dequantMapping: Mapping = {
  rejects: ({ inputs: [x] }) => x!.dtype === "float32" ? "the operand is float32" : undefined,
  cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
  piece(view, box, target): KernelCall {
    const { node, inputs: [x] } = view;
    const { scale, zeroPoint } = node.attributes as Record<string, number>;
    if (x!.dtype !== "int32") {
      // Both factors are float32 numbers; storing their product in the table rounds it to float32.
      return lookupCall(view, box, target, (value) => Math.fround((value - zeroPoint) | 0) * scale);
    }
    const count = elementCount(box.shape);
    return {
      kernel: "dequant",
      source: "quant.c",
      reads: [{ field: "x", input: 0, box }],
      writes: [{ field: "y", output: 0, box }],
      parameters: { count, x_type: typeCode[x!.dtype], zero_point: zeroPoint, scale: floatBits(scale) },
      macs: 0,
      cycles: estimateCycles({ instructions: count * 142, products: count * 2 }, target),
    };
  },
};
