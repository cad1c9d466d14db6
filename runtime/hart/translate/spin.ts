// Loops in which a hart waits for what another one writes. How long that takes depends on every cycle of both, so they
// are left to the exact pipelines.

import { accesses, readBlock, type Step, type StepSource } from "./block.ts";

/** Most instructions of such a loop. */
const longest = 16;

/**
 * Whether the block at an address ends a loop that reads the same places again and again until it finds something else.
 * That depends on where the block ends and not on where it begins: the tiers may begin to ask anywhere in it.
 *
 * @param source the code around the address
 */
export function isSpinning(pc: number, source: StepSource): boolean {
  const { target, end, ending } = readBlock(pc, source);
  if (ending !== "branch" || target === undefined || target >= end || end - target > 4 * longest) {
    return false;
  }
  const body = readBlock(target, source, longest);
  return body.end === end && body.ending === "branch" && waits(body.steps);
}

/** Whether a loop writes nothing (but by atomics), reads fixed addresses only, and ends by what it has read. */
function waits(body: readonly Step[]): boolean {
  const written = new Set(body.map(({ rd }) => rd));
  const found = new Set<number>();
  for (const step of body) {
    const { rd, unit, operands, instruction: { reads } } = step;
    if (unit === "store") return false;
    if (accesses(step)) {
      if (operands.rs1 !== 0 && written.has(operands.rs1)) return false;
      found.add(rd);
    } else if (reads.some((register) => found.has(operands[register]))) found.add(rd);
    else found.delete(rd);
  }
  found.delete(0);
  const { operands, instruction: { reads } } = body[body.length - 1];
  return reads.some((register) => found.has(operands[register]));
}
