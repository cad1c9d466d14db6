// An independent look at a program: follows its steps byte by byte and finds what the planner must never do. It
// knows nothing of how the plan was made; all it believes is what the steps wait for.

import { type Access, accessesOf } from "./accesses.ts";
import { taskSlots } from "./dependencies.ts";
import type { Buffer, Program, Step, StepEngine, Task } from "./program.ts";

const engines: readonly StepEngine[] = ["dma", "cores", "ita"];

/** Marks on the bytes of a space: the last step that wrote each, and of each engine the last that read it. */
interface Marks {
  readonly write: Int32Array;
  readonly reads: readonly Int32Array[];
  /** Which buffer the last write was for. */
  readonly owner: Int32Array;
}

/** At most so many problems are told. */
const mostProblems = 20;

/**
 * Checks a program:
 * - every access is inside its buffer, every buffer inside its arena, every memory large enough;
 * - what is read was written before, under the same name (or is an input or a constant);
 * - whoever overwrites or reads what another step wrote or reads has waited for it, unless one engine does both
 *   and keeps the order by itself;
 * - the args of a task are in their slot when it starts and until it ends;
 * - nobody uses a buffer outside the lifetime that it declares;
 * - no step waits for work that is issued later, which would be for ever;
 * - every output is written wholly, and strides are not negative.
 *
 * @returns the problems found, in words; empty if there are none
 */
export function checkProgram(program: Program): string[] {
  return new Checker(program).run();
}

class Checker {
  readonly #problems: string[] = [];
  readonly #spaces = new Map<string, Marks>();
  readonly #buffers: Map<string, number>;
  /** All steps so far; marks are indices of it. */
  readonly #steps: { readonly step: Step; readonly number: number }[] = [];
  /** Steps issued, and steps known to be finished, of each engine. */
  readonly #issued: Record<StepEngine, number> = { dma: 0, cores: 0, ita: 0 };
  readonly #finished: Record<StepEngine, number> = { dma: 0, cores: 0, ita: 0 };

