// `--trace` and `--profile` on the command line, with a generated image; and Ctrl-C while a machine runs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { writeNpz } from "../runtime/validate/npz.ts";
import type { ProfileReport } from "../runtime/trace/profile_report.ts";
import type { Manifest } from "../targets/manifest.ts";
import { assertRefused, cli, cliCommand, inFolder, namesIn } from "./cli.ts";
import { findCompiler } from "./isa/compiler.ts";
import { writeElf } from "./isa/elf_writer.ts";
import { smallInputs, smallNetwork } from "./small_network.ts";
import { codeBase, op, registers } from "./soc_program.ts";
import { checkTrace } from "./trace_program.ts";

const count = 2;

/** Generates the small network into `net`, with inputs of two inferences beside it; skips without a compiler. */
async function withNetwork(what: string, work: (folder: string, manifest: Manifest) => Promise<void>) {
  if (!await findCompiler(what)) return;
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "small.onnx"), smallNetwork());
    const inputs = new Map([["arr_0", { shape: [count, 4, 8], data: smallInputs(count) }]]);
    await Deno.writeFile(join(folder, "x.npz"), writeNpz(inputs));
    const { status, stderr } = await cli(["generate", "small.onnx", "--out", "net"], folder);
    assert.equal(status, 0, stderr);
    await work(folder, JSON.parse(await Deno.readTextFile(join(folder, "net/manifest.json"))));
  });
}

Deno.test("validate and emulate write timelines and profiles of a generated image", (test) =>
  withNetwork("timelines of a generated image", async (folder, { layers }) => {
    const plain = await cli(["validate", "net", "--inputs", "x.npz"], folder);
    assert.equal(plain.status, 0, plain.stderr);

    await test.step("validate --trace --profile says the same, and more", async () => {
      const args = ["validate", "net", "--inputs", "x.npz", "--trace", "t.json", "--profile"];
      const { status, stdout, stderr } = await cli(args, folder);
      assert.equal(status, 0, stderr);
      assert.ok(stdout.startsWith(plain.stdout), "not a cycle more");
      assert.match(stdout, /\nprofile: 9 harts × [\d ]+ cycles/);
      assert.match(stdout, /\nlayer +elapsed +share/);
      assert.match(stderr, /trace: t\.json; open it in ui\.perfetto\.dev/);
      assert.deepEqual(await namesIn(folder), ["net", "small.onnx", "t.json", "x.npz"]);
    });

    await test.step("inferences and layers are on the timeline", async () => {
      const { tracks } = checkTrace(await Deno.readTextFile(join(folder, "t.json")));
      const network = tracks.get("network")!;
      const inferences = network.filter(({ name }) => name.startsWith("inference "));
      assert.deepEqual(inferences.map(({ name }) => name), ["inference 0", "inference 1"]);
      assert.equal(network.length, count * (1 + layers.length));
      for (const [i, { ts, dur }] of inferences.entries()) {
        const own = network.filter((span) => span.ts >= ts && span.ts < ts + dur && span.args!.engine);
        assert.deepEqual(own.map(({ name }) => Number(name.split(" ")[0])), layers.map(({ index }) => index));
        for (const [j, span] of own.entries()) {
          assert.equal(span.ts, j === 0 ? ts : own[j - 1].ts + own[j - 1].dur, "layers follow each other");
        }
        assert.match(plain.stdout, new RegExp(`inference ${i}\n[^]*?cycles`));
      }
      if (layers.some(({ engine }) => engine === "ita")) assert.ok(tracks.get("ita")!.length > 0);
      assert.ok(tracks.get("DMA")!.length > 0);
    });

    await test.step("each cycle of each hart belongs to a layer or to none, once", async () => {
      for (const layerwise of [[], ["--layers"]]) {
        const args = ["validate", "net", "--inputs", "x.npz", "--profile", "--json", ...layerwise];
        const { status, stdout, stderr } = await cli(args, folder);
        assert.equal(status, 0, stderr);
        const report: ProfileReport & { type: string } = stdout.trimEnd().split("\n")
          .map((line) => JSON.parse(line)).find(({ type }) => type === "profile");
        assert.equal(report.cycles, 9 * report.elapsed);
        assert.deepEqual(report.layers.map(({ layer }) => layer), layers.map(({ index }) => index));
        for (const layer of report.layers) {
          assert.equal(layer.cycles, 9 * layer.elapsed, `layer ${layer.layer}`);
          assert.ok(layer.functions.length > 0);
        }
      }
    });

    await test.step("emulate runs the image with inputs of zeros or of a file", async () => {
      const zeros = await cli(["emulate", "net", "--json", "--trace", "z.json"], folder);
      assert.equal(zeros.status, 0, zeros.stderr);
      const [inference, summary] = zeros.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.deepEqual(inference.outputs[0].data, Array(16).fill(0));
      assert.equal(inference.layerCycles.length, layers.length);
      assert.equal(summary.harts.length, 9);
      checkTrace(await Deno.readTextFile(join(folder, "z.json")));
      const { stderr } = await cli(["emulate", "net", "--inputs", "x.npz"], folder);
      assert.match(stderr, /^inference 0: [\d ]+ cycles\n {2}output y \[4,4\] int8: .*\ninference 1:/);
    });

    await test.step("what cannot be is refused in a sentence", async () => {
      assertRefused(
        await cli(["emulate", "net", "--trace", "no/t.json"], folder),
        2,
        /no\/t\.json: .*written/,
      );
      assertRefused(await cli(["emulate", "net", "--trace", "net"], folder), 2, /net: .*written/);
      assertRefused(await cli(["emulate", "net", "--gdb", ":0", "--profile"], folder), 2, /--gdb stops/);
      assertRefused(await cli(["emulate", "net/image.elf", "--inputs", "x.npz"], folder), 2, /generated/);
      assertRefused(await cli(["emulate", "net", "--gdb", "10.0.0.1:3"], folder), 2, /:PORT/);
    });
  }));

