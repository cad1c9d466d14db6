// From an ONNX file to a verdict on the command line: a small network with results worked out by hand.

import assert from "node:assert/strict";
import { join } from "node:path";
import { type NpyData, writeNpz } from "../../runtime/validate/npz.ts";
import { manifestSchema } from "../../targets/manifest.ts";
import { assertRefused, cli, inFolder, namesIn } from "../cli.ts";
import { smallInputs, smallNetwork, smallResult } from "../small_network.ts";

const count = 3;
const inputs = smallInputs(count);
const outputs = Int8Array.from(
  Array.from({ length: count }, (_, i) => [...smallResult(inputs.subarray(32 * i, 32 * (i + 1)))]).flat(),
);

async function writeArray(folder: string, name: string, shape: number[], data: NpyData) {
  await Deno.writeFile(join(folder, name), writeNpz(new Map([["arr_0", { shape, data }]])));
}

/** Generates the small network into `net`, with its inputs and results beside it. */
async function withNetwork(work: (folder: string) => Promise<void>) {
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "small.onnx"), smallNetwork());
    await writeArray(folder, "x.npz", [count, 4, 8], inputs);
    await writeArray(folder, "y.npz", [count, 4, 4], Int32Array.from(outputs));
    const { status, stderr } = await cli(["generate", "small.onnx", "--out", "net"], folder);
    assert.equal(status, 0, stderr);
    await work(folder);
  });
}

