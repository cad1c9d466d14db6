// Writes small ELF executables, so that tests need no compiler: segments where they are told, and symbols.

import { type Image, type ImageSymbol, type Segment, segmentFlags } from "../../runtime/image/types.ts";

/** What goes into the file; memory size defaults to the bytes', flags to all three, a symbol to a label. */
export interface ElfContents {
  entry: number;
  segments: (Pick<Segment, "address" | "bytes"> & Partial<Segment>)[];
  symbols?: (Pick<ImageSymbol, "name" | "address"> & Partial<ImageSymbol>)[];
}

const sizes = { header: 52, program: 32, section: 40, symbol: 16 };

/**
 * Makes an rv32 executable of the contents. Layout: header, program headers, the segments' bytes, symbol table,
 * strings, section headers. Each segment is a section too (so that symbols have a home).
 */
export function writeElf(contents: ElfContents): Uint8Array<ArrayBuffer> {
  const { segments, symbols = [] } = contents;
  const strings = new Strings();
  const symbolNames = symbols.map((s) => strings.offset(s.name));
  const sectionNames = {
    segment: strings.offset(".load"),
    symtab: strings.offset(".symtab"),
    strtab: strings.offset(".strtab"),
  };
  const dataAt = sizes.header + sizes.program * segments.length;
  const offsets: number[] = [];
  let at = dataAt;
  for (const segment of segments) {
    offsets.push(at);
    at = align(at + segment.bytes.length);
  }
  const symtabAt = at;
  const symtabBytes = sizes.symbol * (symbols.length + 1);
  const strtabAt = symtabAt + symtabBytes;
  const sectionsAt = align(strtabAt + strings.length);
  const sectionCount = segments.length + 3;

  const out = new Uint8Array(sectionsAt + sizes.section * sectionCount);
  const view = new DataView(out.buffer);
  const words = (offset: number, ...values: number[]) =>
    values.forEach((value, i) => view.setUint32(offset + 4 * i, value, true));
  const halves = (offset: number, ...values: number[]) =>
    values.forEach((value, i) => view.setUint16(offset + 2 * i, value, true));

  out.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  halves(16, 2, 243);
  words(20, 1, contents.entry, sizes.header, sectionsAt, 0);
  halves(40, sizes.header, sizes.program, segments.length, sizes.section, sectionCount, sectionCount - 1);
  for (const [i, segment] of segments.entries()) {
    const { address, bytes, memorySize = bytes.length } = segment;
    const flags = segment.flags ?? segmentFlags.execute | segmentFlags.write | segmentFlags.read;
    const program = sizes.header + sizes.program * i;
    words(program, 1, offsets[i], address, address, bytes.length, memorySize, flags, 4);
    words(
      sectionsAt + sizes.section * (i + 1),
      sectionNames.segment,
      1,
      7,
      address,
      offsets[i],
      bytes.length,
      0,
      0,
      4,
    );
    out.set(bytes, offsets[i]);
  }
  const types = { label: 0, object: 1, function: 2, absolute: 0 };
  for (const [i, symbol] of symbols.entries()) {
    const { address, size = 0, kind = "label" } = symbol;
    const home = segments.findIndex((s) =>
      address >= s.address && address < s.address + (s.memorySize ?? s.bytes.length)
    );
    const entry = symtabAt + sizes.symbol * (i + 1);
    words(entry, symbolNames[i], address, size);
    out[entry + 12] = 0x10 | types[kind];
    halves(entry + 14, kind === "absolute" || home < 0 ? 0xfff1 : home + 1);
  }
  out.set(strings.bytes(), strtabAt);
  const last = sectionsAt + sizes.section * (sectionCount - 2);
  words(
    last,
    sectionNames.symtab,
    2,
    0,
    0,
    symtabAt,
    symtabBytes,
    sectionCount - 1,
    1,
    4,
    sizes.symbol,
  );
  words(last + sizes.section, sectionNames.strtab, 3, 0, 0, strtabAt, strings.length, 0, 0, 1);
  return out;
}

/** The contents that `writeElf` needs to make an image again. */
export function contentsOf(image: Image): ElfContents {
  return { entry: image.entry, segments: image.segments, symbols: image.symbols };
}

class Strings {
  readonly #bytes: number[] = [0];

  get length(): number {
    return this.#bytes.length;
  }

  offset(text: string): number {
    const offset = this.#bytes.length;
    this.#bytes.push(...new TextEncoder().encode(text), 0);
    return offset;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

function align(value: number): number {
  return (value + 3) & ~3;
}
