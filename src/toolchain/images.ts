// Other forms of a linked image: raw bytes for a loader that knows the address, Intel HEX for programmers.

import type { LinkedImage } from "./elf.ts";

/** The loaded bytes from `base` on, gaps filled with zeros. */
export function rawImage(image: LinkedImage, base: number): Uint8Array {
  const end = Math.max(base, ...image.loaded.map(({ address, bytes }) => address + bytes.length));
  const raw = new Uint8Array(end - base);
  for (const { address, bytes } of image.loaded) raw.set(bytes, address - base);
  return raw;
}

/** Bytes of a data record, and types of records, by Intel's specification of 1988. */
const recordBytes = 32;
const recordType = { data: 0, end: 1, upperAddress: 4, entry: 5 } as const;

/** The loaded bytes as Intel HEX, ASCII: addresses by extended linear address records, then the entry, the end. */
export function intelHex(image: LinkedImage): Uint8Array {
  const total = image.loaded.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const writer = new HexWriter(total, image.loaded.length);
  let upper = -1;
  for (const { address, bytes } of image.loaded) {
    for (let at = 0; at < bytes.length;) {
      const where = address + at;
      if (where >>> 16 !== upper) {
        upper = where >>> 16;
        writer.record(0, recordType.upperAddress, [upper >>> 8, upper & 0xff]);
      }
      const length = Math.min(recordBytes, bytes.length - at, 0x1_0000 - (where & 0xffff));
      writer.record(where & 0xffff, recordType.data, bytes.subarray(at, at + length));
      at += length;
    }
  }
  const { entry } = image;
  writer.record(0, recordType.entry, [entry >>> 24, entry >>> 16 & 0xff, entry >>> 8 & 0xff, entry & 0xff]);
  writer.record(0, recordType.end, []);
  return writer.text();
}

/** Writes records into one array that is large enough from the start. */
class HexWriter {
  readonly #text: Uint8Array;
  #end = 0;

  constructor(dataBytes: number, parts: number) {
    // A record has 12 characters beside its data. Each part and each 64 KiB border adds an address and a short record.
    const records = Math.ceil(dataBytes / recordBytes) + 3 * (parts + Math.ceil(dataBytes / 0x1_0000)) + 2;
    this.#text = new Uint8Array(2 * (dataBytes + 4 * records) + 12 * records);
  }

  record(offset: number, type: number, data: ArrayLike<number>) {
    this.#text[this.#end++] = 0x3a; // ":"
    let sum = data.length + (offset >>> 8) + (offset & 0xff) + type;
    for (const byte of [data.length, offset >>> 8, offset & 0xff, type]) this.#byte(byte);
    for (let i = 0; i < data.length; i++) {
      this.#byte(data[i]);
      sum += data[i];
    }
    this.#byte(-sum & 0xff);
    this.#text[this.#end++] = 0x0a;
  }

  text(): Uint8Array {
    return this.#text.subarray(0, this.#end);
  }

  #byte(value: number) {
    this.#text[this.#end++] = digits[value >>> 4];
    this.#text[this.#end++] = digits[value & 15];
  }
}

const digits = new TextEncoder().encode("0123456789ABCDEF");
