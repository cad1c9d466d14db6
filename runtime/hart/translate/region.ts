// What a region is made of: the code that direct jumps, branches and calls reach from its root, as a graph of
// straight pieces. Callees are copied for each call (a context), so that their returns go to one known place.

import { type Ending, isChecked, type Step, stretch, written } from "./block.ts";
import type { BlockStore, StoredBlock } from "./block_store.ts";

/** A call that the region follows: where it returns to, through which register, and from which context. */
export interface Context {
  readonly returnTo: number;
  readonly register: number;
  readonly caller: Context | undefined;
  readonly depth: number;
}

/** Where control goes: to a node of the region, or out of it to an address. */
export interface Edge {
  readonly address: number;
  /** Undefined if the edge leaves the region. */
  node: Node | undefined;
}

/** An instruction with what it costs. */
export interface Placed {
  readonly step: Step;
  readonly stored: StoredBlock;
  readonly cycles: number;
  readonly penalty: number;
  readonly slack: number;
}

/** Straight-line code in a context: entered at its start only, left at its end only. */
export interface Node {
  readonly start: number;
  readonly context: Context | undefined;
  placed: Placed[];
  ending: Ending;
  /**
   * Branch: taken, then next. Indirect: one for each target that is expected; any other leaves the region.
   * Everything else: one.
   */
  edges: Edge[];
  /** Position in reverse post-order. */
  position: number;
}

/** Bounds of a region: translation time and V8's grow with it. */
export interface RegionLimits {
  readonly instructions: number;
  readonly depth: number;
}

export const defaultLimits: RegionLimits = { instructions: 400, depth: 2 };

/** The last step of a node; nodes are never empty. */
export function lastStep({ placed }: Pick<Node, "placed">): Step {
  return placed[placed.length - 1].step;
}

/** Address behind a node. */
export function endOf(node: Node): number {
  return lastStep(node).pc + 4;
}

/** Address that an indirect jump goes to if the code before it computes it: auipc and jalr. */
function knownTarget({ placed }: Node): number | undefined {
  const { operands: { rs1, imm } } = placed[placed.length - 1].step;
  for (let i = placed.length - 2; i >= 0; i--) {
    const { pc, instruction: { name }, operands } = placed[i].step;
    if (written(placed[i].step) !== rs1 || rs1 === 0) continue;
    const target = ((pc + operands.imm + imm) & ~1) >>> 0;
    // Between two instructions the jump traps.
    return name === "auipc" && (target & 2) === 0 ? target : undefined;
  }
  return undefined;
}

/** Whether a node ends with a plain return: to what a register holds, without a link. */
function isReturn(node: Node): boolean {
  const { operands: { rd, imm, rs1 } } = lastStep(node);
  return rd === 0 && imm === 0 && (rs1 === 1 || rs1 === 5);
}

/** Whether the address of an indirect jump's only edge is certain, so that nothing must be compared. */
export function isCertain(node: Node): boolean {
  return node.ending === "indirect" && knownTarget(node) !== undefined;
}

/** Collects a region, breadth first. Only code that has been executed belongs to it. */
class Collector {
  readonly #store: BlockStore;
  readonly #limits: RegionLimits;
  readonly #nodes = new Map<Context | undefined, Map<number, Node>>();
  readonly #contexts = new Map<string, Context>();
  readonly #queue: Node[] = [];
  #instructions = 0;

  constructor(store: BlockStore, limits: RegionLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  collect(root: number): Node {
    const first = this.#at(root, undefined)!;
    for (let i = 0; i < this.#queue.length; i++) this.#connect(this.#queue[i]);
    for (const nodes of this.#nodes.values()) this.#split(nodes);
    return first;
  }

  #at(address: number, context: Context | undefined): Node | undefined {
    let nodes = this.#nodes.get(context);
    if (!nodes) this.#nodes.set(context, nodes = new Map());
    const existing = nodes.get(address);
    if (existing) return existing;
    if (this.#instructions >= this.#limits.instructions) return undefined;
    const placed: Placed[] = [];
    let ending: Ending = "fall";
    // Boundaries of blocks are nothing to the translator: code that was executed on both sides is one piece, but for
    // the places where a quantum may end.
    for (let pc = address; ending === "fall" && (pc % stretch !== 0 || pc === address);) {
      const stored = this.#store.peek(pc);
      if (!stored || stored.block.steps.length === 0) break;
      const { block, costs } = stored;
      for (const [i, step] of block.steps.entries()) {
        placed.push({
          step,
          stored,
          cycles: costs.cycles[i],
          penalty: costs.penalty[i],
          slack: costs.slack[i],
        });
      }
      pc = block.end;
      ending = block.ending;
    }
    if (placed.length === 0) return undefined;
    const node: Node = { start: address, context, placed, ending, edges: [], position: -1 };
    nodes.set(address, node);
    this.#queue.push(node);
    this.#instructions += placed.length;
    return node;
  }

  #connect(node: Node): void {
    const { context, ending } = node, last = lastStep(node), end = endOf(node);
    const to = (address: number, where = context) => {
      node.edges.push({ address, node: this.#at(address, where) });
    };
    const jump = (address: number) => {
      const register = written(last);
      if (register === 0) return to(address);
      const inside = this.#call(node, register, end);
      if (inside) to(address, inside);
      else node.edges.push({ address, node: undefined });
    };
    switch (ending) {
      case "branch":
        to((last.pc + last.operands.imm) >>> 0);
        return to(end);
      case "jump":
        return jump((last.pc + last.operands.imm) >>> 0);
      case "indirect": {
        const known = knownTarget(node);
        if (known !== undefined) return jump(known);
        if (isReturn(node)) {
          if (context?.register === last.operands.rs1) to(context.returnTo, context.caller);
        } else if (written(last) === 0) {
          for (const target of this.#store.targets(node.placed[node.placed.length - 1].stored)) to(target);
        }
        return;
      }
      default:
        return to(end);
    }
  }

  /** The context of a call; the same call in the same context has one. */
  #call({ context }: Node, register: number, returnTo: number): Context | undefined {
    const depth = (context?.depth ?? 0) + 1;
    if (depth > this.#limits.depth) return undefined;
    const key = `${context ? contextKey(context) : ""}/${returnTo}`;
    const known = this.#contexts.get(key);
    if (known) return known;
    const made = { returnTo, register, caller: context, depth };
    this.#contexts.set(key, made);
    return made;
  }

  /** Cuts nodes where another node starts within them. */
  #split(nodes: Map<number, Node>): void {
    const starts = [...nodes.keys()].sort((a, b) => a - b);
    for (const [i, start] of starts.entries()) {
      const node = nodes.get(start)!, next = starts[i + 1];
      const length = (next - start) / 4;
      if (next === undefined || length >= node.placed.length) continue;
      node.placed = node.placed.slice(0, length);
      node.ending = "fall";
      node.edges = [{ address: next, node: nodes.get(next) }];
    }
  }
}

function contextKey({ returnTo, caller }: Context): string {
  return caller ? `${contextKey(caller)}/${returnTo}` : `${returnTo}`;
}

/** The graph of the region that starts at a block. */
export function collect(store: BlockStore, root: StoredBlock, limits: RegionLimits = defaultLimits): Node {
  return new Collector(store, limits).collect(root.start);
}

/** Whether a node passes a point at which a quantum may end, on its way to an edge. */
export function isCheckedEdge(node: Node, edge: number): boolean {
  return isChecked(lastStep(node), node.edges[edge].address);
}
