// The minimiser keeps exactly what a failure needs.

import assert from "node:assert/strict";
import type { Item } from "./items.ts";
import { minimise } from "./minimise.ts";

type Named = Item & { name: string };
const named = (name: string, body?: Named[]): Named => ({ name, body, emit() {} });
const names = (items: Item[]): string[] =>
  (items as Named[]).flatMap(({ name, body }) => body ? [name, ...names(body)] : [name]);

Deno.test("minimise keeps the two items that fail together, wherever they are", async () => {
  const many = (prefix: string) => Array.from({ length: 40 }, (_, i) => named(`${prefix}${i}`));
  const items = [...many("a"), named("loop", [...many("b"), named("skip", many("c"))]), ...many("d")];
  const fails = (candidate: Item[]) => {
    const present = names(candidate);
    return Promise.resolve(present.includes("a17") && present.includes("c33"));
  };
  assert.deepEqual(names(await minimise(items, fails, 1000)), ["a17", "c33"]);
});

Deno.test("minimise keeps a loop that the failure needs, and stops when its budget is spent", async () => {
  const items = [named("a"), named("loop", [named("b"), named("c")]), named("d")];
  const needsLoop = (candidate: Item[]) =>
    Promise.resolve(["loop", "c"].every((name) => names(candidate).includes(name)));
  assert.deepEqual(names(await minimise(items, needsLoop)), ["loop", "c"]);
  assert.deepEqual(names(await minimise(items, needsLoop, 0)), ["a", "loop", "b", "c", "d"]);
});
