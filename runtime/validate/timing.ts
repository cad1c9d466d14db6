// Conformance of the emulator's timing: programs that were measured on the cluster's RTL, run on the emulated
// cluster, compared figure by figure. The folder's columns.json says what is a cycle figure (cluster-timing/README.md).

import { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";
import type { Target } from "../../targets/schema.ts";
import { displayName } from "../host/names.ts";
import { engineFor, type Timing } from "../host/timing.ts";
import { readElf } from "../image/elf.ts";
import { Soc } from "../soc/soc.ts";

const columnsSchema = z.record(
  z.string(),
  z.strictObject({
    cycles: z.array(z.number().int().min(0)).default([]),
    exactRows: z.array(z.string()).default([]),
    exemptRows: z.array(z.string()).default([]),
    readByAPerson: z.boolean().default(false),
  }),
);
type Columns = z.output<typeof columnsSchema>[string];

/** Figures below this must be right to a cycle; a relative error would say little of them. */
const smallFigure = 20;
/** What each level of timing must reach, as relative errors. Figures of `fast` may be off by anything, if few are. */
const limits: Readonly<Record<Timing, Readonly<Omit<TimingErrors, "figures">>>> = {
  exact: { median: 0.005, percentile95: 0.02, maximum: 0.06 },
  fast: { median: 0.05, percentile95: 0.15, maximum: Infinity },
};
/** Lines of programs read by a person that show a cycle counter or ids of a full DMA queue. */
const exemptLines = [/mcycle/, /perf_cnt0/, /^ids:/];
/** Lines of such programs whose number is cycles: `fast` timing may be off there, `exact` may not. */
const measuredLine = /^\w+_cycles,\d+$/;
/** No program of the set takes longer. */
const cycleLimit = 200_000_000;

/** One cycle figure. */
export interface TimingFigure {
  readonly program: string;
  /** The line of the RTL, and the column of the figure in it. */
  readonly row: string;
  readonly column: number;
  readonly expected: number;
  readonly actual: number;
}

/** Errors of a set of figures of 20 cycles or more. Fractions: 0.01 is one per cent. */
export interface TimingErrors {
  readonly figures: number;
  readonly median: number;
  readonly percentile95: number;
  readonly maximum: number;
}

/** What one program has come to. */
export interface ProgramTiming extends TimingErrors {
  readonly program: string;
  readonly passed: boolean;
  /** What is wrong besides figures: exact columns, missing lines, a fault. */
  readonly problems: readonly string[];
  /** Figures that are not equal, the worst first. */
  readonly worst: readonly TimingFigure[];
  /** Cycles that the emulated cluster ran. */
  readonly cycles: number;
}

/** What all programs have come to. */
export interface TimingReport {
  readonly timing: Timing;
  readonly programs: readonly ProgramTiming[];
  readonly overall: TimingErrors;
  /** The ten worst figures of all, the worst first. */
  readonly worst: readonly TimingFigure[];
  readonly passed: number;
  readonly failed: number;
}

/**
 * Runs every program of a folder (`NAME.elf` with `NAME.rtl.txt` and `columns.json`) and compares.
 *
 * @param target the cluster to emulate
 * @param timing the level to hold against the RTL, which also says how far figures may be off
 * @throws {AttoflowError} if the folder cannot be read or columns.json is wrong
 */
export async function validateTiming(
  folder: string,
  target: Target,
  timing: Timing = "exact",
): Promise<TimingReport> {
  const columns = await readColumns(folder);
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isFile && entry.name.endsWith(".elf")) names.push(entry.name.slice(0, -".elf".length));
  }
  const all: TimingFigure[] = [];
  const programs: ProgramTiming[] = [];
  for (const name of names.sort()) {
    const expected = await readText(`${folder}/${name}.rtl.txt`);
    const run = runProgram(await Deno.readFile(`${folder}/${name}.elf`), name, target, timing);
    const { figures, problems } = compareConsole(name, expected, run.console, columns[name], timing);
    if (run.problem) problems.unshift(run.problem);
    all.push(...figures);
    programs.push(judge(name, figures, problems, run.cycles, timing));
  }
  if (programs.length === 0) {
    throw new AttoflowError("there is no program (NAME.elf) to run", { where: folder });
  }
  const passed = programs.filter((program) => program.passed).length;
  return {
    timing,
    programs,
    overall: errorsOf(all),
    worst: worstOf(all).slice(0, 10),
    passed,
    failed: programs.length - passed,
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new AttoflowError(`cannot be read: ${(cause as Error).message}`, { where: path, cause });
  }
}

async function readColumns(folder: string): Promise<Record<string, Columns>> {
  const path = `${folder}/columns.json`;
  let json: unknown;
  try {
    json = JSON.parse(await readText(path));
  } catch (cause) {
    if (cause instanceof AttoflowError) throw cause;
    throw new AttoflowError(`is not JSON: ${(cause as Error).message}`, { where: path, cause });
  }
  const result = columnsSchema.safeParse(json);
  if (!result.success) throw new AttoflowError(z.prettifyError(result.error), { where: path });
  return result.data;
}

