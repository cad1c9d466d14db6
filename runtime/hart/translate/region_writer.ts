// Writes a region as one WebAssembly function. The graph becomes nested blocks and loops along its dominator tree
// (N. Ramsey, "Beyond Relooper", 2022); registers live in local variables between entry and exits.

import type { BinaryOperator } from "../expression.ts";
import type { Expression, Local } from "../../wasm/expression.ts";
import type { FunctionBuilder, Label } from "../../wasm/function.ts";
import { i32, i64 } from "../../wasm/instructions.ts";
import { accessBytes, amountsOf, type Step, transfers, written } from "./block.ts";
import { dominates, type Flow } from "./flow.ts";
import {
  type Bounds,
  type Check,
  type Expectation,
  offsetOf,
  planChecks,
  type SharedCheck,
} from "./guards.ts";
import { divisionCharge, unusualAccess, within } from "./interpreter.ts";
import { charge, exit, hartRecord, type Layout, lineBits } from "./layout.ts";
import { livenessOf, type Registers } from "./liveness.ts";
import { type InnerLoop, innerLoops } from "./loops.ts";
import { RoundsWriter } from "./rounds_writer.ts";
import { isCertain, isCheckedEdge, lastStep, type Node, type Placed } from "./region.ts";
import { guestLoad, guestStore, longestDelay, toWasm, writeDivision } from "./values.ts";

type Word = Expression<"i32">;
const constant = i32.const;
/** Index of memory 1. */
const own = 1;
/** Most entries of a switch over the targets of an indirect jump. */
const longestSwitch = 512;

/** What the writer asks of its surroundings. */
export interface RegionContext {
  readonly layout: Layout;
  /** What is known of an access. */
  expect(access: Placed): Expectation;
  /** Where an access to a window may go. */
  bounds(window: number, stores: boolean): Bounds;
}

export class RegionWriter {
  readonly #body: FunctionBuilder;
  readonly #core: Local<"i32">;
  readonly #flow: Flow;
  readonly #context: RegionContext;
  readonly #registers: (Local<"i32"> | undefined)[] = [];
  readonly #counter: Local<"i64">;
  readonly #scratch: Local<"i32">;
  /** Takes the result of a division that goes nowhere. */
  readonly #result: Local<"i32">;
  readonly #live: ReadonlyMap<Node, Registers>;
  readonly #entry: number;
  /** Children in the dominator tree, last in reverse post-order first. */
  readonly #children: Node[][];
  readonly #labels = new Map<Node, Label>();
  /** Where a node is written to which several edges lead: behind a block, reached by branches. */
  readonly #merges: boolean[];
  readonly #headers: boolean[];
  readonly #plan: ReadonlyMap<Node, readonly (Check | undefined)[]>;
  /** Inner loops whose checks are made ahead, by header and by each of their nodes. */
  readonly #loops = new Map<Node, InnerLoop>();
  readonly #loopOf = new Map<Node, InnerLoop>();
  readonly #rounds: RoundsWriter;

