// The generated project as a firmware engineer gets it: make builds it with either compiler, without a warning, for
// the cluster and for virt; the map holds what soc.h says.

import assert from "node:assert/strict";
import { engineMappings } from "../targets/engines/registry.ts";
import { AttoflowError } from "../targets/errors.ts";
import { loadTarget } from "../targets/load.ts";
import { makeProject, writeProject } from "../src/emit/project.ts";
import { Symbols } from "../src/emit/symbols.ts";
import { ModelBuilder } from "../src/model/builder.ts";
import type { Model } from "../src/model/types.ts";
import { l1Budget } from "../src/schedule/budget.ts";
import { plan } from "../src/schedule/plan.ts";
import { build } from "../src/toolchain/build.ts";
import { findCompiler } from "../src/toolchain/compiler.ts";
import { readLinkedImage } from "../src/toolchain/elf.ts";

function model(rows = 96): Model {
  const builder = new ModelBuilder();
  const x = builder.add({ name: "x", shape: [rows, 64], dtype: "int8", range: { min: -128, max: 127 } });
  const w = builder.constant("w", [64, 32], new Int8Array(2048).map((_, i) => i % 200 - 100));
  const y = builder.append({ operator: "MatMul", inputs: [x, w], name: "*/ \n#error", output: "y" });
  const z = builder.append({ operator: "Relu", inputs: [y], name: "$(shell touch hurt)", output: "`z`" });
  return builder.finish('demo"; exit', ["x"], [z.name, y.name]);
}

/** Writes a project to a temporary folder for the action. */
async function withProject(
  targetName: string,
  action: (folder: string, sources: readonly string[]) => Promise<void>,
  network = model(),
): Promise<void> {
  const target = await loadTarget(targetName);
  const program = plan(network, target, engineMappings);
  const l1Bytes = l1Budget(target).size;
  const symbols = new Symbols(program);
  const project = await makeProject(program, network, target, symbols, { l1Bytes, family: "gcc" });
  const folder = await Deno.makeTempDir();
  try {
    await writeProject(folder, project);
    await action(folder, project.sources);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function compilerOf(family: string): Promise<string | undefined> {
  try {
    return (await findCompiler(family)).command;
  } catch (error) {
    if (!(error instanceof AttoflowError)) throw error;
    console.log(`skipped: ${error.message}`);
  }
}

async function runMake(
  folder: string,
  args: string[],
): Promise<{ code: number; stderr: string } | undefined> {
  try {
    const { code, stderr } = await new Deno.Command("make", { args: ["-C", folder, ...args], stdout: "null" })
      .output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("skipped: make is not installed");
  }
}

for (const target of ["snitch-ita", "virt"]) {
  for (const family of ["gcc", "clang"]) {
    Deno.test(`make with ${family} builds the project for ${target} without a word on stderr`, async () => {
      const compiler = await compilerOf(family);
      if (!compiler) return;
      await withProject(target, async (folder) => {
        const answer = await runMake(folder, [`CC=${compiler}`]);
        if (!answer) return;
        assert.deepEqual(answer, { code: 0, stderr: "" });
        const image = readLinkedImage(await Deno.readFile(`${folder}/image.elf`));
        assert.equal(image.entry, 0x8000_0000);
        assert.equal(image.symbols.has("network_run"), true);
        assert.deepEqual([...Deno.readDirSync(folder)].filter(({ name }) => name === "hurt"), []);
      });
    });
  }
}

Deno.test("make finds a compiler by itself", async () => {
  if (!(await compilerOf("gcc")) && !(await compilerOf("clang"))) return;
  await withProject("virt", async (folder) => {
    const answer = await runMake(folder, []);
    if (answer) assert.deepEqual(answer, { code: 0, stderr: "" });
  });
});

Deno.test("what lies in L1 lies in L1, and the image begins with the entry", async () => {
  const compiler = await findCompiler();
  const target = await loadTarget("snitch-ita");
  await withProject("snitch-ita", async (folder, sources) => {
    await build(folder, sources, target, compiler);
    const image = readLinkedImage(await Deno.readFile(`${folder}/image.elf`));
    const inL1 = (symbol: string) => {
      const address = image.symbols.get(symbol)!;
      return address >= 0x1000_0000 && address < 0x1002_0000;
    };
    assert.equal(inL1("network_l1") && inL1("__stacks_start"), true);
    assert.equal(inL1("network_arena") || inL1("attoflow_mailbox"), false);
    assert.equal(image.symbols.get("attoflow_mailbox")! % 64, 0);
    assert.equal(image.loaded.every(({ address }) => address >= 0x8000_0000), true);
    assert.equal(Math.min(...image.loaded.map(({ address }) => address)), image.entry);
    assert.deepEqual([...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".o")), []);
  });
});

Deno.test("an image that is too large is refused with the memory and the bytes", async () => {
  const compiler = await findCompiler();
  const target = await loadTarget("snitch-ita");
  await withProject("snitch-ita", async (folder, sources) => {
    const script = await Deno.readTextFile(`${folder}/link.ld`);
    await Deno.writeTextFile(
      `${folder}/link.ld`,
      script.replace("LENGTH = 0x02000000", "LENGTH = 0x00002000"),
    );
    const error = await build(folder, sources, target, compiler, "two whales").then(
      () => 0,
      (error) => error,
    );
    assert.ok(error instanceof AttoflowError);
    assert.match(error.paragraph, /\d+ bytes too large for l2.*two whales/);
  });
});

Deno.test("C that does not compile is reported with the compiler's words", async () => {
  const compiler = await findCompiler();
  const target = await loadTarget("snitch-ita");
  await withProject("snitch-ita", async (folder, sources) => {
    await Deno.writeTextFile(`${folder}/network.c`, "int broken(\n");
    const error = await build(folder, sources, target, compiler).then(() => undefined, (error) => error);
    assert.ok(error instanceof AttoflowError);
    assert.match(error.paragraph, /network\.c: .* failed: .*error/s);
  });
});