/** Harts 0 … 8 loop for ever, in `spin`. */
function endless(): Uint8Array {
  const words = [...op("addi", { rd: registers.a0, rs1: registers.a0, imm: 1 }), ...op("jal", { imm: -4 })];
  const bytes = new Uint8Array(Uint32Array.from(words, (word) => word >>> 0).buffer);
  return writeElf({
    entry: codeBase,
    segments: [{ address: codeBase, bytes }],
    symbols: [{ name: "spin", address: codeBase }],
  });
}

/** Sends a signal to a command that writes the trace t.json, when it is under way. */
async function interrupt(folder: string, args: string[], signal: Deno.Signal) {
  const child = cliCommand([...args, "--trace", "t.json"], folder).spawn();
  const output = child.output();
  const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  while (!(await namesIn(folder)).some((name) => name.endsWith(".tmp"))) await pause(20);
  await pause(500);
  child.kill(signal);
  const { code, stdout, stderr } = await output;
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("Ctrl-C ends emulate with the state of each hart and a whole trace", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "p.elf"), endless());
    const { code, stderr } = await interrupt(folder, ["emulate", "p.elf", "--profile"], "SIGINT");
    assert.equal(code, 130, stderr);
    const lines = stderr.trimEnd().split("\n");
    assert.equal(lines.at(-1), "attoflow: interrupted");
    assert.match(lines.at(-11)!, /^cycle \d+$/);
    for (let hart = 0; hart < 9; hart++) {
      assert.match(
        lines[lines.length - 10 + hart],
        new RegExp(`^hart ${hart} +pc 0x8000000[04] +spin\\S* +running$`),
      );
    }
    assert.match(stderr, /profile: 9 harts/);
    assert.deepEqual(await namesIn(folder), ["p.elf", "t.json"]);
    const { otherData, tracks } = checkTrace(await Deno.readTextFile(join(folder, "t.json")));
    assert.equal(otherData.note, "interrupted");
    assert.equal(tracks.get("hart 3 worker")!.length, 1);
  }));

Deno.test("Ctrl-C ends validate in the same way", () =>
  withNetwork("an interrupted validation", async (folder, { symbols }) => {
    // The image never becomes ready: its first instruction jumps to itself.
    const elf = await Deno.readFile(join(folder, "net/image.elf"));
    const view = new DataView(elf.buffer);
    const headers = view.getUint32(28, true);
    assert.equal(view.getUint32(headers + 12, true), symbols.entry);
    view.setUint32(view.getUint32(headers + 4, true), op("jal", { imm: 0 })[0] >>> 0, true);
    await Deno.writeFile(join(folder, "net/image.elf"), elf);
    for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
      const args = ["validate", "net", "--inputs", "x.npz"];
      const { code, stdout, stderr } = await interrupt(folder, args, signal);
      assert.equal(code, status, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /^cycle \d+\nhart 0 +pc 0x80000000 +_start +running$/m);
      assert.match(stderr, /\nattoflow: interrupted\n$/);
      assert.deepEqual(await namesIn(folder), ["net", "small.onnx", "t.json", "x.npz"]);
      await Deno.remove(join(folder, "t.json"));
    }
  }));