  constructor(body: FunctionBuilder, core: Local<"i32">, flow: Flow, context: RegionContext) {
    this.#body = body;
    this.#core = core;
    this.#flow = flow;
    this.#context = context;
    this.#counter = body.local("i64");
    this.#scratch = body.local("i32");
    this.#result = body.local("i32");
    const liveness = livenessOf(flow);
    this.#live = liveness.nodes;
    this.#entry = liveness.entry;
    const { nodes, dominators, predecessors } = flow;
    this.#children = nodes.map(() => []);
    for (let i = nodes.length - 1; i > 0; i--) this.#children[dominators[i]].push(nodes[i]);
    this.#headers = nodes.map((node, i) => predecessors[i].some((from) => from.position >= node.position));
    this.#plan = new Map(nodes.map((node) => [
      node,
      planChecks(node, context.expect, context.bounds),
    ]));
    const { cycles: shift } = context.layout.counting;
    this.#rounds = new RoundsWriter(body, this.#counter, shift, (register) => this.#register(register));
    for (const [header, loop] of innerLoops(flow, this.#plan)) {
      if (loop.checks.length === 0) continue;
      this.#loops.set(header, loop);
      for (const node of loop.body) this.#loopOf.set(node, loop);
    }
    this.#merges = nodes.map((node, i) => {
      const forward = predecessors[i].filter((from) => from.position < node.position);
      return forward.length > 1 || forward.some(isSwitch) || forward.some(({ edges }) => bothWays(edges));
    });
  }

  write(): void {
    const body = this.#body;
    body.set(this.#counter, i64.load(this.#core, hartRecord.counter, own));
    for (let register = 1; register < 32; register++) {
      if (this.#entry >>> register & 1) {
        body.set(this.#register(register), i32.load(this.#core, hartRecord.registers + 4 * register, own));
      }
    }
    this.#tree(this.#flow.nodes[0]);
  }

  #register(index: number): Local<"i32"> {
    return this.#registers[index] ??= this.#body.local("i32");
  }

  #read(index: number): Word {
    return index === 0 ? constant(0) : this.#register(index);
  }

  // Structure

  #tree(node: Node): void {
    const merges = this.#children[node.position].filter((child) => this.#merges[child.position]);
    if (!this.#headers[node.position]) return this.#within(node, merges);
    const repeat = () =>
      this.#body.loop((again) => {
        this.#labels.set(node, again);
        this.#within(node, merges);
      });
    const loop = this.#loops.get(node);
    if (!loop) return repeat();
    this.#body.loop((again) => {
      this.#rounds.enter(loop, again, () => this.#interpret(node, 0, 0n, false));
      repeat();
    });
  }

  #within(node: Node, merges: readonly Node[]): void {
    const [outermost, ...rest] = merges;
    if (!outermost) return this.#node(node);
    this.#body.block((label) => {
      this.#labels.set(outermost, label);
      this.#within(node, rest);
    });
    this.#tree(outermost);
  }

  /** Goes on at the target of an edge. */
  #go(from: Node, to: Node): void {
    const repeats = to.position <= from.position && dominates(this.#flow, to, from);
    const loop = this.#loops.get(to);
    if (repeats && loop && !loop.body.has(from)) this.#body.branch(this.#rounds.again(loop));
    else if (repeats || this.#merges[to.position]) this.#body.branch(this.#labels.get(to)!);
    else this.#tree(to);
  }

  /** Follows an edge behind the block's last step: out of the region, or to the next node. */
  #follow(node: Node, index: number): void {
    const checked = isCheckedEdge(node, index);
    const { address, node: to } = node.edges[index];
    const dirty = this.#dirtyAfter(node), place = constant(address | (checked ? exit.checked : exit.on));
    const loop = this.#loopOf.get(node);
    const leave = () => this.#leave(dirty, place);
    if (loop && to === loop.header) this.#rounds.repeat(loop, checked ? leave : undefined);
    else if (loop && to && loop.body.has(to)) {
      if (checked) this.#rounds.ifUsedUp(leave);
    } else {
      if (loop) this.#rounds.giveBack();
      if (!to) return leave();
      if (checked) this.#body.if(i64.lt_s(this.#counter, i64.const(0n)), leave, undefined, false);
    }
    this.#go(node, to!);
  }

  #dirtyAfter(node: Node, steps = node.placed.length): number {
    let { dirty } = this.#live.get(node)!;
    for (let i = 0; i < steps; i++) dirty |= 1 << written(node.placed[i].step);
    return dirty & ~1;
  }

  /** Puts registers and counter back into the hart's record and returns; `owed` has not been charged yet. */
  #leave(dirty: number, place: Word, owed = 0n): void {
    const body = this.#body;
    for (let register = 1; register < 32; register++) {
      if (dirty >>> register & 1) {
        body.do(i32.store(this.#core, this.#register(register), hartRecord.registers + 4 * register, own));
      }
    }
    const left = owed === 0n ? this.#counter : i64.sub(this.#counter, i64.const(owed));
    body.do(i64.store(this.#core, left, hartRecord.counter, own));
    body.return(place);
  }

  /** Leaves in front of a step, which the interpreter executes. */
  #interpret(node: Node, index: number, owed: bigint, inLoop = this.#loopOf.has(node)): void {
    if (inLoop) this.#rounds.giveBack();
    const { pc } = node.placed[index].step;
    this.#leave(this.#dirtyAfter(node, index), constant(pc | exit.interpret), owed);
  }

  // Code

  #node(node: Node): void {
    const checks = this.#plan.get(node)!, spared = this.#loopOf.get(node)?.spared;
    const { counting } = this.#context.layout;
    /** What the steps so far cost; charged at the node's end. */
    let owed = 0n;
    for (const [i, { step, cycles }] of node.placed.entries()) {
      const check = checks[i], before = owed;
      owed += charge(counting, amountsOf(step, cycles));
      if (check) {
        if (check.kind === "never") return this.#interpret(node, i, before);
        if (!spared?.has(check)) this.#check(check, node, i, before);
        if (check.kind !== "single") owed += this.#penalty(node.placed[i], check.window);
      }
      if (!transfers(step)) this.#step(node.placed[i]);
      else if (node.ending === "indirect" && !isCertain(node)) this.#target(node, step, before);
    }
    this.#body.set(this.#counter, i64.sub(this.#counter, i64.const(owed)));
    const last = lastStep(node);
    if (node.ending === "branch") return this.#branch(node, last);
    if (node.ending === "jump" || node.ending === "indirect") this.#link(last);
    if (node.ending === "indirect" && !isCertain(node)) return this.#indirect(node);
    this.#follow(node, 0);
  }

  #branch(node: Node, step: Step): void {
    const { meaning } = step.instruction;
    if (meaning.kind !== "branch") throw new Error("a node that branches ends with a branch");
    this.#body.if(toWasm(meaning.condition, this.#leaves(step)), () => this.#follow(node, 0));
    this.#follow(node, 1);
  }

  #link(step: Step): void {
    const rd = written(step);
    if (rd !== 0) this.#body.set(this.#register(rd), constant(step.pc + 4));
  }

  /** Finds the target of an indirect jump, before anything is charged. */
  #target(node: Node, step: Step, owed: bigint): void {
    const { meaning } = step.instruction;
    if (meaning.kind !== "jump") throw new Error("an indirect jump is a jump");
    this.#body.set(this.#scratch, toWasm(meaning.target, this.#leaves(step)));
    // A target between two instructions is for the slow path.
    const odd = i32.and(this.#scratch, constant(2));
    this.#body.if(odd, () => this.#interpret(node, node.placed.length - 1, owed), undefined, false);
  }

  /** Goes to the target of an indirect jump. */
  #indirect(node: Node): void {
    const body = this.#body, target = this.#scratch;
    const dirty = this.#dirtyAfter(node);
    const out = () => this.#leave(dirty, i32.or(target, constant(exit.checked)));
    const known = node.edges.filter((edge) => edge.node);
    if (known.length === 0) return out();
    body.if(i64.lt_s(this.#counter, i64.const(0n)), out, undefined, false);
    if (known.length === 1) {
      body.if(i32.ne(target, constant(known[0].address)), out, undefined, false);
      return this.#go(node, known[0].node!);
    }
    const addresses = known.map(({ address }) => address);
    const lowest = Math.min(...addresses), count = (Math.max(...addresses) - lowest) / 4 + 1;
    const labelOf = (address: number) =>
      this.#labels.get(known.find((edge) => edge.address === address)!.node!)!;
    if (count > longestSwitch) {
      for (const address of addresses) {
        body.branchIf(labelOf(address), i32.eq(target, constant(address)));
      }
      return out();
    }
    body.block((elsewhere) => {
      const labels = Array.from({ length: count }, (_, i) => {
        const address = lowest + 4 * i;
        return addresses.includes(address) ? labelOf(address) : elsewhere;
      });
      const index = i32.shr_u(i32.sub(target, constant(lowest)), constant(2));
      body.branchTable(index, labels, elsewhere);
    });
    out();
  }

  #leaves({ pc, operands }: Step) {
    return {
      rs1: this.#read(operands.rs1),
      rs2: this.#read(operands.rs2),
      imm: constant(operands.imm),
      pc: constant(pc),
      old: this.#scratch,
    };
  }

  /** A step that is no transfer of control; its access has been checked. */
  #step({ step, slack }: Placed): void {
    const { instruction, operands } = step, { meaning } = instruction, body = this.#body;
    const leaves = this.#leaves(step), rd = written(step);
    switch (meaning.kind) {
      case "compute":
        if (meaning.value.kind === "binary" && instruction.latency === "divide") {
          this.#divide(meaning.value.operator, step, slack);
        } else if (rd !== 0) body.set(this.#register(rd), toWasm(meaning.value, leaves));
        break;
      case "load": {
        const value = guestLoad(meaning.bytes, meaning.signed, ...this.#place(step));
        if (rd !== 0) body.set(this.#register(rd), value);
        break;
      }
      case "store": {
        const [address, offset] = this.#place(step);
        body.do(guestStore(meaning.bytes, address, toWasm(meaning.value, leaves), offset));
        break;
      }
      case "atomic":
        body.set(this.#scratch, guestLoad(4, true, this.#read(operands.rs1)));
        body.do(guestStore(4, this.#read(operands.rs1), toWasm(meaning.value, leaves)));
        if (rd !== 0) body.set(this.#register(rd), this.#scratch);
        break;
    }
  }

  /** Address and constant offset of an access: WebAssembly adds non-negative offsets for nothing. */
  #place(step: Step): [Word, number] {
    const offset = offsetOf(step), base = this.#read(step.operands.rs1);
    return offset >= 0 ? [base, offset] : [i32.add(base, constant(offset)), 0];
  }

  #divide(operator: BinaryOperator, step: Step, slack: number): void {
    const { rs1, rs2 } = step.operands, rd = written(step), { layout } = this.#context;
    const hidden = slack >= longestDelay ? undefined : constant(slack);
    const counts = hidden !== undefined || layout.counting.shared !== undefined;
    const result = rd === 0 ? this.#result : this.#register(rd);
    const operands = [this.#read(rs1), this.#read(rs2)] as const;
    writeDivision(this.#body, operator, operands, result, counts ? this.#scratch : undefined);
    if (counts) this.#spend(divisionCharge(layout, this.#scratch, hidden));
  }

  #spend(amount: Expression<"i64">): void {
    this.#body.set(this.#counter, i64.sub(this.#counter, amount));
  }

  /** What an access to a window is charged for not being to the usual memory. */
  #penalty({ penalty }: Placed, window: number): bigint {
    const { layout } = this.#context, { windows } = layout;
    return windows[window].memory === windows[0].memory ? 0n : unusualAccess(layout, penalty);
  }

  // Checks

  #check(check: Check, node: Node, index: number, owed: bigint): void {
    const body = this.#body, { step } = node.placed[index];
    const refuse = () => this.#interpret(node, index, owed);
    if (check.kind === "shared") {
      const base = this.#read(step.operands.rs1);
      body.if(i32.eqz(inBounds(base, check)), refuse, undefined, false);
    } else if (check.kind === "single") {
      const { layout } = this.#context, bytes = accessBytes(step), address = this.#scratch;
      const stores = step.instruction.meaning.kind !== "load";
      body.set(address, i32.add(this.#read(step.operands.rs1), constant(offsetOf(step))));
      body.block((reached) => {
        for (const k of check.windows) {
          const window = layout.windows[k], penalty = this.#penalty(node.placed[index], k);
          body.if(within(window, address, bytes), () => {
            if (stores) {
              const line = i32.shr_u(i32.sub(address, constant(window.base)), constant(lineBits));
              const code = i32.load8_u(line, window.guarded, own);
              body.if(code, refuse, undefined, false);
            }
            if (penalty !== 0n) this.#spend(i64.const(penalty));
            body.branch(reached);
          });
        }
        refuse();
      });
    }
  }
}

/** Condition that the accesses of a shared check are aligned and in bounds. */
function inBounds(base: Word, { bounds, offset, bytes, span }: SharedCheck): Word {
  const distance = offset - bounds.base;
  const from = distance === 0 ? base : i32.add(base, constant(distance));
  const room = bounds.size - span;
  if (room < 0) return constant(0);
  const shift = bytes >> 1;
  const turned = shift === 0 ? from : i32.rotr(from, constant(shift));
  return i32.le_u(turned, constant(room >>> shift));
}

/** Whether a branch leads to the same node both ways. */
function bothWays(edges: Node["edges"]): boolean {
  return edges.length === 2 && edges[0].node !== undefined && edges[0].node === edges[1].node;
}

/** Whether a node branches by a table, which needs a label for each target. */
function isSwitch({ ending, edges }: Node): boolean {
  return ending === "indirect" && edges.filter(({ node }) => node).length > 1;
}
