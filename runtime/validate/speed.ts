// Speed of the emulator's fast timing beside QEMU: the same programs, in the same minutes, in CPU seconds of whole
// processes. Two amounts of work for each program tell the steady state from the start.

import { AttoflowError } from "../../targets/errors.ts";

/** A program to measure with: images with little and with much work, for QEMU's virt machine. */
export interface SpeedProgram {
  readonly name: string;
  readonly small: string;
  readonly big: string;
}

/** What to measure, and how. */
export interface SpeedOptions {
  /** Runs of each, of which the median counts. */
  readonly repeats: number;
  /** Runs an image on the emulator to be measured: a command and its arguments, without the image's path. */
  readonly emulator: readonly string[];
  /** QEMU's command. */
  readonly qemu?: string;
}

/** A figure of one emulator and program. CPU seconds are user and system time of the process. */
export interface SpeedFigure {
  /** CPU seconds of the run with much work, start included; and with little. */
  readonly whole: number;
  readonly small: number;
  /** Instructions in a CPU second, start not included. */
  readonly steady: number;
}

/** One program, on both. */
export interface SpeedRow {
  readonly program: string;
  /** Instructions of the run with much work. */
  readonly instructions: number;
  readonly emulator: SpeedFigure;
  readonly qemu: SpeedFigure;
  /** How many times as fast as QEMU: steady state, whole run, run with little work. */
  readonly ratio: { readonly steady: number; readonly whole: number; readonly small: number };
}

/** What `speed_guest.ts` says of a run, one line. */
export interface GuestRun {
  readonly console: string;
  readonly exitCode: number;
  readonly instructions: number;
  readonly cycles: number;
}

/** The command that runs an image on fast timing in a process of its own: `speed_guest.ts`. */
export function guestCommand(...options: string[]): string[] {
  const script = new URL("./speed_guest.ts", import.meta.url);
  const path = script.protocol === "file:" ? decodeURIComponent(script.pathname) : script.href;
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    path,
    ...options,
  ];
}

/** One measured process. */
interface Process {
  readonly cpu: number;
  readonly output: string;
}

/**
 * Runs a command and measures the CPU time of its process with bash's `time`, which asks getrusage.
 *
 * @throws {AttoflowError} if there is no bash, or the command fails
 */
export async function cpuSeconds(command: readonly string[]): Promise<Process> {
  const script = 'TIMEFORMAT="%3U %3S"; exec 3>&1; time "$@" </dev/null 2>/dev/null >&3';
  let result: Deno.CommandOutput;
  try {
    result = await new Deno.Command("bash", { args: ["-c", script, "bash", ...command], stdin: "null" })
      .output();
  } catch (cause) {
    throw new AttoflowError("bash measures the CPU time of processes, and it cannot be started", { cause });
  }
  const decoder = new TextDecoder();
  if (!result.success) {
    throw new AttoflowError(`a measured run failed with status ${result.code}`, { where: command.join(" ") });
  }
  const [user, system] = decoder.decode(result.stderr).trim().split(/\s+/).slice(-2).map(Number);
  return { cpu: user + system, output: decoder.decode(result.stdout) };
}

/** Whether QEMU is there. */
export async function findQemu(qemu = "qemu-system-riscv32"): Promise<string | undefined> {
  try {
    const { success } = await new Deno.Command(qemu, { args: ["--version"], stdout: "null", stderr: "null" })
      .output();
    return success ? qemu : undefined;
  } catch {
    return undefined;
  }
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/**
 * Measures the programs one after the other; the runs of both emulators alternate, so that a busy machine is busy for
 * both.
 *
 * @throws {AttoflowError} if a run fails, or the two do not compute the same
 */
export async function* measureSpeed(
  programs: readonly SpeedProgram[],
  { repeats, emulator, qemu = "qemu-system-riscv32" }: SpeedOptions,
): AsyncGenerator<SpeedRow> {
  const qemuCommand = [
    qemu,
    "-M",
    "virt",
    "-display",
    "none",
    "-serial",
    "stdio",
    "-bios",
    "none",
    "-kernel",
  ];
  for (const { name, small, big } of programs) {
    const times = { ours: [[], []] as number[][], theirs: [[], []] as number[][] };
    const instructions: number[] = [];
    for (let i = 0; i < repeats; i++) {
      for (const [k, image] of [small, big].entries()) {
        const ours = await cpuSeconds([...emulator, image]),
          theirs = await cpuSeconds([...qemuCommand, image]);
        const guest = JSON.parse(ours.output) as GuestRun;
        if (guest.exitCode !== 0 || guest.console.trim() !== theirs.output.trim()) {
          throw new AttoflowError(
            `the emulator computed ${guest.console.trim()}, QEMU ${theirs.output.trim()}`,
            {
              where: image,
            },
          );
        }
        instructions[k] = guest.instructions;
        times.ours[k].push(ours.cpu);
        times.theirs[k].push(theirs.cpu);
      }
    }
    const figure = ([few, many]: number[][]): SpeedFigure => ({
      whole: median(many),
      small: median(few),
      steady: (instructions[1] - instructions[0]) / (median(many) - median(few)),
    });
    const ours = figure(times.ours), theirs = figure(times.theirs);
    yield {
      program: name,
      instructions: instructions[1],
      emulator: ours,
      qemu: theirs,
      ratio: {
        steady: ours.steady / theirs.steady,
        whole: theirs.whole / ours.whole,
        small: theirs.small / ours.small,
      },
    };
  }
}

/** Geometric mean. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
