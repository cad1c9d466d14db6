// What instructions cost when nothing but the hart itself holds it up: issue, use latency, the one write port of the
// register file, the load/store unit, the path to outside memory (snitch-cluster.md, sections 2 and 8).
//
// Each instruction has a cost of its own that the code around it fixes, wherever execution entered that code: with
// W(i) the cycles of the straight-line code from instruction i to the end of its block, walked through the pipeline,
// instruction i costs W(i) - W(i+1). So costs add up to W for every way to enter, and neither interpreter nor
// translator nor a cut in the middle of a block can change them.

import { accesses, type Block, readBlock, type Step, type StepSource, transfers, written } from "./block.ts";

/** Which memory an access reaches: the tightly coupled one, or the one outside of the cluster. */
export type MemoryClass = "near" | "far";

/** What the walk must know of the target. */
export interface CostParameters {
  readonly outstandingLoads: number;
  readonly outstandingMemory: number;
  /** Cycles of the outside memory beyond the ideal one. */
  readonly farLatency: number;
  /** Class of accesses whose cost is part of the block's; others add a penalty. */
  readonly usual: MemoryClass;
}

/** Costs of a block's steps. What only run time knows is left as an amount that the tiers add. */
export interface Costs {
  readonly cycles: readonly number[];
  /** Cycles that an access adds which does not reach the usual memory; 0 for other steps. */
  readonly penalty: readonly number[];
  /** Use latency of a division, in cycles, that the block hides; 0 for other steps. */
  readonly slack: readonly number[];
}

/** Latencies in cycles from issue to the cycle in which the result is at the register file; section 2. */
const nearResponse = 3, offloadResponse = 3;
/** Section 8, rule 9: from grant to data, to a store's acknowledge, to an atomic's data; slots of the memory. */
const farRead = 9, farWrite = 10, farAtomic = 15, readSlot = 9, writeSlot = 10, writeBeforeRead = 9;
/** Least use latency of a division; its static part. */
const quickDivision = 4;

interface Flight {
  readonly register: number;
  readonly ready: number;
}

/** The pipeline of one hart, walked instruction by instruction. */
class Pipeline {
  /** Cycle in which the next instruction may issue. */
  time = 0;
  /** Cycle in which each step issued. */
  readonly issued: number[] = [];
  #pending = 0;
  #loads: Flight[] = [];
  #offloads: Flight[] = [];
  /** Cycles in which responses of memory operations under way come, in order. */
  #responses: number[] = [];
  #grants: number[] = [];
  #reads: [number, number] = [-100, -100];
  #writes: [number, number] = [-100, -100];
  #lastGrant = -100;

  constructor(readonly parameters: CostParameters) {}

  /** Whether anything is under way that can hold up what follows. */
  get busy(): boolean {
    return this.#pending !== 0 || this.#responses.length > 0;
  }

