// Runs a command without a shell and collects what it says.

/** What a command printed and how it ended. */
export interface Answer {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs a command; undefined if there is no such command (or it may not be run). */
export async function run(
  command: string,
  args: readonly string[],
  cwd?: string,
): Promise<Answer | undefined> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args: [...args],
      cwd,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { LC_ALL: "C" },
    }).output();
    const decoder = new TextDecoder();
    return { code, output: decoder.decode(stdout), errors: decoder.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return undefined;
    }
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
