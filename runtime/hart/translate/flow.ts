// The graph of a region, ordered for structured code: reverse post-order, dominators, and no edge into the middle
// of a loop.

import type { Edge, Node } from "./region.ts";

/** A region's graph, ordered: each node before those that it dominates. */
export interface Flow {
  /** Nodes in reverse post-order; the root is the first. */
  readonly nodes: readonly Node[];
  /** Positions of each node's immediate dominator; the root's is its own. */
  readonly dominators: readonly number[];
  /** For each node, the nodes with an edge to it. */
  readonly predecessors: readonly (readonly Node[])[];
}

/**
 * Orders a region's nodes and finds dominators. Edges that would make the graph irreducible leave the region instead.
 */
export function order(root: Node): Flow {
  for (;;) {
    const flow = arrange(root);
    const odd: Edge[] = [];
    for (const node of flow.nodes) {
      for (const edge of node.edges) {
        const to = edge.node;
        if (to && to.position <= node.position && !dominates(flow, to, node)) odd.push(edge);
      }
    }
    if (odd.length === 0) return flow;
    for (const edge of odd) edge.node = undefined;
  }
}

/** Whether every way to `below` leads through `above`. */
export function dominates({ dominators }: Flow, above: Node, below: Node): boolean {
  let position = below.position;
  while (position > above.position) position = dominators[position];
  return position === above.position;
}

function arrange(root: Node): Flow {
  const postOrder: Node[] = [];
  const seen = new Set<Node>([root]);
  // Depth first, without recursion.
  const stack: { node: Node; next: number }[] = [{ node: root, next: 0 }];
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const edge = top.node.edges[top.next++];
    if (!edge) {
      postOrder.push(top.node);
      stack.pop();
    } else if (edge.node && !seen.has(edge.node)) {
      seen.add(edge.node);
      stack.push({ node: edge.node, next: 0 });
    }
  }
  const nodes = postOrder.reverse();
  for (const [position, node] of nodes.entries()) node.position = position;
  const predecessors: Node[][] = nodes.map(() => []);
  for (const node of nodes) {
    for (const edge of node.edges) {
      const list = edge.node && predecessors[edge.node.position];
      if (list && !list.includes(node)) list.push(node);
    }
  }
  return { nodes, predecessors, dominators: immediateDominators(predecessors) };
}

/** Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm": positions in reverse post-order. */
function immediateDominators(predecessors: readonly (readonly Node[])[]): number[] {
  const dominators = predecessors.map(() => -1);
  dominators[0] = 0;
  const meet = (a: number, b: number) => {
    while (a !== b) {
      if (a > b) a = dominators[a];
      else b = dominators[b];
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let i = 1; i < predecessors.length; i++) {
      let best = -1;
      for (const { position } of predecessors[i]) {
        if (dominators[position] >= 0) best = best < 0 ? position : meet(best, position);
      }
      if (best !== dominators[i]) {
        dominators[i] = best;
        changed = true;
      }
    }
  }
  return dominators;
}
