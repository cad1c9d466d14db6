// Runs an emulated SoC so that the process stays alive to what happens outside: signals, sockets.

import { AttoflowError } from "../../targets/errors.ts";
import { hex } from "../hart/disassemble.ts";
import type { RunOptions, RunResult, Soc } from "../soc/soc.ts";

/**
 * Cycles between two looks at the clock on the wall: the fewest, and the most where they pass quickly. What a machine
 * does is the same in pieces of any length.
 */
const shortestPiece = 1 << 16, longestPiece = 1 << 22;
/** Milliseconds after which the process gets a turn. */
const patience = 50;

/** Somebody has broken a run off. */
export class Interrupted extends AttoflowError {
  override name = "Interrupted";

  /**
   * @param status what the process should end with
   * @param state where the machine stood, a line for each hart; empty if it did not run
   */
  constructor(readonly status: number, readonly state: readonly string[] = []) {
    super("interrupted");
  }
}

/**
 * Runs a SoC as its `run` does, and lets the process have a turn now and then.
 *
 * @param signal breaks the run off, its reason being an {@link Interrupted}; without one the whole run is one turn
 * @throws {GuestFault} as `run` does
 * @throws {Interrupted} with the state of the machine, if `signal` says so
 */
export async function runSoc(
  soc: Soc,
  { maxCycles = Infinity, limitIsFault = false, ...options }: RunOptions,
  signal?: AbortSignal,
): Promise<RunResult> {
  if (!signal) return soc.run({ maxCycles, limitIsFault, ...options });
  const end = soc.cycle + maxCycles;
  let turn = performance.now(), before = turn, length = shortestPiece;
  for (;;) {
    if (signal.aborted) throw new Interrupted((signal.reason as Interrupted).status, stateLines(soc));
    const left = end - soc.cycle, isLast = left <= length;
    const result = soc.run({
      ...options,
      maxCycles: isLast ? left : length,
      limitIsFault: limitIsFault && isLast,
    });
    if (result.reason !== "limit" || isLast) return result;
    const now = performance.now(), took = now - before;
    before = now;
    if (took < patience / 8 && length < longestPiece) length *= 2;
    else if (took > patience && length > shortestPiece) length /= 2;
    if (now - turn < patience) continue;
    await turnOfEvents();
    turn = before = performance.now();
  }
}

/** Lets timers, signals and sockets have their turn. */
export function turnOfEvents(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Where a machine stands: the cycle, then a line for each hart. */
export function stateLines(soc: Soc): string[] {
  const harts = soc.statistics();
  const missing = harts.filter(({ activity }) => activity !== "barrier").map(({ hart }) => hart);
  const waits = {
    running: "running",
    wfi: "in wfi: waits for an interrupt",
    barrier: `at the barrier: waits for hart${missing.length === 1 ? "" : "s"} ${missing.join(", ")}`,
  };
  const width = Math.max(...harts.map(({ symbol }) => symbol.length));
  return [
    `cycle ${soc.cycle}`,
    ...harts.map(({ hart, pc, symbol, activity }) =>
      `hart ${hart}  pc ${hex(pc)}  ${symbol.padEnd(width)}  ${waits[activity]}`
    ),
  ];
}
