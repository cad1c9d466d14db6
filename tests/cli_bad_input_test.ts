// What the command line says to bad input: one paragraph, an exit status, and nothing left behind.

import assert from "node:assert/strict";
import { join } from "node:path";
import { OnnxFile } from "../src/onnx/file.ts";
import { assertRefused, cli, inFolder, namesIn } from "./cli.ts";
import { smallNetwork } from "./small_network.ts";

/** Runs `generate` (or another command) on bytes and asserts the refusal and that the folder holds nothing more. */
async function refuses(bytes: Uint8Array, args: string[], status: number, ...patterns: RegExp[]) {
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "m.onnx"), bytes);
    assertRefused(await cli(args, folder), status, ...patterns);
    assert.deepEqual(await namesIn(folder), ["m.onnx"]);
  });
}

const generate = ["generate", "m.onnx", "--out", "out"];

Deno.test("files that are no whole ONNX file", async () => {
  const whole = smallNetwork();
  const random = crypto.getRandomValues(new Uint8Array(4000));
  random[0] = 0xff;
  await refuses(
    whole.subarray(0, whole.length / 2),
    generate,
    2,
    /m\.onnx/,
    /not a whole ONNX file/,
    /[Ee]xport/,
  );
  await refuses(random, generate, 2, /m\.onnx/, /not a whole ONNX file/);
  await refuses(new Uint8Array(), generate, 2, /m\.onnx/);
  await refuses(random, ["analyze", "m.onnx"], 2, /m\.onnx/, /not a whole ONNX file/);
});

Deno.test("an operator that nobody knows", async () => {
  await refuses(smallNetwork({ operator: "FrobnicateQuickly" }), generate, 2, /FrobnicateQuickly/, /requant/);
});

Deno.test("shapes that do not fit together", async () => {
  const file = new OnnxFile("wrong");
  file.input("x", [4, 8], "INT8");
  file.constant("w", { shape: [9, 4], values: new Int8Array(36), type: "INT8" });
  file.output(file.node("MatMul", "product", ["x", "w"]), [4, 4]);
  await refuses(file.bytes(), generate, 2, /product/, /\[4, 8\]|8/, /9/);
});

Deno.test("a dynamic dimension", async () => {
  const file = new OnnxFile("dynamic");
  file.input("x", ["batch", 8], "INT8");
  file.output(file.node("Relu", "relu", ["x"]), ["batch", 8]);
  await refuses(file.bytes(), generate, 2, /"x"/, /batch/, /fixed/);
});

Deno.test("files and folders that are not what is wanted", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "d"));
    await Deno.writeTextFile(join(folder, "f"), "no folder");
    await Deno.writeFile(join(folder, "m.onnx"), smallNetwork());
    assertRefused(await cli(["generate", "none.onnx"], folder), 2, /none\.onnx: there is no such file/);
    assertRefused(await cli(["generate", "d"], folder), 2, /d: this is a folder/);
    assertRefused(await cli(["generate", "m.onnx", "--out", "f"], folder), 2, /f: .*not a folder/);
    await Deno.writeTextFile(join(folder, "d", "mine.txt"), "precious");
    assertRefused(await cli(["generate", "m.onnx", "--out", "d"], folder), 2, /d: .*mine\.txt/, /--out/);
    assert.equal(await Deno.readTextFile(join(folder, "d", "mine.txt")), "precious");
    assertRefused(await cli(["generate", "m.onnx", "--inputs", "f"], folder), 2, /f: .*no npz file/);
    assertRefused(
      await cli(["validate", "d", "--inputs", "f"], folder),
      2,
      /manifest\.json: there is no such file/,
    );
    assert.deepEqual(await namesIn(folder), ["d", "f", "m.onnx"]);
  });
});

Deno.test("a compiler that is none", async () => {
  await refuses(smallNetwork(), [...generate, "--cc", "/bin/false"], 2, /\/bin\/false/);
  await refuses(smallNetwork(), [...generate, "--cc", "no-such-compiler"], 2, /no-such-compiler/);
});

