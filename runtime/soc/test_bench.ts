// The registers of the test bench in which the cluster was measured (cluster-timing/README.md): console, exit and
// two synthetic wide ports that read the TCDM. No part of any SoC; only there on request.

import type { Peripheral } from "./device.ts";
import type { Tcdm } from "./tcdm.ts";

export const testBenchBase = 0xf000_0000, testBenchSize = 0x1000;
const console = 0x00, exit = 0x08, traffic = 0x18, trafficStart = 0x1c;
const walkBit = 4;
const portBytes = 64;

/** The register block, and the traffic that it makes. */
export class TestBench implements Peripheral {
  /** Bits 0 and 1 enable the ports, bit 2 lets them walk. */
  #traffic = 0;
  #start = 0;
  readonly #offsets = [0, 0];
  /** Port that goes first where both want the same superbank. */
  #first = 0;
  readonly #send: (byte: number) => void;
  readonly #exit: (code: number) => void;
  readonly #tcdm: Tcdm | undefined;

  constructor(send: (byte: number) => void, exit: (code: number) => void, tcdm: Tcdm | undefined) {
    this.#send = send;
    this.#exit = exit;
    this.#tcdm = tcdm;
  }

  /** Whether a port reads. */
  get busy(): boolean {
    return (this.#traffic & 3) !== 0;
  }

  readUint32(): number {
    return 0;
  }

  writeUint32(offset: number, value: number): void {
    switch (offset) {
      case console:
        this.#send(value & 0xff);
        break;
      case exit:
        this.#exit(value);
        break;
      case trafficStart:
        this.#start = value;
        break;
      case traffic:
        this.#traffic = value;
        this.#offsets[0] = this.#start & 0xffff;
        this.#offsets[1] = this.#start >>> 16;
    }
  }

  /** Each enabled port reads one beat, behind the DMA and before the harts (section 8, rule 16). */
  tick(cycle: number): void {
    const tcdm = this.#tcdm;
    if (!tcdm) return;
    const first = this.#first;
    for (const port of [first, 1 - first]) {
      if ((this.#traffic >>> port & 1) === 0) continue;
      const offset = this.#offsets[port] % tcdm.bytes.length & -portBytes;
      if (!tcdm.isFree(tcdm.base + offset, portBytes, cycle)) {
        this.#first = port;
        continue;
      }
      tcdm.take(tcdm.base + offset, portBytes, cycle);
      if ((this.#traffic & walkBit) !== 0) this.#offsets[port] += portBytes;
    }
  }
}
