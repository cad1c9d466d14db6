// Random applications of every operator, small enough to be many: odd sizes, broadcasting, empty axes, ranges
// from one value to all of int32.

import { operators } from "../src/operators/registry.ts";
import { type Random, randomTensor, type Trial } from "./cores_harness.ts";

type Range = { min: number; max: number };

const int8: Range = { min: -128, max: 127 };
const uint8: Range = { min: 0, max: 255 };
const int32: Range = { min: -(2 ** 31), max: 2 ** 31 - 1 };

/** A range: usually that of a type, sometimes a small one, sometimes one constant. */
function anyRange(random: Random, widest: readonly Range[] = [int8, int8, uint8, int32]): Range {
  const { min, max } = random.pick(widest);
  if (random.chance(0.7)) return { min, max };
  const low = random.integer(min, max);
  return { min: low, max: random.integer(low, Math.min(max, low + 300)) };
}

function anyShape(random: Random, rank: number, most: number): number[] {
  return Array.from({ length: rank }, () => random.chance(0.02) ? 0 : random.integer(1, most));
}

/** A shape that broadcasts to `shape`. */
function broadcastable(random: Random, shape: readonly number[]): number[] {
  const own = shape.map((dimension) => random.chance(0.35) ? 1 : dimension);
  return random.chance(0.3) ? own.slice(random.integer(0, shape.length)) : own;
}

/** Builds a trial of tensors made by {@link randomTensor}; absent inputs are undefined. */
function trial(
  operator: string,
  attributes: Record<string, unknown>,
  inputs: readonly (ReturnType<typeof randomTensor> | undefined)[],
): Trial {
  const found = operators.get(operator)!;
  return {
    operator: found,
    attributes: found.parse(attributes),
    inputs: inputs.map((input) => input?.tensor),
    data: inputs.map((input) => input?.data),
  };
}

/** Constants of a requantisation over an axis of `length` (-1: per tensor) for values up to `magnitude`. */
function requantisation(
  random: Random,
  shape: readonly number[],
  axes: readonly number[],
  magnitude: number,
) {
  const axis = random.pick(axes);
  const length = axis < 0 ? 1 : shape[axis];
  const vector = (range: Range) => randomTensor(random, [length], range, { constant: true, dtype: "int32" });
  const shift = random.pick([0, 1, 7, 8, 12, 16, 18, 24, 31]);
  const most = random.chance(0.2)
    ? 2 ** 31 - 1
    : Math.min(2 ** 31 - 1, Math.ceil(300 * 2 ** shift / magnitude));
  const mul = vector({ min: random.chance(0.3) ? -most : 0, max: most });
  const offset = random.chance(0.2) ? 2 ** 31 - 1 : Math.min(2 ** 31 - 1, 2 ** (shift + 6));
  const add = vector({ min: -offset, max: offset });
  const shifts = random.chance(0.15) && axis >= 0
    ? vector({ min: 0, max: Math.min(shift + 2, 31) })
    : undefined;
  return {
    attributes: {
      axis,
      shift: shifts ? -1 : shift,
      signed: random.chance(0.5),
      levels: random.pick([256, 256, 256, 16, 65536]),
    },
    inputs: shifts ? [mul, add, shifts] : [mul, add],
  };
}

function matrixProduct(random: Random, operator: "MatMul" | "Gemm" | "RequantizedMatMul"): Trial {
  const transA = operator !== "MatMul" && random.chance(0.15);
  const transB = operator !== "MatMul" && random.chance(0.4);
  const [m, n] = [random.integer(1, 19), random.integer(1, 21)];
  const k = random.chance(0.02) ? 0 : random.integer(1, 40);
  const batch = random.chance(0.5) ? [] : anyShape(random, random.integer(1, 2), 4);
  const front = (): number[] => batch.length === 0 ? [] : broadcastable(random, batch);
  const swap = (rows: number, columns: number, swapped: boolean) =>
    swapped ? [columns, rows] : [rows, columns];
  const a = randomTensor(random, [...batch, ...swap(m, k, transA)], anyRange(random));
  const b = randomTensor(random, [...front(), ...swap(k, n, transB)], anyRange(random), {
    constant: random.chance(0.6),
  });
  if (operator === "MatMul") return trial(operator, {}, [a, b]);
  const shape = [...batch, m, n];
  const bias = random.chance(0.6)
    ? randomTensor(
      random,
      broadcastable(random, shape),
      anyRange(random, [int8, { min: -16384, max: 16384 }, int32]),
      {
        constant: true,
        dtype: operator === "Gemm" ? undefined : "int32",
      },
    )
    : undefined;
  if (operator === "Gemm") {
    const factor = () => random.pick([1, 1, 2, -3]);
    return trial(operator, { alpha: factor(), beta: factor(), transA, transB }, bias ? [a, b, bias] : [a, b]);
  }
  const axes = [-1, -1, shape.length - 1, shape.length - 2, random.integer(0, shape.length - 1)];
  const { attributes, inputs } = requantisation(random, shape, axes, Math.max(k, 1) * 2000);
  return trial(operator, { ...attributes, transA, transB }, [a, b, bias, ...inputs]);
}

