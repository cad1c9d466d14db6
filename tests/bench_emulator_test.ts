// What `bench --emulator` rests on: programs that compute the same on the emulator and on QEMU, and its measurements.

import assert from "node:assert/strict";
import { join } from "node:path";
import { BenchmarkBuilder } from "../examples/emulator-bench/build.ts";
import {
  cpuSeconds,
  findQemu,
  geometricMean,
  guestCommand,
  type GuestRun,
  measureFirstResult,
  measureHarts,
  measureSpeed,
  median,
  scriptCommand,
  v8Flags,
} from "../runtime/validate/speed.ts";
import { inFolder } from "./cli.ts";
import { findCompiler } from "./isa/compiler.ts";

const guest = async (image: string, ...options: string[]): Promise<GuestRun> =>
  JSON.parse((await cpuSeconds([...guestCommand(...options), image])).output);

Deno.test("what is measured runs with the flags that the task emulate has", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  assert.match(tasks.emulate.command, new RegExp(` --v8-flags=${v8Flags.join(",")} `));
});

Deno.test("benchmark programs compute the same on the emulator and on QEMU", async () => {
  if (!await findCompiler("benchmark programs")) return;
  const qemu = await findQemu();
  await inFolder(async (folder) => {
    const builder = await BenchmarkBuilder.find(folder);
    const programs = (await builder.programs()).map(({ name, small }) => ({ name, small, big: small }));
    const options = { repeats: 1, emulator: guestCommand("--no-cache"), qemu };
    const rows = await Array.fromAsync(measureSpeed(programs, options));
    assert.deepEqual(rows.map(({ program }) => program), ["gemm", "rows", "copy", "branchy"]);
    for (const { instructions, emulator, ratio } of rows) {
      assert.ok(instructions > 5e6 && emulator.whole > 0);
      if (qemu) assert.ok(ratio!.whole > 0 && ratio!.whole < 100);
      else assert.equal(ratio, undefined);
    }

    const image = await builder.mixed();
    const first = await measureFirstResult(image, join(folder, "cache"), {
      ...options,
      emulator: guestCommand(),
      commandLine: scriptCommand(
        new URL("../src/cli/main.ts", import.meta.url),
        ...["emulate", "--target", "virt", "--timing", "fast"],
      ),
    });
    assert.ok(first.instructions > 5.8e6 && first.instructions < 6.6e6, `${first.instructions}`);
    assert.ok(first.cold > 0 && first.warm > 0 && first.commandLine > 0);
    assert.equal(first.qemu === undefined, qemu === undefined);
  });
});

Deno.test("the program for nine harts computes the same whatever the quantum and the compiler", async () => {
  if (!await findCompiler("the program for nine harts")) return;
  await inFolder(async (folder) => {
    const consoles = new Set<string>();
    for (const family of ["gcc", "clang"]) {
      const builder = await BenchmarkBuilder.find(folder, family).catch(() => undefined);
      if (!builder) continue;
      const { name, small } = await builder.cluster();
      const figure = await measureHarts({ name, small, big: small }, {
        repeats: 1,
        emulator: guestCommand("--target", "snitch-ita", "--quantum", "1000"),
      });
      assert.ok(figure.instructions > 3 * figure.cycles, "most harts work most of the time");
      for (const quantum of ["1000", "300"]) {
        const run = await guest(small, "--target", "snitch-ita", "--quantum", quantum, "--no-cache");
        consoles.add(run.console);
      }
    }
    assert.equal(consoles.size, 1);
  });
});

Deno.test("a difference between the two emulators is an error", () =>
  inFolder(async (folder) => {
    if (!await findCompiler("a difference between emulators")) return;
    const [{ name, small }] = await (await BenchmarkBuilder.find(folder)).programs();
    const other = join(folder, "other");
    await Deno.writeTextFile(other, "#!/bin/sh\necho 0badf00d\n", { mode: 0o755 });
    const options = { repeats: 1, emulator: guestCommand(), qemu: other };
    const rows = measureSpeed([{ name, small, big: small }], options);
    await assert.rejects(rows.next(), /the emulator computed [0-9a-f]{8}, QEMU 0badf00d/);
    assert.equal(await findQemu(join(folder, "none")), undefined);
    await assert.rejects(cpuSeconds(["false"]), /failed with status 1/);
  }));

Deno.test("medians and means", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Math.abs(geometricMean([1, 4, 2]) - 2) < 1e-12);
});
