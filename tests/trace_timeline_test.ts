// Timelines: what is on the tracks, that watching changes nothing, and the file that they become.

import assert from "node:assert/strict";
import { join } from "node:path";
import { buildSoc } from "../runtime/host/build_soc.ts";
import { readElf } from "../runtime/image/elf.ts";
import { chromeTrace } from "../runtime/trace/chrome.ts";
import { PendingFile } from "../runtime/trace/file.ts";
import { Timeline } from "../runtime/trace/timeline.ts";
import { AttoflowError } from "../targets/errors.ts";
import { inFolder, namesIn } from "./cli.ts";
import { findCompiler } from "./isa/compiler.ts";
import { cluster } from "./soc_program.ts";
import { checkTrace, copied, fileText, traced, tracedProgram } from "./trace_program.ts";

Deno.test("a timeline shows functions in each other, waits and transfers", () => {
  const { tracer, soc, result } = traced(tracedProgram(), { timeline: true });
  assert.equal(result.exitCode, 0);
  const { tracks, otherData } = checkTrace(fileText(tracer));
  assert.equal(otherData.cycles, soc.cycle);
  assert.deepEqual([...tracks.keys()], [
    "DMA",
    "ita",
    ...Array.from({ length: 8 }, (_, hart) => `hart ${hart} worker`),
    "hart 8 dma",
  ]);
  for (let hart = 0; hart < 9; hart++) {
    const events = tracks.get(hart < 8 ? `hart ${hart} worker` : "hart 8 dma")!;
    const [main, ...inner] = events;
    assert.equal(main.name, "main");
    assert.equal(main.ts + main.dur, soc.cycle, "main never returns");
    assert.deepEqual(
      inner.map(({ name }) => name).slice(0, 2),
      hart === 8 ? ["count", "wfi"] : ["count", "barrier"],
      "hart 8 comes last: it waits for nobody",
    );
    const count = inner[0];
    // 20 rounds of two instructions, the first and the return; fetches come on top.
    assert.ok(count.dur >= 42 && count.dur < 120, `hart ${hart}: ${count.dur}`);
    if (hart < 8) assert.ok(inner[1].ts > count.ts + count.dur, "the barrier is behind the call");
    if (hart > 0) assert.equal(inner.at(-1)!.name, "wfi", "all but the one that ends the program sleep");
  }
  // Whoever waits at the barrier goes on in the same cycle as all the others.
  const ends = [0, 1, 2, 3, 4, 5, 6, 7].map((hart) => {
    const wait = tracks.get(`hart ${hart} worker`)!.find(({ name }) => name === "barrier")!;
    return wait.ts + wait.dur;
  });
  assert.equal(new Set(ends).size, 1);

  const [transfer, ...more] = tracks.get("DMA")!;
  assert.deepEqual(more, []);
  assert.equal(transfer.name, "l2 → tcdm");
  assert.equal(transfer.args!.bytes, copied.bytes);
  assert.equal(transfer.args!.source, "0x80002000");
  assert.equal(transfer.args!.cycles, transfer.dur);
  assert.equal(transfer.args!.microseconds, Math.round(transfer.dur * 1e9 / 425e6) / 1000);
  // 32 beats of 64 bytes, and the way there.
  assert.ok(transfer.dur >= 32 && transfer.dur < 60, `${transfer.dur}`);
});

for (const program of ["barrier", "counters", "dma", "wakeup"]) {
  Deno.test(`watching changes nothing: nine harts, ${program}`, async () => {
    const compiler = await findCompiler(`watching ${program}`);
    if (!compiler) return;
    const elf = await compiler.build("cluster", ["start.S", `${program}.c`]);
    const image = readElf(elf, program);
    const plain = buildSoc(cluster);
    plain.load(image);
    plain.run({ maxCycles: 5_000_000, limitIsFault: true });
    const { tracer, soc } = traced(image, { timeline: true, profile: true });
    assert.equal(soc.cycle, plain.cycle);
    // What stalls are called may differ; that there are as many cycles and instructions, may not.
    const essence = (each: typeof soc) =>
      each.statistics().map((
        { hart, cycles, instructions, pc, activity },
      ) => [hart, cycles, instructions, pc, activity]);
    assert.deepEqual(essence(soc), essence(plain));
    const { depth } = checkTrace(fileText(tracer));
    assert.ok(depth >= 2, "functions lie in each other");
  });
}

Deno.test("a full timeline ends early, says so, and is whole up to there", () => {
  const { tracer } = traced(tracedProgram(), { timeline: true, spanLimit: 6 });
  const text = fileText(tracer, "interrupted");
  const { otherData, tracks } = checkTrace(text);
  assert.match(String(otherData.cut), /^the trace ends at cycle \d+/);
  assert.equal(otherData.note, "interrupted");
  assert.equal(tracer.note(), otherData.cut);
  const mains = [...tracks.values()].flat().filter(({ name }) => name === "main");
  assert.equal(mains.length, 9, "what was under way is there, up to the cut");
  const cut = Number(/\d+/.exec(String(otherData.cut)));
  for (const { ts, dur } of mains) assert.ok(ts + dur <= cut + 2);
  const whole = traced(tracedProgram(), { timeline: true }).tracer;
  assert.equal(whole.note(), undefined);
});

Deno.test("names from models cannot break the file", () => {
  const timeline = new Timeline(), nasty = '"},\n\u0000\u2028]}';
  timeline.add(timeline.addTrack(nasty), timeline.nameNumber(nasty), 1, 2, { [nasty]: nasty });
  const text = [...chromeTrace(timeline, { target: cluster, program: nasty, cycles: 2, note: nasty })].join(
    "",
  );
  const [event] = checkTrace(text).tracks.get(nasty)!;
  assert.equal(event.name, nasty);
  assert.deepEqual(event.args, { [nasty]: nasty });
});

Deno.test("a pending file is whole or not there", () =>
  inFolder(async (folder) => {
    const path = join(folder, "t.json");
    const first = new PendingFile(path);
    assert.ok(!(await namesIn(folder)).includes("t.json"));
    first.discard();
    assert.deepEqual(await namesIn(folder), []);

    await Deno.writeTextFile(path, "before");
    const second = new PendingFile(path);
    assert.equal(await Deno.readTextFile(path), "before");
    second.commit(["one ", "two"]);
    second.discard();
    assert.equal(await Deno.readTextFile(path), "one two");
    assert.deepEqual(await namesIn(folder), ["t.json"]);

    const third = new PendingFile(path);
    function* failing() {
      yield "half";
      throw new Error("no more");
    }
    assert.throws(() => third.commit(failing()), AttoflowError);
    assert.equal(await Deno.readTextFile(path), "one two");
    assert.deepEqual(await namesIn(folder), ["t.json"]);

    for (const bad of [folder, join(folder, "no/such/t.json")]) {
      assert.throws(() => new PendingFile(bad), /AttoflowError|cannot be written/);
    }
    assert.deepEqual(await namesIn(folder), ["t.json"]);
  }));
