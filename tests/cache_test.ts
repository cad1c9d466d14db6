// What is kept in the user's cache folder: whole, and what its name says, or it is not there.

import assert from "node:assert/strict";
import { join } from "node:path";
import { FolderCache } from "../runtime/cache.ts";
import { loadKeptTarget } from "../runtime/host/kept_target.ts";
import { loadTarget } from "../targets/load.ts";
import { inFolder } from "./cli.ts";
import { MemoryCache } from "./translate_harness.ts";

const name = "code-731ca6d055fc228c", other = "code-0123456789abcdef";

Deno.test("what was kept comes back, under its name only", () =>
  inFolder((folder) => {
    const cache = new FolderCache(join(folder, "deep", "down"));
    assert.equal(cache.read(name), undefined);
    for (const bytes of [Uint8Array.of(1), Uint8Array.from({ length: 1001 }, (_, i) => i * i)]) {
      cache.write(name, bytes);
      const kept = cache.read(name)!;
      assert.deepEqual([...kept], [...bytes]);
      assert.equal(kept.byteOffset % 8, 0, "it can be looked at as words");
    }
    Deno.renameSync(join(folder, "deep", "down", name), join(folder, "deep", "down", other));
    assert.equal(cache.read(other), undefined);
  }));

Deno.test("a file is whole or it is not used: cut anywhere, changed anywhere, full of zeros", () =>
  inFolder((folder) => {
    const cache = new FolderCache(folder), path = join(folder, name);
    cache.write(name, Uint8Array.from({ length: 100 }, (_, i) => 7 * i));
    const whole = Deno.readFileSync(path);
    for (let i = 0; i < whole.length; i++) {
      const changed = whole.slice(), zeroed = whole.slice();
      changed[i] ^= 1 << i % 8;
      zeroed.fill(0, i);
      for (const bytes of [changed, zeroed, whole.subarray(0, i)]) {
        Deno.writeFileSync(path, bytes);
        assert.equal(cache.read(name), undefined, `byte ${i}`);
      }
    }
    Deno.writeFileSync(path, whole);
    assert.equal(cache.read(name)?.length, 100);
  }));

Deno.test("a full cache drops its own files and no others", () =>
  inFolder((folder) => {
    const others = Array.from({ length: 210 }, (_, i) => `photo-${i}.jpg`);
    for (const name of others) Deno.writeTextFileSync(join(folder, name), name);
    const cache = new FolderCache(folder);
    for (let i = 0; i < 210; i++) {
      cache.write(`${name}-${i.toString(16).padStart(16, "0")}`, Uint8Array.of(i));
    }
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.deepEqual(names.filter((name) => name.startsWith("photo")).sort(), others.sort());
    assert(names.length - others.length <= 200, `${names.length - others.length} files of the cache`);
    assert(names.length > others.length);
  }));

Deno.test("a kept target is that of its own description, not of a built-in one of the same name", () =>
  inFolder(async (folder) => {
    const path = join(folder, "virt");
    const { memories, ...rest } = await loadTarget("virt");
    const smaller = { ...rest, memories: memories.map((memory) => ({ ...memory, size: 0x1000 })) };
    Deno.writeTextFileSync(path, JSON.stringify(smaller));
    const cache = new MemoryCache();
    for (let i = 0; i < 2; i++) {
      for (const from of ["virt", path]) {
        assert.deepEqual(await loadKeptTarget(from, cache), await loadTarget(from));
      }
    }
    const before = Deno.cwd();
    try {
      Deno.chdir(folder);
      assert.equal((await loadKeptTarget("./virt", cache)).memories[0].size, 0x1000);
    } finally {
      Deno.chdir(before);
    }
    await assert.rejects(loadKeptTarget(join(folder, "none"), cache), /no target description can be read/);
  }));
