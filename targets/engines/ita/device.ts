// The ITA accelerator as the emulator sees it (ita.md): exact to the bit, and to the cycle while the memory does
// not refuse. Registers and queue are in queue.ts, the meaning of jobs in sequencer.ts, their data in
// datapath.ts, time in timing.ts, what programs must not do in rules.ts; here they are joined.

import type { Accelerator, AcceleratorContext, JobCounts } from "../../../runtime/soc/device.ts";
import { AttoflowError } from "../../errors.ts";
import type { Target } from "../../schema.ts";
import type { Geometry } from "./arithmetic.ts";
import { Datapath } from "./datapath.ts";
import { JobQueue } from "./queue.ts";
import { firstJobRegister, type Layer, registers, type Tiles } from "./registers.ts";
import { brokenRule, registerText } from "./rules.ts";
import { type Place, Sequencer } from "./sequencer.ts";
import {
  type AccessPlan,
  accessPlan,
  firstAccessAfterRise,
  type JobTraffic,
  outputDrain,
  portBytes,
  streams,
} from "./timing.ts";

/** Field `ita` of a target. */
export type ItaParameters = NonNullable<Target["ita"]>;

export interface ItaOptions {
  /** Do as the silicon does with what section 10 forbids: hang, or compute garbage. Default: fail with a message. */
  readonly silent?: boolean;
  /** Compute with the plain arithmetic; slow, for comparison. */
  readonly plain?: boolean;
  /** Is told of each job when it is done, for timelines. */
  readonly observe?: (job: JobRecord) => void;
}

/** A finished job. */
export interface JobRecord {
  /** Cycles in which busy rose and the done event came. */
  readonly rise: number;
  readonly done: number;
  readonly step: Place["step"];
  readonly traffic: JobTraffic;
}

/** A job under way. */
interface Job {
  readonly layer: Layer;
  readonly tiles: Tiles;
  readonly place: Place;
  readonly traffic: JobTraffic;
  readonly plan: AccessPlan;
  /** Address of each stream, in the order of `streams`. */
  readonly pointers: readonly number[];
  /** Finds no weights for its last column group; in silent mode only. */
  readonly starved: boolean;
  /** Never completes; in silent mode only. */
  readonly hangs: boolean;
  /** Rise of busy. */
  readonly launch: number;
  /** Rise of busy, as late as refused accesses have made it look (section 12.2). */
  rise: number;
  /** Next access of the plan, and when it is due. */
  index: number;
  next: number;
  /** Cycles left idle on purpose. */
  idle: number;
  /** Cycle of the done event; Infinity while it is not known. */
  done: number;
}

/** Kinds of jobs that the device counts apart: what they do beside the products differs. */
export const jobKinds = ["linear", "QK", "AV"] as const;

/** Largest edge of a tile that the plan of accesses can address. */
const largestTile = 128;

/** The device. One instance is one accelerator from its reset on. */
export class Ita implements Accelerator {
  /** Whether a job runs or will run without a further write. */
  busy = false;
  /** Jobs finished since reset: products with softmax gathered (QK) or applied (AV), and all others. */
  readonly counts: Readonly<Record<(typeof jobKinds)[number], JobCounts>>;

  readonly #counts = countsOf(jobKinds);
  readonly #context: AcceleratorContext;
  readonly #geometry: Geometry;
  readonly #silent: boolean;
  readonly #observe: ItaOptions["observe"];
  readonly #queue: JobQueue;
  readonly #sequencer = new Sequencer();
  readonly #datapath: Datapath;
  readonly #plans = new Map<number, AccessPlan>();
  readonly #portBytes: number;
  #job: Job | undefined;
  /** Nothing happens before this cycle. */
  #wake = Infinity;
  #launched = 0;
  /** Behind a soft clear that hit a running job: only the reset pin helps (section 3.2). */
  #broken = false;
  /** A driver error was reported; the simulation ends. */
  #stopped = false;

  /**
   * @param context memory port, interrupts and error exit, given by the SoC
   * @param parameters sizes and softmax revision, from the target
   * @throws {AttoflowError} if an engine of such sizes cannot be built
   */
  constructor(context: AcceleratorContext, parameters: ItaParameters, options: ItaOptions = {}) {
    const { lanes, elements } = parameters;
    if (lanes % 2 !== 0 || elements % lanes !== 0 || elements > largestTile) {
      throw new AttoflowError(`ITA cannot have ${lanes} lanes of ${elements} elements`, {
        where: "target field ita",
        hint: `lanes is even and divides elements, which is at most ${largestTile}.`,
      });
    }
    this.counts = this.#counts;
    this.#context = context;
    this.#geometry = parameters;
    this.#silent = options.silent ?? false;
    this.#observe = options.observe;
    this.#queue = new JobQueue(parameters.contexts);
    this.#portBytes = portBytes(parameters);
    this.#datapath = new Datapath(context.port, parameters, options.plain ?? false);
  }

