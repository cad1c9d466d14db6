// The C function of one layer: a comment that says what it is, the tables of its tasks, transfers and steps, and
// the call that runs them.

import type { Model, Tensor } from "../model/types.ts";
import type { Layer, Program, Step, Task, Transfer } from "../schedule/program.ts";
import { jobTables } from "./job_source.ts";
import { text } from "./names.ts";
import type { Symbols } from "./symbols.ts";

/** Counts of what was issued before a layer, over the whole inference. */
export interface Issued {
  /** DMA transfers, those of args included, at the end of each step of the DMA so far. */
  readonly transfers: number[];
  /** Jobs at the end of each step of the accelerator so far. */
  readonly jobs: number[];
  tasks: number;
  /** Kernels of the network, as its table lists them. */
  readonly kernels: readonly string[];
  /** Number of each task, in the order in which the workers do them. */
  readonly numbers: ReadonlyMap<Task, number>;
}

/** Nothing issued yet. */
export function nothingIssued(program: Program): Issued {
  const tasks = program.layers.flatMap(({ steps }) =>
    steps.flatMap((step) => step.engine === "cores" ? [step.task] : [])
  );
  const kernels = [...new Set(tasks.map((task) => task.kernel))].sort();
  return { transfers: [], jobs: [], tasks: 0, kernels, numbers: new Map(tasks.map((task, i) => [task, i])) };
}

/** Text of a layer: comment and function; a comment alone where there is nothing to do. Adds to `issued`. */
export function layerFunction(
  layer: Layer,
  program: Program,
  model: Model,
  symbols: Symbols,
  issued: Issued,
): string {
  const comment = layerComment(layer, program, model);
  if (layer.steps.length === 0) return comment;

  const tables: string[] = [];
  const tasks = new Map<Task, string>();
  const byKernel = Map.groupBy(
    layer.steps.flatMap((step) => step.engine === "dma" && step.brings ? [step.brings] : []),
    (task) => task.kernel,
  );
  for (const [kernel, group] of byKernel) {
    const table = byKernel.size === 1 ? "tasks" : `tasks_${kernel}`;
    group.forEach((task, i) => tasks.set(task, `${table}[${i}]`));
    const entries = group.map((task) => `        {\n${taskFields(task, symbols)}        },\n`);
    tables.push(`    static const struct ${kernel}_args ${table}[] = {\n${entries.join("")}    };\n`);
  }

  const jobs = jobTables(layer.steps, program);
  tables.push(jobs.text);
  const firstTask = issued.tasks;
  const transferLines: string[] = [];
  const steps = new StepTable();
  for (const step of layer.steps) {
    steps.waits(step, issued);
    switch (step.engine) {
      case "dma": {
        const { transfers, brings } = step;
        transferLines.push(...transfers.map((transfer) => transferLine(transfer, symbols)));
        if (brings) transferLines.push(argsLine(tasks.get(brings)!, issued.numbers.get(brings)!));
        const count = transfers.length + (brings ? 1 : 0);
        issued.transfers.push((issued.transfers.at(-1) ?? 0) + count);
        steps.add("MOVE", count);
        break;
      }
      case "cores":
        issued.tasks++;
        steps.add("TASK", issued.kernels.indexOf(step.task.kernel));
        break;
      case "ita":
        issued.jobs.push((issued.jobs.at(-1) ?? 0) + step.jobs.length);
        steps.sequence(jobs.sequence(step));
        steps.add("JOBS", step.jobs.length);
        break;
    }
  }
  const members = [".steps = steps"];
  if (transferLines.length > 0) {
    tables.push(`    static const struct transfer transfers[] = {\n${transferLines.join("")}    };\n`);
    members.push(".transfers = transfers");
  }
  if (jobs.text !== "") members.push(".jobs = jobs", ".sequences = sequences");
  const taskCount = issued.tasks - firstTask;
  if (taskCount > 0) members.push(`.tasks = ${taskCount}`, `.first_task = ${firstTask}`);
  tables.push(`    static const step steps[] = {\n${steps.text()}    };\n`);
  tables.push(`    static const struct steps layer = { ${members.join(", ")} };\n`);
  return `${comment}static void ${symbols.layerFunction(layer.index)}(uint32_t hart)
{
${tables.join("")}    run_steps(hart, &layer);
}
`;
}

type Entry = "MOVE" | "JOBS" | "TASK" | "SEQUENCE" | "AFTER_TASKS" | "AFTER_JOBS" | "AFTER_TRANSFERS";

/** Entries of a table of steps; neighbours that could be one are one. */
class StepTable {
  readonly #entries: { kind: Entry; number: number }[] = [];
  #sequence = -1;

