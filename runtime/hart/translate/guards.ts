// Which accesses of a node share one check. An access may run in translated code only if it is aligned and lies in
// plain memory; accesses through the same value of a base register are checked together, before the first of them.

import { accessBytes, accesses, type Step, written } from "./block.ts";
import type { Node, Placed } from "./region.ts";

/** Where an access may go: a memory, or for stores its part beyond all guarded lines. */
export interface Bounds {
  readonly base: number;
  readonly size: number;
}

/** What is known of an access before it is translated. */
export interface Expectation {
  /** Windows that it has reached, by index; none if it has never been plain memory. */
  readonly windows: readonly number[];
  /** Whether it stores among guarded lines, so that each store must look at the line it hits. */
  readonly amongGuarded: boolean;
}

/** One check for several accesses of a node. */
export interface SharedCheck {
  readonly kind: "shared";
  readonly window: number;
  readonly bounds: Bounds;
  /** The check looks at register + offset: aligned to `bytes`, and `span` bytes from there are in bounds. */
  readonly offset: number;
  readonly bytes: 1 | 2 | 4;
  readonly span: number;
}

/** A check of one access that may go to several windows, or must look at the line it hits. */
export interface SingleCheck {
  readonly kind: "single";
  readonly windows: readonly number[];
  readonly amongGuarded: boolean;
}

/** What translated code does about the access of a step. */
export type Check = SharedCheck | SingleCheck | { readonly kind: "covered"; readonly window: number } | {
  /** Never plain memory so far: translated code ends here. */
  readonly kind: "never";
};

interface Group {
  readonly register: number;
  readonly window: number;
  readonly first: number;
  readonly steps: Step[];
}

/**
 * Plans the checks of a node.
 *
 * @param expect what is known of each access
 * @param bounds where an access to a window may go
 * @returns for each step its check, if it is an access
 */
export function planChecks(
  { placed }: Node,
  expect: (access: Placed) => Expectation,
  bounds: (window: number, stores: boolean) => Bounds,
): (Check | undefined)[] {
  const plan: (Check | undefined)[] = placed.map(() => undefined);
  const open: Group[] = [], all: Group[] = [];
  for (const [i, access] of placed.entries()) {
    const { step } = access;
    if (accesses(step)) {
      const { windows, amongGuarded } = expect(access);
      const register = step.operands.rs1;
      if (windows.length === 0) plan[i] = { kind: "never" };
      else if (windows.length > 1 || amongGuarded) plan[i] = { kind: "single", windows, amongGuarded };
      else {
        const window = windows[0];
        const group = open.find((each) =>
          each.register === register && each.window === window && fits(each, step)
        );
        if (group) group.steps.push(step);
        else {
          const made = { register, window, first: i, steps: [step] };
          open.push(made);
          all.push(made);
        }
        plan[i] = { kind: "covered", window };
      }
    }
    const rd = written(step);
    for (let k = open.length - 1; k >= 0; k--) if (open[k].register === rd) open.splice(k, 1);
  }
  for (const group of all) plan[group.first] = sharedCheck(group, bounds);
  return plan;
}

/** Offset of an access from its base register. */
export function offsetOf({ instruction: { meaning }, operands }: Step): number {
  return meaning.kind === "atomic" ? 0 : operands.imm;
}

/** Whether one alignment check serves an access and a group: their offsets agree modulo the smaller size. */
function fits({ steps }: Group, step: Step): boolean {
  return steps.every((other) => {
    const smaller = Math.min(accessBytes(step), accessBytes(other));
    return (offsetOf(step) - offsetOf(other)) % smaller === 0;
  });
}

function sharedCheck(
  { window, steps }: Group,
  bounds: (window: number, stores: boolean) => Bounds,
): SharedCheck {
  const widest = steps.reduce((a, b) => accessBytes(b) > accessBytes(a) ? b : a);
  const bytes = accessBytes(widest);
  const lowest = Math.min(...steps.map(offsetOf));
  const end = Math.max(...steps.map((step) => offsetOf(step) + accessBytes(step)));
  // Down to the next offset that the widest access's alignment makes aligned.
  const offset = offsetOf(widest) - Math.ceil((offsetOf(widest) - lowest) / bytes) * bytes;
  const stores = steps.some(({ instruction }) => instruction.meaning.kind !== "load");
  return { kind: "shared", window, bounds: bounds(window, stores), offset, bytes, span: end - offset };
}
