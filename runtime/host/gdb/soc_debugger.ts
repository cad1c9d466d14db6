// Stops, steps and holds the harts of an emulated SoC, as its observer. Time stands still with the harts: a stop
// costs the few cycles in which the memories answer what has been asked of them, so that what is shown is true.

import { causeName, causes } from "../../hart/control.ts";
import { hex } from "../../hart/disassemble.ts";
import { running } from "../../hart/state.ts";
import { GuestFault } from "../../soc/fault.ts";
import type { ObservedParts, SocObserver } from "../../soc/observer.ts";
import { Breakpoints, type Hit } from "./breakpoints.ts";
import { type HartAction, signals, type Stop } from "./target.ts";

/** Why the harts stand still, once they do. */
export type HartStop = Extract<Stop, { kind: "stop" }>;

/** A trap that a hart has not taken: the debugger shows it first. */
class CaughtTrap extends Error {
  constructor(readonly hart: number, readonly trapCause: number, readonly pc: number) {
    super("caught");
  }
}

/** Cycles that the only hart which is not held may wait. */
const patience = 200_000;

/** The observer. */
export class SocDebugger implements SocObserver {
  /** Set when the harts are to stop; they have stopped when {@link stopped} says so. */
  stop: HartStop | undefined;
  /** Whether traps other than calls are shown before they are taken. */
  catchesTraps = true;
  readonly breakpoints = new Breakpoints((address, cycle) => this.#noticeWrite(address, cycle));

  #parts!: ObservedParts;
  #describe: (pc: number) => string = () => "?";
  #actions: readonly HartAction[] = [];
  #interrupted = false;
  #began = 0;
  /** Cycle in which the harts last had their turn. */
  #turn = -1;
  /** By hart: pc, retired instructions and time to go on, before its turn; whether it must not go on. */
  #pc = new Int32Array(0);
  #retired = new Float64Array(0);
  #wake = new Float64Array(0);
  #isHeld = new Uint8Array(0);
  /** Harts that have come to a breakpoint which has not been told of. */
  readonly #untold = new Set<number>();
  /** Harts that shall take the next trap. */
  readonly #taking = new Set<number>();

  attach(parts: ObservedParts): void {
    const { count } = parts.state;
    this.#parts = parts;
    this.#pc = new Int32Array(count);
    this.#retired = new Float64Array(count);
    this.#wake = new Float64Array(count);
    this.#isHeld = new Uint8Array(count);
    this.#turn = -1;
    this.#untold.clear();
    this.#taking.clear();
    this.stop = undefined;
    this.breakpoints.attach(parts);
  }

  get parts(): ObservedParts {
    return this.#parts;
  }

  /** Says what to call addresses in messages. */
  nameAddresses(describe: (pc: number) => string): void {
    this.#describe = describe;
  }

  /** Prepares for harts to go on. If one stands at a breakpoint that has not been told of, nobody goes on. */
  resume(actions: readonly HartAction[]): void {
    this.#actions = actions;
    this.#interrupted = false;
    this.#began = this.#parts.now();
    this.stop = undefined;
    this.#taking.clear();
    for (const [hart, { kind, takeTrap }] of actions.entries()) {
      if (takeTrap) this.#taking.add(hart);
      if (kind === "hold" || this.stop || !this.#untold.delete(hart)) continue;
      const reason = this.breakpoints.at(this.#parts.state.pc[hart]);
      if (reason) this.#stopFor(hart, signals.trap, { reason });
    }
  }

  /** Asks the harts to stop. */
  interrupt(): void {
    this.#interrupted = true;
  }

  /** Whether the harts shall stop, and nothing is under way to memory any more. */
  get stopped(): boolean {
    if (this.#interrupted) this.#stopFor(this.#anyRunning(), signals.int);
    return this.stop !== undefined && this.#isSettled;
  }

  get #isSettled(): boolean {
    const { tcdmRequests, outsideRequests } = this.#parts.loadStore;
    return (tcdmRequests | outsideRequests) === 0;
  }

  #anyRunning(): number {
    return Math.max(0, this.#parts.state.activity.indexOf(running));
  }

  #stopFor(hart: number, signal: number, more: Omit<HartStop, "kind" | "hart" | "signal"> = {}): void {
    this.stop ??= { kind: "stop", hart, signal, ...more };
  }

  before(_cycle: number): void {
    const { pc, retired, count } = this.#parts.state;
    if (this.stopped) this.#parts.stop();
    for (let hart = 0; hart < count; hart++) {
      this.#pc[hart] = pc[hart];
      this.#retired[hart] = retired[hart];
      this.#isHeld[hart] = 0;
      if (this.stop || this.#actions[hart]?.kind === "hold") this.#hold(hart);
    }
  }

  /** Keeps a hart from having its turn in this cycle. */
  #hold(hart: number): void {
    const { wake } = this.#parts.state;
    this.#isHeld[hart] = 1;
    this.#wake[hart] = wake[hart];
    wake[hart] = Infinity;
  }

  after(cycle: number): void {
    const { state } = this.#parts;
    this.#turn = cycle;
    for (let hart = 0; hart < state.count; hart++) {
      // Whoever has been let go from the barrier in this turn has a new time.
      if (this.#isHeld[hart] === 1) {
        if (state.wake[hart] === Infinity) state.wake[hart] = this.#wake[hart];
      } else this.#look(hart, cycle);
    }
    if (this.stopped) this.#parts.stop();
  }

  /** Looks at what a hart has done in its turn. */
  #look(hart: number, cycle: number): void {
    const { state } = this.#parts;
    const issued = state.retired[hart] !== this.#retired[hart], pc = state.pc[hart];
    const action = this.#actions[hart]?.kind ?? "continue";
    if (!issued && pc === this.#pc[hart]) {
      if (state.activity[hart] !== running) this.#giveUp(hart, cycle);
      return;
    }
    if (issued && this.breakpoints.isWatching) {
      const hit = this.breakpoints.hitBy(hart, this.#pc[hart]);
      if (hit) this.#watchHit(hart, hit);
    }
    const reason = this.breakpoints.at(pc);
    if (reason) {
      // Only one stop is told of; the others wait until this hart is to go on.
      if (this.stop) this.#untold.add(hart);
      else this.#stopFor(hart, signals.trap, { reason });
    } else if (action === "step" || (action === "range" && !this.#inRange(hart, pc))) {
      this.#stopFor(hart, signals.trap);
    }
  }

  #inRange(hart: number, pc: number): boolean {
    const { start = 0, end = 0 } = this.#actions[hart];
    return pc >>> 0 >= start && pc >>> 0 < end;
  }

  #watchHit(hart: number, { kind, address }: Hit): void {
    this.#stopFor(hart, signals.trap, { reason: kind, address });
  }

  /** A hart that waits for others may never go on while they are held. */
  #giveUp(hart: number, cycle: number): void {
    const others = this.#actions.some(({ kind }, other) => kind !== "hold" && other !== hart);
    if (others || cycle - this.#began < patience) return;
    this.#stopFor(hart, signals.trap, {
      text: `hart ${hart} waits for others, who are held: let them go on (set scheduler-locking off)`,
    });
  }

  /** A watched word has been written: by a hart, which has been seen to ask for it, or by a device. */
  #noticeWrite(address: number, cycle: number): void {
    if (cycle === this.#turn) return;
    const hit = this.breakpoints.hitByDevice(address);
    const { state, target } = this.#parts;
    if (!hit) return;
    this.#stopFor(state.count - 1, signals.trap, {
      reason: hit.kind,
      address: hit.address,
      text: `${target.dma ? "the DMA engine or the accelerator" : "a device"} writes ${hex(hit.address)}`,
    });
  }

  trap(hart: number, cause: number, pc: number): void {
    const isCall = cause === causes.machineCall || cause === causes.userCall;
    if (!this.catchesTraps || cause < 0 || isCall) return;
    if (!this.#taking.delete(hart)) throw new CaughtTrap(hart, cause, pc);
  }

  fault(error: unknown): boolean {
    if (error instanceof CaughtTrap) {
      const { hart, trapCause, pc } = error;
      this.#stopFor(hart, signalOf(trapCause), {
        text: `hart ${hart} traps: ${causeName(trapCause)} at ${hex(pc)} (${this.#describe(pc)})`,
      });
      this.#hold(hart);
      return true;
    }
    if (!(error instanceof GuestFault) || error.hart === undefined) return false;
    this.#stopFor(error.hart, signalOf(error.trapCause), { text: error.paragraph });
    this.#hold(error.hart);
    return true;
  }

  /** Stops for a fault that did not come up in the turn of a hart. */
  stopForFault(fault: GuestFault): void {
    this.stop = undefined;
    this.#stopFor(fault.hart ?? this.#anyRunning(), signals.abort, { text: fault.paragraph });
  }
}

/** What GDB calls a trap; without a cause it is an access to where nothing is. */
function signalOf(cause: number | undefined): number {
  switch (cause) {
    case undefined:
      return signals.segv;
    case causes.illegal:
      return signals.illegal;
    case causes.breakpoint:
      return signals.trap;
    case causes.machineCall:
    case causes.userCall:
      return signals.sys;
    default:
      return signals.bus;
  }
}
