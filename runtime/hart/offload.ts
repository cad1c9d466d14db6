// What harts offload: multiplications and divisions, on one unit that all share or on one each, and the
// results of Xdma instructions (snitch-cluster.md, sections 2.2, 2.3 and 8, rules 2 to 4).

import { lowestBit, nextPointer, winner } from "../soc/arbiter.ts";

/** Places for results of one hart; a power of two. A register can have one result pending, so 32 are enough. */
const places = 32;

/**
 * Cycles from the grant of a division to its result; the divider is taken for as long.
 *
 * The number of quotient bits follows from the leading zeros of the operands (section 2.2).
 */
export function divisionCycles(dividend: number, divisor: number, signed: boolean): number {
  if (divisor === 0) return 35;
  const a = signed && dividend < 0 ? ~dividend << 1 : dividend;
  const b = signed && divisor < 0 ? ~divisor : divisor;
  const bits = Math.clz32(b) - Math.clz32(a);
  return bits < 0 ? 2 : bits + 3;
}

/** Cycles from the grant of a multiplication to its result. */
export const multiplicationCycles = 2;

/** Requests to multiplier and divider and results on their way, by hart. */
export class OffloadUnits {
  /** Harts with a request, as a mask. */
  requests = 0;
  /** Harts whose oldest request was issued in this cycle, and so cannot be granted in it. */
  #fresh = 0;
  /** Requests of each hart that are not granted: at most two. */
  readonly queued: Uint8Array;
  /** Results of each hart that are not written back. */
  readonly pending: Uint8Array;
  readonly #oldest: Uint8Array;
  readonly #cycles: Uint8Array;
  readonly #register: Uint8Array;
  readonly #ready: Float64Array;
  readonly #result: Uint8Array;
  readonly #dividerFree: Float64Array;
  #pointer = 0;
  readonly #levels: number;
  readonly #shared: boolean;

  /** Is told of a grant: the hart, the cycle of the grant and of the result. */
  onGrant: (hart: number, cycle: number, ready: number) => void = () => {};

  constructor(harts: number, shared: boolean) {
    this.#shared = shared;
    this.#levels = Math.max(4, Math.ceil(Math.log2(harts)));
    this.queued = new Uint8Array(harts);
    this.pending = new Uint8Array(harts);
    this.#oldest = new Uint8Array(harts);
    this.#cycles = new Uint8Array(harts * 2);
    this.#register = new Uint8Array(harts * 2);
    this.#ready = new Float64Array(harts * places);
    this.#result = new Uint8Array(harts * places);
    this.#dividerFree = new Float64Array(shared ? 1 : harts);
  }

  /** Queues a multiplication or division that takes `cycles` from its grant; there must be room. */
  issue(hart: number, register: number, cycles: number, division: boolean): void {
    const place = hart * 2 + ((this.#oldest[hart] + this.queued[hart]) & 1);
    this.#cycles[place] = division ? cycles | 0x80 : cycles;
    this.#register[place] = register;
    if (this.queued[hart]++ === 0) this.#fresh |= 1 << hart;
    this.requests |= 1 << hart;
  }

  /** Grants what multiplier and divider take in `cycle`. */
  arbitrate(cycle: number): void {
    let requests = this.requests & ~this.#fresh;
    this.#fresh = 0;
    if (requests === 0) return;
    if (this.#shared) {
      const hart = winner(requests, this.#pointer, this.#levels);
      // A division that finds the divider busy keeps the port, and the pointer stays.
      if (this.#serve(hart, 0, cycle)) this.#pointer = nextPointer(requests, this.#pointer);
    } else {
      for (; requests !== 0; requests &= requests - 1) {
        this.#serve(lowestBit(requests), lowestBit(requests), cycle);
      }
    }
  }

  #serve(hart: number, divider: number, cycle: number): boolean {
    const place = hart * 2 + this.#oldest[hart];
    const cycles = this.#cycles[place] & 0x7f;
    if ((this.#cycles[place] & 0x80) !== 0) {
      if (this.#dividerFree[divider] > cycle) return false;
      this.#dividerFree[divider] = cycle + cycles;
    }
    this.#oldest[hart] ^= 1;
    if (--this.queued[hart] === 0) this.requests &= ~(1 << hart);
    this.result(hart, this.#register[place], cycle + cycles);
    this.onGrant(hart, cycle, cycle + cycles);
    return true;
  }

  /** Grants all requests of a hart at once, for one that is run in another way from now on. */
  grantAll(hart: number, cycle: number): void {
    for (; this.queued[hart] > 0; this.queued[hart]--) {
      const place = hart * 2 + this.#oldest[hart];
      this.#oldest[hart] ^= 1;
      this.result(hart, this.#register[place], cycle);
    }
    this.requests &= ~(1 << hart);
  }

  /** Announces a result that can be written back from cycle `ready` on. */
  result(hart: number, register: number, ready: number): void {
    const place = hart * places + this.pending[hart]++;
    this.#ready[place] = ready;
    this.#result[place] = register;
  }

  /** Cycle from which a result of a hart can be written back; Infinity if none is known. */
  nextReady(hart: number): number {
    let ready = Infinity;
    for (let i = 0; i < this.pending[hart]; i++) {
      const at = this.#ready[hart * places + i];
      if (at < ready) ready = at;
    }
    return ready;
  }

  /** Takes the result that is ready first; returns its register. */
  take(hart: number): number {
    const first = hart * places, count = --this.pending[hart];
    let chosen = first;
    for (let place = first + 1; place <= first + count; place++) {
      if (this.#ready[place] < this.#ready[chosen]) chosen = place;
    }
    const register = this.#result[chosen];
    for (let place = chosen; place < first + count; place++) {
      this.#ready[place] = this.#ready[place + 1];
      this.#result[place] = this.#result[place + 1];
    }
    return register;
  }
}
