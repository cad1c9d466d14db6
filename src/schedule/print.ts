// Prints a program as text that a person reads and a test compares. The same program gives the same text.

import { printName } from "../model/print.ts";
import type { Job, Layer, Place, Program, Step, Task, Transfer } from "./program.ts";

/** The whole program: memories, buffers, and every step of every layer. */
export function printProgram(program: Program): string {
  const lines = [`program ${printName(program.model)} for ${program.target}`];
  for (const use of program.memories) {
    lines.push(
      `  memory ${use.memory} (${use.role}): ${use.constants} constants, ${use.activations} activations ` +
        `(at least ${use.lowerBound}), ${use.reserved} reserved of ${use.size}`,
    );
  }
  for (const [kind, endpoints] of [["input", program.inputs], ["output", program.outputs]] as const) {
    for (const { name, dtype, shape, place } of endpoints) {
      lines.push(`  ${kind} ${printName(name)}: ${dtype}[${shape.join(", ")}] in ${printPlace(place)}`);
    }
  }
  for (const { name, kind, memory, offset, bytes, lifetime } of program.buffers.values()) {
    lines.push(
      `  buffer ${printName(name)}: ${kind}, ${memory} ${offset} … ${offset + bytes}, ` +
        `layers ${lifetime.first} … ${lifetime.last}`,
    );
  }
  for (const layer of program.layers) lines.push(...printLayer(layer));
  return lines.join("\n") + "\n";
}

function printLayer(layer: Layer): string[] {
  const names = (list: readonly string[]) =>
    list.map((name) => name === "" ? "-" : printName(name)).join(", ");
  const head =
    `  layer ${layer.index}: ${layer.operator} ${printName(layer.node)} (${names(layer.inputs)}) -> ` +
    `${names(layer.outputs)}`;
  const how =
    `    ${layer.engine}: ${layer.reason}; ${layer.tiles} pieces of [${layer.tileShape.join(", ")}], ` +
    `${layer.macs} MACs, about ${layer.estimatedCycles} cycles`;
  return [head, how, ...layer.steps.flatMap(printStep)];
}

function printStep(step: Step): string[] {
  const waits = Object.entries(step.after).map(([engine, count]) => `${engine} ${count}`).join(", ");
  const head = `    ${step.engine} for layer ${step.layer}, cycles ${step.start} … ${step.end}` +
    (waits === "" ? "" : `, after ${waits}`);
  switch (step.engine) {
    case "dma":
      return [
        head,
        ...step.transfers.map((transfer) => `      move ${printTransfer(transfer)}`),
        ...(step.brings ? [`      bring the args of ${step.brings.kernel}`] : []),
      ];
    case "cores":
      return [head, `      run ${printTask(step.task)}`];
    case "ita":
      return [head, ...step.jobs.map((job) => `      job ${printJob(job)}`)];
  }
}

function printJob(job: Job): string {
  const { input, weights, bias, output } = job;
  return `${printPlace(input)} x ${printPlace(weights)}` + (bias ? ` + ${printPlace(bias)}` : "") +
    (output ? ` -> ${printPlace(output)}` : "");
}

function printTransfer(transfer: Transfer): string {
  const { source, destination, bytes, rows, sourceStride, destinationStride } = transfer;
  const size = rows === 1 ? `${bytes}` : `${rows} x ${bytes} every ${sourceStride}, ${destinationStride}`;
  return `${printPlace(source)} -> ${printPlace(destination)}: ${size}`;
}

function printTask(task: Task): string {
  const pointers = Object.entries(task.pointers).map(([field, place]) =>
    `${field}: ${place.access} ${printPlace(place)}`
  );
  const integers = Object.entries(task.parameters).map(([field, value]) => `${field}=${value}`);
  return `${task.kernel}(${[...pointers, ...integers].join(", ")}), about ${task.cycles} cycles`;
}

function printPlace({ buffer, offset }: Place): string {
  return offset === 0 ? printName(buffer) : `${printName(buffer)}+${offset}`;
}
