// The public API, and the README's claims that can be checked: tasks, memory map, files.

import assert from "node:assert/strict";
import * as attoflow from "../mod.ts";
import { gemm } from "../examples/kernels.ts";
import { memoryMapLines } from "../src/cli/target.ts";

const root = new URL("../", import.meta.url);
const readme = await Deno.readTextFile(new URL("README.md", root));

Deno.test("a model written, read and evaluated by the API stays the same", async () => {
  const { model, inputs } = gemm(4, 8, 4);
  const options = { name: "gemm", softmaxShift: 0 } as const;
  const bytes = attoflow.exportModel(model);
  const read = attoflow.importModel(bytes, options);
  const [before, after] = [model, read].map((m) => attoflow.evaluateModel(m, inputs).get(m.outputs[0])!);
  assert.deepEqual(after, before);

  const target = await attoflow.loadTarget("snitch-ita");
  const analysis = attoflow.analyze({ bytes, import: options, target });
  assert.equal(analysis.program?.macs, 4 * 8 * 4);
  assert.match(attoflow.analysisText(analysis), /MatMul/);
});

Deno.test("errors of the API are for people", async () => {
  await assert.rejects(attoflow.openSession("no/such/folder"), (error) => {
    assert.ok(error instanceof attoflow.AttoflowError);
    assert.match(error.paragraph, /no\/such\/folder.manifest\.json/);
    return true;
  });
  await assert.rejects(attoflow.loadTarget("nothing"), attoflow.AttoflowError);
});

Deno.test("the README's memory map is the target's", async () => {
  for (const line of memoryMapLines(await attoflow.loadTarget("snitch-ita"))) {
    assert.ok(readme.includes(`${line}\n`), line);
  }
});

Deno.test("every task in the README exists, and every task is in the README", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const said = new Set([...readme.matchAll(/deno task ([a-z]+)/g)].map(([, name]) => name));
  for (const name of said) assert.ok(name in tasks, name);
  for (const name of Object.keys(tasks)) {
    if (!name.includes(":")) assert.match(readme, new RegExp(`\`${name}[ \`]`), name);
  }
});

Deno.test("files and folders that the README names are there", async () => {
  const named = [...readme.matchAll(/`((?:src|runtime|targets|examples|tests)\/[\w./-]*)`/g)].map((
    [, path],
  ) => path);
  assert.ok(named.length > 3);
  for (const path of named) await Deno.stat(new URL(path, root));
});
