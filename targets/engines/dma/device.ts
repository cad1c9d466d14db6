// The cluster's DMA engine as the emulator sees it (snitch-cluster.md, sections 1.10, 5 and 8, rules 11 to 15):
// Xdma registers, transfer ids, and every beat in its cycle. Transfers run strictly in order of their start.

import type { DmaContext, WideTarget } from "../../../runtime/soc/device.ts";

/** Bit of a transfer's configuration: rows. */
const twoDimensional = 2;
/** Selectors of dmstat. */
const completedId = 0, nextId = 1, busy = 2, wouldBlock = 3;

/** From the instruction that starts a transfer to its first read. */
const readDelay = 3;
/** From a read to the write of its bytes: out of the cluster's memories, out of the outside memory. */
const writeDelay = { tcdm: 3, zero: 3, rom: 3, outside: 6 } as const;
/** From the last write to the first dmstat that sees the engine idle, and to the one that sees the id. */
const idleDelay = 3, completedDelay = 5;
/** No burst crosses a page of this size. */
const page = 4096;
/** Cycles of a cut-off piece at least. */
const pieceCycles = 2;
/** Transfers that the engine has taken out of its queue while they wait for the data path (measured: about 7). */
const backEndDepth = 7;
/** First id; ids wrap and leave out 0 and 1. */
const firstId = 2;

/** Engine parameters, from the target. */
export interface DmaParameters {
  /** Bytes of a beat. */
  readonly bytesPerCycle: number;
  /** Places in the request queue. */
  readonly queue: number;
}

/** A transfer that has been started. Bytes a row, rows, strides in bytes. */
export interface Transfer {
  readonly id: number;
  readonly source: number;
  readonly destination: number;
  readonly bytes: number;
  readonly rows: number;
  readonly sourceStride: number;
  readonly destinationStride: number;
  /** Cycle of the instruction that started it. */
  readonly issued: number;
}

/** A part of a row that crosses no page, and the cycle of its first read. */
interface Piece {
  readonly source: number;
  readonly destination: number;
  readonly bytes: number;
  readonly start: number;
  readonly from: WideTarget;
  readonly to: WideTarget;
  /** Last piece of its transfer. */
  readonly last: boolean;
  /** No write of the piece before this cycle. */
  readonly writeFrom: number;
}

/** The engine. */
export class Dma {
  /** Beats read and written, transfers finished, cycles with work, since reset. */
  readonly counts = { reads: 0, writes: 0, transfers: 0, busy: 0 };
  /** Bytes written since reset, by where they came from and where they went. */
  readonly moved: Readonly<Record<WideTarget, Record<WideTarget, number>>> = {
    tcdm: { tcdm: 0, outside: 0, zero: 0, rom: 0 },
    outside: { tcdm: 0, outside: 0, zero: 0, rom: 0 },
    zero: { tcdm: 0, outside: 0, zero: 0, rom: 0 },
    rom: { tcdm: 0, outside: 0, zero: 0, rom: 0 },
  };

  #source = 0;
  #destination = 0;
  #sourceStride = 0;
  #destinationStride = 0;
  #rows = 1;

  #nextId = firstId;
  #completed = firstId - 1;
  /** Ids of finished transfers that dmstat does not show yet, with the cycle from which it does. */
  readonly #finishing: { id: number; visible: number }[] = [];
  /** Cycle from which dmstat sees the engine idle, if nothing is left. */
  #idleFrom = 0;

  /** Transfers that are not wholly read. */
  readonly #waiting: Transfer[] = [];
  /** The pieces of the first of them that are still to be read; made as they are needed. */
  #pieces: Iterator<Piece> | undefined;
  #reading: Piece | undefined;
  #readBeat = 0;
  /** First cycle in which the data path may read for the next transfer. */
  #readFree = 0;
  /** Pieces that are read, or being read, and not wholly written. */
  readonly #writing: { piece: Piece; id: number }[] = [];
  #writeBeat = 0;
  #lastWrite = -1;

  readonly #context: DmaContext;
  readonly #beat: number;
  readonly #queue: number;
  readonly #observe: (transfer: Transfer, done: number) => void;

  /** @param observe is told of each transfer that has written its last byte, for timelines */
  constructor(
    parameters: DmaParameters,
    context: DmaContext,
    observe: (transfer: Transfer, done: number) => void = () => {},
  ) {
    this.#context = context;
    this.#beat = parameters.bytesPerCycle;
    this.#queue = parameters.queue;
    this.#observe = observe;
  }

