// An independent look at a program: follows its phases byte by byte and finds what the planner must never do. It
// knows nothing of how the plan was made.

import type { Buffer, Operand, Phase, Place, Program } from "./program.ts";

/** Rows of bytes that something reads or writes in a phase. */
interface Access {
  readonly place: Place;
  readonly bytes: number;
  readonly rows: number;
  readonly stride: number;
  readonly write: boolean;
  readonly what: string;
}

/** When a buffer was touched: numbers of phases, counted through the program. */
interface Touched {
  first: number;
  last: number;
}

/** At most so many problems are told. */
const mostProblems = 20;

/**
 * Checks a program:
 * - every access is inside its buffer, every buffer inside its arena, every memory large enough;
 * - what is read was written in an earlier phase (or is an input or a constant);
 * - within a phase nobody writes what another one reads or writes;
 * - buffers that share addresses are never in use at the same time, nor outside the lifetimes they declare;
 * - every output is written wholly, and strides are not negative.
 *
 * @returns the problems found, in words; empty if there are none
 */
export function checkProgram(program: Program): string[] {
  return new Checker(program).run();
}

class Checker {
  readonly #problems: string[] = [];
  /** For every byte of every buffer, whether it holds something. */
  readonly #written = new Map<string, Uint8Array>();
  readonly #touched = new Map<string, Touched>();
  /** For every byte of a space, the last phase that read or wrote it. */
  readonly #stamps = new Map<string, { read: Int32Array; write: Int32Array }>();
  #phase = 0;

  constructor(readonly program: Program) {}

  run(): string[] {
    const { program } = this;
    for (const buffer of program.buffers.values()) this.#open(buffer);
    for (const layer of program.layers) {
      for (const [number, phase] of layer.phases.entries()) {
        this.#follow(phase, layer.index, `layer ${layer.index}, phase ${number}`);
        this.#phase++;
      }
    }
    this.#checkSharing();
    for (const { place, name } of program.outputs) {
      const written = this.#written.get(place.buffer);
      if (!written?.every((byte) => byte === 1)) this.#problem(`output ${name} is not written wholly`);
    }
    for (const { memory, size, constants, activations, reserved, lowerBound } of program.memories) {
      if (constants + activations + reserved > size) this.#problem(`${memory} is too small`);
      if (lowerBound > activations) this.#problem(`the lower bound of ${memory} is above what the plan uses`);
    }
    return this.#problems;
  }

