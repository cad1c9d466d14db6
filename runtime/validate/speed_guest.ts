// Runs one ELF on fast timing, in a process of its own, and prints what came of it as one line of JSON (`GuestRun`).
// Arguments: [--target NAME] [--no-cache | --cache FOLDER] [--quantum CYCLES] IMAGE.elf

import { FolderCache, userCache } from "../cache.ts";
import { loadKeptTarget } from "../host/kept_target.ts";
import { readElf } from "../image/elf.ts";
import { FastHarts } from "../soc/fast_harts.ts";
import { Soc } from "../soc/soc.ts";

const options = new Map<string, string>();
const rest = [...Deno.args];
const path = rest.pop() ?? "";
for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
  options.set(name, name === "--no-cache" ? "" : rest.shift() ?? "");
}

const folder = options.get("--cache");
const cache = options.has("--no-cache") ? undefined : folder ? new FolderCache(folder) : userCache();
const target = await loadKeptTarget(options.get("--target") ?? "virt", cache);
const quantum = options.get("--quantum");
const engine = new FastHarts(target, {
  cache,
  quantum: quantum === undefined ? undefined : Number(quantum),
});
const decoder = new TextDecoder();
let text = "";
const soc = new Soc(target, { engine, console: (bytes) => text += decoder.decode(bytes, { stream: true }) });
soc.load(readElf(Deno.readFileSync(path), path));
const { exitCode, cycle } = soc.run({ maxCycles: 1e12, limitIsFault: true });
engine.close();
const instructions = soc.statistics().reduce((sum, hart) => sum + hart.instructions, 0);
console.log(JSON.stringify({ console: text, exitCode, instructions, cycles: cycle }));
