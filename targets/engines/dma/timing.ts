// What a DMA transfer costs, for the planner's estimates. Figures: snitch-cluster.md, sections 5 and 8, measured
// on the RTL with an ideal outside memory. The emulator's device models the engine itself and does not use this.

/** Size of a transfer and the way it goes. */
export interface TransferShape {
  readonly bytes: number;
  readonly rows: number;
  /** Whether it leaves the cluster; rows of one beat are slower that way (rule 13). */
  readonly toOutside: boolean;
}

/**
 * Cycles that a transfer keeps the data path busy, without start-up: one beat a cycle, rows of a single beat 1.5
 * cycles each, or 3 each on the way out.
 */
export function dataCycles(transfer: TransferShape, bytesPerCycle: number): number {
  const beats = Math.ceil(transfer.bytes / bytesPerCycle);
  if (transfer.rows <= 1) return beats;
  if (beats > 1) return beats * transfer.rows;
  return Math.ceil(transfer.rows * (transfer.toOutside ? 3 : 1.5));
}

/** From the start of a transfer that waits for nothing to the poll that sees the engine idle, less the beats. */
export const startupCycles = 11;

/** The DMA hart's work for one transfer: fetch its words from L2 over the narrow port, start it (traced). */
export const programCycles = 28;

/**
 * Cycles of a group of transfers, started one behind the other, until the engine is idle. The engine is behind by
 * the start-up time; then either moving or starting the transfers is what takes the time.
 */
export function transfersCycles(transfers: readonly TransferShape[], bytesPerCycle: number): number {
  let time = 0;
  for (const transfer of transfers) time += Math.max(programCycles, dataCycles(transfer, bytesPerCycle));
  return transfers.length === 0 ? 0 : time + startupCycles;
}
