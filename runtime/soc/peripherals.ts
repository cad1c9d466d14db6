// The SoC's small peripherals: an ns16550 UART, a finisher as SiFive's test device, a CLINT.

import type { Peripheral } from "./device.ts";

// ns16550 registers, in strides: transmit and receive, line status.
const uartData = 0, uartLineStatus = 5, uartRegisters = 8;
/** Transmitter empty and ready; nothing received. */
const uartReady = 0x60;

/** The sending half of an ns16550; nothing is ever received. */
export class Uart implements Peripheral {
  readonly #stride: number;
  readonly #send: (byte: number) => void;
  readonly #registers = new Uint8Array(uartRegisters);

  /** @param stride bytes between registers */
  constructor(stride: number, send: (byte: number) => void) {
    this.#stride = stride;
    this.#send = send;
  }

  readUint32(offset: number): number {
    let word = 0;
    for (let lane = 0; lane < 4; lane++) word |= this.#read(offset + lane) << (8 * lane);
    return word;
  }

  #register(address: number): number {
    return address % this.#stride === 0 ? address / this.#stride : -1;
  }

  #read(address: number): number {
    const register = this.#register(address);
    if (register === uartLineStatus) return uartReady;
    return register > uartData && register < uartRegisters ? this.#registers[register] : 0;
  }

  writeUint32(offset: number, value: number, mask: number): void {
    for (let lane = 0; lane < 4; lane++) {
      const register = this.#register(offset + lane);
      if ((mask >>> (8 * lane) & 0xff) === 0 || register < 0 || register >= uartRegisters) continue;
      const byte = value >>> (8 * lane) & 0xff;
      // With the divisor latch open (line control bit 7) the first register is the divisor.
      if (register === uartData && (this.#registers[3] & 0x80) === 0) this.#send(byte);
      else this.#registers[register] = byte;
    }
  }
}

const finisherPass = 0x5555, finisherFail = 0x3333;

/** Ends the program: 0x5555 with status 0, `code << 16 | 0x3333` with status `code`. */
export class Finisher implements Peripheral {
  readonly #exit: (code: number) => void;

  constructor(exit: (code: number) => void) {
    this.#exit = exit;
  }

  readUint32(): number {
    return 0;
  }

  writeUint32(offset: number, value: number, mask: number): void {
    if (offset !== 0 || (mask & 0xffff) !== 0xffff) return;
    if ((value & 0xffff) === finisherPass) this.#exit(0);
    if ((value & 0xffff) === finisherFail) this.#exit(value >>> 16);
  }
}

/** Register offsets of a CLINT: SiFive's layout, or a small one where the window is too small for that. */
function clintLayout(size: number) {
  return size >= 0xc000 ? { compare: 0x4000, time: 0xbff8 } : { compare: size >>> 2, time: size - 8 };
}

/** Software interrupts, and a timer that counts the cluster's clock. */
export class Clint implements Peripheral {
  /** Cycle in which the next timer interrupt comes up; Infinity if none does. */
  next = Infinity;
  readonly #layout: { compare: number; time: number };
  readonly #software: Uint8Array;
  readonly #compare: BigUint64Array;
  readonly #set: (hart: number, line: "software" | "timer", high: boolean, cycle: number) => void;

  /** @param set drives the interrupt lines */
  constructor(
    harts: number,
    size: number,
    set: (hart: number, line: "software" | "timer", high: boolean, cycle: number) => void,
  ) {
    this.#layout = clintLayout(size);
    this.#software = new Uint8Array(harts);
    this.#compare = new BigUint64Array(harts).fill(0xffff_ffff_ffff_ffffn);
    this.#set = set;
  }

  readUint32(offset: number, cycle: number): number {
    const { compare, time } = this.#layout, harts = this.#software.length;
    if (offset < 4 * harts) return this.#software[offset >>> 2];
    const half = (value: bigint) => Number((offset & 4) === 0 ? value & 0xffff_ffffn : value >> 32n) | 0;
    if (offset >= compare && offset < compare + 8 * harts) {
      return half(this.#compare[(offset - compare) >>> 3]);
    }
    return (offset & ~7) === time ? half(BigInt(cycle)) : 0;
  }

  writeUint32(offset: number, value: number, mask: number, cycle: number): void {
    const { compare } = this.#layout, harts = this.#software.length;
    if (offset < 4 * harts) {
      const hart = offset >>> 2;
      if ((mask & 1) === 0) return;
      this.#software[hart] = value & 1;
      this.#set(hart, "software", (value & 1) === 1, cycle);
    } else if (offset >= compare && offset < compare + 8 * harts) {
      const hart = (offset - compare) >>> 3, shift = BigInt((offset & 4) * 8);
      const lanes = BigInt(mask >>> 0) << shift;
      this.#compare[hart] = (this.#compare[hart] & ~lanes) | (BigInt(value >>> 0) << shift & lanes);
      this.update(cycle);
    }
  }

  /** Drives the timer lines for a cycle and finds when the next one changes. */
  update(cycle: number): void {
    this.next = Infinity;
    for (let hart = 0; hart < this.#compare.length; hart++) {
      const at = Number(this.#compare[hart]);
      this.#set(hart, "timer", at <= cycle, cycle);
      if (at > cycle && at < this.next && at < 2 ** 53) this.next = at;
    }
  }
}
