// Names in a model are data: in C, in paths, in make and in shells they do no harm, and the network still runs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { writeNpz } from "../../runtime/validate/npz.ts";
import { cli, inFolder, namesIn } from "../cli.ts";
import { smallInputs, type SmallNames, smallNetwork, smallResult } from "../small_network.ts";

const hostile: Record<string, SmallNames> = {
  shell: {
    input: '"; rm -rf / #',
    output: "$(touch owned)",
    weights: "`touch owned`",
    product: "a'; touch owned; '",
    requant: "x && touch owned",
  },
  c: {
    input: '*/ #include "/etc/passwd"',
    output: "*/ int main(void) { return 1; } /*",
    weights: '\\"\n#error weights\n',
    product: "??/\n#error trigraph",
    requant: "/* \\\n",
  },
  make: { input: "$(shell touch owned)", output: "%.o: ; touch owned", requant: "a:\n\ttouch owned" },
  paths: { input: "../../../tmp/owned", output: "/etc/owned", requant: "con\0nul", product: ".." },
  long: {
    input: "x".repeat(4000),
    output: "y".repeat(4000),
    requant: `${"z".repeat(3999)}"`,
    product: "w".repeat(4000),
  },
  keywords: { input: "int", output: "while", weights: "network_run", requant: "main", product: "register" },
  collisions: { input: "a b", output: "a_b", weights: "a-b", product: "a.b", requant: "a/b" },
  unicode: { input: "тензор", output: "张量\u202e", weights: "\ufeff", product: "🙂", requant: "__proto__" },
};

for (const [kind, names] of Object.entries(hostile)) {
  Deno.test(`names that attack or confuse: ${kind}`, () =>
    inFolder(async (folder) => {
      const input = smallInputs(1);
      await Deno.writeFile(join(folder, "m.onnx"), smallNetwork({ names }));
      await Deno.writeFile(join(folder, "x.npz"), writeNpz(new Map([["x", { shape: [4, 8], data: input }]])));
      const expected = { shape: [4, 4], data: smallResult(input) };
      await Deno.writeFile(join(folder, "y.npz"), writeNpz(new Map([["y", expected]])));

      const generated = await cli(["generate", "m.onnx", "--out", "net"], folder);
      assert.equal(generated.status, 0, generated.stderr);
      const args = ["validate", "net", "--inputs", "x.npz", "--expect", "y.npz", "--layers"];
      const validated = await cli(args, folder);
      assert.equal(validated.status, 0, validated.stdout + validated.stderr);
      // Nothing printed may carry control characters or whole kilobytes of a name into a terminal.
      for (const text of [generated.stdout, generated.stderr, validated.stdout]) {
        // deno-lint-ignore no-control-regex
        assert.doesNotMatch(text, /[\x00-\x08\x0b-\x1f\x7f\u202e]/);
        assert.ok(text.split("\n").every((line) => line.length < 500));
      }

      const make = await new Deno.Command("make", { args: ["-B"], cwd: join(folder, "net"), stdout: "null" })
        .output();
      assert.ok(make.success, new TextDecoder().decode(make.stderr));
      assert.deepEqual(await namesIn(folder), ["m.onnx", "net", "x.npz", "y.npz"]);
      assert.ok(!(await namesIn(join(folder, "net"))).includes("owned"));
    }));
}

Deno.test("a file whose own name is hostile", () =>
  inFolder(async (folder) => {
    const name = '$(touch owned) "; #.onnx';
    await Deno.writeFile(join(folder, name), smallNetwork());
    const { status, stderr } = await cli(["generate", name], folder);
    assert.equal(status, 0, stderr);
    assert.deepEqual(await namesIn(folder), [name, "out"]);
    assert.deepEqual(await namesIn(join(folder, "out")), ["_touch_owned_"]);
  }));
