// Speed of the emulator's fast timing beside QEMU: the same programs, in the same minutes, in CPU seconds of whole
// processes. Two amounts of work for each program tell the steady state from the start.

import { AttoflowError } from "../../targets/errors.ts";

/** A program to measure with: images with little and with much work. */
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
}

/** The same beside QEMU. */
export interface ComparisonOptions extends SpeedOptions {
  /** QEMU's command; without one only the emulator is measured. */
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

/** One program, on the emulator and, where it is there, on QEMU. */
export interface SpeedRow {
  readonly program: string;
  /** Instructions of the run with much work. */
  readonly instructions: number;
  readonly emulator: SpeedFigure;
  readonly qemu?: SpeedFigure;
  /** How many times as fast as QEMU: steady state, whole run with much work, run with little work. */
  readonly ratio?: { readonly steady: number; readonly whole: number; readonly small: number };
}

/** Several harts on one machine. */
export interface HartsFigure extends SpeedFigure {
  /** Instructions of all harts together, and cycles of the machine, in the run with much work. */
  readonly instructions: number;
  readonly cycles: number;
}

/** A program that ends soon. CPU seconds of whole processes, from their start to the result. */
export interface FirstResult {
  readonly instructions: number;
  /** With nothing in the cache, and with what runs before have kept. */
  readonly cold: number;
  readonly warm: number;
  /** The latter through the command line, which has arguments to understand first. */
  readonly commandLine: number;
  /** Of QEMU, where it is there. */
  readonly qemu?: number;
}

/** What `speed_guest.ts` says of a run, one line. */
export interface GuestRun {
  readonly console: string;
  readonly exitCode: number;
  readonly instructions: number;
  readonly cycles: number;
}

/**
 * How V8 is told that a process is there to emulate, as the task `emulate` tells it, too. WebAssembly that has run for
 * long is compiled anew: that pays in long runs only. The guest's 4 GiB of address space count as garbage to be
 * collected, which they are not. And the JavaScript that is left while translated code runs is hardly worth a first
 * compiler before the second.
 */
export const v8Flags = ["--wasm-tiering-budget=2000000000", "--no-incremental-marking", "--no-sparkplug"];

/** The command that runs an image on fast timing in a process of its own: `speed_guest.ts`. */
export function guestCommand(...options: string[]): string[] {
  return scriptCommand(new URL("./speed_guest.ts", import.meta.url), ...options);
}

/** A command that runs a script in a process of its own. */
export function scriptCommand(script: URL, ...options: string[]): string[] {
  const path = script.protocol === "file:" ? decodeURIComponent(script.pathname) : script.href;
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    `--v8-flags=${v8Flags.join(",")}`,
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

/** QEMU's command, if it can be started. */
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

/** What an image did in a process of its own. */
interface Run {
  readonly cpu: number;
  readonly console: string;
}

/** Runs an image on the emulator. Throws {@link AttoflowError} if it fails. */
async function runGuest(command: readonly string[], image: string): Promise<Run & GuestRun> {
  const { cpu, output } = await cpuSeconds([...command, image]);
  const guest = JSON.parse(output) as GuestRun;
  if (guest.exitCode !== 0) {
    throw new AttoflowError(`the program ended with exit code ${guest.exitCode}`, { where: image });
  }
  return { ...guest, cpu, console: guest.console.trim() };
}

const qemuArguments = ["-M", "virt", "-display", "none", "-serial", "stdio", "-bios", "none", "-kernel"];

/** Runs an image on QEMU's virt machine. Throws {@link AttoflowError} if QEMU fails, or prints something else. */
async function runQemu(qemu: string, image: string, expected: string): Promise<number> {
  const { cpu, output } = await cpuSeconds([qemu, ...qemuArguments, image]);
  if (output.trim() === expected) return cpu;
  throw new AttoflowError(`the emulator computed ${expected}, QEMU ${output.trim()}`, { where: image });
}

function figureOf(small: readonly number[], big: readonly number[], instructions: number): SpeedFigure {
  const whole = median(big), few = median(small);
  return { whole, small: few, steady: instructions / (whole - few) };
}

/**
 * Measures the programs one after the other, images for QEMU's virt machine; the runs of both emulators alternate, so
 * that a busy machine is busy for both.
 *
 * @throws {AttoflowError} if a run fails, or the two do not compute the same
 */
export async function* measureSpeed(
  programs: readonly SpeedProgram[],
  { repeats, emulator, qemu }: ComparisonOptions,
): AsyncGenerator<SpeedRow> {
  for (const { name, small, big } of programs) {
    const ours: number[][] = [[], []], theirs: number[][] = [[], []], instructions: number[] = [];
    for (let i = 0; i < repeats; i++) {
      for (const [k, image] of [small, big].entries()) {
        const run = await runGuest(emulator, image);
        instructions[k] = run.instructions;
        ours[k].push(run.cpu);
        if (qemu !== undefined) theirs[k].push(await runQemu(qemu, image, run.console));
      }
    }
    const work = instructions[1] - instructions[0];
    const own = figureOf(ours[0], ours[1], work);
    const other = qemu === undefined ? undefined : figureOf(theirs[0], theirs[1], work);
    yield {
      program: name,
      instructions: instructions[1],
      emulator: own,
      ...(other && {
        qemu: other,
        ratio: {
          steady: own.steady / other.steady,
          whole: other.whole / own.whole,
          small: other.small / own.small,
        },
      }),
    };
  }
}

/** Measures a program for several harts. Throws {@link AttoflowError} if a run fails. */
export async function measureHarts(
  { small, big }: SpeedProgram,
  { repeats, emulator }: SpeedOptions,
): Promise<HartsFigure> {
  const few: number[] = [], many: number[] = [];
  let work = 0, instructions = 0, cycles = 0;
  for (let i = 0; i < repeats; i++) {
    const short = await runGuest(emulator, small), long = await runGuest(emulator, big);
    few.push(short.cpu);
    many.push(long.cpu);
    ({ instructions, cycles } = long);
    work = instructions - short.instructions;
  }
  return { ...figureOf(few, many, work), instructions, cycles };
}

/**
 * Measures how soon a short program's result is there.
 *
 * @param folder an empty folder for what the runs keep
 * @param options `commandLine` also runs an image on the emulator, printing what the program prints; both commands are
 *   given `--cache FOLDER`, too
 * @throws {AttoflowError} if a run fails, or the two do not compute the same
 */
export async function measureFirstResult(
  image: string,
  folder: string,
  { repeats, emulator, qemu, commandLine }: ComparisonOptions & { readonly commandLine: readonly string[] },
): Promise<FirstResult> {
  const cold: number[] = [], warm: number[] = [], whole: number[] = [], theirs: number[] = [];
  let instructions = 0;
  for (let i = 0; i < repeats; i++) {
    const cache = ["--cache", `${folder}/${i}`], command = [...emulator, ...cache];
    const first = await runGuest(command, image), second = await runGuest(command, image);
    cold.push(first.cpu);
    warm.push(second.cpu);
    const { cpu, output } = await cpuSeconds([...commandLine, image, ...cache]);
    if (output.trim() !== second.console) {
      throw new AttoflowError(`the command line printed ${output.trim()}, not ${second.console}`, {
        where: image,
      });
    }
    whole.push(cpu);
    ({ instructions } = second);
    if (qemu !== undefined) theirs.push(await runQemu(qemu, image, second.console));
  }
  return {
    instructions,
    cold: median(cold),
    warm: median(warm),
    commandLine: median(whole),
    ...(theirs.length > 0 && { qemu: median(theirs) }),
  };
}

/** Geometric mean. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
