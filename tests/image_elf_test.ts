// ELF reader: what a good file gives, and that no damaged file gives anything but one of our errors.

import assert from "node:assert/strict";
import { readElf } from "../runtime/image/elf.ts";
import { describeAddress, findSymbol, symbolAt } from "../runtime/image/symbols.ts";
import type { Image } from "../runtime/image/types.ts";
import { AttoflowError } from "../targets/errors.ts";
import { contentsOf, writeElf } from "./isa/elf_writer.ts";
import { Random } from "./isa/random.ts";
import { sharedPath } from "./shared.ts";

const code = Uint8Array.from({ length: 64 }, (_, i) => i);
const sample = writeElf({
  entry: 0x8000_0008,
  segments: [
    { address: 0x8000_0000, bytes: code, flags: 5 },
    { address: 0x8000_1000, bytes: Uint8Array.of(1, 2, 3), memorySize: 0x100, flags: 6 },
  ],
  symbols: [
    { name: "main", address: 0x8000_0010, size: 16, kind: "function" },
    { name: "inside", address: 0x8000_0018 },
    { name: "_start", address: 0x8000_0000 },
    { name: "tail", address: 0x8000_0030 },
    { name: "table", address: 0x8000_1000, size: 3, kind: "object" },
    { name: "stack_size", address: 0x400, kind: "absolute" },
  ],
});

function refused(bytes: Uint8Array, pattern: RegExp): void {
  assert.throws(() => readElf(bytes, "x.elf"), (error) => {
    assert(error instanceof AttoflowError, `${error}`);
    assert.match(error.paragraph, pattern);
    assert.match(error.paragraph, /^x\.elf: /);
    assert(error.hint, "an error says what to do");
    return true;
  });
}

/** The sample with a 32-bit or, below 0x10000, a 16-bit field changed. */
function patched(offset: number, value: number, bits: 8 | 16 | 32): Uint8Array {
  const copy = sample.slice();
  const view = new DataView(copy.buffer);
  if (bits === 8) view.setUint8(offset, value);
  else if (bits === 16) view.setUint16(offset, value, true);
  else view.setUint32(offset, value, true);
  return copy;
}

Deno.test("ELF: segments, entry and symbols come out as they went in", () => {
  const image = readElf(sample, "x.elf");
  assert.equal(image.entry, 0x8000_0008);
  assert.deepEqual(image.segments.map((s) => [s.address, s.bytes.length, s.memorySize, s.flags]), [
    [0x8000_0000, 64, 64, 5],
    [0x8000_1000, 3, 0x100, 6],
  ]);
  assert.deepEqual([...image.segments[0].bytes], [...code]);
  assert.deepEqual(image.symbols.map((s) => [s.name, s.kind, s.address, s.size]), [
    ["stack_size", "absolute", 0x400, 0],
    ["_start", "label", 0x8000_0000, 0],
    ["main", "function", 0x8000_0010, 16],
    ["inside", "label", 0x8000_0018, 0],
    ["tail", "label", 0x8000_0030, 0],
    ["table", "object", 0x8000_1000, 3],
  ]);
  assert.deepEqual(readElf(writeElf(contentsOf(image)), "again"), image);
});

Deno.test("ELF: an address has the name of the function, label or object that it is in", () => {
  const image = readElf(sample, "x.elf");
  const name = (address: number) => describeAddress(image, address);
  assert.equal(name(0x8000_0000), "_start");
  assert.equal(name(0x8000_000c), "_start+0xc");
  assert.equal(name(0x8000_001c), "main+0xc", "a label inside a function does not hide the function");
  assert.equal(name(0x8000_0024), "?", "behind the end of main nothing is known");
  assert.equal(name(0x8000_0034), "tail+0x4");
  assert.equal(name(0x8000_1002), "table+0x2");
  assert.equal(name(0x8000_1003), "?");
  assert.equal(name(0x404), "?", "an absolute symbol is a number");
  assert.equal(describeAddress(undefined, 0x8000_0000), "?");
  assert.equal(symbolAt(image, 0x9000_0000), undefined);
  assert.equal(findSymbol(image, "table")?.address, 0x8000_1000);
  assert.equal(findSymbol(image, "tab"), undefined);
});

