// Reads a 32-bit little-endian RISC-V executable in ELF format. Nothing in the file is believed before it is checked:
// a damaged file ends in an error that names the field, and costs no more memory than the file itself.

import { AttoflowError } from "../../targets/errors.ts";
import { type Image, type ImageSymbol, type Segment, segmentFlags, type SymbolKind } from "./types.ts";

// Names and values are those of the System V ABI (gabi, chapters 4 and 5) and of the RISC-V ELF psABI.
const elfHeaderBytes = 52;
const programHeaderBytes = 32;
const sectionHeaderBytes = 40;
const symbolBytes = 16;
const classes: Record<number, string> = { 1: "32-bit", 2: "64-bit" };
const executableType = 2;
const machineRiscv = 243;
const loadable = 1;
const section = { null: 0, symbolTable: 2, stringTable: 3, noBits: 8 };
const index = { undefined: 0, absolute: 0xfff1 };
const symbolType = { none: 0, object: 1, function: 2 };
const addressSpace = 2 ** 32;

/** How many times the string table's size all names together may have: symbols may share the ends of names. */
const nameShare = 8;

const damaged = "The file is damaged or cut off; build it again or copy it again.";

/** One row of the section header table, as far as we use it. */
interface Section {
  type: number;
  offset: number;
  size: number;
  link: number;
  entrySize: number;
}

/**
 * Reads an ELF executable.
 *
 * @param bytes the whole file; segments are views of it
 * @param where what to call the file in errors
 * @throws AttoflowError for anything but a well-formed, statically linked rv32 executable
 */
export function readElf(bytes: Uint8Array, where: string): Image {
  const file = new ElfFile(bytes, where);
  const entry = file.checkHeader();
  const segments = file.segments();
  const code = segments.find((s) => entry >= s.address && entry - s.address < s.memorySize);
  if (!code || !(code.flags & segmentFlags.execute)) {
    const hint = "Link it for the target's memories, with the linker's ENTRY at code.";
    throw new AttoflowError(
      `the entry point ${hex(entry)} is in ${code ? "a segment without code" : "no segment"}`,
      {
        where,
        hint,
      },
    );
  }
  return { entry, segments, symbols: file.symbols() };
}

class ElfFile {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #where: string;

  constructor(bytes: Uint8Array, where: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
  }