  /** Issues a step. */
  issue(step: Step, memory: MemoryClass): void {
    const { instruction, operands } = step;
    const { kind } = instruction.meaning;
    const rd = written(step);
    let waits = 1 << rd;
    for (const register of instruction.reads) waits |= 1 << operands[register];
    // Section 8, rule 1: bits 11:7 of a branch are taken for a register too.
    if (kind === "branch") waits |= 1 << (((operands.imm & 0x1e) | (operands.imm >>> 11 & 1)) & 31);
    waits &= ~1;
    const later = kind === "load" || kind === "atomic" || instruction.latency === "multiply" ||
      instruction.latency === "divide";
    const isAccess = accesses(step), isFence = kind === "system";
    for (;;) {
      this.#drain();
      const blocked = (this.#pending & waits) !== 0 ||
        (isAccess && !this.#mayAccess(kind !== "store")) || (isFence && this.#responses.length > 0);
      if (!blocked) break;
      this.#retire();
      this.time++;
    }
    this.issued.push(this.time);
    if (rd === 0 || later) this.#retire();
    if (isAccess) this.#access(kind, rd, memory);
    else if (later && rd !== 0) {
      this.#offloads.push({ register: rd, ready: this.time + offloadResponse });
      this.#pending |= 1 << rd;
    }
    this.time++;
  }

  #mayAccess(load: boolean): boolean {
    const { outstandingLoads, outstandingMemory } = this.parameters;
    return this.#responses.length < outstandingMemory && this.#grants.length < 2 &&
      (!load || this.#loads.length < outstandingLoads);
  }

  #access(kind: string, rd: number, memory: MemoryClass): void {
    let response = this.time + nearResponse;
    if (memory === "far") {
      const reads = kind !== "store";
      let grant = Math.max(this.time + 1, this.#lastGrant + 1);
      if (reads) grant = Math.max(grant, this.#reads[0] + readSlot, this.#writes[1] + writeBeforeRead);
      if (kind !== "load") grant = Math.max(grant, this.#writes[0] + writeSlot);
      if (reads) this.#reads = [this.#reads[1], grant];
      if (kind !== "load") this.#writes = [this.#writes[1], grant];
      this.#lastGrant = grant;
      this.#grants.push(grant);
      response = grant + this.parameters.farLatency +
        (kind === "store" ? farWrite : kind === "load" ? farRead : farAtomic);
    }
    const last = this.#responses[this.#responses.length - 1];
    if (last !== undefined) response = Math.max(response, last + 1);
    this.#responses.push(response);
    if (kind !== "store" && rd !== 0) {
      this.#loads.push({ register: rd, ready: response });
      this.#pending |= 1 << rd;
    }
  }

  /** Forgets what has been answered before this cycle. */
  #drain(): void {
    while (this.#responses.length > 0 && this.#responses[0] < this.time) this.#responses.shift();
    while (this.#grants.length > 0 && this.#grants[0] < this.time) this.#grants.shift();
  }

  /** A cycle in which the write port is free: the oldest load that is there takes it, else an offloaded result. */
  #retire(): void {
    const queue = this.#loads.length > 0 && this.#loads[0].ready <= this.time ? this.#loads : this.#offloads;
    if (queue.length === 0 || queue[0].ready > this.time) return;
    const { register } = queue.shift()!;
    this.#pending &= ~(1 << register);
  }
}

function walk(pipeline: Pipeline, steps: readonly Step[], memory: MemoryClass, first = 0): Pipeline {
  for (let i = first; i < steps.length; i++) pipeline.issue(steps[i], memory);
  return pipeline;
}

/** How far delays reach into what follows, in instructions; longest loop that is walked round; history of a delay. */
const lookAhead = 12, longestLoop = 64, lookBack = 8;
/** Rounds of a loop after which its time per round is taken as steady. */
const settledRounds = 2;
/** Penalties and slacks fit a byte. */
const most = 255;

/**
 * The costs of a block's steps.
 *
 * @param source the code around the block
 */
export function costsOf(
  block: Block,
  parameters: CostParameters,
  source: StepSource,
): Costs {
  const { steps } = block, { usual } = parameters;
  const count = steps.length;
  const usualCycles = suffixes(steps, parameters, usual);
  const cycles = steps.map((_, i) => usualCycles[i] - usualCycles[i + 1]);
  if (count > 0) cycles[count - 1] += followUp(block, parameters, source);
  const other: MemoryClass = usual === "near" ? "far" : "near";
  const some = steps.some(accesses), otherCycles = some ? suffixes(steps, parameters, other) : usualCycles;
  const penalty = steps.map((step, i) => {
    if (!accesses(step)) return 0;
    const more = otherCycles[i] - otherCycles[i + 1] - (usualCycles[i] - usualCycles[i + 1]);
    return Math.min(most, Math.max(0, more));
  });
  return { cycles, penalty, slack: slackOf(steps, parameters) };
}

/** W(i) for each step, and 0 behind the last. */
function suffixes(steps: readonly Step[], parameters: CostParameters, memory: MemoryClass): number[] {
  return [...steps.map((_, i) => walk(new Pipeline(parameters), steps, memory, i).time), 0];
}

/**
 * Cycles by which what a block has under way at its end delays what follows: the loop of which it is the end, the
 * target of a jump, else the code behind it.
 */
function followUp(
  { steps, end, ending, target }: Block,
  parameters: CostParameters,
  source: StepSource,
): number {
  const { usual } = parameters;
  if (ending === "indirect" || ending === "slow") return 0;
  const last = steps[steps.length - 1].pc;
  const backward = target !== undefined && target <= last;
  if (backward && last - target < 4 * longestLoop) {
    const body = readBlock(target, source, longestLoop);
    if (body.end === end) {
      const pipeline = new Pipeline(parameters);
      const once = walk(pipeline, body.steps, usual).time;
      for (let i = 1; i < settledRounds; i++) walk(pipeline, body.steps, usual);
      const before = pipeline.time;
      return Math.max(0, walk(pipeline, body.steps, usual).time - before - once);
    }
  }
  const pipeline = walk(new Pipeline(parameters), history(last, source), usual);
  if (!pipeline.busy) return 0;
  const next = backward || ending === "jump" ? target! : end;
  const follower = readBlock(next, source, lookAhead).steps;
  const alone = walk(new Pipeline(parameters), follower, usual).time;
  const before = pipeline.time;
  return Math.max(0, walk(pipeline, follower, usual).time - before - alone);
}

/** The straight-line code up to and with an instruction, whatever a block holds of it. */
function history(last: number, source: StepSource): readonly Step[] {
  const steps = [source(last)!];
  for (let pc = last - 4; steps.length <= lookBack; pc -= 4) {
    const step = source(pc);
    if (!step || transfers(step)) break;
    steps.unshift(step);
  }
  return steps;
}

/** For each division: cycles between the end of its shortest latency and the first step that waits for it. */
function slackOf(steps: readonly Step[], parameters: CostParameters): number[] {
  return steps.map((step, i) => {
    if (step.instruction.latency !== "divide") return 0;
    const rd = written(step);
    const { issued, time } = walk(new Pipeline(parameters), steps, parameters.usual, i);
    const user = steps.findIndex((other, j) => j > i && waitsFor(other, rd));
    const wait = user < 0 ? time : issued[user - i];
    return Math.min(most, Math.max(0, wait - quickDivision));
  });
}

/** Whether a step cannot issue while a division into `rd` is under way. */
function waitsFor(step: Step, rd: number): boolean {
  const { instruction, operands } = step;
  if (instruction.latency === "divide") return true;
  return rd !== 0 &&
    (written(step) === rd || instruction.reads.some((register) => operands[register] === rd));
}
