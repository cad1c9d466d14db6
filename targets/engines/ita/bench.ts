// Speed of the ITA device on this host: its arithmetic alone, and a whole job with its ticks.

import { PlainTileArithmetic, type TileJob } from "./arithmetic.ts";
import { Ita, type ItaParameters } from "./device.ts";
import { registers } from "./registers.ts";
import { simdSuits, SimdTileArithmetic } from "./simd.ts";

/** Host times of the device, measured warm. */
export interface ItaBench {
  /** Microseconds of the arithmetic of one job: an inner one; a last one with GELU and softmax statistics. */
  readonly innerJob: number;
  readonly fullJob: number;
  /** Billion multiply-accumulates a second of the inner job. */
  readonly gmacPerSecond: number;
  /** Nanoseconds of one tick beside the arithmetic, for a memory that always grants. */
  readonly tick: number;
}

/** Measures the device; takes about `seconds`. */
export function benchIta(parameters: ItaParameters, seconds = 1): ItaBench {
  const arithmetic = simdSuits(parameters)
    ? new SimdTileArithmetic(parameters)
    : new PlainTileArithmetic(parameters);
  for (const operand of [arithmetic.input, arithmetic.weights]) {
    operand.forEach((_, i) => operand[i] = Math.imul(i, 0x9e37_79b1) >> 24);
  }
  const inner: TileJob = {
    first: false,
    last: false,
    requant: { multiplier: 77, shift: 14, offset: 0 },
    activation: { kind: "gelu", b: -80, c: -7091, requant: { multiplier: 74, shift: 20, offset: 0 } },
    softmax: "none",
    firstOfRow: true,
    lastOfRow: true,
  };
  const full: TileJob = { ...inner, last: true, softmax: "collect" };
  const innerJob = microseconds(() => arithmetic.run(inner), seconds / 3);
  const fullJob = microseconds(() => arithmetic.run(full), seconds / 3);
  const { cycles, each } = wholeJob(parameters);
  const whole = microseconds(each, seconds / 3);
  return {
    innerJob,
    fullJob,
    gmacPerSecond: parameters.elements ** 3 / innerJob / 1000,
    tick: Math.max(0, whole - microseconds(() => arithmetic.run({ ...inner, last: true }), seconds / 10)) *
      1000 /
      cycles,
  };
}

/** The measurement in one line. */
export function itaBenchLine({ innerJob, fullJob, gmacPerSecond, tick }: ItaBench): string {
  return `ITA: ${gmacPerSecond.toFixed(1)} GMAC/s; a job takes ${
    innerJob.toFixed(1)
  } µs, with output, GELU and softmax ` +
    `statistics ${fullJob.toFixed(1)} µs; a tick ${tick.toFixed(0)} ns`;
}

/** A device that runs the same job again and again; `each` runs it once, tick by tick. */
function wholeJob(parameters: ItaParameters): { cycles: number; each: () => void } {
  const tile = parameters.elements ** 2;
  const device = new Ita({
    port: { base: 0, bytes: new Uint8Array(4 * tile), request: () => true },
    raise: () => {},
    fail: (message) => {
      throw new Error(message);
    },
  }, parameters);
  let cycle = 0;
  const write = (offset: number, value: number) => device.writeUint32(offset, value, -1, cycle++, 0);
  for (let context = 0; context < parameters.contexts; context++) {
    write(registers.WEIGHT_PTR0, tile);
    write(registers.OUTPUT_PTR, 2 * tile);
    write(registers.BIAS_PTR, 3 * tile);
    write(registers.EPS_MULT0, 77);
    write(registers.RIGHT_SHIFT0, 14);
    write(registers.CTRL_ENGINE, 2);
    write(registers.CTRL_STREAM, 1);
    write(registers.TRIGGER, 1);
  }
  // Soft clear without losing the registers: the contexts stay as programmed (ita.md, section 9.4).
  write(registers.SOFT_CLEAR, 1);
  const run = () => {
    const start = cycle;
    write(registers.TRIGGER, 0);
    while (device.busy) device.tick(cycle++);
    return cycle - start;
  };
  return { cycles: run(), each: run };
}

/** Mean time of a call, behind a warm-up. */
function microseconds(call: () => void, seconds: number): number {
  let calls = 0;
  let start = performance.now();
  const warm = start + 300 * seconds;
  while (performance.now() < warm) for (let i = 0; i < 50; i++) call();
  start = performance.now();
  const end = start + 700 * seconds;
  while (performance.now() < end) for (let i = 0; i < 50; i++, calls++) call();
  return (performance.now() - start) * 1000 / calls;
}
