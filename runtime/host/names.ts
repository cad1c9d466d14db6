// Names of tensors and nodes come from model files and may hold anything. This is how they are shown to people.

/** A name on one line, without characters that steer a terminal, of at most 60 characters. */
export function displayName(name: string): string {
  // Control, format (such as right-to-left overrides), unassigned, and separators of lines and paragraphs.
  const line = name.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
