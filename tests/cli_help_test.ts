// Help, pipes that close early, and what a target prints.

import assert from "node:assert/strict";
import { commandsFor } from "../src/cli/commands.ts";
import { parseCommand } from "../src/cli/command.ts";
import { memoryMapLines } from "../src/cli/target.ts";
import { exitStatus } from "../src/cli/emulate_program.ts";
import { loadTarget } from "../targets/load.ts";
import { cliCommand, inFolder } from "./cli.ts";

/** What a command prints when it is asked for help. */
async function helpOf(args: readonly string[]): Promise<string> {
  let text = "";
  const asked = [...args, "--help"];
  const action = parseCommand(await commandsFor(asked), asked, (part) => text += part);
  assert.equal(action, undefined);
  return text;
}

const config = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
const names = ["demo", "setup", "generate", "analyze", "validate", "emulate", "bench", "target"];
const groups = { conformance: ["networks", "isa", "ita", "timing"] };

Deno.test("every command has help with an example that parses", async () => {
  const all = [...names.map((name) => [name]), ...groups.conformance.map((name) => ["conformance", name])];
  for (const words of all) {
    const text = await helpOf(words);
    assert.match(text, new RegExp(`Usage: deno task ${words.join(" ")}`));
    const examples = text.split("Examples:")[1].trim().split("\n").map((line) => line.trim());
    for (const example of examples) {
      assert.match(example, /^deno task /);
      const args = example.split(" ").slice(2);
      assert.equal(typeof parseCommand(await commandsFor(args), args, () => {}), "function", example);
    }
  }
});

Deno.test("help lists every command, and every command is a task with its own permissions", async () => {
  const text = await helpOf([]);
  for (const name of [...names, ...Object.keys(groups)]) {
    assert.match(text, new RegExp(`^ +${name} `, "m"), name);
    const { command } = config.tasks[name];
    assert.match(
      command,
      new RegExp(`^deno run (--v8-flags=\\S+ )?--allow-\\S+.* src/cli/main\\.ts ${name}$`),
    );
  }
  for (const { command } of Object.values(config.tasks) as { command: string }[]) {
    assert.doesNotMatch(command ?? "", / -A\b|--allow-all/);
  }
});

Deno.test("a reader that goes away early is no error", () =>
  inFolder(async (folder) => {
    const process = cliCommand(["--help"], folder).spawn();
    await process.stdout.cancel();
    const [{ code }, stderr] = await Promise.all([process.status, new Response(process.stderr).text()]);
    assert.equal(stderr, "");
    // The process may have written everything before the pipe closed.
    assert.ok(code === 141 || code === 0, `${code}`);
  }));

Deno.test("a memory map lists every memory and every peripheral in the order of addresses", async () => {
  for (const name of ["snitch-ita", "virt"]) {
    const target = await loadTarget(name);
    const lines = memoryMapLines(target).slice(1);
    const firsts = lines.map((line) => Number(line.split(" ")[0].replace("_", "")));
    assert.deepEqual(firsts, [...firsts].sort((a, b) => a - b));
    const aliases = target.memories.filter((memory) => memory.alias !== undefined).length;
    assert.equal(lines.length, target.memories.length + aliases + target.peripherals.length);
  }
});

Deno.test("exit codes beyond eight bits do not come out as success", () => {
  assert.deepEqual([0, 1, 255, 256, 0x1ff, -1].map(exitStatus), [0, 1, 255, 1, 255, 255]);
});
