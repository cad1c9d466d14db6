// Random rv32ima programs give the same registers, memory and traps on QEMU and on the emulator.

import assert from "node:assert/strict";
import { decode } from "../../runtime/hart/encoding.ts";
import { disassemble } from "../../runtime/hart/disassemble.ts";
import { instructions } from "../../runtime/hart/instructions.ts";
import { runEmulator } from "./emulator.ts";
import { makeSequence } from "./generator.ts";
import { type Item, leavingInstructions } from "./items.ts";
import { minimise } from "./minimise.ts";
import { findQemu, runQemu } from "./qemu.ts";
import { Random } from "./random.ts";
import { buildProgram, comparedNames, type Sequence, wordsOf } from "./random_program.ts";

/** Sequences in a program, and items at the top of each sequence. */
const size = { sequences: 200, items: 300 };

function sequenceOf(seed: number): Sequence {
  const random = new Random(seed);
  const user = random.oneIn(4);
  return {
    seed,
    user,
    items: makeSequence(random, size.items, { misaligned: true, standard: true, reservations: true }),
  };
}

function program(firstSeed: number): Sequence[] {
  return Array.from({ length: size.sequences }, (_, i) => sequenceOf(firstSeed + i));
}

Deno.test("random programs hold every instruction of rv32ima", () => {
  const seen = new Set<string>();
  for (const sequence of program(1).slice(0, 50)) {
    for (const { word } of wordsOf(sequence)) seen.add(decode(word)?.name ?? "illegal");
  }
  const expected = instructions.filter((i) => i.extension !== "Xdma").map((i) => i.name)
    .filter((name) => !leavingInstructions.includes(name));
  assert.deepEqual([...expected, "illegal"].filter((name) => !seen.has(name)), []);
});

// Seeds are fixed, so that a failure here is a failure everywhere. ATTOFLOW_SEED starts elsewhere.
const firstSeed = Number(Deno.env.get("ATTOFLOW_SEED") ?? 1);

for (let batch = 0; batch < 4; batch++) {
  const seed = firstSeed + batch * size.sequences;
  Deno.test(`random programs ${seed} … ${seed + size.sequences - 1} agree with QEMU`, async () => {
    if (!await findQemu("the differential test")) return;
    const sequences = program(seed);
    const elf = buildProgram(sequences, false);
    const [ours, theirs] = [await runEmulator(elf), await runQemu(elf)];
    const expected = theirs.console.trimEnd().split("\n");
    assert.equal(expected.length, sequences.length, "QEMU ran all sequences");
    const got = ours.console.trimEnd().split("\n");
    const first = sequences.findIndex((_, i) => got[i] !== expected[i]);
    if (first >= 0) assert.fail(await explain(sequences[first]));
    assert.deepEqual([ours.exitCode, theirs.exitCode], [0, 0]);
    assert(ours.instructions > 250 * size.sequences, `only ${ours.instructions} instructions`);
    console.log(`${ours.instructions} instructions agree`);
  });
}

/** A failing sequence made small, with its code and what differs in the end. */
async function explain(sequence: Sequence): Promise<string> {
  const runBoth = async (items: Item[]) => {
    const elf = buildProgram([{ ...sequence, items }], true);
    const theirs = await runQemu(elf);
    const ours = await runEmulator(elf);
    return { ours: ours.console.split("\n"), theirs: theirs.console.split("\n") };
  };
  const items = await minimise(sequence.items, async (items) => {
    const { ours, theirs } = await runBoth(items);
    return ours.join() !== theirs.join();
  });
  const { ours, theirs } = await runBoth(items);
  const listing = wordsOf({ ...sequence, items }).map(({ address, word }) =>
    `  ${address.toString(16)}  ${word.toString(16).padStart(8, "0")}  ${disassemble(word, address)}`
  );
  const differences = comparedNames.flatMap((name, i) =>
    ours[i] === theirs[i]
      ? []
      : [`  ${name}: emulator ${ours[i] ?? "nothing"}, QEMU ${theirs[i] ?? "nothing"}`]
  );
  const mode = sequence.user ? "user" : "machine";
  return [`seed ${sequence.seed} (${mode} mode) differs from QEMU:`, ...listing, ...differences].join("\n");
}
