// `deno task demo` in an empty folder: the whole way, ending with the words that count.

import assert from "node:assert/strict";
import { cli, inFolder, namesIn } from "../cli.ts";

Deno.test("the demo is bit-exact", () =>
  inFolder(async (folder) => {
    const { status, stdout, stderr } = await cli(["demo"], folder);
    assert.equal(status, 0, stdout + stderr);
    assert.equal(stdout.trimEnd().split("\n").at(-1), "bit-exact with the reference");
    assert.match(stdout, /operators +\d+: .*RequantizedMatMul/);
    assert.match(stdout, /layers: \d\d compared, all equal/);
    assert.deepEqual(await namesIn(folder), ["out"]);
  }));
