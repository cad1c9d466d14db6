// The emulator as a machine for a session. It runs in this process: waiting is emulating.

import { Ita } from "../../targets/engines/ita/device.ts";
import type { Target } from "../../targets/schema.ts";
import type { Image } from "../image/types.ts";
import { Soc, type SocOptions } from "../soc/soc.ts";
import type { HartStatistics } from "../soc/statistics.ts";
import type { Transport, Wake } from "./transport.ts";

/** A SoC with every device that the target names. Throws {@link AttoflowError} if the emulator cannot serve it. */
export function buildSoc(target: Target, options: Omit<SocOptions, "accelerator"> = {}): Soc {
  const { ita } = target;
  return new Soc(target, {
    ...options,
    ...(ita ? { accelerator: (_, context) => new Ita(context, ita) } : {}),
  });
}

/** A session's machine that is an emulated SoC. */
export class EmulatorTransport implements Transport {
  readonly name = "emulator";
  readonly #soc: Soc;

  /** @param console takes what programs print; by default that is dropped */
  constructor(target: Target, options: { readonly console?: (text: string) => void } = {}) {
    const decoder = new TextDecoder();
    const { console: take } = options;
    this.#soc = buildSoc(
      target,
      take ? { console: (bytes) => take(decoder.decode(bytes, { stream: true })) } : {},
    );
  }

  load(image: Image): Promise<void> {
    this.#soc.load(image);
    return Promise.resolve();
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  read(address: number, bytes: number): Promise<Uint8Array> {
    return Promise.resolve(this.#soc.readBytes(address, bytes));
  }

  write(address: number, data: Uint8Array): Promise<void> {
    this.#soc.writeBytes(address, data);
    return Promise.resolve();
  }

  // deno-lint-ignore require-await -- a fault must reject, not throw
  async wait(address: number, cycles: number): Promise<Wake> {
    const before = this.#soc.cycle;
    const { reason, exitCode, cycle } = this.#soc.run({ maxCycles: cycles, stopOnWrite: [address] });
    return { reason, exitCode, cycles: cycle - before };
  }

  describe(): Promise<string> {
    return Promise.resolve(this.#soc.describe());
  }

  /** What the harts have done since reset. */
  statistics(): HartStatistics[] {
    return this.#soc.statistics();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