function binary(random: Random, operator: string): Trial {
  const shape = anyShape(random, random.integer(0, 5), 6);
  const [a, b] = random.chance(0.5)
    ? [shape, broadcastable(random, shape)]
    : [broadcastable(random, shape), shape];
  return trial(operator, {}, [
    randomTensor(random, a, anyRange(random)),
    randomTensor(random, b, anyRange(random), { constant: random.chance(0.3) }),
  ]);
}

function reduction(random: Random, operator: string): Trial {
  const shape = Array.from({ length: random.integer(1, 5) }, () => random.integer(1, 7));
  const axes = [...shape.keys()].filter(() => random.chance(0.5));
  return trial(operator, { axes, keepdims: random.chance(0.5) }, [
    randomTensor(random, shape, anyRange(random)),
  ]);
}

function itaMax(random: Random, operator: string, groupWidth: number): Trial {
  const x = randomTensor(random, anyShape(random, random.integer(1, 3), 40), anyRange(random));
  const attributes = {
    shift: random.pick([0, 5]),
    fullScale: random.pick([255, 127]),
    levels: 256,
    groupWidth,
  };
  return trial(operator, attributes, [x]);
}

function normalisation(random: Random, operator: "iLayerNorm" | "iRMSNorm"): Trial {
  const uniform = random.chance(0.5);
  const shape = uniform
    ? [random.integer(0, 20), random.integer(160, 330)]
    : anyShape(random, random.integer(1, 3), random.pick([4, 60]));
  const length = shape[shape.length - 1];
  const shift = random.pick(uniform ? [0, 5, 7, 8, 8, 9] : [0, 7, 9, 12, 31]);
  const vector = (range: Range) => randomTensor(random, [length], range, { constant: true, dtype: "int32" });
  const one = (low: number, high: number) => {
    const value = random.integer(low, high);
    return { min: value, max: value };
  };
  const weight = vector(
    uniform
      ? one(1, 2 ** (8 + shift))
      : anyRange(random, [{ min: -456946, max: 456946 }, { min: 0, max: 3000 }, int32]),
  );
  const bias = vector(
    uniform
      ? random.chance(0.3) ? one(-(2 ** (7 + shift)), 2 ** (7 + shift)) : one(0, 2 ** shift)
      : anyRange(random, [{ min: -100000, max: 100000 }, int32]),
  );
  const x = randomTensor(
    random,
    shape,
    anyRange(random, uniform ? [int8, uint8, { min: -30, max: 50 }] : undefined),
  );
  const attributes = { shift, levels: random.pick([256, 256, 16, uniform ? 256 : 65536]) };
  return trial(operator, attributes, operator === "iLayerNorm" ? [x, weight, bias] : [x, weight]);
}