Deno.test("ELF: every field that is wrong has an error of its own", () => {
  const sectionsAt = new DataView(sample.buffer).getUint32(32, true);
  const symtab = sectionsAt + 40 * 3;
  refused(new Uint8Array(0), /no ELF file/);
  refused(new TextEncoder().encode("#!/bin/sh\n".repeat(20)), /no ELF file/);
  refused(sample.slice(0, 40), /ends inside its ELF header/);
  refused(patched(4, 2, 8), /64-bit/);
  refused(patched(5, 2, 8), /little endian/);
  refused(patched(6, 7, 8), /version/);
  refused(patched(16, 1, 16), /an object file, not an executable/);
  refused(patched(16, 3, 16), /position independent.*-static/);
  refused(patched(18, 62, 16), /machine 62, not RISC-V/);
  refused(patched(24, 0x8000_000a, 32), /not aligned.*rv32ima/);
  refused(patched(24, 0x8000_1000, 32), /entry point 0x80001000 is in a segment without code/);
  refused(patched(24, 0x1000, 32), /entry point 0x00001000 is in no segment/);
  refused(patched(28, 0xffff_0000, 32), /program header table takes bytes/);
  refused(patched(42, 56, 16), /program header table has entries of 56/);
  refused(patched(44, 0, 16), /nothing to load/);
  refused(patched(44, 0xffff, 16), /program header table takes/);
  refused(patched(52 + 4, 0xffff_fff0, 32), /program header 0 takes bytes/);
  refused(patched(52 + 16, 65, 32), /65 bytes in the file but only 64/);
  refused(patched(52 + 20, 0xf000_0000, 32), /beyond the 32-bit address space/);
  refused(patched(52 + 20, 0x2000, 32), /segments at 0x80000000 and 0x80001000 overlap/);
  refused(patched(32, 0xffff_fff0, 32), /section header table takes/);
  refused(patched(46, 64, 16), /section header table has entries of 64/);
  refused(patched(48, 0xff00, 16), /section header table takes/);
  refused(patched(symtab + 16, 0x7fff_ffff, 32), /section 3 takes bytes/);
  refused(patched(symtab + 24, 77, 32), /names section 77 as its strings/);
  refused(patched(symtab + 24, 1, 32), /names section 1 as its strings/);
  refused(patched(symtab + 36, 24, 32), /entries of 24 bytes/);
  const firstSymbol = new DataView(sample.buffer).getUint32(symtab + 16, true) + 16;
  refused(patched(firstSymbol, 0xffff, 32), /name at 65535 does not end/);
  refused(patched(firstSymbol + 8, 0xf000_0000, 32), /symbol main .* ends beyond/);
  refused(patched(firstSymbol + 14, 99, 16), /in section 99 of 5/);
});

Deno.test("ELF: a memory size of gigabytes costs nothing to read", () => {
  const image = readElf(
    writeElf({ entry: 0, segments: [{ address: 0, bytes: code, memorySize: 0xffff_ffff }] }),
    "x.elf",
  );
  assert.equal(image.segments[0].memorySize, 0xffff_ffff);
  assert.equal(image.segments[0].bytes.length, 64);
});

Deno.test("ELF: names that all share one long string are refused, not multiplied", () => {
  const long = "n".repeat(50_000);
  const symbols = Array.from({ length: 5000 }, (_, i) => ({ name: i ? "" : long, address: 0 }));
  const bytes = writeElf({ entry: 0, segments: [{ address: 0, bytes: code }], symbols });
  const view = new DataView(bytes.buffer);
  const table = view.getUint32(view.getUint32(32, true) + 40 * 2 + 16, true);
  for (let i = 0; i < 5000; i++) view.setUint32(table + 16 * (i + 1), 1 + i, true);
  refused(bytes, /overlap absurdly/);
});

Deno.test("ELF: control characters in a name do not reach the terminal", () => {
  const symbols = [{ name: "a\x1b[2Jb", address: 0 }];
  const image = readElf(writeElf({ entry: 0, segments: [{ address: 0, bytes: code }], symbols }), "x");
  assert.equal(image.symbols[0].name, "a?[2Jb");
});

Deno.test("ELF: a stripped file has no symbols", () => {
  const stripped = patched(48, 0, 16);
  assert.deepEqual(readElf(stripped, "x.elf").symbols, []);
});

Deno.test("ELF: random damage gives an image or one of our errors", () => {
  const compiled = sharedPath("data/cluster-timing/sys.elf");
  const originals = compiled ? [sample, Deno.readFileSync(compiled)] : [sample];
  for (const original of originals) {
    const random = new Random(1);
    let refusals = 0;
    for (let round = 0; round < 3000; round++) {
      const damagedFile = damage(original, random);
      let image: Image;
      try {
        image = readElf(damagedFile, "fuzz");
      } catch (error) {
        assert(error instanceof AttoflowError, `round ${round}: ${(error as Error).stack}`);
        refusals++;
        continue;
      }
      for (const { address, bytes, memorySize } of image.segments) {
        assert(bytes.length <= memorySize && address + memorySize <= 2 ** 32);
        assert.equal(bytes.buffer, damagedFile.buffer, "segments are views");
      }
      describeAddress(image, image.entry);
    }
    assert(refusals > 500, `only ${refusals} of 3000 damaged files were refused`);
  }
});

/** A copy with a few bytes changed where it hurts (headers, tables), anywhere, or with its end cut off. */
function damage(original: Uint8Array, random: Random): Uint8Array {
  const view = new DataView(original.buffer, original.byteOffset);
  const places = [0, view.getUint32(28, true), view.getUint32(32, true)];
  const kind = random.below(4);
  if (kind === 0) return original.slice(0, random.below(original.length));
  const copy = original.slice();
  for (let i = random.below(4) + 1; i > 0; i--) {
    const near = kind === 1 ? random.below(original.length) : random.pick(places) + random.below(120);
    const value = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
    if (near < copy.length) copy[near] = value;
  }
  return copy;
}
