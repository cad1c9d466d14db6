// How things are called before people: harts, and tensors and nodes, whose names come from model files and may hold
// anything.

/** A name on one line, without characters that steer a terminal, of at most 60 characters. */
export function displayName(name: string): string {
  // Control, format (such as right-to-left overrides), unassigned, and separators of lines and paragraphs.
  const line = name.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

/** What a hart is called: `hart 3 worker`, `hart 8 dma`. */
export function hartName(hart: number, workers: number): string {
  return `hart ${hart} ${hart < workers ? "worker" : "dma"}`;
}
