// The unit in which the fast tiers run: a block is what a hart executes from the place where it enters up to the next
// transfer of control. Interpreter tier and translator read the same blocks.

import { decode, type Operands, operandsOfWord } from "../encoding.ts";
import type { Instruction, LatencyClass } from "../instructions.ts";
import type { Amounts } from "./layout.ts";

/** What of a hart an instruction keeps busy; `offload`: the multiplier and divider. */
export type Unit = "core" | "load" | "store" | "atomic" | "offload" | "fence";

/** One instruction of a block, decoded. */
export interface Step {
  readonly pc: number;
  readonly instruction: Instruction;
  readonly operands: Required<Operands>;
  readonly unit: Unit;
  /** Register that is written; 0 if none. */
  readonly rd: number;
  /** Registers that must have no result pending before it issues, as a mask. */
  readonly waits: number;
}

const units: Record<LatencyClass, Unit> = {
  alu: "core",
  branch: "core",
  jump: "core",
  csr: "core",
  load: "load",
  store: "store",
  atomic: "atomic",
  multiply: "offload",
  divide: "offload",
  transfer: "offload",
  system: "fence",
};

/**
 * How a block ends: with a conditional branch, a jump to a fixed target, a jump to a register's value, by running on
 * over a boundary, or in front of an instruction that the slow path executes alone.
 */
export type Ending = "branch" | "jump" | "indirect" | "fall" | "slow";

/** Straight-line code. All addresses are unsigned. */
export interface Block {
  readonly start: number;
  /** Address behind the last step; blocks that overlap end at the same one. */
  readonly end: number;
  readonly steps: readonly Step[];
  readonly ending: Ending;
  /** Where a branch or jump goes. */
  readonly target?: number;
}

/** Blocks end at multiples of this many bytes, so that none is long. */
export const boundary = 128;

/** The instruction at an address; undefined if there is none that may be read on. */
export type StepSource = (pc: number) => Step | undefined;

/** Decodes the word at an address, be it for blocks or for the slow path. */
export function decodeStep(pc: number, word: number): Step | undefined {
  const instruction = decode(word);
  if (instruction === undefined) return undefined;
  const operands = operandsOfWord(word, instruction.format);
  // Bits 11:7 are looked at whether or not they name a destination (snitch-cluster.md, section 8, rule 1).
  let waits = instruction.latency === "system" ? 0 : 1 << (word >>> 7 & 31);
  for (const register of instruction.reads) waits |= 1 << operands[register];
  const rd = instruction.writes ? operands.rd : 0;
  return { pc, instruction, operands, unit: units[instruction.latency], rd, waits: waits & ~1 };
}

/**
 * Whether an instruction belongs to the slow path: it talks to the rest of the SoC, changes the hart's mode, or
 * depends on what other harts do. Memory accesses join it one by one when their address is no plain memory.
 */
export function isSlow({ meaning }: Instruction): boolean {
  switch (meaning.kind) {
    case "csr":
    case "transfer":
    case "reserve":
    case "conditional":
      return true;
    case "system":
      return meaning.action !== "fence";
    default:
      return false;
  }
}

/** Whether blocks may hold a step. */
export function isForBlocks({ instruction, operands: { imm } }: Step): boolean {
  // A target between two instructions is taken all the same (snitch-cluster.md, 1.8): rare, so left to the slow path.
  const between = (instruction.format === "B" || instruction.format === "J") && (imm & 2) !== 0;
  return !between && !isSlow(instruction);
}

/** Whether a step may go elsewhere than on; it ends its block. */
export function transfers({ instruction: { meaning: { kind } } }: Step): boolean {
  return kind === "branch" || kind === "jump";
}

/**
 * Reads the block that starts at `start`. What only some harts have (Xdma) is slow, as is what none has, so that blocks
 * are the same for all.
 *
 * @param most reads at most so many instructions, over boundaries; absent: to the next boundary
 */
export function readBlock(start: number, source: StepSource, most?: number): Block {
  const steps: Step[] = [];
  const limit = most ?? (boundary - start % boundary) / 4;
  for (let pc = start; steps.length < limit; pc = pc + 4) {
    const step = source(pc);
    if (!step) return { start, end: pc, steps, ending: "slow" };
    steps.push(step);
    if (!transfers(step)) continue;
    const { instruction: { format }, operands: { imm } } = step, end = pc + 4;
    if (format !== "B" && format !== "J") return { start, end, steps, ending: "indirect" };
    return { start, end, steps, ending: format === "B" ? "branch" : "jump", target: (pc + imm) >>> 0 };
  }
  return { start, end: start + 4 * limit, steps, ending: "fall" };
}

/** Going on into another stretch of this many bytes passes a point at which a quantum may end. */
export const stretch = 1024;

/**
 * Whether going on from a step to an address passes a point at which a quantum may end: backward, by a call, to what a
 * register holds, or into another stretch of code. So a quantum never ends much too late.
 */
export function isChecked(step: Step, to: number): boolean {
  const { pc, instruction: { meaning, format } } = step;
  if (meaning.kind === "jump" && (format !== "J" || step.rd !== 0)) return true;
  return to <= pc || Math.floor(to / stretch) !== Math.floor(pc / stretch);
}

/** What a step adds up to that takes so many cycles, whatever its operands are. */
export function amountsOf(step: Step, cycles: number): Amounts {
  const offloads = step.instruction.latency === "multiply" ? 1 : 0;
  return { cycles, instructions: 1, accesses: accesses(step) ? 1 : 0, offloads };
}

/** Whether a step reads or writes memory. */
export function accesses({ unit }: Step): boolean {
  return unit === "load" || unit === "store" || unit === "atomic";
}

/** Bytes that a memory step moves. */
export function accessBytes({ instruction: { meaning } }: Step): 1 | 2 | 4 {
  return meaning.kind === "load" || meaning.kind === "store" ? meaning.bytes : 4;
}

/** Register that a step writes; 0 if none. */
export function written({ rd }: Step): number {
  return rd;
}
