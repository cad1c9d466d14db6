// Devices under fast timing, where harts are not at the same time: each device is moved on to where somebody needs it.

import type { Ticking } from "./engine.ts";

/** Times of the devices of a SoC. */
export class LazyDevices {
  readonly #devices: readonly Ticking[];
  readonly #setCycle: (cycle: number) => void;
  /** Time up to which each device has been moved on. */
  readonly #times: Float64Array;

  /** @param setCycle tells the SoC what time it is for a device that takes its turn */
  constructor(devices: readonly Ticking[], setCycle: (cycle: number) => void) {
    this.#devices = devices;
    this.#setCycle = setCycle;
    this.#times = new Float64Array(devices.length);
  }

  /** Whether any device has work. */
  isBusy(): boolean {
    for (let i = 0; i < this.#devices.length; i++) if (this.#devices[i].busy()) return true;
    return false;
  }

  /**
   * Moves devices on to a cycle. A device without work has no time of its own: what a hart gives it to do starts when
   * the hart says so, though other harts may be ahead.
   */
  advance(cycle: number): void {
    const devices = this.#devices, times = this.#times;
    for (let i = 0; i < devices.length; i++) {
      const device = devices[i];
      while (device.busy() && times[i] < cycle) {
        this.#setCycle(times[i]);
        device.tick(times[i]++);
      }
      if (!device.busy()) times[i] = cycle;
    }
  }

  /** Somebody else has moved all devices on to a cycle. */
  wereAt(cycle: number): void {
    this.#times.fill(cycle);
  }

  /** Cycle up to which devices that have work have been moved on, `now` at least: some harts may have been ahead. */
  reached(now: number): number {
    return this.#devices.reduce(
      (last, device, i) => device.busy() ? Math.max(last, this.#times[i]) : last,
      now,
    );
  }
}
