// When a hart's instructions issue if nothing but the hart itself holds them up: issue, use latency, the one write
// port of the register file, the load/store unit, the path to outside memory (snitch-cluster.md, sections 2 and 8).

import type { Step } from "./block.ts";

/** Which memory an access reaches: the tightly coupled one, or the one outside of the cluster. */
export type MemoryClass = "near" | "far";

/** What the model must know of the target. */
export interface PipelineParameters {
  readonly outstandingLoads: number;
  readonly outstandingMemory: number;
  /** Cycles of the outside memory beyond the ideal one. */
  readonly farLatency: number;
}

/** Latencies in cycles from issue to the cycle in which the result is at the register file; section 2. */
const nearResponse = 3, offloadResponse = 3;
/** Section 8, rule 9: from grant to data, to a store's acknowledge, to an atomic's data; slots of the memory. */
const farRead = 9, farWrite = 10, farAtomic = 15, readSlot = 9, writeSlot = 10, writeBeforeRead = 9;
/** Requests that wait in a hart's request register (section 8, rule 4). */
const requestPlaces = 2;
/** Before everything. */
const longAgo = -1000;

/**
 * Walks straight-line code from an idle pipeline. The shortest latency is taken for divisions.
 *
 * @param memory the class of all accesses
 * @returns the cycle in which each step issues, and the first in which the next one could
 */
export function issueTimes(
  steps: readonly Step[],
  memory: MemoryClass,
  { outstandingLoads, outstandingMemory, farLatency }: PipelineParameters,
): number[] {
  const times: number[] = [];
  /** Registers with a result under way, as a mask; queues of what is under way, each in order. */
  let pending = 0;
  const loads: number[] = [], loadRegisters: number[] = [];
  const offloads: number[] = [], offloadRegisters: number[] = [];
  const responses: number[] = [], grants: number[] = [];
  let firstLoad = 0, firstOffload = 0, firstResponse = 0, firstGrant = 0;
  let lastRead = longAgo, readBefore = longAgo, lastWrite = longAgo, writeBefore = longAgo;
  let time = 0;
  for (let i = 0; i < steps.length; i++) {
    const { unit, waits, rd } = steps[i];
    const isLoad = unit === "load" || unit === "atomic", isAccess = isLoad || unit === "store";
    for (;; time++) {
      while (firstResponse < responses.length && responses[firstResponse] < time) firstResponse++;
      while (firstGrant < grants.length && grants[firstGrant] < time) firstGrant++;
      const busy = responses.length - firstResponse;
      const full = isAccess && (busy >= outstandingMemory || grants.length - firstGrant >= requestPlaces ||
        (isLoad && loads.length - firstLoad >= outstandingLoads));
      if ((pending & waits) === 0 && !full && (unit !== "fence" || busy === 0)) break;
      retire();
    }
    times.push(time);
    // Who writes a register when it issues takes the port.
    if (rd === 0 || isLoad || unit === "offload") retire();
    if (isAccess) access(unit, rd);
    else if (unit === "offload" && rd !== 0) {
      offloads.push(time + offloadResponse);
      offloadRegisters.push(rd);
      pending |= 1 << rd;
    }
    time++;
  }
  times.push(time);
  return times;

  /** A cycle in which the write port is free: the oldest load that is there takes it, else an offloaded result. */
  function retire(): void {
    if (firstLoad < loads.length && loads[firstLoad] <= time) pending &= ~(1 << loadRegisters[firstLoad++]);
    else if (firstOffload < offloads.length && offloads[firstOffload] <= time) {
      pending &= ~(1 << offloadRegisters[firstOffload++]);
    }
  }

  function access(unit: string, rd: number): void {
    let response = time + nearResponse;
    if (memory === "far") {
      const last = grants.length > 0 ? grants[grants.length - 1] : longAgo;
      let grant = Math.max(time, last) + 1;
      if (unit !== "store") grant = Math.max(grant, readBefore + readSlot, lastWrite + writeBeforeRead);
      if (unit !== "load") grant = Math.max(grant, writeBefore + writeSlot);
      if (unit !== "store") {
        readBefore = lastRead;
        lastRead = grant;
      }
      if (unit !== "load") {
        writeBefore = lastWrite;
        lastWrite = grant;
      }
      grants.push(grant);
      response = grant + farLatency + (unit === "store" ? farWrite : unit === "load" ? farRead : farAtomic);
    }
    if (responses.length > 0) response = Math.max(response, responses[responses.length - 1] + 1);
    responses.push(response);
    if (unit === "store" || rd === 0) return;
    loads.push(response);
    loadRegisters.push(rd);
    pending |= 1 << rd;
  }
}
