// Runs single kernels on the emulated worker cores, operands in L1, and says how many cycles each takes: for
// `bench --kernels`. All calls are built into one image; each has a SoC of its own.

import type { Image } from "../../runtime/image/types.ts";
import { readElf } from "../../runtime/image/elf.ts";
import { Soc } from "../../runtime/soc/soc.ts";
import { AttoflowError } from "../../targets/errors.ts";
import { memoryOf } from "../../targets/parts.ts";
import type { Target } from "../../targets/schema.ts";
import { clangLinkFlags, compileFlags, familyFlags } from "../emit/makefile.ts";
import type { TensorData } from "../model/types.ts";
import { findCompiler } from "../toolchain/compiler.ts";
import { run } from "../toolchain/run.ts";

const folder = (relative: string) => decodeURIComponent(new URL(relative, import.meta.url).pathname);
const kernels = folder("../../targets/engines/cores/kernels/");
const rig = folder("../../targets/engines/cores/bench/");
const runtime = folder("../../targets/runtime/");

/** A kernel's call: where its pointers point to is laid out here. */
export interface RigCall {
  readonly kernel: string;
  /** File that defines it: of the kernels' folder, or of the bench's. */
  readonly source: string;
  /** What each pointer field points to: data to start with, or so many bytes for the result. */
  readonly pointers: Readonly<Record<string, TensorData | number>>;
  readonly parameters: Readonly<Record<string, number>>;
}

/** What a call took and made. */
export interface RigResult {
  /** Cycles on all cores from barrier to barrier, when the code is in the instruction cache. */
  readonly cycles: number;
  /** The same for the first call. */
  readonly coldCycles: number;
  /** Bytes of each region that was given by its length. */
  readonly results: Readonly<Record<string, Uint8Array>>;
}

/** Elements as they are in memory. */
export const bytesOf = (data: TensorData) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** First byte of L1 behind the arguments and the stacks (rig.ld). */
const arenaOffset = 16 * 1024;

/** Operands start at different banks, as a planner's do not; so a little apart. */
const aligned = (bytes: number) => (bytes + 7) & ~7;

interface Placed {
  readonly call: RigCall;
  readonly places: Readonly<Record<string, number>>;
}

function place(call: RigCall, target: Target): Placed {
  const l1 = memoryOf(target, "l1");
  let at = l1.base + arenaOffset;
  const places: Record<string, number> = {};
  for (const [field, value] of Object.entries(call.pointers)) {
    places[field] = at;
    at = aligned(at + (typeof value === "number" ? value : value.byteLength));
  }
  if (at > l1.base + l1.size) {
    throw new AttoflowError(`the operands of ${call.kernel} do not fit L1`, {
      where: `${at - l1.base} bytes of ${l1.size}`,
    });
  }
  return { call, places };
}

const cInteger = (value: number) => value === -(2 ** 31) ? "INT32_MIN" : `${value}`;

/** C source of the list of calls. */
function listing(placed: readonly Placed[]): string {
  const headers = new Set(placed.map(({ call }) => call.source.replace(/\.c$/, ".h")));
  const structs = placed.map(({ call, places }, i) => {
    const fields = [
      ...Object.entries(places).map(([field, address]) => `.${field} = (void *)0x${address.toString(16)}`),
      ...Object.entries(call.parameters).map(([field, value]) => `.${field} = ${cInteger(value)}`),
    ];
    return `static struct ${call.kernel}_args args_${i} __attribute__((section(".arguments"))) = {\n    ${
      fields.join(", ")
    }};`;
  });
  const calls = placed.map(({ call }, i) =>
    `    {(void (*)(const void *, uint32_t, uint32_t))${call.kernel}, &args_${i}},`
  );
  return [
    '#include "rig.h"',
    ...[...headers].map((header) => `#include "${header}"`),
    ...structs,
    "const struct rig_call rig_calls[] = {",
    ...calls,
    "};",
    "",
  ].join("\n");
}

async function build(
  placed: readonly Placed[],
  target: Target,
  directory: string,
  cc: string | undefined,
): Promise<Image> {
  await Deno.writeTextFile(`${directory}/calls.c`, listing(placed));
  const { command, family } = await findCompiler(cc);
  const inBench = new Set([...Deno.readDirSync(rig)].map(({ name }) => name));
  const sources = new Set(
    placed.map(({ call: { source } }) => (inBench.has(source) ? rig : kernels) + source),
  );
  const answer = await run(command, [
    ...familyFlags[family],
    ...compileFlags(target),
    "-Wno-cast-function-type",
    `-I${kernels}`,
    `-I${rig}`,
    "-nostdlib",
    "-static",
    "-T",
    `${rig}rig.ld`,
    ...(family === "clang" ? clangLinkFlags : []),
    "-o",
    "rig.elf",
    `${rig}rig.S`,
    `${rig}rig.c`,
    "calls.c",
    `${runtime}builtins.c`,
    ...sources,
  ], directory);
  if (answer?.code !== 0) {
    throw new AttoflowError(
      `the bench of the kernels cannot be built: ${answer?.errors.slice(0, 2000) ?? command}`,
    );
  }
  return readElf(await Deno.readFile(`${directory}/rig.elf`), "the kernels' bench");
}

/**
 * Builds and runs calls.
 *
 * @param directory folder for the files that are made
 * @throws {AttoflowError} if the operands of a call do not fit L1, or the compiler refuses
 */
export async function runKernels(
  calls: readonly RigCall[],
  target: Target,
  directory: string,
  cc?: string,
): Promise<RigResult[]> {
  const placed = calls.map((call) => place(call, target));
  const image = await build(placed, target, directory, cc);
  const symbol = (name: string) => image.symbols.find((candidate) => candidate.name === name)!.address;
  return placed.map(({ call, places }, i) => {
    const soc = new Soc(target);
    soc.load(image);
    soc.writeBytes(symbol("rig_selected"), new Uint8Array(Uint32Array.of(i).buffer));
    for (const [field, value] of Object.entries(call.pointers)) {
      if (typeof value !== "number") soc.writeBytes(places[field], bytesOf(value));
    }
    soc.run({ maxCycles: 1e8, limitIsFault: true });
    const [coldCycles, cycles] = new Uint32Array(soc.readBytes(symbol("rig_cycles"), 8).slice().buffer);
    const results: Record<string, Uint8Array> = {};
    for (const [field, value] of Object.entries(call.pointers)) {
      if (typeof value === "number") results[field] = soc.readBytes(places[field], value);
    }
    return { cycles, coldCycles, results };
  });
}
