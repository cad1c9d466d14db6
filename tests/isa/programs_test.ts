// C programs print the same and end the same on QEMU and on the emulator.

import assert from "node:assert/strict";
import { sharedPath } from "../shared.ts";
import { type Compiler, cPrograms, findCompiler } from "./compiler.ts";
import { runEmulator } from "./emulator.ts";
import { findQemu, runQemu } from "./qemu.ts";

for (const program of cPrograms) {
  Deno.test(`C program ${program} agrees with QEMU`, async () => {
    const compiler = await findCompiler(`C program ${program}`);
    if (!compiler) return;
    const elf = await compiler.build("programs", ["start.S", "console.c", `${program}.c`]);
    const ours = await runEmulator(elf);
    assert.equal(ours.exitCode, 0, ours.console);
    assert.notEqual(ours.console, "");
    if (!await findQemu(`QEMU's side of ${program}`)) return;
    const theirs = await runQemu(elf);
    assert.equal(ours.console, theirs.console);
    assert.equal(theirs.exitCode, 0);
  });
}

/** Programs of ../shared/data/emulator-bench with so many rounds that each takes about a million instructions. */
const benchmarks = { gemm: 1, rows: 2, copy: 50, branchy: 20 };

for (const [name, rounds] of Object.entries(benchmarks)) {
  Deno.test(`benchmark ${name} computes what a native build computes`, async () => {
    const folder = sharedPath("data/emulator-bench");
    if (!folder) return;
    const compiler = await findCompiler(`benchmark ${name}`);
    const expected = compiler && await nativeResult(folder, name, rounds);
    if (!compiler || !expected) return;
    const build = (expect: string) => buildBenchmark(compiler, folder, name, rounds, expect);
    const elf = await build(expected);
    assert.equal((await runEmulator(elf)).exitCode, 0);
    assert.equal((await runEmulator(await build("1"))).exitCode, 1, "a wrong checksum must not pass");
    if (await findQemu(`QEMU's side of ${name}`)) assert.equal((await runQemu(elf)).exitCode, 0);
  });
}

function buildBenchmark(compiler: Compiler, folder: string, name: string, rounds: number, expected: string) {
  const options = [`-DITERS=${rounds}`, `-DEXPECT=${expected}`, "-w"];
  return compiler.build(folder, ["crt0.S", `${name}.c`, "main.c"], options);
}

/** The checksum that the same source gives on this machine. */
async function nativeResult(folder: string, name: string, rounds: number): Promise<string | undefined> {
  const program = await Deno.makeTempFile();
  try {
    const args = ["-O2", `-DITERS=${rounds}`, `${name}.c`, "main.c", "-o", program];
    const { success } = await new Deno.Command("cc", { args, cwd: folder, stderr: "null" }).output();
    if (!success) throw new Deno.errors.NotFound("no working native compiler");
    await Deno.chmod(program, 0o755);
    const { stdout } = await new Deno.Command(program).output();
    return new TextDecoder().decode(stdout).trim();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`skipped: benchmark ${name}: no native C compiler (cc) for the expected result`);
  } finally {
    await Deno.remove(program);
  }
}