  /** Checks that this is the kind of file we can run; returns the entry point. */
  checkHeader(): number {
    const bytes = this.#bytes;
    const magic = [0x7f, 0x45, 0x4c, 0x46];
    if (magic.some((value, i) => bytes[i] !== value)) {
      this.#fail("this is no ELF file", "Give the linked program, such as image.elf.");
    }
    if (bytes.length < elfHeaderBytes) {
      this.#fail(`the file ends inside its ELF header, after ${bytes.length} bytes`);
    }
    const build = "Build it for rv32ima, little endian.";
    if (bytes[4] !== 1) this.#fail(`it is for ${classes[bytes[4]] ?? "unknown"} machines, not 32-bit`, build);
    if (bytes[5] !== 1) this.#fail("it is not little endian", build);
    if (bytes[6] !== 1 || this.#word(20) !== 1) this.#fail("its ELF version is not 1");
    const machine = this.#half(18);
    if (machine !== machineRiscv) {
      this.#fail(`it is for machine ${machine}, not RISC-V (${machineRiscv})`, build);
    }
    const type = this.#half(16);
    if (type !== executableType) {
      const kinds: Record<number, string> = {
        1: "an object file",
        3: "position independent",
        4: "a core dump",
      };
      this.#fail(
        `it is ${kinds[type] ?? `of unknown type ${type}`}, not an executable`,
        "Link it with -static and without -pie.",
      );
    }
    const entry = this.#word(24);
    if (entry % 4 !== 0) {
      this.#fail(
        `the entry point ${hex(entry)} is not aligned to 4 bytes`,
        "The harts have no compressed instructions: build with -march=rv32ima.",
      );
    }
    return entry;
  }

  /** The loadable segments, checked, in ascending order. */
  segments(): Segment[] {
    const count = this.#half(44);
    const at = this.#table("program header table", 28, 42, programHeaderBytes, count);
    const segments: Segment[] = [];
    for (let i = 0; i < count; i++) {
      const header = at + i * programHeaderBytes;
      const memorySize = this.#word(header + 20);
      if (this.#word(header) !== loadable || memorySize === 0) continue;
      const name = `program header ${i}`;
      const offset = this.#word(header + 4);
      const address = this.#word(header + 12);
      const fileSize = this.#word(header + 16);
      if (fileSize > memorySize) {
        this.#fail(`${name} has ${fileSize} bytes in the file but only ${memorySize} in memory`);
      }
      if (address + memorySize > addressSpace) {
        this.#fail(
          `${name} (${memorySize} bytes at ${hex(address)}) ends beyond the 32-bit address space`,
        );
      }
      this.#bounds(name, offset, fileSize);
      const bytes = this.#bytes.subarray(offset, offset + fileSize);
      segments.push({ address, bytes, memorySize, flags: this.#word(header + 24) & 7 });
    }
    if (segments.length === 0) {
      this.#fail(
        "it has nothing to load",
        "Give a linked program, not one that strip or objcopy has emptied.",
      );
    }
    segments.sort((a, b) => a.address - b.address);
    for (const [i, segment] of segments.slice(1).entries()) {
      const before = segments[i];
      if (before.address + before.memorySize > segment.address) {
        this.#fail(`the segments at ${hex(before.address)} and ${hex(segment.address)} overlap`);
      }
    }
    return segments;
  }

  /** The named places and numbers of the symbol table, in ascending order; none if the file has no table. */
  symbols(): ImageSymbol[] {
    const sections = this.#sections();
    const tables = sections.filter((s) => s.type === section.symbolTable);
    if (tables.length === 0) return [];
    if (tables.length > 1) this.#fail(`it has ${tables.length} symbol tables`);
    const table = tables[0];
    if (table.entrySize !== symbolBytes || table.size % symbolBytes !== 0) {
      this.#fail(`its symbol table has entries of ${table.entrySize} bytes, ${table.size} bytes in all`);
    }
    const strings = sections[table.link];
    if (strings?.type !== section.stringTable) {
      this.#fail(`its symbol table names section ${table.link} as its strings, which is none`);
    }
    const nameAt = this.#names(strings);
    const symbols: ImageSymbol[] = [];
    for (let at = table.offset; at < table.offset + table.size; at += symbolBytes) {
      const kind = this.#symbolKind(at, sections.length);
      if (!kind) continue;
      const name = nameAt(this.#word(at));
      // Mapping symbols ($x, $d) mark code and data for disassemblers; they name nothing.
      if (name === "" || /^\$[xd]/.test(name)) continue;
      const address = this.#word(at + 4);
      const size = this.#word(at + 8);
      if (address + size > addressSpace) {
        this.#fail(
          `symbol ${name.slice(0, 80)} (${size} bytes at ${hex(address)}) ends beyond the address space`,
        );
      }
      symbols.push({ name, address, size, kind });
    }
    return symbols.sort((a, b) => a.address - b.address);
  }

  /** What the symbol at this offset is, or undefined for symbols that name no place and no number. */
  #symbolKind(at: number, sectionCount: number): SymbolKind | undefined {
    const home = this.#half(at + 14);
    if (home === index.undefined) return undefined;
    const type = this.#bytes[at + 12] & 15;
    if (home === index.absolute) return type <= symbolType.function ? "absolute" : undefined;
    if (home >= sectionCount) {
      this.#fail(`a symbol at offset ${hex(at)} is in section ${home} of ${sectionCount}`);
    }
    if (type === symbolType.function) return "function";
    if (type === symbolType.object) return "object";
    return type === symbolType.none ? "label" : undefined;
  }

  /** The section header table, every section's bytes checked to be in the file. */
  #sections(): Section[] {
    const count = this.#half(48);
    const at = this.#table("section header table", 32, 46, sectionHeaderBytes, count);
    return Array.from({ length: count }, (_, i) => {
      const header = at + i * sectionHeaderBytes;
      const found = {
        type: this.#word(header + 4),
        offset: this.#word(header + 16),
        size: this.#word(header + 20),
        link: this.#word(header + 24),
        entrySize: this.#word(header + 36),
      };
      if (found.type !== section.null && found.type !== section.noBits) {
        this.#bounds(`section ${i}`, found.offset, found.size);
      }
      return found;
    });
  }

  /** A reader of names in a string table that keeps what it has read and bounds what names may take in all. */
  #names(strings: Section): (offset: number) => string {
    const table = this.#bytes.subarray(strings.offset, strings.offset + strings.size);
    const decoder = new TextDecoder();
    const known = new Map<number, string>();
    let left = nameShare * table.length;
    return (offset) => {
      const before = known.get(offset);
      if (before !== undefined) return before;
      const end = offset < table.length ? table.indexOf(0, offset) : -1;
      if (end < 0) this.#fail(`a symbol's name at ${offset} does not end inside its string table`);
      left -= end - offset;
      if (left < 0) this.#fail("the names of its symbols overlap absurdly in the string table");
      // Control characters would reach terminals through error messages.
      // deno-lint-ignore no-control-regex
      const name = decoder.decode(table.subarray(offset, end)).replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
      known.set(offset, name);
      return name;
    };
  }

  /** Checks a table that the ELF header points at and returns its offset. */
  #table(name: string, offsetField: number, sizeField: number, entryBytes: number, count: number): number {
    const offset = this.#word(offsetField);
    const entrySize = this.#half(sizeField);
    if (count > 0 && entrySize !== entryBytes) {
      this.#fail(`its ${name} has entries of ${entrySize} bytes instead of ${entryBytes}`);
    }
    this.#bounds(name, offset, count * entryBytes);
    return offset;
  }

  #bounds(name: string, offset: number, size: number): void {
    if (size > 0 && offset + size > this.#bytes.length) {
      this.#fail(
        `${name} takes bytes ${offset} to ${offset + size} of the file, which has ${this.#bytes.length}`,
      );
    }
  }

  #half(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  #word(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  #fail(what: string, hint = damaged): never {
    throw new AttoflowError(what, { where: this.#where, hint });
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