Deno.test("where there is no compiler and none can be installed, the command to type is told", () =>
  inFolder(async (folder) => {
    const nothing = { PATH: folder, ATTOFLOW_CC: "" };
    assertRefused(await cli(["setup"], folder, nothing), 2, /no C compiler for RISC-V/, /Type: .*install/);
    await Deno.writeFile(join(folder, "m.onnx"), smallNetwork());
    assertRefused(await cli(generate, folder, nothing), 2, /no C compiler for RISC-V/, /deno task setup/);
    assert.deepEqual(await namesIn(folder), ["m.onnx"]);
  }));

/** A built-in target with something changed, written to `target.json`. */
async function writeTarget(folder: string, change: (target: Record<string, unknown>) => void) {
  const text = await Deno.readTextFile(new URL("../targets/snitch-ita/target.json", import.meta.url));
  const target = JSON.parse(text);
  change(target);
  await Deno.writeTextFile(join(folder, "target.json"), JSON.stringify(target));
}

Deno.test("a target file with a wrong field", async () => {
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "m.onnx"), smallNetwork());
    const run = () => cli([...generate, "--target", "target.json"], folder);
    await writeTarget(folder, (target) => target.engines = ["cores", "gpu"]);
    assertRefused(await run(), 2, /target\.json/, /engines\.1/);
    await writeTarget(folder, (target) => target.harts = { workers: 8 });
    assertRefused(await run(), 2, /harts\.dma/, /harts\.stack/);
    await Deno.writeTextFile(join(folder, "target.json"), "{");
    assertRefused(await run(), 2, /target\.json: .*not JSON/);
    assertRefused(await cli([...generate, "--target", "none.json"], folder), 2, /none\.json/, /snitch-ita/);
    assert.deepEqual(await namesIn(folder), ["m.onnx", "target.json"]);
  });
});

Deno.test("an image that does not fit says which tensor, how many bytes and which memory", async () => {
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "m.onnx"), smallNetwork({ columns: 40_000 }));
    await writeTarget(folder, (target) => {
      const l2 = (target.memories as { name: string; size: number }[]).find(({ name }) => name === "l2")!;
      l2.size = 0x4_0000;
    });
    const result = await cli([...generate, "--target", "target.json"], folder);
    assertRefused(result, 2, /constant:w/, /320000/, /\bl2\b/);
    assert.deepEqual(await namesIn(folder), ["m.onnx", "target.json"]);
  });
});

Deno.test("arguments that make no sense", async () => {
  await inFolder(async (folder) => {
    const cases: [string[], RegExp][] = [
      [[], /--help/],
      [["generat", "m.onnx"], /generat/],
      [["generate"], /MODEL/],
      [["generate", "m.onnx", "--frobnicate"], /--frobnicate/],
      [["generate", "m.onnx", "--softmax-shift", "3"], /--softmax-shift.*0 or 5/],
      [["generate", "m.onnx", "--input-type", "x=int4"], /--input-type.*int8/],
      [["generate", "m.onnx", "--l1", "much"], /--l1.*64KiB/],
      [["validate", "d"], /--inputs/],
      [["validate", "d", "--inputs", "x", "--max-cycles", "-5"], /--max-cycles/],
      [["conformance"], /conformance --help/],
    ];
    const results = await Promise.all(cases.map(([args]) => cli(args, folder)));
    for (const [i, [, pattern]] of cases.entries()) assertRefused(results[i], 2, pattern, /--help/);
  });
});

Deno.test("bench does one part at a time, and takes no timing where it would do nothing", async () => {
  await inFolder(async (folder) => {
    const refused = async (...args: string[]) =>
      assertRefused(await cli(["bench", ...args], folder), 2, /^attoflow: --/);
    await refused("--ita", "--kernels");
    await refused("--network", "mobilebert", "--emulator");
    await refused("--networks", "--timing", "fast");
  });
});