Deno.test("generate and validate a small network", async (test) => {
  await withNetwork(async (folder) => {
    await test.step("generate writes the project and says what it is", async () => {
      const names = await namesIn(join(folder, "net"));
      const wanted = "Makefile boot.S image.bin image.elf image.hex link.ld manifest.json model.onnx " +
        "network.c network.h soc.h weights.bin";
      for (const name of wanted.split(" ")) assert.ok(names.includes(name), name);
      assert.ok(names.every((name) => !name.endsWith(".o")), names.join());
      const text = await Deno.readTextFile(join(folder, "net/manifest.json"));
      const manifest = manifestSchema.parse(JSON.parse(text));
      assert.equal(manifest.macs, 4 * 8 * 4);
      assert.deepEqual(manifest.inputs.map(({ name, shape }) => [name, shape]), [["x", [4, 8]]]);
      assert.deepEqual(await namesIn(folder), ["net", "small.onnx", "x.npz", "y.npz"]);
    });

    await test.step("the results differ among each other, so that agreement means something", () => {
      assert.ok(new Set(outputs).size > 10);
    });

    await test.step("every inference is bit-exact, with the file and with the reference", async () => {
      const args = ["validate", "net", "--inputs", "x.npz", "--expect", "y.npz", "--layers"];
      const { status, stdout, stderr } = await cli(args, folder);
      assert.equal(status, 0, stderr);
      const lines = stdout.trimEnd().split("\n");
      assert.equal(lines.at(-1), "bit-exact with the expected outputs and the reference");
      assert.equal(lines.filter((line) => /16 elements, 0 mismatches/.test(line)).length, 2 * count);
      assert.match(stdout, /128 MACs, \d+\.\d\d MACs\/cycle/);
      // The machine paused behind every layer: where the engines' time goes otherwise, that run does not say.
      assert.doesNotMatch(stdout, /waits for data/);
    });

    await test.step("energy and the engines' time are said", async () => {
      const { stdout } = await cli(["validate", "net", "--inputs", "x.npz"], folder);
      assert.match(stdout, /^energy \(estimate\): \d+\.\d mW, \d+\.\d µJ an inference, \d+ GOp\/J$/m);
      assert.match(
        stdout,
        /^\d+ jobs \(held up .*, DMA 0\.\d\d MB, L1 .*, workers awake .* %, conductor awake .* %$/m,
      );
      assert.match(stdout, /^ita +\d+\.\d %/m);
      assert.match(stdout, /^dma +\d+\.\d %/m);
    });

    await test.step("--json ends with a summary", async () => {
      const args = ["validate", "net", "--inputs", "x.npz", "--expect", "y.npz", "--json"];
      const { status, stdout } = await cli(args, folder);
      assert.equal(status, 0);
      const objects = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.equal(objects.length, count + 1);
      const { cycles, macsPerCycle, counters, energy, engines, ...summary } = objects.at(-1);
      assert.deepEqual(summary, {
        type: "summary",
        bitExact: true,
        inferences: count,
        mismatches: 0,
        macs: 128 * count,
        target: "snitch-ita",
        model: "small",
        against: ["expected", "reference"],
      });
      assert.ok(cycles > 0 && macsPerCycle > 0);
      assert.ok(counters.cycles > cycles && counters.harts.length === 9);
      assert.ok(energy.milliwatts > 0 && engines.ita.working > 0 && engines.dma.working > 0);
      assert.equal(objects[0].cycles + objects[1].cycles + objects[2].cycles, cycles);
    });

    await test.step("the same image and inputs take the same cycles, run after run", async () => {
      const run = () => cli(["validate", "net", "--inputs", "x.npz", "--json"], folder);
      assert.equal((await run()).stdout, (await run()).stdout);
    });

    await test.step("a wrong expectation is found, with its place", async () => {
      const wrong = Int32Array.from(outputs);
      wrong[16 + 6] += 3;
      await writeArray(folder, "wrong.npz", [count, 4, 4], wrong);
      const { status, stdout } = await cli(
        ["validate", "net", "--inputs", "x.npz", "--expect", "wrong.npz"],
        folder,
      );
      assert.equal(status, 1);
      const place = new RegExp(
        `1 mismatches, max difference 3, first at \\[1,2\\]: ${outputs[22]} instead of ${wrong[22]}`,
      );
      assert.match(stdout, place);
      assert.match(stdout, /^NOT bit-exact/m);
    });

    await test.step("files with other arrays are refused", async () => {
      const refused = async (file: string, ...patterns: RegExp[]) =>
        assertRefused(await cli(["validate", "net", "--inputs", file], folder), 2, ...patterns);
      await writeArray(folder, "short.npz", [5, 5], new Int8Array(25));
      await refused("short.npz", /short\.npz/, /arr_0 of shape \[5,5\]/, /32 or a multiple/);
      await writeArray(folder, "large.npz", [4, 8], Int32Array.from({ length: 32 }, (_, i) => i * 10));
      await refused("large.npz", /is 130/, /-128 to 127/, /--input-type/);
      await Deno.writeFile(join(folder, "empty.npz"), writeNpz(new Map()));
      await refused("empty.npz", /0 arrays/, /x of shape \[4,8\]/);
      await refused("small.onnx", /no npz file/);
      await writeArray(folder, "few.npz", [4, 4], new Int8Array(16));
      const args = ["validate", "net", "--inputs", "x.npz", "--expect", "few.npz"];
      assertRefused(await cli(args, folder), 2, /few\.npz/, /16 for each of 3 inferences/);
    });

    await test.step("a damaged image, manifest or model is refused", async () => {
      const damage = async (
        name: string,
        change: (bytes: Uint8Array) => Uint8Array,
        ...patterns: RegExp[]
      ) => {
        const path = join(folder, "net", name);
        const whole = await Deno.readFile(path);
        await Deno.writeFile(path, change(whole.slice()));
        assertRefused(await cli(["validate", "net", "--inputs", "x.npz"], folder), 2, ...patterns);
        await Deno.writeFile(path, whole);
      };
      await damage("image.elf", (bytes) => bytes.subarray(0, 200), /image\.elf/);
      await damage("image.elf", (bytes) => bytes.fill(0xaa, 0, 64), /image\.elf/);
      await damage("manifest.json", (bytes) => bytes.subarray(0, 100), /manifest\.json/, /not JSON/);
      await damage(
        "manifest.json",
        () => new TextEncoder().encode("{}"),
        /manifest\.json/,
        /format: /,
        /and \d+ more/,
      );
      await damage("model.onnx", () => smallNetwork({ columns: 3 }), /model\.onnx/, /not the model/);
    });

    await test.step("too few cycles end in an error that says where the harts are", async () => {
      const args = ["validate", "net", "--inputs", "x.npz", "--max-cycles", "50"];
      assertRefused(
        await cli(args, folder),
        1,
        /emulator, the start: not done after 50 cycles: hart 0/,
        /--max-cycles/,
      );
    });
  });
});
