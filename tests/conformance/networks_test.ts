// Every network that others made is bit-exact on the emulated cluster: what `conformance networks` says of them.

import assert from "node:assert/strict";
import { cli, inFolder, namesIn } from "../cli.ts";
import { networkNames, networksPath } from "../networks.ts";

/** Arguments of a run, and what it is. */
const runs = [
  ["on the emulator", []],
  ["in half of L1, under fast timing", ["--l1", "64KiB", "--timing", "fast"]],
  ["in a quarter of L1, under fast timing", ["--l1", "32K", "--timing", "fast"]],
] as const;

for (const [what, args] of runs) {
  Deno.test(`all shared networks are bit-exact ${what}`, async () => {
    const path = networksPath();
    if (!path) return;
    await inFolder(async (folder) => {
      const { status, stdout, stderr } = await cli(["conformance", "networks", path, ...args], folder);
      const lines = stdout.trimEnd().split("\n");
      const failed = lines.filter((line) => line.startsWith("FAILED"));
      assert.deepEqual(failed, [], stderr);
      assert.equal(lines.at(-1), `${networkNames().length} passed, 0 failed`);
      assert.equal(status, 0);
      assert.deepEqual(await namesIn(folder), []);
    });
  });
}
