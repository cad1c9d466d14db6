// A program for the nine harts whose timeline can be worked out by hand, and what tests of timelines have in common.

import assert from "node:assert/strict";
import { buildSoc } from "../runtime/host/build_soc.ts";
import type { Image, ImageSymbol } from "../runtime/image/types.ts";
import type { RunResult, Soc } from "../runtime/soc/soc.ts";
import { Tracer, type TracerOptions } from "../runtime/trace/tracer.ts";
import {
  barrier,
  cluster,
  codeBase,
  csrr,
  exit,
  hang,
  image,
  li,
  onlyHart,
  op,
  registers,
} from "./soc_program.ts";

const { zero, ra, t0, t1, a0, a1 } = registers;

/** Bytes that the DMA hart copies, and where. */
export const copied = { bytes: 2048, source: 0x8000_2000, destination: 0x1000_1000 };

/** All harts: a loop in `count`, called from `main`; hart 8 copies; all meet; hart 0 ends the program. */
export function tracedProgram(): Image {
  const count = [
    ...op("addi", { rd: a1, imm: 20 }),
    ...op("addi", { rd: a1, rs1: a1, imm: -1 }),
    ...op("bne", { rs1: a1, rs2: zero, imm: -4 }),
    ...op("jalr", { rd: zero, rs1: ra }),
  ];
  const main = [
    ...onlyHart(8, [
      ...li(t0, copied.source),
      ...op("dmsrc", { rs1: t0, rs2: zero }),
      ...li(t0, copied.destination),
      ...op("dmdst", { rs1: t0, rs2: zero }),
      ...li(t0, copied.bytes),
      ...op("dmcpyi", { rd: t1, rs1: t0, imm: 0 }),
      ...op("dmstati", { rd: t1, imm: 2 }),
      ...op("bne", { rs1: t1, rs2: zero, imm: -4 }),
    ]),
    ...op("addi", { rd: registers.a2, rs1: ra, imm: 0 }),
  ];
  const rest = [
    ...barrier,
    ...csrr(t0, "mhartid"),
    ...op("beq", { rs1: t0, rs2: zero, imm: 12 }),
    ...hang,
    ...op("addi", { rd: a0, imm: 0 }),
    ...exit,
  ];
  // The boot ROM leaves the start interrupt pending: with it, no wfi would wait.
  const start = op("csrrw", { rd: zero, rs1: zero, csr: 0x304 });
  const call = op("jal", { rd: ra, imm: 4 * (1 + rest.length) });
  const words = [...start, ...main, ...call, ...rest, ...count];
  const own = 4 * (words.length - count.length);
  const symbols: ImageSymbol[] = [
    { name: "main", address: codeBase, size: own, kind: "function" },
    { name: "count", address: codeBase + own, size: 4 * count.length, kind: "function" },
  ];
  return image(words, symbols);
}

/** A run under the eyes of a tracer. */
export interface TracedRun {
  readonly tracer: Tracer;
  readonly soc: Soc;
  readonly result: RunResult;
}

/** Runs an image on the cluster and records it. */
export function traced(
  program: Image,
  options: Partial<TracerOptions>,
  maxCycles = 5_000_000,
): TracedRun {
  const tracer = new Tracer({ target: cluster, image: program, program: "test", ...options });
  const soc = buildSoc(cluster, { observer: tracer.observer });
  soc.load(program);
  const result = soc.run({ maxCycles });
  tracer.finish();
  return { tracer, soc, result };
}

/** A span as the file has it. */
export interface TraceEvent {
  readonly ph: string;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly name: string;
  readonly args?: Record<string, unknown>;
}

/** A trace file, read again and checked. */
export interface CheckedTrace {
  readonly otherData: Record<string, unknown>;
  /** Spans of each track, by the track's name, in order. */
  readonly tracks: ReadonlyMap<string, TraceEvent[]>;
  /** How deep spans lie in each other at most. */
  readonly depth: number;
}

/** Checks a trace file: JSON, names for all tracks, spans in order of time, apart or one in another. */
export function checkTrace(text: string): CheckedTrace {
  const { traceEvents, otherData, displayTimeUnit } = JSON.parse(text);
  assert.equal(displayTimeUnit, "ns");
  const names = new Map<number, string>();
  const tracks = new Map<string, TraceEvent[]>();
  for (const event of traceEvents as (TraceEvent & { args: { name: string } })[]) {
    if (event.ph !== "M" || event.name !== "thread_name") continue;
    names.set(event.tid, event.args.name);
    tracks.set(event.args.name, []);
  }
  for (const event of traceEvents as TraceEvent[]) {
    if (event.ph !== "X") continue;
    assert.ok(Number.isInteger(event.ts) && event.ts >= 0 && Number.isInteger(event.dur) && event.dur > 0);
    assert.ok(event.ts + event.dur <= Number(otherData.cycles) + 2, `${event.name} ends behind the run`);
    tracks.get(names.get(event.tid)!)!.push(event);
  }
  let depth = 0;
  for (const [name, events] of tracks) {
    const open: number[] = [];
    let last = 0;
    for (const { ts, dur } of events) {
      assert.ok(ts >= last, `${name}: spans go by time`);
      last = ts;
      while (open.length > 0 && open[open.length - 1] <= ts) open.pop();
      const end = open[open.length - 1] ?? Infinity;
      assert.ok(ts + dur <= end, `${name}: a span at ${ts} lies across the end of another at ${end}`);
      open.push(ts + dur);
      depth = Math.max(depth, open.length);
    }
  }
  return { otherData, tracks, depth };
}

/** The whole text of a tracer's file. */
export function fileText(tracer: Tracer, note?: string): string {
  return [...tracer.file(note)!].join("");
}
