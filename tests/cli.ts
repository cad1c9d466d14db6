// Runs the command line as a person does, in a process and a folder of its own.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

/** How a command ended. */
export interface CliResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const main = new URL("../src/cli/main.ts", import.meta.url);
const config = new URL("../deno.json", import.meta.url);

/** The process of a command; stdout and stderr are pipes. `env` goes on top of our own environment. */
export function cliCommand(
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Deno.Command {
  const permissions = ["--allow-read", "--allow-write", "--allow-run", "--allow-env", "--no-prompt"];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...permissions, "--config", fileURLToPath(config), fileURLToPath(main), ...args],
    cwd,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs a command to its end. */
export async function cli(
  args: readonly string[],
  cwd: string,
  env?: Record<string, string>,
): Promise<CliResult> {
  const { code, stdout, stderr } = await cliCommand(args, cwd, env).output();
  const decoder = new TextDecoder();
  return { status: code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/**
 * Asserts that a command refuses: the status, nothing on stdout, and one paragraph on stderr behind the lines about
 * inputs, in which every pattern is found.
 */
export function assertRefused(result: CliResult, status: number, ...patterns: RegExp[]) {
  const lines = result.stderr.trimEnd().split("\n").filter((line) => !line.startsWith("input "));
  assert.equal(lines.length, 1, result.stderr);
  assert.match(lines[0], /^attoflow: /);
  assert.doesNotMatch(result.stderr, /\bat .*:\d+:\d+|this is a bug/);
  for (const pattern of patterns) assert.match(lines[0], pattern);
  assert.equal(result.status, status, result.stderr);
  assert.equal(result.stdout, "");
}

/** Runs a test in a new empty folder, which goes away. */
export async function inFolder(work: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "attoflow-test-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Names of everything in a folder, hidden or not, in order. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name)).sort();
}
