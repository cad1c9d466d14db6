// Writing to the terminal or the pipe: lines and NDJSON on stdout, everything about the run itself on stderr.

const encoder = new TextEncoder();

/** stdout has no reader any more (`… | head`): there is nothing left to do, and nothing to complain about. */
export class OutputClosed extends Error {
  override name = "OutputClosed";
}

/** Exit status of a program that SIGPIPE ends, as shells report it. */
export const outputClosedStatus = 141;

/** Prints text as it is. Throws {@link OutputClosed} if nobody reads any more. */
export function write(text: string): void {
  writeAll(Deno.stdout, text);
}

/** Prints lines. Throws {@link OutputClosed} if nobody reads any more. */
export function print(...lines: readonly string[]): void {
  if (lines.length > 0) write(`${lines.join("\n")}\n`);
}

/** Prints an object as one line of JSON. */
export function printJson(object: unknown): void {
  print(JSON.stringify(object));
}

/** Says something about the run that is no result: on stderr. A closed stderr is nobody's loss. */
export function say(...lines: readonly string[]): void {
  if (lines.length === 0) return;
  try {
    writeAll(Deno.stderr, `${lines.join("\n")}\n`);
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error;
  }
}

/** Lines of a table: columns are padded to their widest cell; those named in `right` are flushed right. */
export function tableLines(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  return rows.map((row) =>
    row.map((cell, i) => right.includes(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  ")
      .trimEnd()
  );
}

/** 1234567 as `1 234 567`. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 }).replaceAll(",", " ");
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new OutputClosed("stdout is closed");
    throw error;
  }
}
