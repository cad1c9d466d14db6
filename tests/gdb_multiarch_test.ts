// Debian's gdb-multiarch debugs a compiled program on nine harts through `emulate --gdb`, as a person would.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inFolder } from "./cli.ts";
import { findCompiler } from "./isa/compiler.ts";

const gdb = "gdb-multiarch";

async function hasGdb(what: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(gdb, { args: ["--version"], stdout: "null" }).output();
    if (success) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  console.log(`skipped: ${what}: ${gdb} is not installed (Debian: apt-get install gdb-multiarch)`);
  return false;
}

/** What GDB and the emulator said, and how the emulator ended. */
interface Debugged {
  readonly said: string;
  readonly status: number;
  readonly server: string;
}

/** The text that a stream gives until a pattern is found in it, and what comes later. */
class Transcript {
  text = "";
  readonly whole: Promise<string>;
  #wake: () => void = () => {};
  #isEnded = false;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.whole = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<string> {
    for await (
      const piece of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    ) {
      this.text += piece;
      this.#wake();
    }
    this.#isEnded = true;
    this.#wake();
    return this.text;
  }

  async find(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.text);
      if (match) return match;
      assert.ok(!this.#isEnded, `${pattern} is not in: ${this.text}`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

/**
 * Builds the program, serves it and lets GDB work through commands.
 *
 * @param during is called while GDB works
 */
async function debug(
  what: string,
  options: string[],
  commands: string[],
  during: (gdb: Deno.ChildProcess, said: Transcript) => Promise<void> = async () => {},
): Promise<Debugged | undefined> {
  const compiler = await findCompiler(what);
  if (!compiler || !await hasGdb(what)) return undefined;
  const elf = await compiler.build("cluster", ["start.S", "../../gdb_program/nine_harts.c"], [
    "-g",
    "-O1",
    ...options,
  ]);
  let result: Debugged | undefined;
  await inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "p.elf"), elf);
    const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
    const server = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--allow-read", "--allow-net=127.0.0.1", "--no-prompt"],
        ...["--config", path("../deno.json"), path("../src/cli/main.ts"), "emulate", "p.elf", "--gdb", ":0"],
      ],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const served = new Transcript(server.stderr);
    try {
      const [, port] = await served.find(/target remote :(\d+)/);
      const script = [
        "set confirm off",
        "set pagination off",
        "set width 0",
        `target remote :${port}`,
        ...commands,
      ];
      await Deno.writeTextFile(join(folder, "script"), script.map((line) => `${line}\n`).join(""));
      const child = new Deno.Command(gdb, {
        args: ["-q", "-nx", "-batch", "-x", "script", "p.elf"],
        cwd: folder,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const said = new Transcript(child.stdout), errors = new Transcript(child.stderr);
      await during(child, said);
      await child.status;
      const { code } = await server.status;
      result = { said: await said.whole + await errors.whole, status: code, server: await served.whole };
    } finally {
      try {
        server.kill("SIGKILL");
      } catch {
        // It has ended by itself, as it should.
      }
      await server.status;
    }
  });
  return result;
}

/** Asserts that patterns come one behind the other. */
function inOrder(text: string, patterns: readonly RegExp[]): void {
  let at = 0;
  for (const pattern of patterns) {
    const match = pattern.exec(text.slice(at));
    assert.ok(match, `${pattern} does not come behind ${text.slice(Math.max(0, at - 300), at)} in ${text}`);
    at += match.index + match[0].length;
  }
}

