// Writes a timeline in Chrome's trace event format, which ui.perfetto.dev and chrome://tracing open. The format's
// unit is the microsecond; here it stands for one cycle, so that nothing is rounded.

import type { Target } from "../../targets/schema.ts";
import type { Timeline } from "./timeline.ts";

/** The one process of the trace. */
const pid = 1;
/** Characters of a piece of the file. */
const pieceLength = 1 << 16;

/** What the file says of itself beside the spans. */
export interface TraceNotes {
  readonly target: Target;
  /** What was run. */
  readonly program: string;
  /** Cycles of the whole run. */
  readonly cycles: number;
  /** What else a reader should know, such as where the run was broken off. */
  readonly note?: string;
}

/** What a person must be told of a timeline that is not whole; undefined if it is. */
export function cutNote({ cutAt, count }: Timeline): string | undefined {
  return cutAt === undefined
    ? undefined
    : `the trace ends at cycle ${cutAt}: it holds ${count} spans, and more would make the file too large`;
}

/**
 * The file, in pieces.
 *
 * @returns pieces of JSON text; in each track the events go by time, enclosing ones first
 */
export function* chromeTrace(timeline: Timeline, notes: TraceNotes): Generator<string> {
  const { name, clock } = notes.target;
  const cut = cutNote(timeline);
  const scale = `1 µs here is 1 cycle, ${round(1e9 / clock.hertz)} ns at ${round(clock.hertz / 1e6)} MHz`;
  const otherData = {
    program: notes.program,
    target: name,
    hertz: clock.hertz,
    unit: "cycles",
    cycles: notes.cycles,
    ...(notes.note ? { note: notes.note } : {}),
    ...(cut ? { cut } : {}),
  };
  const events: unknown[] = [meta("process_name", 0, { name: `${notes.program} on ${name} (${scale})` })];
  for (const [track, { name }] of timeline.tracks.entries()) {
    events.push(
      meta("thread_name", track + 1, { name }),
      meta("thread_sort_index", track + 1, { sort_index: track }),
    );
  }
  if (cut) events.push({ ph: "i", s: "g", pid, tid: 1, ts: timeline.cutAt, name: cut });
  let text = `{"displayTimeUnit":"ns","otherData":${JSON.stringify(otherData)},"traceEvents":[\n` +
    events.map((event) => JSON.stringify(event)).join(",\n");
  for (const { track, name, start, end, details } of timeline.spans()) {
    const event = { ph: "X", pid, tid: track + 1, ts: start, dur: end - start, name, args: details };
    text += `,\n${JSON.stringify(event)}`;
    if (text.length < pieceLength) continue;
    yield text;
    text = "";
  }
  yield `${text}\n]}\n`;
}

function meta(name: string, tid: number, args: Record<string, string | number>) {
  return { ph: "M", pid, tid, name, args };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
