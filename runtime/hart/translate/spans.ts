// Stretches of memory, and lists of them.

/** A stretch of memory: address, and bytes. */
export type Span = readonly [start: number, bytes: number];

/**
 * Joins spans that meet or overlap; sorted, without overlaps.
 *
 * @param apart addresses at which spans are not joined
 */
export function joinSpans(spans: readonly Span[], apart: readonly number[] = []): Span[] {
  const joined: [number, number][] = [];
  for (const [start, bytes] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = joined[joined.length - 1];
    if (last && start <= last[0] + last[1] && !(start === last[0] + last[1] && apart.includes(start))) {
      last[1] = Math.max(last[1], start + bytes - last[0]);
    } else joined.push([start, bytes]);
  }
  return joined;
}

/** Whether a span of memory touches any of the spans. */
export function touches(spans: readonly Span[], address: number, bytes: number): boolean {
  return spans.some(([start, length]) => start < address + bytes && address < start + length);
}
