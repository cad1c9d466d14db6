// Names of tensors and nodes come from model files and may hold anything. This is how they are shown to people.

/** A name on one line, without control characters, of at most 60 characters. */
export function displayName(name: string): string {
  // deno-lint-ignore no-control-regex
  const line = name.replaceAll(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, "?");
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
