// `validate --jobs` and `--timing`: machines side by side give what one after the other gives, and fast timing gives
// the bits that exact timing gives.

import assert from "node:assert/strict";
import { join } from "node:path";
import { writeNpz } from "../../runtime/validate/npz.ts";
import { workersFor } from "../../src/cli/pool.ts";
import { groupsOf } from "../../src/cli/validation.ts";
import { assertRefused, cli, cliCommand, type CliResult, inFolder, namesIn } from "../cli.ts";
import { findCompiler } from "../isa/compiler.ts";
import { smallInputs, smallNetwork, smallResult } from "../small_network.ts";
import { op } from "../soc_program.ts";

const count = 7;
const inputs = smallInputs(count);

/** Generates the small network into `net`, with inputs and outputs beside it; skips without a compiler. */
async function withNetwork(what: string, work: (folder: string) => Promise<void>) {
  if (!await findCompiler(what)) return;
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "small.onnx"), smallNetwork());
    const array = (shape: number[], data: Int8Array) => writeNpz(new Map([["a", { shape, data }]]));
    await Deno.writeFile(join(folder, "x.npz"), array([count, 4, 8], inputs));
    const outputs = Int8Array.from({ length: count }, (_, i) => i)
      .reduce<number[]>((all, i) => [...all, ...smallResult(inputs.subarray(32 * i, 32 * (i + 1)))], []);
    await Deno.writeFile(join(folder, "y.npz"), array([count, 4, 4], Int8Array.from(outputs)));
    outputs[5 * 16 + 3] += 1;
    await Deno.writeFile(join(folder, "wrong.npz"), array([count, 4, 4], Int8Array.from(outputs)));
    const { status, stderr } = await cli(["generate", "small.onnx", "--out", "net"], folder);
    assert.equal(status, 0, stderr);
    await work(folder);
  });
}

/** Where Deno keeps its packages, whatever the user's cache folder is. */
const denoFolder = Deno.env.get("DENO_DIR") ??
  join(Deno.env.get("XDG_CACHE_HOME") ?? join(Deno.env.get("HOME") ?? "", ".cache"), "deno");

/** Runs `validate` with a cache folder of its own: `cache`. */
const validate = (folder: string, ...args: string[]): Promise<CliResult> =>
  cli(["validate", "net", "--inputs", "x.npz", ...args], folder, {
    XDG_CACHE_HOME: join(folder, "cache"),
    DENO_DIR: denoFolder,
  });

/** Puts a word at the image's entry, in place of the first instruction. */
async function patchEntry(folder: string, word: number): Promise<void> {
  const path = join(folder, "net/image.elf");
  const elf = await Deno.readFile(path);
  const view = new DataView(elf.buffer);
  view.setUint32(view.getUint32(view.getUint32(28, true) + 4, true), word, true);
  await Deno.writeFile(path, elf);
}

Deno.test("which inferences share a machine depends on their number alone", () => {
  assert.deepEqual(groupsOf(1), [{ first: 0, count: 1 }]);
  assert.deepEqual(groupsOf(2), [{ first: 0, count: 2 }]);
  assert.deepEqual(groupsOf(5), [{ first: 0, count: 2 }, { first: 2, count: 2 }, { first: 4, count: 1 }]);
  for (const inferences of [16, 33, 100, 129, 1000]) {
    const groups = groupsOf(inferences);
    let next = 0;
    for (const { first, count } of groups) {
      assert.equal(first, next);
      assert.ok(count >= 1 && count <= 8);
      next += count;
    }
    assert.equal(next, inferences);
    assert.ok(groups.length >= 8);
  }
});