  /** Adds what a step waits for, in the runtime's terms: single transfers and jobs instead of steps. */
  waits({ after }: Step, issued: Issued) {
    if (after.cores) this.add("AFTER_TASKS", after.cores);
    if (after.ita) this.add("AFTER_JOBS", issued.jobs[after.ita - 1]);
    if (after.dma && issued.transfers[after.dma - 1] > 0) {
      this.add("AFTER_TRANSFERS", issued.transfers[after.dma - 1]);
    }
  }

  /** The jobs that follow are of this sequence. */
  sequence(index: number) {
    if (index !== this.#sequence) this.add("SEQUENCE", this.#sequence = index);
  }

  add(kind: Entry, number: number) {
    const last = this.#entries.at(-1);
    if ((kind === "MOVE" || kind === "JOBS") && last?.kind === kind) last.number += number;
    else this.#entries.push({ kind, number });
  }

  text(): string {
    const entries = [...this.#entries.map(({ kind, number }) => `${kind}(${number})`), "END"];
    const lines = Array.from(
      { length: Math.ceil(entries.length / 6) },
      (_, i) => entries.slice(6 * i, 6 * i + 6).join(", "),
    );
    return lines.map((line) => `        ${line},\n`).join("");
  }
}

/** The lines that run a layer inside network_layers. */
export function layerCall(layer: Layer, symbols: Symbols): string {
  const call = layer.steps.length > 0 ? `    ${symbols.layerFunction(layer.index)}(hart);\n` : "";
  return `${call}    layer_done(hart, ${layer.index});\n`;
}

function layerComment(layer: Layer, program: Program, model: Model): string {
  const tensors = (names: readonly string[]) =>
    names.filter((name) => name !== "").map((name) => tensorText(model.tensors.get(name)!)).join(", ") ||
    "none";
  const lines = [
    `Layer ${layer.index}: ${text(layer.operator)} "${text(layer.node)}"`,
    `  inputs    ${tensors(layer.inputs)}`,
    `  outputs   ${tensors(layer.outputs)}`,
  ];
  if (layer.steps.length === 0) {
    lines.push(`  nothing to do: ${text(layer.reason)}`);
  } else {
    const pieces = layer.tiles === 1
      ? "1 piece"
      : `${layer.tiles} pieces of at most [${layer.tileShape.join(", ")}]`;
    lines.push(`  engine    ${layer.engine} (${text(layer.reason)}), ${pieces}`);
    lines.push(`  L1        ${buffersText(layer, program)}`);
    lines.push(`  estimate  ${layer.estimatedCycles} cycles, ${layer.macs} MACs`);
  }
  return `/* ${lines.join("\n * ")}\n */\n`;
}

function tensorText({ name, dtype, shape, data }: Tensor): string {
  return `"${text(name)}" ${data ? "constant " : ""}${dtype} [${shape.join(", ")}]`;
}

function buffersText(layer: Layer, program: Program): string {
  const prefix = `L${layer.index}.`;
  return [...program.buffers.values()]
    .filter((buffer) => buffer.memory === "l1" && buffer.name.startsWith(prefix))
    .map((buffer) => `${buffer.name.slice(prefix.length)} ${buffer.bytes} at 0x${buffer.offset.toString(16)}`)
    .join(", ");
}

function taskFields(task: Task, symbols: Symbols): string {
  const pointers = Object.entries(task.pointers).map(([field, place]) => [field, symbols.address(place)]);
  const integers = Object.entries(task.parameters).filter(([, value]) => value !== 0)
    .map(([field, value]) => [field, integerText(value)]);
  return [...pointers, ...integers].map(([field, value]) => `            .${field} = ${value},\n`).join("");
}

/** An int32_t constant; the most negative one has no literal of its own. */
function integerText(value: number): string {
  if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 31) {
    throw new RangeError(`the parameter ${value} of a kernel is not an int32`);
  }
  return value === -(2 ** 31) ? "INT32_MIN" : String(value);
}

/** The transfer that brings the args of a task to their slot. */
function argsLine(table: string, task: number): string {
  return `        { .source = &${table}, .destination = TASK_ARGS(${task}), .bytes = sizeof ${table}, .rows = 1 },\n`;
}

function transferLine(transfer: Transfer, symbols: Symbols): string {
  const { source, destination, bytes, rows, sourceStride, destinationStride } = transfer;
  const strides = rows === 1
    ? ""
    : `, .source_stride = ${sourceStride}, .destination_stride = ${destinationStride}`;
  return `        { .source = ${symbols.address(source)}, .destination = ${symbols.address(destination)},\n` +
    `          .bytes = ${bytes}, .rows = ${rows}${strides} },\n`;
}
