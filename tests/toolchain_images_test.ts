// Linked images: what the ELF reader sees, and the other forms that are made of it.

import assert from "node:assert/strict";
import { AttoflowError } from "../targets/errors.ts";
import { type LinkedImage, readLinkedImage } from "../src/toolchain/elf.ts";
import { intelHex, rawImage } from "../src/toolchain/images.ts";

const image: LinkedImage = {
  entry: 0x8000_0000,
  loaded: [
    { address: 0x8000_0000, bytes: new Uint8Array(40).map((_, i) => i) },
    { address: 0x8000_fff0, bytes: new Uint8Array(32).fill(0xee) },
  ],
  sections: [],
  symbols: new Map(),
};

/** Bytes of an Intel HEX file by address, and the entry; checks every record's sum. */
function readHex(text: string): { bytes: Map<number, number>; entry: number } {
  const bytes = new Map<number, number>();
  let upper = 0;
  let entry = -1;
  const lines = text.trimEnd().split("\n");
  assert.equal(lines.at(-1), ":00000001FF");
  for (const line of lines) {
    const record = Uint8Array.fromHex(line.slice(1));
    assert.equal(record.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
    assert.equal(record.length, record[0] + 5);
    const view = new DataView(record.buffer);
    if (record[3] === 4) upper = view.getUint16(4) * 0x1_0000;
    if (record[3] === 5) entry = view.getUint32(4);
    if (record[3] === 0) {
      for (let i = 0; i < record[0]; i++) bytes.set(upper + view.getUint16(1) + i, record[4 + i]);
    }
  }
  return { bytes, entry };
}

Deno.test("Intel HEX holds every byte at its address, across 64 KiB borders", () => {
  const { bytes, entry } = readHex(new TextDecoder().decode(intelHex(image)));
  assert.equal(entry, image.entry);
  assert.equal(bytes.size, 72);
  for (const part of image.loaded) {
    part.bytes.forEach((byte, i) => assert.equal(bytes.get(part.address + i), byte));
  }
});

Deno.test("the raw image begins at the base and has zeros in its gaps", () => {
  const raw = rawImage(image, 0x8000_0000);
  assert.equal(raw.length, 0x1_0010);
  assert.equal(raw[39], 39);
  assert.equal(raw[40], 0);
  assert.equal(raw[0xfff0], 0xee);
});

Deno.test("anything but a RISC-V ELF file is refused in words", () => {
  const elf = new Uint8Array(200);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 1, 1]);
  elf[18] = 243;
  elf[42] = 32;
  elf[44] = 9; // program headers beyond the end
  new DataView(elf.buffer).setUint32(28, 100, true);
  for (const bytes of [new Uint8Array(), new Uint8Array(64), elf]) {
    assert.throws(() => readLinkedImage(bytes), AttoflowError);
  }
});