Deno.test("validate on machines side by side", (test) =>
  withNetwork("machines side by side", async (folder) => {
    for (const timing of ["exact", "fast"]) {
      await test.step(`${timing}: the same lines whatever the number of jobs`, async () => {
        const args = ["--timing", timing, "--expect", "wrong.npz", "--layers", "--json"];
        const runs = [];
        for (const jobs of [["--jobs", "1"], ["--jobs", "2"], ["--jobs", "9"], []]) {
          runs.push(await validate(folder, ...args, ...jobs));
        }
        for (const run of runs) assert.deepEqual(run, runs[0]);
        assert.equal(runs[0].status, 1);
        const objects = runs[0].stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
        assert.deepEqual(objects.slice(0, count).map(({ index }) => index), [0, 1, 2, 3, 4, 5, 6]);
        assert.deepEqual(
          objects.slice(0, count).map(({ outputs }) => outputs[0].mismatches),
          [0, 0, 0, 0, 0, 1, 0],
        );
        assert.equal(objects[count].mismatches, 1);
      });
    }

    await test.step("text comes out in the same way", async () => {
      const one = await validate(folder, "--expect", "y.npz", "--jobs", "1");
      const two = await validate(folder, "--expect", "y.npz", "--jobs", "2");
      assert.equal(one.status, 0, one.stderr);
      assert.deepEqual(two, one);
      assert.equal(two.stdout.match(/^inference \d/gm)!.length, count);
    });

    await test.step("fast timing keeps translated code where it is told to, and only there", async () => {
      const kept = async () => (await namesIn(folder)).includes("cache");
      assert.ok(
        (await namesIn(join(folder, "cache/attoflow"))).some((name) => name.startsWith("interpreter-")),
      );
      await Deno.remove(join(folder, "cache"), { recursive: true });
      const plain = await validate(folder, "--timing", "fast", "--no-cache");
      assert.equal(plain.status, 0, plain.stderr);
      assert.equal(await kept(), false);
      const elsewhere = await validate(folder, "--timing", "fast", "--cache", "mine");
      assert.deepEqual(elsewhere, plain);
      assert.equal(await kept(), false);
      const files = (await namesIn(join(folder, "mine"))).filter((name) => name.startsWith("interpreter-"));
      assert.ok(files.length > 0);
      for (const name of await namesIn(join(folder, "mine"))) {
        const bytes = await Deno.readFile(join(folder, "mine", name));
        bytes.fill(0x55, bytes.length >> 1);
        await Deno.writeFile(join(folder, "mine", name), bytes);
      }
      assertRefused(
        await validate(folder, "--timing", "fast", "--cache", "small.onnx"),
        2,
        /it is no folder/,
      );
      for (const place of ["mine", "/proc/none"]) {
        assert.deepEqual(await validate(folder, "--timing", "fast", "--cache", place), plain, place);
      }
      assert.equal((await validate(folder, "--timing", "exact")).status, 0);
      assert.equal(await kept(), false, "exact timing keeps nothing");
    });

    await test.step("what looks at every cycle is refused under fast timing, and beside other machines", async () => {
      for (const option of [["--profile"], ["--trace", "t.json"]]) {
        const refused = await validate(folder, "--timing", "fast", ...option);
        assertRefused(refused, 2, new RegExp(option[0]), /cycle by cycle/, /--timing fast/);
        assertRefused(await validate(folder, "--jobs", "2", ...option), 2, /one machine/);
      }
      assertRefused(
        await validate(folder, "--timing", "fast", "--cache", "a", "--no-cache"),
        2,
        /contradict/,
      );
      assertRefused(await validate(folder, "--timing", "slow"), 2, /exact\|fast cannot be slow/);
      assertRefused(await validate(folder, "--jobs", "0"), 2, /at least 1/);
      assert.ok(!(await namesIn(folder)).includes("t.json"));
    });

    await test.step("a machine that fails ends all of them, with its own words", async () => {
      await patchEntry(folder, 0xffff_ffff);
      const one = await validate(folder, "--jobs", "1"), two = await validate(folder, "--jobs", "2");
      assertRefused(one, 1, /hart \d, pc 0x80000000 \(_start\)/, /illegal/);
      assert.deepEqual(two, one);
      assertRefused(
        await validate(folder, "--jobs", "2", "--timing", "fast"),
        1,
        /pc 0x80000000 \(_start\)/,
        /illegal/,
      );
    });

    await test.step("Ctrl-C ends all machines and says where one stood", async () => {
      await patchEntry(folder, op("jal", { imm: 0 })[0] >>> 0);
      const cases = [["exact", "SIGINT", 130], ["fast", "SIGTERM", 143]] as const;
      for (const [timing, signal, status] of cases) {
        const args = ["validate", "net", "--inputs", "x.npz", "--jobs", "3", "--timing", timing];
        const child = cliCommand([...args, "--max-cycles", "1e12"], folder).spawn();
        const output = child.output();
        await new Promise((resolve) => setTimeout(resolve, 2500));
        const before = performance.now();
        child.kill(signal);
        const { code, stdout, stderr } = await output;
        assert.ok(performance.now() - before < 4000);
        const text = new TextDecoder().decode(stderr);
        assert.equal(code, status, text);
        assert.equal(stdout.length, 0);
        assert.match(text, /^cycle \d+\nhart 0 +pc 0x80000000 +_start +running$/m);
        assert.match(text, /\nattoflow: interrupted\n$/);
      }
    });
  }));

Deno.test("a billion jobs are no more Workers than there is work, or than processors can drive", () => {
  const most = 4 * navigator.hardwareConcurrency;
  assert.deepEqual([[1, 9], [3, 2], [1e9, 1], [1e9, 1e6]].map(([jobs, items]) => workersFor(jobs, items)), [
    1,
    2,
    1,
    most,
  ]);
});
