// A profile as lines of text.

import { hex } from "../hart/disassemble.ts";
import type { ProfileEntry, ProfileReport } from "./profile_report.ts";

/** Functions that are printed; the others are summed up in a line. */
const functionCount = 25;

/** Lines of a report: functions, layers, hot spots. */
export function profileLines(report: ProfileReport): string[] {
  const { harts, elapsed, cycles, instructions, functions, layers, hotSpots } = report;
  const share = (part: number) => percent(part, cycles);
  const shown = functions.slice(0, functionCount), rest = functions.slice(functionCount);
  const restCycles = rest.reduce((total, entry) => total + entry.cycles, 0);
  const lines = [
    `profile: ${harts} harts × ${grouped(elapsed)} cycles = ${grouped(cycles)}, ` +
    `${grouped(instructions)} instructions`,
    "",
    ...table([
      ["cycles", "share", "instructions", "cycles/instr.", "function", "waits, of its cycles"],
      ...shown.map((entry) => [
        grouped(entry.cycles),
        share(entry.cycles),
        grouped(entry.instructions),
        ratio(entry.cycles, entry.instructions),
        entry.name,
        waitsOf(entry),
      ]),
      ...(rest.length > 0
        ? [[grouped(restCycles), share(restCycles), "", "", `${rest.length} more`, ""]]
        : []),
    ], 4),
  ];
  if (layers.length > 0) {
    lines.push(
      "",
      ...table([
        ["layer", "elapsed", "share", "instructions", "waiting", "operator", "engine", "most cycles in"],
        ...layers.map((layer) => [
          `${layer.layer}`,
          grouped(layer.elapsed),
          percent(layer.elapsed, elapsed),
          grouped(layer.instructions),
          percent((layer.waits.barrier ?? 0) + (layer.waits.wfi ?? 0), layer.cycles),
          `${layer.operator} ${layer.node}`,
          layer.engine,
          layer.functions.map(({ name, cycles }) => `${name} ${percent(cycles, layer.cycles)}`).join(", "),
        ]),
      ], 5),
    );
  }
  lines.push(
    "",
    ...table([
      ["cycles", "share", "cycles/instr.", "address", "instruction", "place", "waits, of its cycles"],
      ...hotSpots.map((spot) => [
        grouped(spot.cycles),
        share(spot.cycles),
        ratio(spot.cycles, spot.instructions),
        hex(spot.pc),
        spot.instruction,
        spot.symbol,
        waitsOf(spot),
      ]),
    ], 3),
  );
  return lines;
}

/** The causes that take 1 % of an entry's cycles or more, the greatest first. */
function waitsOf({ cycles, waits }: ProfileEntry): string {
  return Object.entries(waits)
    .filter(([, count]) => count >= cycles / 100)
    .sort(([, a], [, b]) => b - a)
    .map(([cause, count]) => `${cause} ${percent(count, cycles)}`)
    .join(", ");
}

/** Columns padded to their widest cell, the first `right` of them flushed right. */
function table(rows: readonly (readonly string[])[], right: number): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, i) => i < right ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  ").trimEnd()
  );
}

function percent(part: number, whole: number): string {
  return whole > 0 ? `${(100 * part / whole).toFixed(1)} %` : "-";
}

function ratio(cycles: number, instructions: number): string {
  return instructions > 0 ? (cycles / instructions).toFixed(2) : "-";
}

function grouped(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 }).replaceAll(",", " ");
}
