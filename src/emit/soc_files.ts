// soc.h and the memory part of link.ld: what the target says, for C and for the linker.

import { hartCount, memoryOf } from "../../targets/load.ts";
import {
  clusterRegisters,
  finisherWords,
  uartLineStatusEmpty,
  uartRegisters,
} from "../../targets/registers.ts";
import type { Peripheral, Target } from "../../targets/schema.ts";
import { stackBytes, stackSkew } from "../schedule/budget.ts";

const hex = (value: number) => `0x${value.toString(16).padStart(8, "0")}`;

/** Text of soc.h. Plain numbers only: assembly includes it too. */
export function socHeader(target: Target): string {
  const upper = (name: string) => name.toUpperCase().replaceAll("-", "_");
  const { harts } = target;
  const lines: (readonly [name: string, value: string | number] | string)[] = [
    "Harts: workers are 0 ... SOC_WORKERS-1",
    ["SOC_WORKERS", harts.workers],
    ["SOC_HARTS", hartCount(target)],
    ...(harts.dma ? [["SOC_DMA_HART", harts.workers] as const] : []),
    "Bytes from one hart's stack to the next one's",
    ["SOC_STACK_STRIDE", harts.stack.size + stackSkew],
    "Memories",
    ...target.memories.flatMap((memory) => [
      [`SOC_${upper(memory.name)}_BASE`, hex(memory.base)] as const,
      [`SOC_${upper(memory.name)}_BYTES`, hex(memory.size)] as const,
    ]),
    "Peripherals",
    ...target.peripherals.map((peripheral) =>
      [`SOC_${upper(macroOf(peripheral, target))}_BASE`, hex(peripheral.base)] as const
    ),
  ];
  const kinds = new Map(target.peripherals.map((peripheral) => [peripheral.kind, peripheral]));
  if (kinds.has("cluster")) {
    lines.push("Registers of the cluster, bytes from its base");
    for (const [name, offset] of Object.entries(clusterRegisters)) {
      lines.push([`CLUSTER_${name}`, hex(offset)]);
    }
  }
  const uart = kinds.get("uart");
  if (uart) {
    lines.push("Registers of the UART, bytes from its base, and the bit that says it takes a byte");
    for (const [name, index] of Object.entries(uartRegisters)) {
      lines.push([`UART_${name}`, hex(index * (uart.stride ?? 1))]);
    }
    lines.push(["UART_LINE_STATUS_EMPTY", hex(uartLineStatusEmpty)]);
  }
  if (kinds.has("finisher")) {
    lines.push("Words that end the program: pass, or fail with an exit code in the upper half");
    for (const [name, word] of Object.entries(finisherWords)) lines.push([`FINISHER_${name}`, hex(word)]);
  }
  const body = lines.map((line) =>
    typeof line === "string" ? `\n/* ${line}. */` : `#define ${line[0].padEnd(32)} ${line[1]}`
  );
  return `/* soc.h: what the SoC ${target.name} is. Made by Attoflow from its target description; do not edit. */
#ifndef SOC_H
#define SOC_H
${body.join("\n")}

#endif
`;
}

/**
 * Memory part of link.ld; the sections follow from `targets/runtime/sections.ld`.
 *
 * @param l1Bytes bytes of L1 that the image may use
 */
export function linkMemories(target: Target, l1Bytes: number): string {
  const l2 = memoryOf(target, "l2");
  const l1 = target.memories.find((memory) => memory.role === "l1");
  const region = (name: string, flags: string, base: number, size: number) =>
    `    ${name} (${flags}) : ORIGIN = ${hex(base)}, LENGTH = ${hex(size)}`;
  const regions = [region("l2", "rwx", l2.base, l2.size)];
  if (l1) regions.push(region("l1", "rw", l1.base, l1Bytes));
  const near = l1 ? "l1" : "l2";
  return `/* link.ld: memories of the SoC ${target.name} and what goes where. Made by Attoflow; do not edit. */
MEMORY
{
${regions.join("\n")}
}

REGION_ALIAS("REGION_L2", l2)
REGION_ALIAS("REGION_L1", ${near})
REGION_ALIAS("REGION_STACKS", ${target.harts.stack.memory === "l1" ? near : "l2"})

__stacks_bytes = ${stackBytes(target)};

`;
}

/** The first device of a kind goes by the kind, for the runtime to find it; an accelerator by its name. */
function macroOf(peripheral: Peripheral, target: Target): string {
  const first = target.peripherals.find((other) => other.kind === peripheral.kind);
  return peripheral === first && peripheral.kind !== "accelerator" ? peripheral.kind : peripheral.name;
}
