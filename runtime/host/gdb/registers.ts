// Registers of an emulated hart as a debugger numbers them: x0 … x31, pc, CSRs.

import { csrNumbers } from "../../hart/csr_names.ts";
import { atBarrier, running, waitingForInterrupt } from "../../hart/state.ts";
import type { ObservedParts } from "../../soc/observer.ts";

type CsrName = keyof typeof csrNumbers;

/** CSRs that every hart has, and one that only harts by the privileged specification have. */
const commonCsrs: readonly CsrName[] = [
  "mstatus",
  "misa",
  "mie",
  "mtvec",
  "mscratch",
  "mepc",
  "mcause",
  "mip",
  "mcycle",
  "mcycleh",
  "minstret",
  "minstreth",
  "mhartid",
];
const standardCsrs: readonly CsrName[] = [...commonCsrs, "mtval", "mcounteren"];

const pcNumber = 32, machineMode = 3;

/** Names of a target's CSRs that a debugger sees. */
export function csrsOf({ target }: Pick<ObservedParts, "target">): readonly CsrName[] {
  return target.harts.core.csrs === "standard" ? standardCsrs : commonCsrs;
}

/** Value of a register; undefined if there is none of that number. */
export function readRegister(parts: ObservedParts, hart: number, number: number): number | undefined {
  const { state, control } = parts;
  if (number < pcNumber) return number === 0 ? 0 : state.registers[hart * 64 + number];
  if (number === pcNumber) return state.pc[hart];
  const name = csrsOf(parts)[number - pcNumber - 1];
  if (name === undefined) return undefined;
  // A debugger sees what machine mode sees, whatever mode the hart is in.
  const mode = control.privilege[hart];
  control.privilege[hart] = machineMode;
  const value = control.read(hart, csrNumbers[name], parts.now());
  control.privilege[hart] = mode;
  return value;
}

/** Writes a register. Returns whether that could be done. */
export function writeRegister(parts: ObservedParts, hart: number, number: number, value: number): boolean {
  const { state, control } = parts;
  if (number < pcNumber) {
    if (number > 0) state.registers[hart * 64 + number] = value;
    return true;
  }
  if (number === pcNumber) return writePc(parts, hart, value);
  const name = csrsOf(parts)[number - pcNumber - 1];
  if (name === undefined || control.read(hart, csrNumbers[name], parts.now()) === undefined) return false;
  const isDone = control.write(hart, csrNumbers[name], value, parts.now());
  if (state.activity[hart] === waitingForInterrupt && control.wakes(hart)) wake(parts, hart);
  return isDone;
}

function writePc(parts: ObservedParts, hart: number, value: number): boolean {
  const { state } = parts;
  if ((value & 3) !== 0) return false;
  if (value === state.pc[hart]) return true;
  // The others count on a hart that has come to the barrier.
  if (state.activity[hart] === atBarrier) return false;
  if (state.activity[hart] === waitingForInterrupt) wake(parts, hart);
  state.pc[hart] = value;
  return true;
}

function wake({ state, now }: ObservedParts, hart: number): void {
  state.activity[hart] = running;
  state.wake[hart] = now();
}
