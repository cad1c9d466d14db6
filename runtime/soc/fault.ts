// How a guest's run ends when it goes wrong: an error that says which hart did what, where.

import { AttoflowError } from "../../targets/errors.ts";
import { causeName } from "../hart/control.ts";
import type { MemoryMap } from "./memory_map.ts";

/** Where a guest went wrong. */
export interface FaultPlace {
  /** Hart, or undefined where none is to blame more than the others. */
  readonly hart?: number;
  readonly pc?: number;
  /** mcause, where it is a trap that nobody handles. */
  readonly trapCause?: number;
  /** Cycles since reset. */
  readonly cycle: number;
  /** Function and offset, from the image's symbols; `?` if unknown. */
  readonly symbol?: string;
  /** The instruction at `pc`, disassembled. */
  readonly instruction?: string;
  readonly hint?: string;
}

/** The guest did something that ends the simulation: a bad access, a trap without handler, a deadlock … */
export class GuestFault extends AttoflowError {
  override name = "GuestFault";
  readonly hart?: number;
  readonly pc?: number;
  readonly trapCause?: number;
  readonly cycle: number;

  /** @param what the cause, one sentence without a full stop */
  constructor(what: string, place: FaultPlace) {
    super(what, { where: describe(place), hint: place.hint });
    this.hart = place.hart;
    this.pc = place.pc;
    this.trapCause = place.trapCause;
    this.cycle = place.cycle;
  }
}

function describe({ hart, pc, cycle, symbol, instruction }: FaultPlace): string {
  const parts = [];
  if (hart !== undefined) parts.push(`hart ${hart}`);
  if (pc !== undefined) {
    const place = symbol && symbol !== "?" ? ` (${symbol})` : "";
    parts.push(`pc 0x${(pc >>> 0).toString(16).padStart(8, "0")}${place}`);
  }
  if (instruction) parts.push(instruction);
  parts.push(`cycle ${cycle}`);
  return parts.join(", ");
}

/** Why nobody would handle a trap: undefined if the program's handler at `vector` does. */
export function unhandledTrap(map: MemoryMap, vector: number, pc: number, cause: number): string | undefined {
  const handler = map.find(vector), fromRom = map.find(pc)?.kind === "rom";
  const isOwn = handler !== undefined && handler.kind !== "registers" && handler.kind !== "zero" &&
    (handler.kind !== "rom" || fromRom);
  if (vector === 0 || !isOwn) return `traps (${causeName(cause)}), and the program has set no trap handler`;
  if (cause >= 0 && pc === vector) {
    return `traps (${causeName(cause)}) in the first instruction of its trap handler`;
  }
}