function runProgram(elf: Uint8Array, name: string, target: Target, timing: Timing) {
  const pieces: Uint8Array[] = [];
  // A comparison takes nothing from earlier runs.
  const engine = engineFor(target, timing, { cache: false });
  const soc = new Soc(target, {
    testbench: true,
    console: (text) => pieces.push(text.slice()),
    ...(engine ? { engine } : {}),
  });
  let problem: string | undefined;
  try {
    soc.load(readElf(elf, `${name}.elf`));
    const { exitCode } = soc.run({ maxCycles: cycleLimit, limitIsFault: true });
    if (exitCode !== 0) problem = `ends with status ${exitCode}`;
  } catch (error) {
    if (!(error instanceof AttoflowError)) throw error;
    problem = error.paragraph;
  }
  const decoder = new TextDecoder();
  const console = pieces.map((piece) => decoder.decode(piece, { stream: true })).join("");
  return { console, problem, cycles: soc.cycle };
}

/**
 * Compares what a program printed with what it printed on the RTL.
 *
 * @param columns what the columns are; without it the last numeric column of every line is a cycle figure
 * @param timing under `fast` cycles are figures in programs that are read by a person, too
 */
export function compareConsole(
  program: string,
  expected: string,
  actual: string,
  columns: Partial<Columns> | undefined,
  timing: Timing = "exact",
): { figures: TimingFigure[]; problems: string[] } {
  const figures: TimingFigure[] = [], problems: string[] = [];
  const wanted = expected.trimEnd().split("\n"), got = actual.trimEnd().split("\n");
  if (wanted.length !== got.length) problems.push(`prints ${got.length} lines, not ${wanted.length}`);
  for (const [i, line] of wanted.entries()) {
    const other = got[i];
    if (other === undefined) continue;
    const measured = timing === "fast" && measuredLine.test(line);
    if (columns?.readByAPerson && !measured) {
      if (line === other) continue;
      if (!exemptLines.some((pattern) => pattern.test(line))) {
        problems.push(prints(other, line));
      }
      continue;
    }
    if (columns?.exemptRows?.some((start) => line.startsWith(start))) continue;
    const cells = line.split(","), found = other.split(",");
    const cycles = cycleColumns(cells, columns);
    const same = cells.length === found.length && cells.every((cell, column) => {
      if (!cycles.includes(column)) return cell === found[column];
      if (!isNumber(cell) || !isNumber(found[column])) return cell === found[column];
      figures.push({ program, row: line, column, expected: Number(cell), actual: Number(found[column]) });
      return true;
    });
    if (!same) problems.push(prints(other, line));
  }
  return { figures, problems };
}

/** Lines may come from anybody's file. */
function prints(actual: string, expected: string): string {
  return `prints "${displayName(actual)}", not "${displayName(expected)}"`;
}

function cycleColumns(cells: string[], columns: Partial<Columns> | undefined): number[] {
  if (cells.length < 2 || columns?.exactRows?.includes(cells[0])) return [];
  const listed = (columns?.cycles ?? []).filter((column) => column < cells.length);
  return listed.length > 0 ? listed : [cells.length - 1];
}

function isNumber(text: string | undefined): boolean {
  return text !== undefined && /^\d+$/.test(text);
}

function relativeError({ expected, actual }: TimingFigure): number {
  return Math.abs(actual - expected) / expected;
}

function worstOf(figures: readonly TimingFigure[]): TimingFigure[] {
  return figures.filter(({ expected, actual }) => expected !== actual)
    .sort((a, b) => relativeError(b) - relativeError(a));
}

/** Median, 95th percentile and maximum of the figures that are not small. */
export function errorsOf(figures: readonly TimingFigure[]): TimingErrors {
  const errors = figures.filter(({ expected }) => expected >= smallFigure).map(relativeError).sort((a, b) =>
    a - b
  );
  const at = (fraction: number) => errors[Math.ceil(fraction * errors.length) - 1] ?? 0;
  return { figures: errors.length, median: at(0.5), percentile95: at(0.95), maximum: errors.at(-1) ?? 0 };
}

function judge(
  program: string,
  figures: TimingFigure[],
  problems: string[],
  cycles: number,
  timing: Timing,
): ProgramTiming {
  const errors = errorsOf(figures);
  const small = figures.filter(({ expected }) => expected < smallFigure);
  const off = small.filter(({ expected, actual }) => Math.abs(actual - expected) > 1);
  const all = [
    ...problems,
    ...off.map((figure) => `prints ${figure.actual} cycles, not ${figure.expected}, in "${figure.row}"`),
  ];
  const { median, percentile95, maximum } = limits[timing];
  const passed = all.length === 0 && errors.median <= median && errors.percentile95 <= percentile95 &&
    errors.maximum <= maximum;
  return { program, passed, problems: all, worst: worstOf(figures), cycles, ...errors };
}

const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`;

/** The report as text: a line a program, what is wrong, the ten worst figures, `N passed, M failed`. */
export function formatTimingReport(report: TimingReport): string {
  const row = (name: string, errors: TimingErrors) =>
    `${name.padEnd(12)} ${String(errors.figures).padStart(5)} figures  median ${percent(errors.median)}  ` +
    `95th percentile ${percent(errors.percentile95)}  maximum ${percent(errors.maximum)}`;
  const lines: string[] = [];
  for (const program of report.programs) {
    lines.push(`${row(program.program, program)}  ${program.passed ? "passed" : "FAILED"}`);
    lines.push(...program.problems.slice(0, 10).map((problem) => `    ${problem}`));
  }
  lines.push(row("all", report.overall));
  if (report.worst.length > 0) lines.push("worst figures:");
  for (const figure of report.worst) {
    const error = percent(relativeError(figure));
    lines.push(`    ${figure.program}: ${figure.actual}, RTL ${figure.expected} (${error}): ${figure.row}`);
  }
  lines.push(`${report.passed} passed, ${report.failed} failed`);
  return lines.join("\n");
}
