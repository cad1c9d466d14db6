// The generated project is whole: `make` alone builds it with gcc and with clang, without a warning.

import assert from "node:assert/strict";
import { join } from "node:path";
import { cli, inFolder } from "../cli.ts";
import { writeEncoder } from "../../examples/encoder/build.ts";

/** First command of a list that is there. */
async function firstCommand(names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    try {
      await new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" }).output();
      return name;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

const clangs = ["clang", ...[22, 21, 20, 19, 18, 17, 16].map((version) => `clang-${version}`)];
const families = { gcc: ["riscv64-unknown-elf-gcc", "riscv32-unknown-elf-gcc"], clang: clangs };

Deno.test("make builds the example without a warning, and clang's image is bit-exact, too", async (test) => {
  await inFolder(async (folder) => {
    const { model, inputs } = await writeEncoder(folder);
    for (const [family, names] of Object.entries(families)) {
      const cc = await firstCommand(names);
      if (cc === undefined) {
        console.log(`skipped: ${family}: no such compiler is installed`);
        continue;
      }
      await test.step(family, async () => {
        const out = join(folder, family);
        const generated = await cli(["generate", model, "--out", out, "--cc", cc], folder);
        assert.equal(generated.status, 0, generated.stderr);
        const image = await Deno.readFile(join(out, "image.elf"));
        const args = [`CC=${cc}`, "-B", "-j2"];
        const { code, stderr } = await new Deno.Command("make", { args, cwd: out, stdout: "null" }).output();
        const said = new TextDecoder().decode(stderr);
        assert.equal(code, 0, said);
        assert.doesNotMatch(said, /warning/i);
        assert.deepEqual(await Deno.readFile(join(out, "image.elf")), image, "make builds the same image");
        const validated = await cli(["validate", out, "--inputs", inputs], folder);
        assert.match(validated.stdout, /\nbit-exact with the reference\n$/, validated.stderr);
      });
    }
  });
});