  /** See {@link Peripheral}. `hart` -1 stands for a bus master without a number. */
  readUint32(offset: number, cycle: number, _hart: number): number {
    if (this.#stopped) return 0;
    this.#settle(cycle);
    return this.#queue.read(offset, cycle);
  }

  /** See {@link Peripheral}. A commit by `hart` -1 leaves the event to the context's last owner (section 2, id 0). */
  writeUint32(offset: number, value: number, mask: number, cycle: number, hart: number): void {
    if (this.#stopped) return;
    this.#settle(cycle);
    const register = offset & 0xfc;
    if (register >= firstJobRegister) this.#writeJobRegister(offset, value, mask, cycle);
    else if (register === registers.TRIGGER) this.#commit(value, cycle, hart);
    else if (register === registers.FINISHED) this.#queue.accessFinished(cycle);
    else if (register === registers.SOFT_CLEAR) this.#softClear(value, cycle);
    this.#schedule();
  }

  tick(cycle: number): void {
    if (cycle < this.#wake) return;
    this.#settle(cycle);
    const job = this.#job;
    if (job && job.next <= cycle) this.#access(job, cycle);
  }

  /** See {@link Accelerator}. */
  describe(cycle: number): string[] {
    const job = this.#job, { pending, programmed, running } = this.#queue;
    const queue = `${this.#launched} jobs launched; ${pending} committed and not done; ` +
      `registers of context ${programmed} are written, those of context ${running} are used`;
    if (!job) return [queue, pending > 0 ? "idle; the jobs wait to be triggered" : "idle"];
    const { step, first, last } = job.place;
    const end = job.done < Infinity ? `, done in cycle ${job.done}` : "";
    return [
      queue,
      `step ${step}, ${job.layer}: a job for ${
        cycle - job.launch
      } cycles, access ${job.index} of ${job.plan.count}${end}` +
      `${first ? ", the first of its accumulation" : ""}${last ? ", the last of its accumulation" : ""}`,
    ];
  }

  #writeJobRegister(offset: number, value: number, mask: number, cycle: number): void {
    if (this.#queue.full) {
      this.#report(
        `a job register (offset 0x${offset.toString(16)}) is written while all contexts are committed; ` +
          "the write would hit the running job (section 3.1)",
      );
    }
    this.#queue.writeJobRegister(offset, value, mask, cycle);
    this.#checkHazard();
  }

  #commit(value: number, cycle: number, hart: number): void {
    if (this.#queue.full) {
      this.#report(`${registerText("TRIGGER")} is written while all contexts are committed (section 3.1)`);
    }
    this.#queue.commit(value, cycle, hart);
  }

