// `emulate --gdb` on the command line: what it says, how it is ended, a generated image with its host behind it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assertRefused, cli, inFolder } from "./cli.ts";
import { findCompiler } from "./isa/compiler.ts";
import { writeElf } from "./isa/elf_writer.ts";
import { smallNetwork } from "./small_network.ts";
import { codeBase, op } from "./soc_program.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** A command with what it says on stderr, line by line. */
function serve(folder: string, image: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...[
        "run",
        "--quiet",
        "--allow-read",
        "--allow-net=127.0.0.1",
        "--no-prompt",
        "--config",
        path("../deno.json"),
      ],
      ...[path("../src/cli/main.ts"), "emulate", image, "--gdb", ":0"],
    ],
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines = child.stderr.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>);
  return { child, text: lines.getReader() };
}

/** Runs a client in a process of its own, which may use the network; gives what it prints. */
async function client(port: string, commands: readonly string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-net=127.0.0.1", path("gdb_raw_client.ts"), port, ...commands],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

async function readUntil(
  reader: ReadableStreamDefaultReader<string>,
  pattern: RegExp,
): Promise<RegExpExecArray> {
  for (let text = "";;) {
    const { value, done } = await reader.read();
    text += value ?? "";
    const match = pattern.exec(text);
    if (match) return match;
    assert.ok(!done, `${pattern} is not in: ${text}`);
  }
}

async function withProgram(work: (folder: string) => Promise<void>) {
  const bytes = new Uint8Array(Uint32Array.from(op("jal", { imm: 0 }), (word) => word >>> 0).buffer);
  const elf = writeElf({ entry: codeBase, segments: [{ address: codeBase, bytes }] });
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "p.elf"), elf);
    await work(folder);
  });
}

Deno.test("Ctrl-C at the server's side ends it with the state of each hart", () =>
  withProgram(async (folder) => {
    const { child, text } = serve(folder, "p.elf");
    const [, port] = await readUntil(text, /gdb: waiting on 127\.0\.0\.1:\d+; .* target remote :(\d+)/);
    assert.match(await client(port, ["?", "vCont;c", "leave"]), /^T05/);
    await readUntil(text, /the connection is gone; the machine stands still/);
    child.kill("SIGINT");
    await readUntil(text, /cycle \d+\nhart 0 +pc 0x80000000 [^]*hart 8 [^]*attoflow: interrupted/);
    assert.equal((await child.status).code, 130);
  }));

Deno.test("without the right to listen, or with a port that is taken, a sentence says so", () =>
  withProgram(async (folder) => {
    const refused = await cli(["emulate", "p.elf", "--gdb", ":0"], folder);
    assertRefused(refused, 2, /may not listen/, /--allow-net=127\.0\.0\.1/);
    const { child, text } = serve(folder, "p.elf");
    const [, port] = await readUntil(text, /target remote :(\d+)/);
    const second = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--allow-read", "--allow-net=127.0.0.1", "--no-prompt"],
        ...[
          "--config",
          path("../deno.json"),
          path("../src/cli/main.ts"),
          "emulate",
          "p.elf",
          "--gdb",
          `:${port}`,
        ],
      ],
      cwd: folder,
      stderr: "piped",
      stdout: "null",
    });
    const { code, stderr } = await second.output();
    assert.equal(code, 2);
    assert.match(
      new TextDecoder().decode(stderr),
      /^attoflow: --gdb :\d+: cannot listen: .* Name another port\.\n$/,
    );
    // Noise, and a line that breaks, do it no harm.
    await client(port, ["!noise", "leave"]);
    assert.match(await client(port, ["qC", "k"]), /^QC1/);
    assert.equal((await child.status).code, 1);
    await text.cancel();
  }));

Deno.test("a generated image runs its inference under the debugger", async () => {
  if (!await findCompiler("a generated image under the debugger")) return;
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "small.onnx"), smallNetwork());
    const generated = await cli(["generate", "small.onnx", "--out", "net"], folder);
    assert.equal(generated.status, 0, generated.stderr);
    const { symbols } = JSON.parse(await Deno.readTextFile(join(folder, "net/manifest.json")));
    const { child, text } = serve(folder, "net");
    const [, port] = await readUntil(text, /target remote :(\d+)/);
    const run = symbols.network_run.toString(16);
    const layers = symbols.network_layers.toString(16);
    const said = await client(port, [
      `Z0,${run},4`,
      "vCont;c",
      "monitor layer",
      `z0,${run},4`,
      `Z0,${layers},4`,
      "vCont;c",
      "monitor layer",
      `z0,${layers},4`,
      "D",
    ]);
    const answers = said.trimEnd().split("\n");
    assert.equal(answers[0], "OK");
    assert.match(answers[1], /^T05.*thread:1;/);
    assert.match(answers[2], /^0 inferences done, status running layer 0 of \d+: /);
    await readUntil(text, /inference 0: [\d ]+ cycles\n {2}output y \[4,4\] int8: 0, 0/);
    assert.equal((await child.status).code, 0);
    await text.cancel();
  });
});
