// Tables about a network for people: what it holds and costs, where its bytes go, which engine runs what and why.

import { printName } from "../model/print.ts";
import type { Layer, MemoryUse } from "./program.ts";

/** Use of one memory; `code` is known when the image is linked. */
export interface MemoryLine extends MemoryUse {
  readonly code?: number;
}

/** Operators with how often they occur, most frequent first. */
export function countOperators(operators: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const operator of operators) counts.set(operator, (counts.get(operator) ?? 0) + 1);
  return new Map([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}

/** Operators, MACs, parameters. */
export function costLines(layers: readonly Layer[], macs: number, parameters: number): string[] {
  const operators = [...countOperators(layers.map((layer) => layer.operator))]
    .map(([operator, count]) => `${count} ${operator}`).join(", ");
  return [
    `operators   ${layers.length}: ${operators || "none"}`,
    `MACs        ${macs.toLocaleString("en")}`,
    `parameters  ${parameters.toLocaleString("en")}`,
  ];
}

/** Bytes in each memory against its size. */
export function memoryTable(memories: readonly MemoryLine[]): string[] {
  const rows = memories.map((use) => {
    const used = (use.code ?? 0) + use.constants + use.activations + use.reserved;
    return [
      use.memory,
      use.code ?? "-",
      use.constants,
      use.activations,
      use.lowerBound,
      use.reserved,
      used,
      use.size,
      `${(100 * used / use.size).toFixed(1)} %`,
    ].map((cell) => typeof cell === "number" ? cell.toLocaleString("en") : cell);
  });
  return table(
    ["memory", "code", "constants", "activations", "at least", "stacks etc.", "used", "size", "share"],
    rows,
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
}

/** One line a layer: operator, engine, pieces, cost, and why this engine. */
export function layerTable(layers: readonly Layer[]): string[] {
  const rows = layers.map((layer) => [
    `${layer.index}`,
    layer.operator,
    layer.engine === "none" ? "-" : layer.engine,
    `${layer.tiles}`,
    layer.macs.toLocaleString("en"),
    layer.estimatedCycles.toLocaleString("en"),
    `${printName(layer.node)}: ${layer.reason}`,
  ]);
  return table(
    ["layer", "operator", "engine", "pieces", "MACs", "cycles (est.)", "node: why this engine"],
    rows,
    [0, 3, 4, 5],
  );
}

/** Columns as wide as their widest cell; numbers to the right. */
function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[],
): string[] {
  const all = [heads, ...rows];
  const widths = heads.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  return all.map((row) =>
    row.map((cell, i) => right.includes(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  ")
      .trimEnd()
  );
}