  /** All tasks in their order, and what the slots for their args hold. */
  readonly #tasks: readonly Task[];
  readonly #slots: { task?: Task; by?: number; user?: number }[] = Array.from(
    { length: taskSlots },
    () => ({}),
  );

  constructor(readonly program: Program) {
    this.#tasks = program.layers.flatMap(({ steps }) =>
      steps.flatMap((step) => step.engine === "cores" ? [step.task] : [])
    );
    this.#buffers = new Map([...program.buffers.keys()].map((name, i) => [name, i]));
  }

  run(): string[] {
    const { program } = this;
    for (const buffer of program.buffers.values()) this.#open(buffer);
    for (const { steps, index } of program.layers) {
      steps.forEach((step, i) => this.#follow(step, `layer ${index}, step ${i}`));
    }
    for (const { place, name } of program.outputs) {
      const buffer = program.buffers.get(place.buffer)!;
      const { owner } = this.#spaces.get(spaceOf(buffer))!;
      if (owner.some((mark) => mark !== this.#buffers.get(buffer.name))) {
        this.#problem(`output ${name} is not written wholly`);
      }
    }
    for (const { memory, size, constants, activations, reserved, lowerBound } of program.memories) {
      if (constants + activations + reserved > size) this.#problem(`${memory} is too small`);
      if (lowerBound > activations) this.#problem(`the lower bound of ${memory} is above what the plan uses`);
    }
    return this.#problems;
  }

  #open(buffer: Buffer) {
    const space = spaceOf(buffer);
    const size = this.#sizeOf(buffer);
    if (buffer.offset < 0 || buffer.offset + buffer.bytes > size) {
      this.#problem(`${buffer.name} is not inside its ${space}`);
    }
    const untouched = () => new Int32Array(size).fill(-1);
    const marks = this.#spaces.get(space) ??
      { write: untouched(), reads: engines.map(untouched), owner: untouched() };
    this.#spaces.set(space, marks);
    if (buffer.kind === "input" || buffer.kind === "constant") {
      marks.owner.fill(this.#buffers.get(buffer.name)!, buffer.offset, buffer.offset + buffer.bytes);
    }
  }

  #sizeOf({ kind, memory, bytes }: Buffer): number {
    if (kind === "input" || kind === "output") return bytes;
    return kind === "constant" ? this.program.constants.length : this.program.arenas[memory];
  }

  #follow(step: Step, where: string) {
    for (const engine of engines) {
      const wanted = step.after[engine] ?? 0;
      if (wanted > this.#issued[engine]) {
        this.#problem(`${where}: waits for step ${wanted} of ${engine}, which is not issued yet`);
      }
      this.#finished[engine] = Math.max(this.#finished[engine], wanted);
    }
    const index = this.#steps.push({ step, number: ++this.#issued[step.engine] }) - 1;
    const accesses = accessesOf(step);
    const usable = accesses.flatMap((access) => {
      const buffer = this.program.buffers.get(access.place.buffer);
      if (!buffer) this.#problem(`${where}: ${access.what} names no buffer`);
      return buffer && this.#inside(access, buffer, step.layer, where) ? [{ access, buffer }] : [];
    });
    this.#followArgs(step, index, where);
    for (const { access, buffer } of usable) this.#conflicts(access, buffer, step, where);
    for (const { access, buffer } of usable) this.#mark(access, buffer, step, index, where);
  }

  /** Args of tasks lie in slots, in turn: each must be there in time and stay until its task is done. */
  #followArgs(step: Step, index: number, where: string) {
    if (step.engine === "dma" && step.brings) {
      const number = this.#tasks.indexOf(step.brings);
      if (number < 0) return this.#problem(`${where}: brings the args of a task that is never run`);
      const slot = number % taskSlots;
      const user = this.#slots[slot].user;
      if (user !== undefined && this.#pending(user, step, true)) {
        this.#problem(`${where}: brings args to a slot that is in use`);
      }
      this.#slots[slot] = { task: step.brings, by: index };
    } else if (step.engine === "cores") {
      const slot = this.#slots[this.#tasks.indexOf(step.task) % taskSlots];
      if (slot.task !== step.task || this.#pending(slot.by!, step, false)) {
        this.#problem(`${where}: the args of ${step.task.kernel} are not there`);
      }
      slot.user = index;
    }
  }

  #inside(access: Access, buffer: Buffer, layer: number, where: string): boolean {
    const { place, bytes, rows, stride, what } = access;
    const { first, last } = buffer.lifetime;
    if (layer < first || layer > last) this.#problem(`${where}: ${buffer.name} is not alive`);
    const end = place.offset + (rows - 1) * stride + bytes;
    const fine = place.offset >= 0 && bytes >= 0 && rows >= 1 && stride >= 0 && end <= buffer.bytes &&
      buffer.offset >= 0 && buffer.offset + buffer.bytes <= this.#sizeOf(buffer);
    if (!fine) this.#problem(`${where}: ${what} leaves ${buffer.name}`);
    return fine;
  }

  /** Finds steps that are not known to be finished although this access needs them to be. */
  #conflicts(access: Access, buffer: Buffer, step: Step, where: string) {
    const { write, reads, owner } = this.#spaces.get(spaceOf(buffer))!;
    const me = this.#buffers.get(buffer.name)!;
    let unwritten = false;
    let early: Step | undefined;
    // Neighbouring bytes mostly have the same marks; look only where one changes.
    let [lastWrite, lastReads] = [-1, [-1, -1, -1]];
    const meets = (mark: number, write: boolean) => {
      if (this.#pending(mark, step, write)) early = this.#steps[mark].step;
    };
    for (let row = 0; row < access.rows; row++) {
      const start = buffer.offset + access.place.offset + row * access.stride;
      for (let at = start, end = start + access.bytes; at < end; at++) {
        if (!access.write && owner[at] !== me) unwritten = true;
        if (write[at] !== lastWrite) meets(lastWrite = write[at], access.write);
        if (!access.write) continue;
        for (let i = 0; i < reads.length; i++) {
          if (reads[i][at] !== lastReads[i]) meets(lastReads[i] = reads[i][at], true);
        }
      }
    }
    if (unwritten && !access.padded) {
      this.#problem(
        `${where}: ${access.what} reads bytes of ${buffer.name} that nobody wrote or that were overwritten`,
      );
    }
    if (early) {
      this.#problem(
        `${where}: ${access.what} meets ${early.engine} for layer ${early.layer} in ${buffer.name}, which it ` +
          `does not wait for`,
      );
    }
  }

  /** Whether a step may still be at work when `step` starts, and that matters. */
  #pending(mark: number, step: Step, write: boolean): boolean {
    if (mark < 0) return false;
    const { step: other, number } = this.#steps[mark];
    if (number <= this.#finished[other.engine]) return false;
    if (other.engine !== step.engine) return true;
    // The DMA and ITA finish in order; of the DMA's a later read may be ahead of an earlier write.
    return step.engine === "cores" || (step.engine === "dma" && !write);
  }

  #mark(access: Access, buffer: Buffer, step: Step, index: number, where: string) {
    const { write, reads, owner } = this.#spaces.get(spaceOf(buffer))!;
    const me = this.#buffers.get(buffer.name)!;
    const marks = access.write ? write : reads[engines.indexOf(step.engine)];
    const others = access.write ? reads[engines.indexOf(step.engine)] : write;
    let twice = false;
    for (let row = 0; row < access.rows; row++) {
      const start = buffer.offset + access.place.offset + row * access.stride;
      for (let at = start, end = start + access.bytes; at < end && !twice; at++) twice = others[at] === index;
      marks.fill(index, start, start + access.bytes);
      if (access.write) owner.fill(me, start, start + access.bytes);
    }
    // Within a step nothing is ordered, but for the jobs of the accelerator.
    if (twice && step.engine !== "ita") {
      this.#problem(`${where}: ${access.what} and another access meet in ${buffer.name}`);
    }
  }

  #problem(text: string) {
    if (this.#problems.length < mostProblems) this.#problems.push(text);
  }
}

/** Buffers of one space share its addresses. */
function spaceOf({ name, kind, memory }: Buffer): string {
  if (kind === "input" || kind === "output") return `array ${name}`;
  return kind === "constant" ? "constants" : `${memory} arena`;
}