  #softClear(value: number, cycle: number): void {
    // The clear acts two cycles later; a job that launches until then is hit as well.
    if (this.#job || this.#queue.launchCycle <= cycle + 1) {
      this.#report(
        `${registerText("SOFT_CLEAR")} is written while a job runs; ` +
          "only a reset makes the engine usable again (section 3.2)",
      );
      this.#broken = true;
      this.#job = undefined;
    }
    this.#queue.softClear(value, cycle);
    this.#checkHazard();
  }

  /** Lets everything happen that is due up to `cycle`, but for accesses to the memory. */
  #settle(cycle: number): void {
    if (cycle < this.#wake) return;
    for (;;) {
      if (this.#job) {
        if (this.#job.done > cycle) break;
        this.#complete(this.#job);
      } else {
        const launch = this.#queue.launchCycle;
        if (launch > cycle || this.#stopped) break;
        this.#launch(launch);
      }
    }
    this.#schedule();
  }

  /** Notes when something happens next. */
  #schedule(): void {
    const job = this.#job;
    const launch = job ? Infinity : this.#queue.launchCycle;
    this.busy = !this.#stopped && (job !== undefined || launch < Infinity);
    this.#wake = this.busy ? Math.min(launch, job?.next ?? Infinity, job?.done ?? Infinity) : Infinity;
  }

  #launch(cycle: number): void {
    const registersOfJob = this.#queue.visible;
    const { layer, tiles } = registersOfJob;
    const place = this.#sequencer.startJob(layer, tiles);
    const traffic: JobTraffic = {
      preload: registersOfJob.stream("weightPreload"),
      nextload: registersOfJob.stream("weightNextload"),
      bias: !registersOfJob.stream("biasDisable"),
      output: !registersOfJob.stream("outputDisable"),
    };
    const { port } = this.#context;
    const problem = brokenRule({
      job: registersOfJob,
      place,
      traffic,
      sequencer: this.#sequencer,
      prefetched: this.#datapath.prefetched,
      memory: { base: port.base, size: port.bytes.length },
      lanes: this.#geometry.lanes,
      elements: this.#geometry.elements,
    });
    if (problem) this.#report(problem);
    this.#launched++;
    const starved = !traffic.preload && this.#datapath.prefetched === undefined;
    this.#job = {
      layer,
      tiles,
      place,
      traffic,
      plan: this.#planOf(traffic),
      pointers: [
        registersOfJob.pointer("INPUT_PTR"),
        registersOfJob.pointer("WEIGHT_PTR0"),
        registersOfJob.pointer("WEIGHT_PTR1"),
        registersOfJob.pointer("BIAS_PTR"),
        registersOfJob.pointer("OUTPUT_PTR"),
      ],
      starved,
      hangs: starved || this.#broken || traffic.output !== place.last,
      launch: cycle,
      rise: cycle,
      index: 0,
      next: this.#broken ? Infinity : cycle + firstAccessAfterRise,
      idle: 0,
      done: Infinity,
    };
  }

  /** Asks for the job's next access, once a cycle until it is granted. */
  #access(job: Job, cycle: number): void {
    const { plan, index } = job;
    const stream = plan.stream[index];
    const address = job.pointers[stream] + plan.offset[index];
    if (!this.#context.port.request(address, this.#portBytes, stream === streams.output, cycle)) {
      this.#wake = job.next = cycle + 1;
      return;
    }
    // Operands hold still while their job runs, so the whole job is computed when it first touches the memory.
    if (index === 0) this.#datapath.compute(this.#queue.visible, job.place);
    if (index === plan.lastNextWeights) this.#datapath.prefetch(job.pointers[stream]);
    job.rise = Math.max(job.rise, cycle - plan.due[index]);
    job.index = index + 1;
    if (job.index < plan.count) {
      job.next = Math.max(cycle + 1, job.rise + plan.earliest[job.index]);
      job.idle += job.next - cycle - 1;
      this.#wake = job.next;
    } else {
      job.next = Infinity;
      const end = job.rise + plan.duration;
      if (plan.output && job.place.last) this.#datapath.store(job.pointers[streams.output], job.starved);
      if (!job.hangs) job.done = plan.output ? Math.max(end, cycle + outputDrain(job.idle)) : end;
      this.#wake = job.done;
    }
  }

  #complete(job: Job): void {
    this.#job = undefined;
    this.#sequencer.endJob(job.layer, job.tiles);
    const owner = this.#queue.complete(job.done);
    const { step } = job.place;
    const counts = this.#counts[step === "QK" || step === "AV" ? step : "linear"];
    counts.jobs++;
    if (job.plan.output) counts.outputs++;
    counts.cycles += job.done - job.launch;
    counts.stalled += job.done - job.launch - job.plan.duration;
    this.#checkHazard();
    this.#context.raise(owner);
    this.#observe?.({ rise: job.launch, done: job.done, step, traffic: job.traffic });
  }

  /** Section 7: between jobs the engine compares its count with whatever TILES the next context holds. */
  #checkHazard(): void {
    if (this.#job || !this.#sequencer.accumulating) return;
    const { layer, tiles } = this.#queue.visible;
    if (!this.#sequencer.hazard(tiles)) return;
    this.#report(
      `TILES hazard: between jobs, ${registerText("TILES")} of context ${this.#queue.running} limits step ` +
        `${this.#sequencer.step} to ${this.#sequencer.inner} inner jobs, just as many as are done; the accumulation ` +
        "would end at once. Write TILES of a job before the one ahead of it ends (section 7)",
    );
    this.#sequencer.sufferHazard(layer, tiles);
  }

  #planOf(traffic: JobTraffic): AccessPlan {
    const { preload, nextload, bias, output } = traffic;
    const key = (preload ? 1 : 0) | (nextload ? 2 : 0) | (bias ? 4 : 0) | (output ? 8 : 0);
    let plan = this.#plans.get(key);
    if (!plan) this.#plans.set(key, plan = accessPlan(this.#geometry, traffic));
    return plan;
  }

  /** Ends the simulation with a message, unless the silicon's silence is wanted. */
  #report(problem: string): void {
    if (this.#silent || this.#stopped) return;
    this.#stopped = true;
    this.#context.fail(
      `ITA driver error in job ${this.#launched} (context ${this.#queue.running}): ${problem}`,
    );
  }
}

/** Counts of each kind, all 0. */
function countsOf<Kind extends string>(kinds: readonly Kind[]) {
  return Object.fromEntries(
    kinds.map((kind) => [kind, { jobs: 0, outputs: 0, cycles: 0, stalled: 0 }]),
  ) as Record<Kind, { -readonly [Field in keyof JobCounts]: number }>;
}