  /** Whether the engine must be ticked. */
  get active(): boolean {
    return this.#waiting.length > 0 || this.#writing.length > 0;
  }

  /** Transfers under way, the oldest first. */
  get transfers(): readonly Transfer[] {
    return [...this.#finished, ...this.#waiting];
  }

  /** dmsrc: source address, 48 bits. */
  setSource(low: number, high: number): void {
    this.#source = address(low, high);
  }

  /** dmdst: destination address, 48 bits. */
  setDestination(low: number, high: number): void {
    this.#destination = address(low, high);
  }

  /** dmstr: distances of rows in bytes; the hardware takes them as unsigned. */
  setStrides(source: number, destination: number): void {
    this.#sourceStride = source >>> 0;
    this.#destinationStride = destination >>> 0;
  }

  /** dmrep: number of rows. */
  setRows(rows: number): void {
    this.#rows = rows >>> 0;
  }

  #full(): boolean {
    return this.#waiting.length >= this.#queue + backEndDepth;
  }

  /**
   * dmcpy, dmcpyi: starts a transfer.
   *
   * @returns its id, or undefined if the queue is full and the hart must wait
   */
  start(bytes: number, configuration: number, cycle: number): number | undefined {
    if (this.#full()) return undefined;
    const rows = (configuration & twoDimensional) !== 0 ? this.#rows : 1;
    const id = this.#nextId;
    const transfer: Transfer = {
      id,
      source: this.#source,
      destination: this.#destination,
      bytes: bytes >>> 0,
      rows,
      sourceStride: this.#sourceStride,
      destinationStride: this.#destinationStride,
      issued: cycle,
    };
    this.#check(transfer);
    this.#nextId = id === 0xffff_ffff ? firstId : id + 1;
    if (!this.active) this.#readFree = 0;
    this.#waiting.push(transfer);
    return id;
  }

  /** Stops the simulation if a row does not lie in a memory. */
  #check(transfer: Transfer): void {
    const { bytes, rows } = transfer;
    if (bytes === 0 || rows === 0) return;
    const sides = [
      { what: "reads from", start: transfer.source, stride: transfer.sourceStride },
      { what: "writes to", start: transfer.destination, stride: transfer.destinationStride },
    ];
    for (const { what, start, stride } of sides) {
      const allowed = (target: WideTarget | undefined) =>
        target !== undefined && !(target === "rom" && what === "writes to");
      // Where one memory holds the first row and the last, it holds all of them.
      if (allowed(this.#context.target(start, (rows - 1) * stride + bytes))) continue;
      for (let row = 0; row < rows; row++) {
        const at = start + row * stride;
        const target = this.#context.target(at, bytes);
        if (allowed(target)) continue;
        const where = target === undefined ? "where there is no memory" : "which is read only";
        this.#context.fail(
          `a DMA transfer of ${rows} × ${bytes} bytes ${what} 0x${at.toString(16)}, ${where}`,
        );
      }
    }
  }

  /** dmstat, dmstati: what the instruction in `cycle` sees. */
  status(selector: number, cycle: number): number {
    switch (selector & 3) {
      case completedId:
        while (this.#finishing.length > 0 && this.#finishing[0].visible <= cycle) {
          this.#completed = this.#finishing.shift()!.id;
        }
        return this.#completed;
      case nextId:
        return this.#nextId;
      case busy:
        return this.active || this.#idleFrom > cycle ? 1 : 0;
      default:
        return selector === wouldBlock && this.#full() ? 1 : 0;
    }
  }

  /** Moves the beats of a cycle. Called once for each cycle in which the engine is active. */
  tick(cycle: number): void {
    this.counts.busy++;
    this.#read(cycle);
    this.#write(cycle);
  }

  #read(cycle: number): void {
    while (this.#reading === undefined) {
      const transfer = this.#waiting[0];
      if (transfer === undefined) return;
      const start = Math.max(transfer.issued + readDelay, this.#readFree);
      if (start > cycle) return;
      this.#pieces ??= this.#cut(transfer, start);
      const next = this.#pieces.next();
      if (next.done) {
        // An empty transfer must not overtake the one before it.
        if (this.#writing.length > 0) return;
        this.#waiting.shift();
        this.#pieces = undefined;
        // Nothing to move: finished at once.
        if (transfer.bytes === 0 || transfer.rows === 0) {
          this.#finish(transfer, cycle - readDelay - idleDelay);
        }
        continue;
      }
      this.#reading = next.value;
      this.#readBeat = 0;
      this.#writing.push({ piece: next.value, id: transfer.id });
    }
    const piece = this.#reading;
    if (piece.start > cycle) return;
    const offset = piece.source % this.#beat;
    if (piece.from === "tcdm") {
      this.#context.take(piece.source - offset + this.#readBeat * this.#beat, this.#beat, cycle);
    }
    this.counts.reads++;
    if (++this.#readBeat < beats(offset, piece.bytes, this.#beat)) return;
    this.#reading = undefined;
    if (piece.last) {
      this.#readFree = cycle + 1;
      this.#pieces = undefined;
      this.#finished.push(this.#waiting.shift()!);
    }
  }

  /** Transfers that are read and not wholly written. */
  readonly #finished: Transfer[] = [];

  /** Cuts a transfer at every page of source and destination, and says when each piece is read. */
  *#cut(transfer: Transfer, start: number): Iterator<Piece> {
    const { bytes, rows } = transfer;
    if (bytes === 0) return;
    // In half cycles: rows of one beat take one and a half, or one where they leave the cluster (rule 13).
    let time = 0;
    for (let row = 0; row < rows; row++) {
      let source = transfer.source + row * transfer.sourceStride;
      let destination = transfer.destination + row * transfer.destinationStride;
      const from = this.#context.target(source, bytes)!, to = this.#context.target(destination, bytes)!;
      const leaves = to === "outside" && from !== "outside";
      for (let left = bytes; left > 0;) {
        const length = Math.min(left, page - source % page, page - destination % page);
        const reads = beats(source % this.#beat, length, this.#beat);
        const cycles = Math.max(reads, beats(destination % this.#beat, length, this.#beat));
        const wholeRow = length === bytes && cycles === 1;
        left -= length;
        const begins = start + (time >> 1);
        yield {
          source,
          destination,
          bytes: length,
          start: begins,
          from,
          to,
          last: left === 0 && row === rows - 1,
          // The outside memory takes such rows every third cycle, but for the first four.
          writeFrom: wholeRow && leaves && rows > 1 ? start + writeDelay[from] + 3 * row - 10 : 0,
        };
        if (wholeRow && rows > 1) time += leaves ? 2 : 3;
        else time += 2 * (left > 0 ? Math.max(cycles, pieceCycles) : cycles);
        if (!wholeRow && (time & 1) === 1) time++;
        source += length;
        destination += length;
      }
    }
  }

  #write(cycle: number): void {
    const first = this.#writing[0];
    if (first === undefined || this.#lastWrite >= cycle) return;
    const { piece } = first;
    const offset = piece.destination % this.#beat;
    const begin = Math.max(0, this.#writeBeat * this.#beat - offset);
    const end = Math.min(piece.bytes, (this.#writeBeat + 1) * this.#beat - offset);
    // A beat can be written when the read beat that holds its last byte has come through.
    const needed = Math.floor((piece.source % this.#beat + end - 1) / this.#beat);
    if (cycle < piece.start + needed + writeDelay[piece.from] || cycle < piece.writeFrom) return;
    const at = piece.destination + begin;
    if (piece.to === "tcdm") this.#context.take(at - at % this.#beat, this.#beat, cycle);
    this.#context.copy(at, piece.source + begin, end - begin, cycle);
    this.counts.writes++;
    this.moved[piece.from][piece.to] += end - begin;
    this.#lastWrite = cycle;
    if (++this.#writeBeat < beats(offset, piece.bytes, this.#beat)) return;
    this.#writeBeat = 0;
    this.#writing.shift();
    if (piece.last) this.#finish(this.#finished.shift()!, cycle);
  }

  /** A transfer has written its last byte in `cycle`. */
  #finish(transfer: Transfer, cycle: number): void {
    this.counts.transfers++;
    this.#idleFrom = Math.max(this.#idleFrom, cycle + idleDelay);
    this.#finishing.push({ id: transfer.id, visible: cycle + idleDelay + completedDelay });
    this.#observe(transfer, cycle);
  }
}

function address(low: number, high: number): number {
  return (low >>> 0) + (high & 0xffff) * 2 ** 32;
}

/** Beats that a span touches. `offset` is that of its first byte within a beat. */
function beats(offset: number, bytes: number, beat: number): number {
  return Math.ceil((offset + bytes) / beat);
}
