// Reads what a linker wrote: loaded bytes, sections and symbols of a 32-bit RISC-V ELF executable.

import { AttoflowError } from "../../targets/errors.ts";

/** Bytes that a loader puts into memory. */
export interface LoadedBytes {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** A section that takes memory at run time. */
export interface Section {
  readonly name: string;
  readonly address: number;
  readonly size: number;
}

/** A linked image. */
export interface LinkedImage {
  readonly entry: number;
  readonly loaded: readonly LoadedBytes[];
  readonly sections: readonly Section[];
  readonly symbols: ReadonlyMap<string, number>;
}

// System V ABI, chapters "ELF header", "Sections", "Symbol table", "Program header".
const machineRiscv = 243;
const segmentLoad = 1;
const sectionSymbols = 2;
const flagAlloc = 2;

/** Reads an image. Throws {@link AttoflowError} if the bytes are not such an ELF file. */
export function readLinkedImage(bytes: Uint8Array): LinkedImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (at: number) => view.getUint16(at, true);
  const u32 = (at: number) => view.getUint32(at, true);
  try {
    if (u32(0) !== 0x464c457f || bytes[4] !== 1 || u16(18) !== machineRiscv) {
      throw new RangeError("wrong kind");
    }
    const loaded: LoadedBytes[] = [];
    for (let i = 0, at = u32(28); i < u16(44); i++, at += u16(42)) {
      if (u32(at) !== segmentLoad || u32(at + 16) === 0) continue;
      const start = u32(at + 4);
      loaded.push({ address: u32(at + 12), bytes: bytes.subarray(start, start + u32(at + 16)) });
    }
    const headers = Array.from({ length: u16(48) }, (_, i) => u32(32) + i * u16(46));
    const textAt = (table: number, offset: number) => {
      const start = u32(headers[table] + 16) + offset;
      return new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
    };
    const sections = headers.filter((at) => (u32(at + 8) & flagAlloc) !== 0)
      .map((at) => ({ name: textAt(u16(50), u32(at)), address: u32(at + 12), size: u32(at + 20) }));
    const symbols = new Map<string, number>();
    for (const at of headers.filter((header) => u32(header + 4) === sectionSymbols)) {
      const end = u32(at + 16) + u32(at + 20);
      for (let symbol = u32(at + 16); symbol < end; symbol += 16) {
        const name = textAt(u32(at + 24), u32(symbol));
        if (name !== "" && u16(symbol + 14) !== 0) symbols.set(name, u32(symbol + 4));
      }
    }
    return { entry: u32(24), loaded, sections, symbols };
  } catch (cause) {
    throw new AttoflowError("the linker's output is not a RISC-V ELF file", { where: "image.elf", cause });
  }
}