/** Lookup or LookupSum of enough elements for a loop of each core. */
function tableLookup(random: Random, operator: "Lookup" | "LookupSum"): Trial {
  const shape = [random.integer(0, 30), random.integer(1, 40)];
  const ranges = [int8, uint8, { min: -9, max: 5 }];
  const results: Range[] = operator === "Lookup" ? [int8, uint8, int32] : [int8, uint8];
  const table = (length: number, range: Range) =>
    randomTensor(random, [length], range, { constant: true, dtype: "int32" });
  const a = randomTensor(random, shape, anyRange(random, ranges));
  if (operator === "Lookup") return trial(operator, {}, [a, table(256, random.pick(results))]);
  const b = randomTensor(random, shape, anyRange(random, ranges));
  const terms = [a, b].map((x) => {
    const own = random.chance(0.5) ? table(256, random.pick([int8, { min: -300, max: -100 }])) : undefined;
    return { own, range: own ? own.tensor.range : x.tensor.range };
  });
  const first = terms[0].range.min + terms[1].range.min - random.integer(0, 3);
  const last = terms[0].range.max + terms[1].range.max;
  const [tableA, tableB] = terms.map(({ own }) => own);
  const inputs = [a, b, table(last - first + 1, random.pick(results)), tableA, tableB];
  return trial(operator, { first }, inputs.slice(0, tableB ? 5 : tableA ? 4 : 3));
}

/** A window over one or two spatial axes, and an input that it fits. */
function slidingWindow(random: Random) {
  const axes = random.pick([1, 2, 2]);
  const list = (least: number, most: number) =>
    Array.from({ length: axes }, () => random.integer(least, most));
  const plain = random.chance(0.25);
  const kernel = plain ? list(1, 1) : random.chance(0.4) ? list(3, 3) : list(1, 4);
  const strides = plain || random.chance(0.5) ? list(1, 1) : list(1, 4);
  const dilations = random.chance(0.7) ? list(1, 1) : list(1, 3);
  const pads = plain || random.chance(0.4)
    ? new Array<number>(2 * axes).fill(0)
    : [...list(0, 3), ...list(0, 3)];
  const spatial = kernel.map((size, i) =>
    Math.max(1, dilations[i] * (size - 1) + 1 - pads[i] - pads[i + axes]) + random.integer(0, 9)
  );
  const shape = [random.integer(1, 2), random.integer(1, 9), ...spatial];
  return { shape, attributes: { kernel, strides, pads, dilations } };
}

function convolution(random: Random, operator: "Conv" | "RequantizedConv"): Trial {
  const { shape, attributes } = slidingWindow(random);
  const group = random.pick([1, 1, shape[1], 2]);
  const depth = group === 2 ? random.integer(1, 3) : shape[1] / group;
  const outputs = group * (group === 1 ? random.integer(1, 11) : random.integer(1, 4));
  const x = randomTensor(random, shape.with(1, depth * group), anyRange(random));
  const weights = anyRange(random, [int8, int8, int8, uint8, int32]);
  const w = randomTensor(random, [outputs, depth, ...attributes.kernel], weights, {
    constant: random.chance(0.7),
  });
  const bias = random.chance(0.6)
    ? randomTensor(random, [outputs], anyRange(random, [{ min: -16384, max: 16384 }, int32]), {
      constant: true,
      dtype: "int32",
    })
    : undefined;
  if (operator === "Conv") return trial("Conv", { ...attributes, group }, bias ? [x, w, bias] : [x, w]);
  const { attributes: scaling, inputs } = requantisation(random, [1, outputs], [-1, 1], depth * 9 * 2000);
  return trial("RequantizedConv", { ...attributes, group, ...scaling }, [x, w, bias, ...inputs]);
}

