// Ctrl-C in the middle of the work: the process ends at once, and nothing half-written stays behind.

import assert from "node:assert/strict";
import { join } from "node:path";
import { cliCommand, inFolder, namesIn } from "./cli.ts";
import { smallNetwork } from "./small_network.ts";

/** A compiler that takes its time, so that the interrupt comes in the middle of the build. */
const slowCompiler = `#!/bin/sh
case "$*" in
*--version*) echo "riscv64-unknown-elf-gcc (slow) 12.2.0" ;;
*-dumpmachine*) echo riscv64-unknown-elf ;;
*) touch "$0.started"; sleep 5 ;;
esac
`;

Deno.test("an interrupted generate leaves nothing behind", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "m.onnx"), smallNetwork());
    const compiler = join(folder, "cc");
    await Deno.writeTextFile(compiler, slowCompiler, { mode: 0o755 });
    const child = cliCommand(["generate", "m.onnx", "--out", "net", "--cc", compiler], folder).spawn();
    const output = child.output();
    while (!(await namesIn(folder)).includes("cc.started")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok((await namesIn(folder)).some((name) => name.startsWith(".net.")), "the build is under way");
    child.kill("SIGINT");
    const { code, stderr } = await output;
    assert.equal(code, 130, new TextDecoder().decode(stderr));
    assert.deepEqual(await namesIn(folder), ["cc", "cc.started", "m.onnx"]);
  }));
