// The output folder appears complete or not at all, and nobody else's files are lost.

import assert from "node:assert/strict";
import { AttoflowError } from "../targets/errors.ts";
import { replaceFolder } from "../src/emit/output_folder.ts";

async function inTemporaryFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();

Deno.test("a new folder is made, with its parents", () =>
  inTemporaryFolder(async (folder) => {
    await replaceFolder(`${folder}/a/b`, (at) => Deno.writeTextFile(`${at}/manifest.json`, "1"));
    assert.deepEqual(names(`${folder}/a`), ["b"]);
    assert.deepEqual(names(`${folder}/a/b`), ["manifest.json"]);
  }));

Deno.test("a generated folder is replaced as a whole", () =>
  inTemporaryFolder(async (folder) => {
    const out = `${folder}/out`;
    await Deno.mkdir(out);
    await Deno.writeTextFile(`${out}/manifest.json`, "old");
    await Deno.writeTextFile(`${out}/stale.c`, "old");
    await replaceFolder(out, (at) => Deno.writeTextFile(`${at}/manifest.json`, "new"));
    assert.deepEqual(names(out), ["manifest.json"]);
    assert.deepEqual(names(folder), ["out"]);
  }));

Deno.test("a failure leaves what was there, and nothing else", () =>
  inTemporaryFolder(async (folder) => {
    const out = `${folder}/out`;
    await Deno.mkdir(out);
    await Deno.writeTextFile(`${out}/manifest.json`, "old");
    await assert.rejects(
      replaceFolder(out, async (at) => {
        await Deno.writeTextFile(`${at}/half`, "");
        throw new AttoflowError("broken");
      }),
      /broken/,
    );
    assert.deepEqual(names(folder), ["out"]);
    assert.deepEqual(names(out), ["manifest.json"]);
  }));

Deno.test("a folder or file of someone else is refused before any work", () =>
  inTemporaryFolder(async (folder) => {
    await Deno.mkdir(`${folder}/mine`);
    await Deno.writeTextFile(`${folder}/mine/thesis.tex`, "");
    await Deno.writeTextFile(`${folder}/file`, "");
    for (const out of ["mine", "file", "file/below"]) {
      const work = () => Promise.reject(new Error("work was done"));
      await assert.rejects(replaceFolder(`${folder}/${out}`, work), AttoflowError);
    }
    assert.deepEqual(names(`${folder}/mine`), ["thesis.tex"]);
  }));