Deno.test("gdb-multiarch: threads, breakpoints, stack, steps, variables, registers, exit", async () => {
  const result = await debug("debugging nine harts", [], [
    "info threads",
    "break work if hart == 3",
    "continue",
    "backtrace",
    "print hart",
    "print/x $mcause",
    "print $mcycle > 0 && $minstret > 0",
    "set var hart = 6",
    "print hart",
    "set var hart = 3",
    "tbreak square",
    "set scheduler-locking on",
    "continue",
    "finish",
    "stepi",
    "nexti",
    "x/i $pc",
    "print square(12)",
    "next",
    "info registers pc sp a0",
    "set scheduler-locking off",
    "delete",
    "thread 9",
    "break move",
    "continue",
    "watch moved[1]",
    "continue",
    "print moved",
    "monitor dma",
    "monitor harts",
    "delete",
    "x/2wx 0x40000000",
    // GDB ends a script at an error; what follows comes from another one.
  ]);
  if (!result) return;
  inOrder(result.said, [
    /Thread 1 "hart 0 worker"/,
    /Thread 4 "hart 3 worker"/,
    /Thread 9 "hart 8 dma"/,
    /Breakpoint 1 at/,
    /Thread 4 "hart 3 worker" hit Breakpoint 1, work \(hart=(hart@entry=)?3\)/,
    /#0 +work \(hart=(hart@entry=)?3\)/,
    /#1 .* in main \(hart=(hart@entry=)?3\)/,
    /\$1 = 3\n/,
    /\$2 = 0x80000013\n/,
    /\$3 = 1\n/,
    /\$4 = 6\n/,
    /Thread 4 "hart 3 worker" hit Temporary breakpoint 2, square \(value=(value@entry=)?-1\)/,
    /Value returned is \$5 = 1\n/,
    /=> 0x8000[0-9a-f]+ <work\+\d+>:/,
    /\$6 = 144\n/,
    /pc +0x8000[0-9a-f]+/,
    /Thread 9 "hart 8 dma" hit Breakpoint 3, move \(\)/,
    /Hardware watchpoint 4: moved\[1\]/,
    /Old value = 0\nNew value = 22\n/,
    /\$7 = \{11, 22, 33, 44\}/,
  ]);
  assert.match(result.said, /the DMA engine or the accelerator writes 0x8000/);
  assert.match(result.said, /transfers done/);
  assert.match(result.said, /hart 0 worker: (at|waits)/);
  assert.match(result.said, /Cannot access memory at address 0x40000000/);
  // GDB lets go at its end, and the program runs to its own.
  assert.equal(result.status, 42, result.server);
});

Deno.test("gdb-multiarch: a fault stops with its signal, hart and line; monitor reset begins anew", async () => {
  const result = await debug("debugging a fault", ["-DGOES_WRONG"], [
    "continue",
    "backtrace 1",
    "info registers pc",
    "monitor reset",
    "maintenance flush register-cache",
    "tbreak go_wrong",
    "continue",
    "kill",
  ]);
  if (!result) return;
  inOrder(result.said, [
    /Thread 6 "hart 5 worker" received signal SIGSEGV/,
    /#0 .*go_wrong \(hart=(hart@entry=)?5\)/,
    /pc +0x8000[0-9a-f]+\s.*<go_wrong/,
    /hit Temporary breakpoint 1, go_wrong/,
    /killed/,
  ]);
  // What the server says comes on another stream of GDB's.
  const place =
    /hart 5, pc 0x8000[0-9a-f]+ \(go_wrong.*stores to 0x40000000, where there is neither memory nor/;
  assert.match(result.said, place);
  assert.match(result.said, /^reset/m);
  assert.equal(result.status, 1);
  assert.match(result.server, /gdb: killed by the client/);
});

Deno.test("gdb-multiarch: Ctrl-C stops a program that runs", async () => {
  const result = await debug(
    "interrupting a program",
    ["-DSPINS"],
    ["echo going\\n", "continue", "backtrace 1", "monitor cycles", "kill"],
    async (child, said) => {
      await said.find(/going/);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      child.kill("SIGINT");
    },
  );
  if (!result) return;
  inOrder(result.said, [/received signal SIGINT/, /#0 .*spin \(\)/, /killed/]);
  assert.match(result.said, /^cycle \d+, \d/m);
});
