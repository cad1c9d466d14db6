// Makes a failing random sequence smaller: leaves out what the failure does not need.

import type { Item } from "./items.ts";

/**
 * Looks for the smallest sequence that still fails: runs of items are left out, halves first, then what is inside
 * loops and skips, and a loop or skip gives way to its body.
 *
 * @param fails whether a sequence still fails
 * @param budget how often `fails` may be asked
 */
export async function minimise(
  items: Item[],
  fails: (items: Item[]) => Promise<boolean>,
  budget = 120,
): Promise<Item[]> {
  let left = budget;
  const still = async (candidate: Item[]) => left-- > 0 && await fails(candidate);

  /** Shrinks a list that sits somewhere in the tree; `rebuild` makes the whole tree with another list there. */
  async function shrink(whole: Item[], rebuild: (list: Item[]) => Item[]): Promise<Item[]> {
    let list = [...whole];
    for (let unwrapped = true; unwrapped;) {
      unwrapped = false;
      for (let size = Math.ceil(list.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0) {
        for (let at = 0; at < list.length;) {
          const without = list.toSpliced(at, size);
          if (await still(rebuild(without))) list = without;
          else at += size;
        }
      }
      for (let at = 0; at < list.length && !unwrapped; at++) {
        const open = list.toSpliced(at, 1, ...list[at].body ?? []);
        unwrapped = !!list[at].body && await still(rebuild(open));
        if (unwrapped) list = open;
      }
    }
    for (const [at, item] of list.entries()) {
      if (!item.body) continue;
      const inside = (body: Item[]) => list.with(at, { ...item, body });
      list[at] = { ...item, body: await shrink(item.body, (body) => rebuild(inside(body))) };
    }
    return list;
  }

  return await shrink(items, (list) => list);
}
