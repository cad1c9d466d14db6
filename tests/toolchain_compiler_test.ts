// Finding a compiler: what is not one is refused with the reason.

import assert from "node:assert/strict";
import { AttoflowError } from "../targets/errors.ts";
import { findCompiler } from "../src/toolchain/compiler.ts";

async function refusal(cc: string): Promise<string> {
  try {
    await findCompiler(cc);
  } catch (error) {
    assert.ok(error instanceof AttoflowError);
    return error.paragraph;
  }
  throw new assert.AssertionError({ message: `${cc} was accepted` });
}

/** Runs with an executable script that answers as the lines say. */
async function withScript(body: string, action: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".sh" });
  try {
    await Deno.writeTextFile(path, `#!/bin/sh\n${body}\n`);
    await Deno.chmod(path, 0o755);
    await action(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("a command that does not exist", async () => {
  assert.match(await refusal("/nonexistent/cc"), /\/nonexistent\/cc will not do: it cannot be started/);
});

Deno.test("a program that is no compiler", async () => {
  assert.match(await refusal("deno"), /neither clang nor gcc/);
});

Deno.test("compilers that are too old or for another machine", async () => {
  await withScript('echo "riscv64-unknown-elf-gcc (Debian) 8.3.0"', async (path) => {
    assert.match(await refusal(path), /gcc 8 is too old, 12 or later/);
  });
  await withScript('echo "Debian clang version 11.0.1"', async (path) => {
    assert.match(await refusal(path), /clang 11 is too old, 16 or later/);
  });
  const host =
    'if [ "$1" = -dumpmachine ]; then echo x86_64-linux-gnu; else echo "gcc (Debian 12.2.0) 12.2.0"; fi';
  await withScript(host, async (path) => {
    assert.match(await refusal(path), /it is for x86_64-linux-gnu, not for RISC-V/);
  });
  await withScript('echo "Apple clang version 17.0.0"; [ "$1" = --version ] || true', async (path) => {
    assert.match(await refusal(path), /without riscv32/);
  });
});
