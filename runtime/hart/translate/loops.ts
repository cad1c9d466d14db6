// Inner loops whose memory checks can be made once for many rounds: every base register is constant in the loop or
// only ever moved by constants, so that before the loop it is known how many rounds stay in bounds.

import { type Step, written } from "./block.ts";
import { dominates, type Flow } from "./flow.ts";
import type { Check, SharedCheck } from "./guards.ts";
import { isCertain, type Node } from "./region.ts";

/** A check that holds for a number of rounds if it holds before the first. */
export interface RoundsCheck extends SharedCheck {
  readonly register: number;
  /** Most that the register can grow and shrink in one round. */
  readonly up: number;
  readonly down: number;
}

/** A loop without loops inside. */
export interface InnerLoop {
  readonly header: Node;
  readonly body: ReadonlySet<Node>;
  readonly checks: readonly RoundsCheck[];
  /** Checks of the plan that need not be made in the loop. */
  readonly spared: ReadonlySet<Check>;
  /** Cycles that a round takes at least. */
  readonly leastCycles: number;
}

/**
 * Finds the inner loops of a region.
 *
 * @param plan the checks of each node's steps
 */
export function innerLoops(
  flow: Flow,
  plan: ReadonlyMap<Node, readonly (Check | undefined)[]>,
): Map<Node, InnerLoop> {
  const found = new Map<Node, InnerLoop>();
  for (const header of flow.nodes) {
    const body = innerBody(flow, header);
    // Where a switch leads out of a loop is not known ahead.
    if (body && ![...body].some(isSwitch)) found.set(header, describe(flow, header, body, plan));
  }
  return found;
}

function isSwitch(node: Node): boolean {
  return node.ending === "indirect" && !isCertain(node);
}

/** Nodes of the innermost loop with that header; undefined if it has none, or loops inside. */
function innerBody(flow: Flow, header: Node): Set<Node> | undefined {
  const latches = flow.predecessors[header.position].filter((node) => dominates(flow, header, node));
  if (latches.length === 0) return undefined;
  const isInner = (body: Set<Node>) =>
    [...body].every((node) =>
      node === header || flow.predecessors[node.position].every((from) => from.position < node.position)
    );
  const all = bodyOf(flow, header, latches);
  if (isInner(all)) return all;
  // Several loops share the header: the smallest is the inner one.
  const bodies = latches.map((latch) => bodyOf(flow, header, [latch])).filter(isInner);
  return bodies.sort((a, b) => a.size - b.size)[0];
}

/** The natural loop of some latches: what reaches them without passing the header. */
function bodyOf(flow: Flow, header: Node, latches: readonly Node[]): Set<Node> {
  const body = new Set([header]);
  const open = [...latches];
  for (let node = open.pop(); node; node = open.pop()) {
    if (body.has(node)) continue;
    body.add(node);
    open.push(...flow.predecessors[node.position]);
  }
  return body;
}

function describe(
  flow: Flow,
  header: Node,
  body: Set<Node>,
  plan: ReadonlyMap<Node, readonly (Check | undefined)[]>,
): InnerLoop {
  const moves = registerMoves([...body].flatMap(({ placed }) => placed.map(({ step }) => step)));
  const checks: RoundsCheck[] = [];
  const spared = new Set<Check>();
  for (const node of body) {
    for (const [i, check] of plan.get(node)!.entries()) {
      if (check?.kind !== "shared") continue;
      const register = node.placed[i].step.operands.rs1;
      const { up, down, steps } = moves[register];
      if (up === Infinity || steps.some((step) => step % check.bytes !== 0)) continue;
      spared.add(check);
      join(checks, { ...check, register, up, down });
    }
  }
  return { header, body, checks, spared, leastCycles: leastCycles(flow, header, body) };
}

/** Adds a check to a list, widening one that it can share. */
function join(checks: RoundsCheck[], added: RoundsCheck): void {
  for (const [i, check] of checks.entries()) {
    const smaller = Math.min(check.bytes, added.bytes);
    const same = check.register === added.register && check.window === added.window &&
      (check.offset - added.offset) % smaller === 0;
    if (!same) continue;
    const widest = check.bytes >= added.bytes ? check : added;
    const lowest = Math.min(check.offset, added.offset);
    const offset = widest.offset - Math.ceil((widest.offset - lowest) / widest.bytes) * widest.bytes;
    const end = Math.max(check.offset + check.span, added.offset + added.span);
    const base = Math.max(check.bounds.base, added.bounds.base);
    const limit = Math.min(check.bounds.base + check.bounds.size, added.bounds.base + added.bounds.size);
    checks[i] = { ...widest, offset, span: end - offset, bounds: { base, size: limit - base } };
    return;
  }
  checks.push(added);
}

interface Moves {
  readonly up: number;
  readonly down: number;
  /** The constants that are added. */
  readonly steps: readonly number[];
}

/** How each register moves in one round; infinitely if it is written in any other way than by adding a constant. */
function registerMoves(steps: readonly Step[]): Moves[] {
  const moves = Array.from({ length: 32 }, () => ({ up: 0, down: 0, steps: [] as number[] }));
  for (const step of steps) {
    const rd = written(step), by = constantMove(step);
    if (rd === 0) continue;
    if (by === undefined) moves[rd].up = moves[rd].down = Infinity;
    else {
      moves[rd].steps.push(by);
      if (by > 0) moves[rd].up += by;
      else moves[rd].down -= by;
    }
  }
  return moves;
}

/** What a step adds to its own register. */
function constantMove({ instruction: { name }, operands: { rd, rs1, imm } }: Step): number | undefined {
  return name === "addi" && rd === rs1 ? imm : undefined;
}

/** Cycles of the cheapest way around a loop without loops inside. */
function leastCycles(flow: Flow, header: Node, body: ReadonlySet<Node>): number {
  const least = new Map<Node, number>([[header, 0]]);
  let round = Infinity;
  for (const node of flow.nodes) {
    const before = least.get(node);
    if (before === undefined || !body.has(node)) continue;
    const after = node.placed.reduce((sum, { cycles }) => sum + cycles, before);
    for (const { node: to } of node.edges) {
      if (!to || !body.has(to)) continue;
      if (to === header) round = Math.min(round, after);
      else least.set(to, Math.min(least.get(to) ?? Infinity, after));
    }
  }
  return round;
}
