// The wide bus as the DMA sees it: which memory a span belongs to, beats into the TCDM's banks, bytes from one
// place to another.

import type { MemoryAccess } from "./access.ts";
import type { DmaContext, WideTarget } from "./device.ts";
import type { MemoryMap } from "./memory_map.ts";
import type { Tcdm } from "./tcdm.ts";

/** The bus. Spans lie within one memory: `target` has said so. */
export class WideBus implements DmaContext {
  readonly #map: MemoryMap;
  readonly #tcdm: Tcdm | undefined;
  readonly #access: MemoryAccess;
  readonly #openEnded: boolean;
  readonly fail: (message: string) => void;

  /** @param openEnded beyond 32 bits reads give 0 and writes are lost, as in the cluster's test bench */
  constructor(
    map: MemoryMap,
    tcdm: Tcdm | undefined,
    access: MemoryAccess,
    openEnded: boolean,
    fail: (message: string) => void,
  ) {
    this.#map = map;
    this.#tcdm = tcdm;
    this.#access = access;
    this.#openEnded = openEnded;
    this.fail = fail;
  }

  target(address: number, bytes: number): WideTarget | undefined {
    if (address >= 2 ** 32) return this.#openEnded ? "outside" : undefined;
    const kind = this.#map.span(address, bytes)?.kind;
    return kind === "memory" ? "outside" : kind === "registers" ? undefined : kind;
  }

  take(address: number, bytes: number, cycle: number): void {
    const tcdm = this.#tcdm!;
    const offset = (address - this.#map.find(address)!.base) % tcdm.bytes.length;
    tcdm.dmaBytes += bytes;
    tcdm.take(tcdm.base + offset, bytes, cycle);
  }

  copy(destination: number, source: number, bytes: number, cycle: number): void {
    if (destination >= 2 ** 32) return;
    const to = this.#map.find(destination)!;
    if (to.kind === "zero") return;
    const at = destination - to.base;
    const from = source >= 2 ** 32 ? undefined : this.#map.find(source)!;
    if (from === undefined) to.bytes.fill(0, at, at + bytes);
    else copyBytes(to.bytes, to.words, at, from.bytes, from.words, source - from.base, bytes);
    if (to.kind === "tcdm") this.#tcdm!.written(-1, at, bytes);
    this.#access.written(destination, bytes, cycle);
  }
}

function copyBytes(
  to: Uint8Array,
  toWords: Int32Array,
  at: number,
  from: Uint8Array,
  fromWords: Int32Array,
  start: number,
  bytes: number,
): void {
  if (((at | start | bytes) & 3) === 0) {
    const first = at >>> 2, source = start >>> 2;
    for (let i = 0; i < bytes >>> 2; i++) toWords[first + i] = fromWords[source + i];
  } else {
    to.set(from.subarray(start, start + bytes), at);
  }
}
