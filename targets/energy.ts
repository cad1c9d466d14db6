// What an inference costs in energy: counted events times the coefficients of the target. Both halves read this page,
// the compiler for what it plans and the host runtime for what it has counted. It is an estimate, always.

import type { Target } from "./schema.ts";

/** Coefficients of a target. */
export type EnergyCoefficients = NonNullable<Target["energy"]>;

/** The events that cost energy, over some time. */
export interface EnergyEvents {
  /** Cycles of the cluster clock. */
  readonly cycles: number;
  /** Cycles in which the accelerator worked, by the kind of job. */
  readonly accelerator: Readonly<Record<string, number>>;
  /** Cycles of all harts together: awake, and asleep (in wfi, at the barrier). */
  readonly activeCore: number;
  readonly waitingCore: number;
  /** Bytes of the L1 banks' words, and of L2, that were read or written. */
  readonly l1Bytes: number;
  readonly l2Bytes: number;
  /** Bytes that the DMA moved. */
  readonly dmaBytes: number;
}

/** What the parts took. */
export interface EnergyEstimate {
  /** All of it. */
  readonly microjoules: number;
  readonly milliwatts: number;
  /** Microjoules by part, in the order of the coefficients; they add up. */
  readonly parts: Readonly<Record<string, number>>;
}

/**
 * Energy and power at the target's clock and voltage.
 *
 * @throws {RangeError} if the accelerator did a kind of job that has no coefficient
 */
export function estimateEnergy(
  { energy, clock }: { readonly energy: EnergyCoefficients; readonly clock: Target["clock"] },
  events: EnergyEvents,
): EnergyEstimate {
  const seconds = events.cycles / clock.hertz;
  const micro = ({ picojoules }: { readonly picojoules: number }, count: number) => picojoules * count / 1e6;
  let accelerator = 0;
  for (const [kind, cycles] of Object.entries(events.accelerator)) {
    const coefficient = energy.accelerator[kind];
    if (coefficient) accelerator += micro(coefficient, cycles);
    else if (cycles > 0) throw new RangeError(`the target has no energy for jobs of the kind ${kind}`);
  }
  const parts = {
    accelerator,
    activeCores: micro(energy.activeCore, events.activeCore),
    waitingCores: micro(energy.waitingCore, events.waitingCore),
    l1: micro(energy.l1Byte, events.l1Bytes),
    l2: micro(energy.l2Byte, events.l2Bytes),
    dma: micro(energy.dmaByte, events.dmaBytes),
    static: energy.static.milliwatts * seconds * 1e3,
  };
  const microjoules = Object.values(parts).reduce((sum, part) => sum + part, 0);
  return { microjoules, milliwatts: seconds > 0 ? microjoules / seconds / 1e3 : 0, parts };
}
