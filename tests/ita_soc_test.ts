// ITA, its driver and the cluster together: a compiled C program multiplies matrices on the emulated SoC.

import assert from "node:assert/strict";
import { readElf } from "../runtime/image/elf.ts";
import { Soc } from "../runtime/soc/soc.ts";
import { builtinFlags, compileFlags, compilerNames, familyFlags } from "../src/emit/makefile.ts";
import { socHeader } from "../src/emit/soc_files.ts";
import { run } from "../src/toolchain/run.ts";
import { Ita, type JobRecord } from "../targets/engines/ita/device.ts";
import { activate, requantise } from "../targets/engines/ita/arithmetic.ts";
import type { Activation } from "../targets/engines/ita/registers.ts";
import { jobDuration } from "../targets/engines/ita/timing.ts";
import { loadTarget } from "../targets/load.ts";

const program = new URL("./ita_program/", import.meta.url);
const builtins = new URL("../targets/runtime/builtins.c", import.meta.url);
const driver = new URL("../targets/engines/ita/", import.meta.url);

/** The layers of gemm.c: tiles, requantisation, bias direction, activation. */
const layers: [
  s: number,
  e: number,
  p: number,
  multiplier: number,
  shift: number,
  byRow: boolean,
  Activation,
][] = [
  [2, 2, 2, 91, 15, false, "identity"],
  [1, 3, 2, 77, 14, false, "gelu"],
  [2, 1, 1, 120, 14, true, "relu"],
  [1, 4, 1, 200, 16, true, "identity"],
  [2, 2, 1, 13, 12, false, "gelu"],
];
const activationConstants = { b: -80, c: -7091, requant: { multiplier: 74, shift: 20, offset: 1 } };

