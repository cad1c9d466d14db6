// The integer networks of the shared data: where they are and how their files are read. Used by several tests.

import { readNpz } from "../runtime/validate/npz.ts";
import type { DType } from "../src/model/types.ts";
import { inspectModel } from "../src/onnx/import.ts";
import { sharedPath } from "./shared.ts";

/** One network: model, inputs and expected outputs, by the dialect's file conventions. */
export interface Network {
  /** Path inside `integer-networks`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Elements of the arrays in inputs.npz and outputs.npz, in the order of the files. */
  readonly inputs: readonly ArrayLike<number>[];
  readonly outputs: readonly ArrayLike<number>[];
  readonly softmaxShift: 0 | 5;
  /** Types of the graph's inputs, as their values suggest. */
  readonly inputTypes: Record<string, DType>;
  /** Multiply-accumulates that the data's manifest states. */
  readonly macs: number;
}

/** The networks' folder, or undefined (with a line on the console) when it is absent. */
export const networksPath = (): string | undefined => sharedPath("data/integer-networks");

/** Names of all networks in the manifest. */
export function networkNames(): string[] {
  return manifest().map((test) => test.path);
}

/** Reads one network. */
export function readNetwork(name: string): Network {
  const folder = `${networksPath()}/${name}`;
  const arrays = (file: string) =>
    [...readNpz(Deno.readFileSync(`${folder}/${file}`)).values()].map((a) => a.data);
  const bytes = Deno.readFileSync(`${folder}/network.onnx`);
  const inputs = arrays("inputs.npz");
  const softmaxShift = name.endsWith("_shift0") ? 0 : 5;
  const names = inspectModel(bytes, { name, softmaxShift }).inputs.map((input) => input.name);
  return {
    name,
    bytes,
    inputs,
    outputs: arrays("outputs.npz"),
    softmaxShift,
    inputTypes: Object.fromEntries(names.map((input, i) => [input, typeOf(inputs[i])])),
    macs: manifest().find((test) => test.path === name)!.macs,
  };
}

function manifest(): { path: string; macs: number }[] {
  return JSON.parse(Deno.readTextFileSync(`${networksPath()}/manifest.json`)).tests;
}

function typeOf(values: ArrayLike<number>): DType {
  const all = Array.from(values);
  if (all.some((value) => !Number.isInteger(value))) return "float32";
  if (all.every((value) => value >= -128 && value <= 127)) return "int8";
  return all.every((value) => value >= 0 && value <= 255) ? "uint8" : "int32";
}