/** Random trials of an operator, by its name. */
export const makeTrial: Readonly<Record<string, (random: Random) => Trial>> = {
  MatMul: (random) => matrixProduct(random, "MatMul"),
  Gemm: (random) => matrixProduct(random, "Gemm"),
  RequantizedMatMul: (random) => matrixProduct(random, "RequantizedMatMul"),
  Add: (random) => binary(random, "Add"),
  Sub: (random) => binary(random, "Sub"),
  Mul: (random) => binary(random, "Mul"),
  Relu: (random) =>
    trial("Relu", {}, [randomTensor(random, anyShape(random, random.integer(0, 3), 9), anyRange(random))]),
  Clip(random) {
    const { min, max } = anyRange(random, [int8, uint8, { min: -1000, max: 1000 }, int32]);
    const x = randomTensor(random, anyShape(random, random.integer(0, 3), 9), anyRange(random));
    return trial("Clip", { min, max }, [x]);
  },
  RequantShift(random) {
    const shape = anyShape(random, random.integer(0, 4), 9);
    const range = anyRange(random, [int8, uint8, { min: -100000, max: 100000 }, int32]);
    const magnitude = Math.max(Math.abs(range.min), Math.abs(range.max), 1);
    const axes = [-1, ...shape.keys()];
    const { attributes, inputs } = requantisation(random, shape, axes, magnitude);
    return trial("RequantShift", attributes, [randomTensor(random, shape, range), ...inputs]);
  },
  Transpose(random) {
    const shape = anyShape(random, random.integer(0, 5), 7);
    const perm = [...shape.keys()].sort(() => random.next() - 0.5);
    return trial("Transpose", { perm }, [randomTensor(random, shape, anyRange(random))]);
  },
  Slice(random) {
    const shape = anyShape(random, random.integer(1, 4), 9);
    const axes = shape.map((dimension) => {
      const step = random.pick([1, 1, 1, 2, 3, -1, -2]);
      const start = random.integer(0, Math.max(dimension - 1, 0));
      const room = step > 0 ? dimension - start : Math.min(start + 1, dimension);
      const size = random.chance(0.05)
        ? 0
        : random.integer(Math.min(room, 1), Math.ceil(room / Math.abs(step)));
      return { step, start, size };
    });
    const attributes = {
      starts: axes.map(({ start }) => start),
      steps: axes.map(({ step }) => step),
      sizes: axes.map(({ size }) => size),
    };
    return trial("Slice", attributes, [randomTensor(random, shape, anyRange(random))]);
  },
  Concat(random) {
    const shape = anyShape(random, random.integer(1, 4), 6);
    const axis = random.integer(0, shape.length - 1);
    const inputs = Array.from(
      { length: random.integer(1, 8) },
      () => randomTensor(random, shape.with(axis, random.integer(1, 20)), anyRange(random)),
    );
    return trial("Concat", { axis }, inputs);
  },
  Pad(random) {
    const shape = anyShape(random, random.integer(1, 4), 7);
    const pads = Array.from(
      { length: 2 * shape.length },
      () => random.chance(0.5) ? 0 : random.integer(1, 4),
    );
    const value = random.pick([0, 0, 1, -128, 200, -70000]);
    return trial("Pad", { pads, value }, [randomTensor(random, shape, anyRange(random))]);
  },
  Gather(random) {
    const shape = Array.from({ length: random.integer(1, 4) }, () => random.integer(1, 9));
    const axis = random.integer(0, shape.length - 1);
    const indices = randomTensor(random, anyShape(random, random.integer(0, 2), 5), {
      min: 0,
      max: shape[axis] - 1,
    }, { constant: true, dtype: random.pick(["int8", "int32"]) });
    return trial("Gather", { axis }, [randomTensor(random, shape, anyRange(random)), indices]);
  },
  ReduceSum: (random) => reduction(random, "ReduceSum"),
  ReduceMean: (random) => reduction(random, "ReduceMean"),
  iSoftmax(random) {
    const [log2, coeffB] = random.pick([[8, 16], [22, 43], [11, 22], [3, 4], [1, 2], [100, 150]]);
    const coefficients = {
      coeffA: random.pick([1, 1, 2]),
      coeffB,
      coeffC: random.pick([0, 300, 1500]),
      log2,
    };
    const x = randomTensor(random, anyShape(random, random.integer(1, 3), 30), anyRange(random));
    return trial("iSoftmax", { ...coefficients, levels: random.pick([256, 256, 128, 16]) }, [x]);
  },
  ITAMax: (random) => itaMax(random, "ITAMax", 0),
  ITAPartialMax: (random) => itaMax(random, "ITAPartialMax", random.pick([16, 16, 5, 1, 64])),
  iLayerNorm: (random) => normalisation(random, "iLayerNorm"),
  iRMSNorm: (random) => normalisation(random, "iRMSNorm"),
  iNoNorm(random) {
    const shape = anyShape(random, random.integer(1, 4), 7);
    const parameter = (range: Range) =>
      randomTensor(random, broadcastable(random, shape), range, { constant: true, dtype: "int32" });
    const shift = random.pick([0, 4, 8, 15, 31]);
    const attributes = {
      mul: random.pick([1, -3, 77, 2 ** 30]),
      shift,
      levels: random.pick([256, 256, 16, 65536]),
    };
    return trial("iNoNorm", attributes, [
      randomTensor(random, shape, anyRange(random)),
      parameter(anyRange(random)),
      parameter(anyRange(random)),
    ]);
  },
  Lookup: (random) => tableLookup(random, "Lookup"),
  LookupSum: (random) => tableLookup(random, "LookupSum"),
  iGELU(random) {
    const x = randomTensor(random, anyShape(random, random.integer(0, 3), 9), anyRange(random));
    return trial(
      "iGELU",
      { b: -random.integer(1, 2 ** 14), one: random.pick([1, 71, 14000, 2 ** 29, -100]) },
      [x],
    );
  },
  iHardswish(random) {
    const x = randomTensor(random, anyShape(random, random.integer(0, 3), 9), anyRange(random));
    const attributes = {
      oneOverSix: random.pick([11, 43, -5, 2 ** 30]),
      three: random.pick([3, 48, -9, 2 ** 31 - 1]),
      six: random.pick([6, 96, 2 ** 31 - 1]),
    };
    return trial("iHardswish", attributes, [x]);
  },
  Conv: (random) => convolution(random, "Conv"),
  RequantizedConv: (random) => convolution(random, "RequantizedConv"),
  MaxPool(random) {
    const { shape, attributes: { kernel, strides, pads } } = slidingWindow(random);
    const least = pads.map((pad, i) => Math.min(pad, kernel[i % kernel.length] - 1));
    return trial("MaxPool", { kernel, strides, pads: least }, [
      randomTensor(random, shape, anyRange(random)),
    ]);
  },
  IntegerDiv(random) {
    const shape = anyShape(random, random.integer(0, 4), 6);
    const attributes = {
      numerator: random.pick([1, 1000, 2 ** 30]),
      eta: random.pick([0, 1, 77, 2 ** 31 - 1]),
      eps: random.pick([0, 1, 1000]),
    };
    return trial("IntegerDiv", attributes, [
      randomTensor(random, broadcastable(random, shape), anyRange(random)),
      randomTensor(random, shape, anyRange(random)),
    ]);
  },
  TrueIntegerDiv(random) {
    const attributes = {
      numerator: random.pick([0, 1, 1000, 2 ** 30, random.integer(1, 2 ** 30)]),
      denominator: random.pick([1, 7, 256, 2 ** 32, 2 ** 40 + 1, random.integer(1, 2 ** 30)]),
    };
    const x = randomTensor(random, anyShape(random, random.integer(0, 3), 9), anyRange(random));
    return trial("TrueIntegerDiv", attributes, [x]);
  },
  Quant(random) {
    const range = random.pick([int8, uint8, { min: -(2 ** 15), max: 2 ** 15 - 1 }, int32]);
    const scale = Math.fround(random.pick([1, 0.02, 0.3, 1e-40, 3e38, 1e-3 + random.next()]));
    const zeroPoint = Math.fround(random.pick([0, 0, 128, -3, 0.5, 100 * random.next()]));
    const x = randomTensor(random, anyShape(random, random.integer(0, 3), 12), int32, { dtype: "float32" });
    const data = x.data as Float32Array;
    const bits = new Int32Array(data.buffer);
    for (let i = 0; i < data.length; i++) {
      // Numbers around the range, ties among them, and any bits at all: infinities, subnormals, not-a-numbers.
      const kind = random.integer(0, 2);
      if (kind === 0) data[i] = scale * (random.integer(-600, 600) / 2 - zeroPoint);
      else if (kind === 1) data[i] = scale * 300 * (random.next() - 0.5);
      else bits[i] = random.integer(int32.min, int32.max);
    }
    return trial("Quant", { scale, zeroPoint, ...range }, [x]);
  },
  Dequant(random) {
    const scale = Math.fround(random.pick([1, 0.02, -0.3, 1e-40, 3e38, 1e-45, random.next()]));
    const zeroPoint = random.pick([0, 128, -5, 2 ** 31 - 1]);
    const x = randomTensor(random, anyShape(random, random.integer(0, 3), 12), anyRange(random));
    return trial("Dequant", { scale, zeroPoint }, [x]);
  },
};
