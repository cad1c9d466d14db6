// Other forms of a linked image: raw bytes for a loader that knows the address, Intel HEX for programmers.

import type { LinkedImage } from "./elf.ts";

/** The loaded bytes from `base` on, gaps filled with zeros. */
export function rawImage(image: LinkedImage, base: number): Uint8Array {
  const end = Math.max(base, ...image.loaded.map(({ address, bytes }) => address + bytes.length));
  const raw = new Uint8Array(end - base);
  for (const { address, bytes } of image.loaded) raw.set(bytes, address - base);
  return raw;
}

/** Intel HEX: data records of 32 bytes, addresses by extended linear address records, the entry, the end. */
export function intelHex(image: LinkedImage): string {
  const lines: string[] = [];
  let upper = -1;
  for (const { address, bytes } of image.loaded) {
    for (let at = 0; at < bytes.length;) {
      const where = address + at;
      if (where >>> 16 !== upper) {
        upper = where >>> 16;
        lines.push(record(0, 4, [upper >>> 8, upper & 0xff]));
      }
      const length = Math.min(32, bytes.length - at, 0x1_0000 - (where & 0xffff));
      lines.push(record(where & 0xffff, 0, bytes.subarray(at, at + length)));
      at += length;
    }
  }
  const entry = image.entry;
  lines.push(record(0, 5, [entry >>> 24, entry >>> 16 & 0xff, entry >>> 8 & 0xff, entry & 0xff]));
  lines.push(record(0, 1, []));
  return lines.join("\n") + "\n";
}

function record(offset: number, type: number, data: ArrayLike<number>): string {
  const fields = [data.length, offset >>> 8, offset & 0xff, type, ...Array.from(data)];
  const checksum = -fields.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return ":" + [...fields, checksum].map((byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();
}
