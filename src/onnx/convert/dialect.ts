// Converts the dialect's own operators: softmaxes, activations, normalisations, divisions (sections 4 and 5).

import { AttoflowError } from "../../../targets/errors.ts";
import type { Conversion, Converter } from "./conversion.ts";
import { log2 } from "./requant.ts";

/** iSoftmax. */
export const convertISoftmax: Converter = (conversion) => {
  const { attributes } = conversion;
  checkLastAxis(conversion);
  return conversion.finish("iSoftmax", [conversion.tensor(0)], {
    coeffA: attributes.integer("coeffA", 1),
    coeffB: attributes.integer("coeffB"),
    coeffC: attributes.integer("coeffC"),
    log2: attributes.integer("log2"),
    levels: levelsOf(conversion),
  });
};

/** ITAMax: shift 5, full scale n - 1 (section 5). */
export const convertITAMax: Converter = (conversion) => {
  checkLastAxis(conversion);
  const levels = levelsOf(conversion);
  return conversion.finish("ITAMax", [conversion.tensor(0)], {
    shift: 5,
    fullScale: levels - 1,
    levels,
    groupWidth: 0,
  });
};

/**
 * ITAPartialMax. PyITA's has an attribute `groups`: full scale n - 1, and the shift that the accelerator's
 * revision has. QuantLib's, without it, is Deeploy's kernel: shift 5, full scale n/2 - 1 (section 5).
 */
export const convertITAPartialMax: Converter = (conversion) => {
  checkLastAxis(conversion);
  const { attributes, options } = conversion;
  const levels = levelsOf(conversion);
  const pyita = attributes.has("groups");
  return conversion.finish("ITAPartialMax", [conversion.tensor(0)], {
    shift: pyita ? options.softmaxShift : 5,
    fullScale: pyita ? levels - 1 : Math.floor(levels / 2) - 1,
    levels,
    groupWidth: attributes.integer("group_width", 16),
  });
};

/** iGELU. */
export const convertIGELU: Converter = (conversion) =>
  conversion.finish("iGELU", [conversion.tensor(0)], {
    b: conversion.attributes.integer("b"),
    one: conversion.attributes.integer("one"),
  });

/** iHardswish. */
export const convertIHardswish: Converter = (conversion) =>
  conversion.finish("iHardswish", [conversion.tensor(0)], {
    oneOverSix: conversion.attributes.integer("one_over_six"),
    three: conversion.attributes.integer("three"),
    six: conversion.attributes.integer("six"),
  });

/** iLayerNorm and iRMSNorm. */
export const convertNorm: Converter = (conversion) => {
  checkLastAxis(conversion);
  const inputs = [conversion.tensor(0), conversion.parameter(1, "weight")];
  if (conversion.node.operator === "iLayerNorm") inputs.push(conversion.parameter(2, "bias"));
  return conversion.finish(conversion.node.operator, inputs, normAttributes(conversion));
};

/** iNoNorm. */
export const convertINoNorm: Converter = (conversion) => {
  const inputs = [conversion.tensor(0), conversion.parameter(1, "weight"), conversion.parameter(2, "bias")];
  return conversion.finish("iNoNorm", inputs, {
    ...normAttributes(conversion),
    mul: conversion.attributes.integer("mul"),
  });
};

/** IntegerDiv. */
export const convertIntegerDiv: Converter = (conversion) => {
  const { attributes } = conversion;
  return conversion.finish("IntegerDiv", [conversion.tensor(0), conversion.tensor(1)], {
    numerator: attributes.integer("Delta") * attributes.integer("eta"),
    eta: attributes.integer("eta"),
    eps: attributes.integer("eps"),
  });
};

/** TrueIntegerDiv. */
export const convertTrueIntegerDiv: Converter = (conversion) => {
  const { attributes } = conversion;
  const eta = attributes.integer("eta");
  return conversion.finish("TrueIntegerDiv", [conversion.tensor(0)], {
    numerator: attributes.integer("Delta") * eta,
    denominator: attributes.integer("y") * eta + attributes.integer("eps"),
  });
};

function normAttributes(conversion: Conversion): { shift: number; levels: number } {
  return { shift: log2(conversion.attributes.integer("D"), "D"), levels: levelsOf(conversion) };
}

function levelsOf({ attributes }: Conversion): number {
  return attributes.integer("n_levels", 256);
}

function checkLastAxis(conversion: Conversion): void {
  const axis = conversion.attributes.integer("axis", -1);
  const rank = conversion.tensor(0).shape.length;
  if (axis !== -1 && axis !== rank - 1) {
    throw new AttoflowError(`it works along axis ${axis}; only the last axis is supported`);
  }
}