/** Builds gemm.c with the first compiler of a family that is here; undefined if there is none. */
async function build(family: "gcc" | "clang"): Promise<Uint8Array | undefined> {
  const target = await loadTarget("snitch-ita");
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/soc.h`, socHeader(target));
    for (const file of ["start.S", "gemm.c", "link.ld"]) {
      await Deno.copyFile(new URL(file, program), `${directory}/${file}`);
    }
    for (const file of ["ita.h", "ita.c"]) await Deno.copyFile(new URL(file, driver), `${directory}/${file}`);
    await Deno.copyFile(new URL("../dma/dma.h", driver), `${directory}/dma.h`);
    await Deno.copyFile(builtins, `${directory}/builtins.c`);
    const flags = [...familyFlags[family], ...compileFlags(target), ...builtinFlags[family], "-Werror"];
    flags.push("-nostdlib", "-static");
    if (family === "clang") flags.push("-fuse-ld=lld");
    for (const command of compilerNames[family]) {
      const args = [...flags, "-T", "link.ld", "-o", "gemm.elf", "start.S", "gemm.c", "ita.c", "builtins.c"];
      const answer = await run(command, args, directory);
      if (!answer) continue;
      assert.equal(answer.code, 0, answer.errors);
      return await Deno.readFile(`${directory}/gemm.elf`);
    }
    console.log(`skipped: no ${family} for RISC-V here`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Bytes that look random, different for each place and seed. */
function noise(length: number, seed: number): Uint8Array {
  return Uint8Array.from(
    { length },
    (_, i) => Math.imul(Math.imul(i + 1, 0x9e37_79b1) ^ seed, 0x85eb_ca6b) >>> 24,
  );
}

/** The layer's result, computed one element at a time from tiles as gemm.c lays them out. */
function expected(layer: typeof layers[number], x: Int8Array, w: Int8Array, bias: Uint8Array): Int8Array {
  const [s, e, p, multiplier, shift, byRow, kind] = layer;
  const y = new Int8Array(s * p * 4096);
  const at = (tiles: Int8Array, columns: number, row: number, column: number) =>
    tiles[((row >> 6) * columns + (column >> 6)) * 4096 + (row & 63) * 64 + (column & 63)];
  for (let row = 0; row < 64 * s; row++) {
    for (let column = 0; column < 64 * p; column++) {
      const b = 3 * (byRow ? row : column);
      let sum = bias[b] | (bias[b + 1] << 8) | ((bias[b + 2] << 24) >> 8);
      for (let k = 0; k < 64 * e; k++) sum += at(x, e, row, k) * at(w, e, column, k);
      const logit = requantise(sum, { multiplier, shift, offset: -3 });
      y[((row >> 6) * p + (column >> 6)) * 4096 + (row & 63) * 64 + (column & 63)] = activate(logit, {
        kind,
        ...activationConstants,
      });
    }
  }
  return y;
}

/** Runs the program on the operands; gives what it left in memory. */
async function emulate(elf: Uint8Array) {
  const target = await loadTarget("snitch-ita");
  const jobs: JobRecord[] = [];
  const soc = new Soc(target, {
    accelerator: (_, context) => new Ita(context, target.ita!, { observe: (job) => jobs.push(job) }),
  });
  const image = readElf(elf, "gemm.elf");
  const address = (name: string) => image.symbols.find((symbol) => symbol.name === name)!.address;
  soc.load(image);
  const x = noise(4 * 4096, 1), weights = noise(6 * 4096, 2), bias = noise(2 * 192 + 32, 3);
  // Biases of 24 bits drown the products; 16 bits and a sign are plenty.
  for (let i = 2; i < bias.length; i += 3) bias[i] = bias[i - 1] & 0x80 ? 0xff : 0;
  soc.writeBytes(address("x"), x);
  soc.writeBytes(address("weights"), weights);
  soc.writeBytes(address("bias"), bias);
  const result = soc.run({ maxCycles: 100_000, limitIsFault: true });
  assert.equal(result.exitCode, 0);
  const read = (name: string, tiles: number, skip = 0) =>
    new Int8Array(soc.readBytes(address(name) + skip * 4096, tiles * 4096).buffer);
  const words = (name: string) => [0, 4].map((offset) => soc.readUint32(address(name) + offset));
  return {
    x: new Int8Array(x.buffer),
    weights: new Int8Array(weights.buffer),
    bias,
    read,
    target,
    jobs,
    cycles: words("cycles"),
    loadCycles: words("load_cycles"),
    errors: soc.readUint32(address("errors")),
  };
}

for (const family of ["gcc", "clang"] as const) {
  Deno.test(`a C program (${family}) drives ITA: bit-exact, at the engine's own speed`, async () => {
    const elf = await build(family);
    if (!elf) return;
    const { x, weights, bias, read, target, jobs, cycles, loadCycles, errors } = await emulate(elf);
    assert.equal(errors, 0);

    const [s, e, p] = layers[0];
    assert.deepEqual(
      read("alone", s * p).subarray(4096),
      expected(layers[0], x, weights, bias).subarray(4096),
    );
    let skip = 0;
    for (const layer of layers) {
      const [rows, , columns] = layer;
      assert.deepEqual(
        read("y", rows * columns, skip),
        expected(layer, x, weights, bias),
        `layer of ${layer}`,
      );
      skip += rows * columns;
    }

    // gemm.c runs the first layer alone twice, then all of them, then two jobs, then the first layer twice.
    const lone = s * e * p;
    const chain = layers.reduce((sum, [s, e, p]) => sum + s * e * p, 0);
    assert.equal(jobs.length, 2 * lone + chain + 2 + 2 * lone);
    const time = (round: JobRecord[]) => round.at(-1)!.done - round[0].rise + 2;
    const ideal = (round: JobRecord[]) =>
      round.reduce((sum, { traffic }) => sum + jobDuration(target.ita!, traffic) + 1, 1);
    const rounds = [jobs.slice(lone, 2 * lone), jobs.slice(2 * lone, 2 * lone + chain)];
    // S128 E128 P128, bias disabled on non-last inner tiles, in ita-timing.csv.
    assert.equal(ideal(rounds[0]), 2298);
    for (const [i, round] of rounds.entries()) {
      for (const { rise, done, traffic } of round) {
        assert.equal(done - rise, jobDuration(target.ita!, traffic));
      }
      // The engine hardly ever waits for the driver (never, with the compilers of Debian 12), and the program takes
      // little more than the engine: the first job's registers, the wake-up and the calls.
      const [engine, best] = [time(round), ideal(round)];
      assert.ok(engine < 1.02 * best, `round ${i} takes the engine ${engine} cycles, not ${best}`);
      assert.ok(cycles[i] < best + 600, `round ${i} takes ${cycles[i]} cycles, the engine ${engine}`);
    }
    // A core waits for ITA, and ITA for the DMA; the results stay.
    // (Not much: its loads fall in step with ITA's alternating halves of the banks.)
    assert.ok(loadCycles[1] > 1.01 * loadCycles[0], `512 loads take ${loadCycles}`);
    const [beside, contended] = [jobs.slice(-2 * lone, -lone), jobs.slice(-lone)];
    assert.ok(time(beside) < 1.02 * ideal(beside), `beside a core ${time(beside)} cycles`);
    const slower = time(contended) / ideal(contended);
    assert.ok(slower > 1.1 && slower < 2.5, `beside the DMA ${time(contended)} cycles`);
  });
}
