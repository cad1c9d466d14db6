// Options and arguments that several commands share, each with the check of its value.

import { argument, flag, map, multiple, option, optional, withDefault } from "@optique/core";
import { z } from "zod";
import type { DType } from "../model/types.ts";
import { plain, value } from "./command.ts";

const text = () => z.string().min(1, "it must not be empty");
const dtypes = ["int8", "uint8", "int32", "float32"] as const satisfies readonly DType[];

/** A count such as `5000000`, `5e6` or `0x100`. */
const count = () =>
  z.string().regex(/^(\d+(e\d+)?|0x[0-9a-f]+)$/i, "write a whole number")
    .transform(Number).pipe(z.number().int("write a whole number").min(1, "it must be at least 1"));

/** Bytes such as `65536`, `64KiB` or `0x10000`. */
const bytes = () =>
  z.string().regex(
    /^(\d+(k|ki|kib|m|mi|mib)?|0x[0-9a-f]+)$/i,
    "write bytes, such as 65536 or 64KiB",
  )
    .transform((words) => {
      const unit = /^0x/i.test(words) ? undefined : /[km]/i.exec(words)?.[0].toLowerCase();
      return unit ? parseInt(words) * (unit === "k" ? 1024 : 1024 * 1024) : Number(words);
    }).pipe(z.number().int().min(1, "it must be at least 1"));

const inputType = () =>
  z.string().regex(
    new RegExp(`^.+=(${dtypes.join("|")})$`, "s"),
    `write NAME=DTYPE with DTYPE one of ${dtypes.join(", ")}`,
  ).transform((words): readonly [string, DType] => {
    // Names may hold a "=" themselves; types do not.
    const at = words.lastIndexOf("=");
    return [words.slice(0, at), words.slice(at + 1) as DType];
  });

/** A port of this machine. */
const port = () =>
  z.string().regex(/^(localhost|127\.0\.0\.1)?:?\d{1,5}$/, "write :PORT, such as :3333")
    .transform((words) => Number(/\d+$/.exec(words)![0]))
    .pipe(z.number().max(65535, "ports go up to 65535"));

/** A value that must be some text: a path, a name. */
export function textValue(metavar: string) {
  return value(metavar, text, "x");
}

/** A whole number of at least 1. */
export function countValue(metavar: string) {
  return value(metavar, count, 1);
}

/** The value of `--gdb`: a port of this machine; 0 takes any that is free. */
export function portValue() {
  return value(":PORT", port, 3333);
}

/** A required argument that is a path. */
export function pathArgument(metavar: string, description: string) {
  return argument(textValue(metavar), { description: plain(description) });
}

/** `--json`. */
export const jsonOption = withDefault(
  flag("--json", { description: plain("Print one JSON object a line on stdout instead of text.") }),
  false,
);

/** `--max-cycles N`. */
export const maxCyclesOption = optional(option("--max-cycles", countValue("N"), {
  description: plain("Give up after so many emulated cycles, such as 5e9."),
}));

/** `--target NAME|FILE` with a default of its own. */
export function targetOptionOr(name: string) {
  return withDefault(
    option("--target", textValue("NAME|FILE"), {
      description: plain(
        `Built-in target (snitch-ita, virt) or path of a target.json. Default: ${name}.`,
      ),
    }),
    name,
  );
}

/** `--target NAME|FILE`. */
export const targetOption = targetOptionOr("snitch-ita");

/** `--jobs N`. */
export const jobsOption = optional(option("--jobs", countValue("N"), {
  description: plain("Work on so many at the same time. Default: the number of processors."),
}));

/** How a model file is read: `--inputs`, `--input-type`, `--softmax-shift`. */
export const importFields = {
  inputs: optional(option("--inputs", textValue("FILE.npz"), {
    description: plain(
      "Sample inputs; the graph's inputs take the smallest type that holds their values. " +
        "Default: inputs.npz beside the model, if there is one.",
    ),
  })),
  inputTypes: map(
    multiple(option("--input-type", value("NAME=DTYPE", inputType, ["x", "int8"] as const), {
      description: plain(
        `Type of a graph input: ${dtypes.join(", ")}. Goes before sample inputs. May be given several times.`,
      ),
    })),
    (pairs): Readonly<Record<string, DType>> => Object.fromEntries(pairs),
  ),
  softmaxShift: optional(option(
    "--softmax-shift",
    value("0|5", () => z.enum(["0", "5"], "write 0 or 5").transform((word) => Number(word) as 0 | 5), 0),
    {
      description: plain(
        "Exponent granularity of ITAPartialMax nodes with `groups` (PyITA). Default: what the target's ITA has.",
      ),
    },
  )),
};

/** How a model is compiled, beyond how it is read. */
export const compileFields = {
  target: targetOption,
  l1: optional(option("--l1", value("BYTES", bytes, 1), {
    description: plain("Use so much of L1 only, such as 64KiB. Default: all of it."),
  })),
};

/** `--cc`. */
export const compilerOption = optional(option("--cc", textValue("gcc|clang|PATH"), {
  description: plain("C compiler: a kind, or the path of one. Default: the one that makes the faster code."),
}));
