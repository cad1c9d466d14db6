// `target [NAME|FILE]`: what a SoC is, as a person reads it.

import { argument, withDefault } from "@optique/core";
import { hartCount, loadTarget } from "../../targets/load.ts";
import type { Target } from "../../targets/schema.ts";
import { defineCommand, plain } from "./command.ts";
import { textValue } from "./options.ts";
import { print, tableLines } from "./output.ts";

/** The command. */
export const targetCommand = defineCommand("target", {
  summary: "Print a target: harts, clock, memory map.",
  details:
    "Checks a target description and prints it. The emulator, link.ld and soc.h are made from the same file.",
  examples: ["target", "target my-soc.json"],
}, {
  name: withDefault(
    argument(textValue("NAME|FILE"), {
      description: plain("Built-in target (snitch-ita, virt) or path of a target.json. Default: snitch-ita."),
    }),
    "snitch-ita",
  ),
}, async ({ name }) => {
  const target = await loadTarget(name);
  const { workers, dma, isa } = target.harts;
  print(
    `${target.name}: ${target.description}`,
    `${hartCount(target)} harts: ${workers} ${isa}${dma ? " and one with Xdma" : ""}`,
    `${target.clock.hertz / 1e6} MHz at ${target.clock.volt} V, ${target.clock.process}`,
    `engines, in the order in which they are asked: ${target.engines.join(", ")}`,
    "",
    ...memoryMapLines(target),
  );
  return 0;
});

/** The memory map as a table, in the order of the addresses. */
export function memoryMapLines(target: Target): string[] {
  const regions = [
    ...target.memories.flatMap(({ name, role, base, size, alias, banks }) => {
      const what = `memory, ${role}${banks ? `, ${banks.count} banks of ${8 * banks.width} bit` : ""}`;
      return [
        { name, base, size, what },
        ...(alias === undefined ? [] : [{ name, base: alias, size, what: `alias of ${hex(base)}` }]),
      ];
    }),
    ...target.peripherals.map(({ name, kind, base, size }) => ({
      name,
      base,
      size,
      what: `registers, ${kind}`,
    })),
  ].sort((a, b) => a.base - b.base);
  return tableLines([
    ["first", "last", "bytes", "name", "what"],
    ...regions.map(({ name, base, size, what }) => [hex(base), hex(base + size - 1), `${size}`, name, what]),
  ], [2]);
}

function hex(address: number): string {
  return `0x${address.toString(16).padStart(8, "0").replace(/(.{4})$/, "_$1")}`;
}