  #open(buffer: Buffer) {
    const given = buffer.kind === "input" || buffer.kind === "constant";
    this.#written.set(buffer.name, new Uint8Array(buffer.bytes).fill(given ? 1 : 0));
    const { space, size } = this.#spaceOf(buffer);
    if (buffer.offset < 0 || buffer.offset + buffer.bytes > size) {
      this.#problem(`${buffer.name} is not inside its ${space}`);
    }
    if (!this.#stamps.has(space)) {
      this.#stamps.set(space, { read: new Int32Array(size).fill(-1), write: new Int32Array(size).fill(-1) });
    }
  }

  #spaceOf({ name, kind, memory, bytes }: Buffer): { space: string; size: number } {
    if (kind === "input" || kind === "output") return { space: `array ${name}`, size: bytes };
    if (kind === "constant") return { space: "constants", size: this.program.constants.length };
    return { space: `${memory} arena`, size: this.program.arenas[memory] };
  }

  #follow(phase: Phase, layer: number, where: string) {
    const accesses: Access[] = phase.dma.flatMap((transfer) => {
      const { source, destination, bytes, rows, sourceStride, destinationStride } = transfer;
      const common = { bytes, rows, what: "a transfer" };
      return [
        { ...common, place: source, stride: sourceStride, write: false },
        { ...common, place: destination, stride: destinationStride, write: true },
      ];
    });
    for (const operand of Object.values(phase.cores?.pointers ?? {})) {
      accesses.push(...accessesOf(operand, phase.cores!.kernel));
    }
    const marks: (() => void)[] = [];
    for (const access of accesses) {
      const buffer = this.program.buffers.get(access.place.buffer);
      if (!buffer) {
        this.#problem(`${where}: ${access.what} names no buffer`);
      } else if (this.#inside(access, buffer, where)) {
        this.#touch(access, buffer, where);
        const { first, last } = buffer.lifetime;
        if (layer < first || layer > last) this.#problem(`${where}: ${buffer.name} is not alive`);
        if (access.write) {
          marks.push(() => this.#forEachRow(access, (at) => this.#mark(buffer, at, access.bytes)));
        }
      }
    }
    for (const mark of marks) mark();
  }

  #inside({ place, bytes, rows, stride, what }: Access, buffer: Buffer, where: string): boolean {
    const end = place.offset + (rows - 1) * stride + bytes;
    const fine = place.offset >= 0 && bytes >= 0 && rows >= 1 && stride >= 0 && end <= buffer.bytes;
    if (!fine) this.#problem(`${where}: ${what} leaves ${buffer.name}`);
    return fine;
  }

  /** Notes the access; finds reads of nothing and conflicts within the phase. */
  #touch(access: Access, buffer: Buffer, where: string) {
    const touched = this.#touched.get(buffer.name) ?? { first: this.#phase, last: this.#phase };
    this.#touched.set(buffer.name, { first: touched.first, last: this.#phase });
    const written = this.#written.get(buffer.name)!;
    const { read, write } = this.#stamps.get(this.#spaceOf(buffer).space)!;
    let unwritten = false;
    let conflict = false;
    this.#forEachRow(access, (start) => {
      for (let i = start; i < start + access.bytes; i++) {
        const at = buffer.offset + i;
        conflict ||= write[at] === this.#phase || (access.write && read[at] === this.#phase);
        if (access.write) {
          write[at] = this.#phase;
        } else {
          read[at] = this.#phase;
          unwritten ||= written[i] === 0;
        }
      }
    });
    if (unwritten) this.#problem(`${where}: ${access.what} reads what nobody wrote in ${buffer.name}`);
    if (conflict) this.#problem(`${where}: ${access.what} and another access meet in ${buffer.name}`);
  }

  #forEachRow({ place, rows, stride }: Access, visit: (start: number) => void) {
    for (let row = 0; row < rows; row++) visit(place.offset + row * stride);
  }

  #mark(buffer: Buffer, start: number, bytes: number) {
    this.#written.get(buffer.name)!.fill(1, start, start + bytes);
  }

  /** Buffers of one space whose times of use overlap must not share addresses. */
  #checkSharing() {
    const uses = [...this.#touched].map(([name, touched]) => {
      const buffer = this.program.buffers.get(name)!;
      return { buffer, ...touched, space: this.#spaceOf(buffer).space };
    }).filter(({ buffer }) => buffer.bytes > 0).sort((a, b) => a.first - b.first);
    let alive: typeof uses = [];
    for (const use of uses) {
      alive = alive.filter((other) => other.last >= use.first);
      for (const other of alive) {
        const apart = other.space !== use.space ||
          other.buffer.offset + other.buffer.bytes <= use.buffer.offset ||
          use.buffer.offset + use.buffer.bytes <= other.buffer.offset;
        if (!apart) {
          this.#problem(`${use.buffer.name} and ${other.buffer.name} share addresses while both are in use`);
        }
      }
      alive.push(use);
    }
  }

  #problem(text: string) {
    if (this.#problems.length < mostProblems) this.#problems.push(text);
  }
}

/** A kernel reads and writes its operands wholly; working memory is written and then read by itself. */
function accessesOf(operand: Operand, kernel: string): Access[] {
  const { bytes, access } = operand;
  return [{ place: operand, bytes, rows: 1, stride: bytes, write: access !== "read", what: kernel }];
}
